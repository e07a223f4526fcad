# SPDX-License-Identifier: Apache-2.0
"""Every submission on its way to the farm, on this machine's disk: whole or not at all, sent once.

    parts/KEY/              being made; whoever makes it holds locks/KEY, and dead makers' folders are swept
    ready/ORDER-KEY/        `submission.json`, the saved copy of the scene, and `sealed.json` once it was sent
    refused/ORDER-KEY/      the farm said no; kept until the artist has seen it
    locks/KEY, lock         the lock of one submission, and the one under which folders appear and disappear

A folder moves by one rename. KEY is the idempotency key: whatever dies between the farm's answer and the removal of the
folder, sending it again makes no second job. A token is never written here.
"""

from __future__ import annotations

import os
import shutil
import uuid
from typing import Any, Dict, List, Optional

from .disk import disk_trouble, read_json, to_disk, unlink, write_json
from .locks import FileLock, locked, locked_if_free

SUBMISSION, SEALED, REFUSAL = "submission.json", "sealed.json", "refusal.json"


class Kept:
    """A submission that is ready to be sent, as it lies in the spool."""

    def __init__(self, folder: str, content: Dict[str, Any]) -> None:
        self.folder, self.content = folder, content

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return str(self.content["key"])

    @property
    def name(self) -> str:
        """The job's name."""
        return str(self.content["body"].get("name", ""))

    @property
    def server(self) -> str:
        """The farm it is for."""
        return str(self.content["server"])


class Draft:
    """A submission in the making; `commit` makes it real, `abandon` makes it never have been."""

    def __init__(self, spool: "Spool", key: str, lock: FileLock) -> None:
        self._spool, self.key, self._lock = spool, key, lock
        self.folder = os.path.join(spool.folder, "parts", key)

    def commit(self, content: Dict[str, Any], order: str) -> Kept:
        """Write what is to be sent and move it to its place; `order` is a time that sorts as text.

        Raises:
            LocalTrouble: the disk is full or cannot be written; nothing is left.
        """
        target = os.path.join(self._spool.folder, "ready", "{}-{}".format(order, self.key))
        try:
            write_json(os.path.join(self.folder, SUBMISSION), {**content, "key": self.key, "order": order})
            for name in os.listdir(self.folder):
                to_disk(os.path.join(self.folder, name))
            with self._spool.structure():
                os.replace(self.folder, target)
                to_disk(os.path.dirname(target))
        except OSError as error:
            self.abandon()
            raise disk_trouble(self._spool.folder, error) from error
        self._lock.release()
        return Kept(target, {**content, "key": self.key, "order": order})

    def abandon(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._spool.drop_lock(self.key, self._lock)


class Claim:
    """The right to send one submission: nobody else sends it meanwhile."""

    def __init__(self, spool: "Spool", kept: Kept, lock: FileLock) -> None:
        self._spool, self.kept, self._lock = spool, kept, lock

    def sealed(self) -> Optional[Dict[str, Any]]:
        """What an earlier try has sent, so that this one sends the very same."""
        try:
            return read_json(os.path.join(self.kept.folder, SEALED))
        except (OSError, ValueError):
            return None

    def seal(self, content: Dict[str, Any]) -> None:
        """Write down what is about to be sent, before it is."""
        try:
            write_json(os.path.join(self.kept.folder, SEALED), content)
        except OSError as error:
            raise disk_trouble(self._spool.folder, error) from error

    def done(self) -> None:
        """The farm has it: remove it here."""
        self._spool.remove(self.kept.folder)
        self._spool.drop_lock(self.kept.key, self._lock)

    def refuse(self, refusal: Dict[str, Any]) -> None:
        """The farm will never take it: put it aside with the reason."""
        aside = os.path.join(self._spool.folder, "refused", os.path.basename(self.kept.folder))
        try:
            write_json(os.path.join(self.kept.folder, REFUSAL), refusal)
            with self._spool.structure():
                os.replace(self.kept.folder, aside)
        except OSError as error:
            raise disk_trouble(self._spool.folder, error) from error
        finally:
            self._spool.drop_lock(self.kept.key, self._lock)

    def release(self) -> None:
        """It stays, for another try."""
        self._lock.release()


class Spool:
    """The spool in a folder. Safe between threads and between processes; made when it is first used."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def begin(self) -> Draft:
        """A new submission with a key of its own.

        Raises:
            LocalTrouble: the folder cannot be written.
        """
        key = uuid.uuid4().hex
        try:
            self._make()
            with self.structure():
                lock = locked_if_free(self._lock_path(key))
                assert lock is not None, "nobody else knows this key"
                os.mkdir(os.path.join(self.folder, "parts", key), 0o700)
        except OSError as error:
            raise disk_trouble(self.folder, error) from error
        return Draft(self, key, lock)

    def waiting(self, server: Optional[str] = None) -> List[Kept]:
        """What is ready to be sent (to one farm), oldest first; what cannot be read is put aside."""
        found: List[Kept] = []
        for name in self._names("ready"):
            folder = os.path.join(self.folder, "ready", name)
            try:
                content = read_json(os.path.join(folder, SUBMISSION))
                kept = Kept(folder, content)
                if kept.key and (server is None or kept.server == server) and isinstance(content["body"], dict):
                    found.append(kept)
            except FileNotFoundError:  # another process has just sent it
                continue
            except (OSError, ValueError, KeyError, TypeError):
                self._put_aside(folder)
        return found

    def refused(self) -> List[Dict[str, Any]]:
        """What the farm has refused: name, message and hint, oldest first."""
        found: List[Dict[str, Any]] = []
        for name in self._names("refused"):
            folder = os.path.join(self.folder, "refused", name)
            try:
                refusal, content = read_json(os.path.join(folder, REFUSAL)), read_json(os.path.join(folder, SUBMISSION))
                found.append({**refusal, "name": content["body"].get("name", ""), "folder": folder})
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                found.append({"name": name, "message": "It cannot be read.", "hint": "", "folder": folder})
        return found

    def claim(self, kept: Kept) -> Optional[Claim]:
        """The right to send it; None: somebody else is sending it, or has sent it."""
        with self.structure():
            lock = locked_if_free(self._lock_path(kept.key))
            if lock is None:
                return None
            if not os.path.isdir(kept.folder):
                lock.release()
                unlink(self._lock_path(kept.key))
                return None
        return Claim(self, kept, lock)

    def sweep(self) -> int:
        """Remove what makers that died have left; returns how many. Called at every start."""
        if not os.path.isdir(self.folder):
            return 0
        swept = 0
        with self.structure():
            for key in self._names("parts"):
                lock = locked_if_free(self._lock_path(key))
                if lock is not None:
                    shutil.rmtree(os.path.join(self.folder, "parts", key), ignore_errors=True)
                    lock.release()
                    unlink(self._lock_path(key))
                    swept += 1
            alive = {name.rpartition("-")[2] for name in self._names("ready")} | set(self._names("parts"))
            for key in self._names("locks"):
                lock = None if key in alive else locked_if_free(self._lock_path(key))
                if lock is not None:
                    lock.release()
                    unlink(self._lock_path(key))
            for name in self._names("gone"):
                shutil.rmtree(os.path.join(self.folder, "gone", name), ignore_errors=True)
        return swept

    def structure(self) -> FileLock:
        """The lock under which folders appear and disappear; held for moments."""
        return locked(os.path.join(self.folder, "lock"))

    def remove(self, folder: str) -> None:
        """Remove a submission: out of the way by one rename first, so that a death in between leaves no half of it."""
        gone = os.path.join(self.folder, "gone", os.path.basename(folder))
        try:
            with self.structure():
                os.replace(folder, gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def drop_lock(self, key: str, lock: FileLock) -> None:
        """Release a submission's lock and its file, when the submission is no more."""
        with self.structure():
            lock.release()
            unlink(self._lock_path(key))

    def _make(self) -> None:
        for name in ("parts", "ready", "refused", "locks", "gone"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700, exist_ok=True)

    def _names(self, room: str) -> List[str]:
        try:
            return sorted(os.listdir(os.path.join(self.folder, room)))
        except FileNotFoundError:
            return []

    def _lock_path(self, key: str) -> str:
        return os.path.join(self.folder, "locks", key)

    def _put_aside(self, folder: str) -> None:
        try:
            os.replace(folder, os.path.join(self.folder, "refused", os.path.basename(folder)))
        except OSError:
            return
