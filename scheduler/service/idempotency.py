"""`Idempotency-Key`: the same key and request give the same answer, however often, at once, or after a restart.

The answer is stored in the very transaction that creates the thing, so that a crash leaves both or neither. Answers
that carry a secret are kept in memory only: a token is stored as its hash and nowhere else.
"""

from __future__ import annotations

import asyncio
import hashlib
import string
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scheduler.errors import Conflict, Refused
from scheduler.service.farm import Farm
from scheduler.store.tables import IdempotencyKey
from scheduler.store.transaction import Transaction

KEY_MAX = 255
SECRETS_MAX = 1000
"""Answers with secrets that are remembered."""

DAY_S = 86_400.0
_KEY_LETTERS = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True)
class Answered:
    """An answer as it was given: the HTTP status and the body."""

    status: int
    body: str


@dataclass(frozen=True)
class Key:
    """A key, whose it is, and the hash of the request that it came with."""

    owner: str
    text: str
    request_hash: str


Note = Callable[[Transaction, Answered], None]
Make = Callable[[Note | None], Awaitable[Answered]]
"""Creates the thing. It calls the note in its own transaction, with the answer that it will give."""


def make_key(owner: str, text: str, *request: bytes) -> Key:
    """A key for one request; `request` is whatever makes two requests the same.

    Raises:
        Refused: the key is not 1 to 255 printable ASCII characters.
    """
    if not 0 < len(text) <= KEY_MAX or not _KEY_LETTERS.issuperset(text):
        raise Refused(
            "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces.",
            code="invalid_idempotency_key",
            hint="A UUID does well.",
        )
    digest = hashlib.sha256()
    for part in request:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Key(owner, text, digest.hexdigest())


class Idempotency:
    """Answers that were given, by key."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._secrets: OrderedDict[tuple[str, str], Answered] = OrderedDict()

    async def once(self, key: Key, make: Make, *, secret: bool = False) -> Answered:
        """Answer as before, or create and remember the answer. Whoever comes second waits for the first.

        Raises:
            Refused: `idempotency_conflict`, the key came with another request before.
            Conflict: `answer_not_kept`, the answer held a secret and the scheduler has been restarted since.
        """
        place = (key.owner, key.text)
        self._waiting[place] += 1
        try:
            async with self._locks[place]:
                before = await asyncio.to_thread(self._find, key)
                if before is not None:
                    return before
                return await (
                    self._make_secret(key, make) if secret else make(lambda tx, said: self._note(tx, key, said))
                )
        finally:
            self._waiting[place] -= 1
            if not self._waiting[place]:
                del self._waiting[place]
                self._locks.pop(place, None)

    async def _make_secret(self, key: Key, make: Make) -> Answered:
        said = await make(None)
        await self._farm.store.awrite(lambda tx: self._note(tx, key, Answered(said.status, "")))
        self._secrets[key.owner, key.text] = said
        if len(self._secrets) > SECRETS_MAX:
            self._secrets.popitem(last=False)
        return said

    def _note(self, tx: Transaction, key: Key, said: Answered) -> None:
        row = IdempotencyKey(
            owner=key.owner,
            key=key.text,
            request_hash=key.request_hash,
            status=said.status,
            answer=said.body,
            created_at=self._farm.now_s(),
        )
        tx.session.merge(row)

    def _find(self, key: Key) -> Answered | None:
        with self._farm.store.read() as session:
            row = session.get(IdempotencyKey, (key.owner, key.text))
        if row is None or row.created_at < self._farm.now_s() - self._farm.settings.farm.keep_idempotency_days * DAY_S:
            return None
        if row.request_hash != key.request_hash:
            raise Refused(
                "This Idempotency-Key came with another request before.",
                code="idempotency_conflict",
                hint="Use a new key for a new request; nothing was stored.",
            )
        if row.answer:
            return Answered(row.status, row.answer)
        kept = self._secrets.get((key.owner, key.text))
        if kept is None:
            raise Conflict(
                "This was done before, but its answer held a secret that is not kept.",
                code="answer_not_kept",
                hint="Revoke what was made, then ask again with a new Idempotency-Key.",
            )
        return kept
