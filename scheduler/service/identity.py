"""Who is calling: tokens and join codes, shown once, stored as hashes, checked in memory.

A token reads `ofd_<id>_<secret>`; its secret has 192 bits, so a plain SHA-256 is enough to store it (there is nothing
to guess that a slow hash would protect). A join code is short enough to be read out, valid once and briefly; that of an
intent is valid once for each of its instances.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import col, select

from scheduler.errors import Denied, NotFound, Refused
from scheduler.service.farm import Farm, iso
from scheduler.store.tables import Token
from scheduler.store.transaction import Transaction

JOIN_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that cannot be mistaken for one another."""

JOIN_LENGTH = 10
TOKEN_TEXT_MAX = 200
NAME_MAX = 200


class Role(StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    USER = "user"
    WORKER = "worker"
    JOIN = "join"


@dataclass(frozen=True)
class Principal:
    """Who a request comes from. `worker` is set for role worker."""

    token: str
    name: str
    role: Role
    worker: str | None = None


@dataclass(frozen=True)
class _Known:
    principal: Principal
    hash: bytes
    expires_at: float | None


class Identity:
    """Every valid token in memory, kept in step with the store."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._known: dict[str, _Known] = {}

    def load(self) -> None:
        """Read the valid tokens."""
        with self._farm.store.read() as session:
            rows = session.exec(
                select(Token).where(col(Token.revoked_at).is_(None), col(Token.role) != Role.JOIN)
            ).all()
        self._known = {row.id: _remember(row) for row in rows}

    def principal(self, text: str | None) -> Principal | None:
        """Who this token belongs to; None for none, an unknown, revoked or expired one. Memory only: the hot road."""
        if not text or len(text) > TOKEN_TEXT_MAX:
            return None
        token_id, _, secret = text.removeprefix("ofd_").partition("_")
        known = self._known.get(token_id)
        if known is None or not hmac.compare_digest(known.hash, _digest(secret)):
            return None
        if known.expires_at is not None and known.expires_at < self._farm.now_s():
            return None
        return known.principal

    async def new_token(
        self,
        name: str,
        role: Role,
        *,
        owner: str = "",
        worker: str | None = None,
        pool: str | None = None,
        expires_s: float | None = None,
    ) -> tuple[str, str]:
        """A new token or join code; returns its id and its text, which is never shown again.

        Raises:
            Refused: the name is empty or too long.
        """
        if not 0 < len(name.strip()) <= NAME_MAX:
            raise Refused("A token needs a name of 1 to 200 characters.", code="invalid_field")
        row, text = self._make(name, role, owner=owner, worker=worker, pool=pool, expires_s=expires_s)
        await self._farm.store.awrite(lambda tx: tx.session.add(row))
        self.remember(row)
        return row.id, text

    def mint(self, tx: Transaction, name: str, role: Role, *, worker: str) -> tuple[Token, str]:
        """A token inside a larger change; `remember` it after the commit."""
        row, text = self._make(name, role, owner="", worker=worker, pool=None, expires_s=None)
        tx.session.add(row)
        return row, text

    def mint_join_code(self, tx: Transaction, intent: str, *, pool: str, uses: int, expires_s: float) -> str:
        """A join code for the instances of an intent, inside a larger change; returns its text."""
        row, text = self._make(f"intent {intent}", Role.JOIN, owner="", worker=None, pool=pool, expires_s=expires_s)
        row.intent, row.uses_left = intent, uses
        tx.session.add(row)
        return text

    def remember(self, row: Token) -> None:
        """The row is on the disk now: from here on it is valid."""
        if row.role != Role.JOIN:
            self._known[row.id] = _remember(row)

    def forget_worker(self, worker: str) -> None:
        """The tokens of this worker were revoked in the store: from here on they are not valid."""
        self._known = {name: known for name, known in self._known.items() if known.principal.worker != worker}

    async def revoke(self, token_id: str) -> None:
        """End a token at once.

        Raises:
            NotFound: there is no such token.
        """
        now_s = self._farm.now_s()

        def change(tx: Transaction) -> bool:
            row = tx.session.get(Token, token_id)
            if row is None or row.revoked_at is not None:
                return False
            row.revoked_at = now_s
            return True

        if not await self._farm.store.awrite(change):
            raise NotFound(
                f"There is no token {token_id!r}.", code="token_unknown", hint="`outfield token ls` lists them."
            )
        self._known.pop(token_id, None)

    def list_tokens(self) -> list[dict[str, object]]:
        """The valid tokens and join codes, without their secrets."""
        now_s = self._farm.now_s()
        with self._farm.store.read() as session:
            rows = session.exec(
                select(Token).where(col(Token.revoked_at).is_(None)).order_by(col(Token.created_at))
            ).all()
        return [_view(row) for row in rows if row.expires_at is None or row.expires_at > now_s]

    def _make(
        self, name: str, role: Role, *, owner: str, worker: str | None, pool: str | None, expires_s: float | None
    ) -> tuple[Token, str]:
        token_id = secrets.token_hex(6)
        if role is Role.JOIN:
            expires_s = self._farm.settings.farm.join_code_s if expires_s is None else expires_s
            secret = text = "".join(secrets.choice(JOIN_ALPHABET) for _ in range(JOIN_LENGTH))
        else:
            secret = secrets.token_urlsafe(24)
            text = f"ofd_{token_id}_{secret}"
        now_s = self._farm.now_s()
        row = Token(
            id=token_id,
            name=name.strip(),
            role=role.value,
            owner=owner,
            worker=worker,
            pool=pool,
            hash=_digest(secret),
            created_at=now_s,
            expires_at=None if expires_s is None else now_s + expires_s,
        )
        return row, text


def redeem_join_code(tx: Transaction, text: str, now_s: float) -> Token:
    """Use up a join code, or one of the uses of an intent's.

    Raises:
        Denied: unknown, used, or expired.
    """
    # No session change before every check has passed: a refused code stays as it was.
    found: Iterable[Token] = tx.session.exec(
        select(Token).where(Token.role == Role.JOIN, Token.hash == _digest(text.strip().upper()))
    ).all()
    for row in found:
        if row.revoked_at is None and (row.expires_at is None or row.expires_at >= now_s):
            row.used_at, row.uses_left = now_s, row.uses_left - 1
            if row.uses_left <= 0:
                row.revoked_at = now_s
            return row
    raise Denied(
        "This join code is not valid (any more).",
        code="join_code_invalid",
        hint="Get a new one with: outfield token new --role worker",
    )


def keep_join_codes(tx: Transaction, intents: Iterable[str], until_s: float) -> None:
    """Let the codes of intents whose instances have not started yet be valid for longer."""
    for row in _codes_of(tx, intents):
        row.expires_at = max(row.expires_at or 0.0, until_s)


def end_join_codes(tx: Transaction, intents: Iterable[str], now_s: float) -> None:
    """Nobody joins by these intents any more."""
    for row in _codes_of(tx, intents):
        row.revoked_at = now_s


def _codes_of(tx: Transaction, intents: Iterable[str]) -> Iterable[Token]:
    wanted = list(intents)
    if not wanted:
        return []
    query = select(Token).where(Token.role == Role.JOIN, col(Token.intent).in_(wanted), col(Token.revoked_at).is_(None))
    return tx.session.exec(query).all()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _remember(row: Token) -> _Known:
    name = row.owner or row.name
    return _Known(Principal(row.id, name, Role(row.role), row.worker), row.hash, row.expires_at)


def _view(row: Token) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "user": row.owner or row.name,
        "worker": row.worker,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
    }
