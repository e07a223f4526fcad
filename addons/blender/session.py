# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives as long as the add-on is on: the spool, the hashes, the threads, and what is going on in the window.

Everything that touches `bpy` happens on the main thread; threads are given plain values (`look`).
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import bpy

from . import preferences, showing
from .outfield_core.client import Client
from .outfield_core.errors import FarmError
from .outfield_core.following import Follower
from .outfield_core.hashing import HashCache
from .outfield_core.payload import body_of
from .outfield_core.preflight import Finding
from .outfield_core.sender import Sender
from .outfield_core.spool import Spool, user_folder
from .outfield_core.texts import set_language, tr

if TYPE_CHECKING:
    from .flow import Flow

FINISH_S = 30.0
"""How long a background Blender waits at its end for what is being sent."""

CHECK_S = 30.0
"""How old a check may be while somebody looks at the panel."""

LOOK_S = 1.0
"""How often the preferences and the spool are looked at."""


class Session:
    """One start of the add-on."""

    def __init__(self) -> None:
        self.folder = user_folder(dict(os.environ))
        self.spool = Spool(self.folder)
        self.cache = HashCache(os.path.join(self.folder, "hashes.json"))
        self.sender = Sender(self.spool, self.cache, self.client)
        self.follower = Follower(self.folder, self.client)
        self.flow: Flow | None = None
        self.check: Flow | None = None
        self.found: list[Finding] = []
        self.found_for: Any = None
        self.found_s = -1e9
        self.wanted: Any = None
        self.messages: deque[tuple[bool, str]] = deque(maxlen=4)
        self.slowest_tick_s = self.saving_s = 0.0
        self._client: Client | None = None
        self._connection: Any = None
        self._address_error: FarmError | None = None
        self._may_connect = False
        self._looked_s = -1e9
        self._shown: Any = None
        self._sending = False

    # ---- The farm --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take over the preferences. On the main thread."""
        set_language(os.environ.get("OUTFIELD_LANGUAGE") or _interface_language())
        self._may_connect = preferences.may_connect()
        connection = preferences.connection()
        if connection == self._connection:
            return  # a client may hold a certificate store, which takes its time to load
        self._connection = connection
        self.follower.kick()
        try:
            self._client, self._address_error = preferences.new_client(), None
        except FarmError as error:
            self._client, self._address_error = None, error

    def client(self) -> Client | None:
        """A client, from any thread; None: there is no usable address, or Blender is to stay off the network."""
        return self._client if self._may_connect else None

    @property
    def may_connect(self) -> bool:
        """Blender's own switch, as it was last seen."""
        return self._may_connect

    @property
    def trouble(self) -> FarmError | None:
        """What is wrong with the connection."""
        return self._address_error or self.follower.view.error

    def wake(self) -> None:
        """There is something new to send."""
        if not self._sending:
            self._sending = True
            self.sender.start()
        self.sender.kick()

    # ---- What goes on in the window ----------------------------------------------------------------------------------

    def want_check(self, signature: Any) -> None:
        """The panel is drawn for a scene: it is looked through again when it or its wishes changed, or time went by."""
        self.wanted = signature
        self.follower.touch(time.monotonic())

    def advance(self, budget_s: float) -> bool:
        """Move things along; True: something moves."""
        now_s = time.monotonic()
        if now_s - self._looked_s > LOOK_S:
            self._looked_s = now_s
            self.look()
            return True
        self._take_outcomes()
        if self.flow is not None:
            self.flow.advance(budget_s)
            if self.flow.ended:
                self._end_flow()
            return True
        if self.check is not None:
            self.check.advance(budget_s)
            if self.check.ended:
                self._end_check()
            return True
        return self._begin_check(now_s)

    def _take_outcomes(self) -> None:
        while self.sender.outcomes:
            outcome = self.sender.outcomes.popleft()
            if outcome.job is not None:
                text = tr("{name} is job {job}.", name=outcome.kept.name, job=outcome.job["jobID"])
                print("outfield jobID {}".format(outcome.job["jobID"]), flush=True)
                self.say(True, text)
                self.follower.kick()
            elif outcome.error is not None and outcome.error.code not in ("unreachable", "canceled"):
                self.say(False, str(outcome.error))
        while self.follower.notes:
            self.say(*self.follower.notes.popleft())
            self.follower.kick()

    def _begin_check(self, now_s: float) -> bool:
        if self.wanted is None or (self.wanted == self.found_for and now_s - self.found_s < CHECK_S):
            return False
        from .flow import Flow

        scene = bpy.data.scenes.get(self.wanted[0])
        self.found_for, self.found_s = self.wanted, now_s
        self.wanted = None
        if scene is None:
            return False
        try:
            self.check = Flow(scene, self.follower.view, send=False)
        except FarmError as error:
            self.say(False, str(error))
            return False
        return True

    def _end_check(self) -> None:
        assert self.check is not None
        ended, self.check = self.check, None
        if ended.error is not None:
            self.found = [Finding(ended.error.code, "error", "{text}", {"text": str(ended.error)})]
            return
        self.found = ended.found
        try:
            body = body_of(ended.assembly.wish)
        except FarmError:
            return
        body.pop("metadata", None)
        self.follower.try_job(body)

    def _end_flow(self) -> None:
        assert self.flow is not None
        ended, self.flow = self.flow, None
        if ended.found:
            self.found = ended.found
        if ended.error is not None:
            self.say(False, str(ended.error))

    def say(self, good: bool, text: str) -> None:
        """A line for the artist."""
        self.messages.append((good, text))

    def has_news(self) -> bool:
        """Would the panel look different from when it was asked last?"""
        watch = self.sender.watch
        flow = self.flow.phase if self.flow is not None else ""
        shown = (
            self.follower.view.version, len(self.messages), self.messages[-1] if self.messages else None, flow,
            self.sender.kept, len(self.sender.refused), self.sender.busy, watch.stage, round(watch.fraction, 2),
            id(self.found),
        )  # fmt: skip
        changed, self._shown = shown != self._shown, shown
        return changed


_current: list[Session] = []


def current() -> Session:
    """The session.

    Raises:
        RuntimeError: the add-on is switched off.
    """
    if not _current:
        raise RuntimeError("The add-on Outfield is not switched on.")
    return _current[0]


def start() -> None:
    """Sweep what died earlier, send what was kept, and where there are windows follow the farm."""
    made = Session()
    _current.append(made)
    try:
        made.spool.sweep()
    except OSError as error:
        print(f"outfield: the spool {made.folder} cannot be swept: {error}")
    made.look()
    if not bpy.app.background:
        made.follower.start()
        made.wake()
    elif made.spool.waiting():
        made.wake()


def stop() -> None:
    """End the threads. In background mode what is being sent may finish; in the window it stays for the next start."""
    if not _current:
        return
    ended = _current.pop()
    if ended.flow is not None:
        ended.flow.cancel()
    if bpy.app.background:
        ended.sender.idle(FINISH_S)
    ended.sender.stop()
    ended.follower.stop()
    showing.clear()


def _interface_language() -> str:
    view: Any = bpy.context.preferences.view
    return str(getattr(view, "language", "en")) if getattr(view, "use_translate_interface", True) else "en"
