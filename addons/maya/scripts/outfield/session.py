# SPDX-License-Identifier: Apache-2.0
"""What lives as long as the plug-in is on: the spool, the hashes, the threads, and what goes on in the panel.

Everything that touches Maya happens on the main thread. A small thread asks Maya for a turn there (`executeDeferred`)
while a panel is open or something moves, never for the next one before the last was had.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from maya import cmds, utils

from . import settings
from .outfield_core.client import Client
from .outfield_core.errors import FarmError
from .outfield_core.following import FarmView, Follower
from .outfield_core.hashing import HashCache
from .outfield_core.payload import body_of
from .outfield_core.preflight import Finding
from .outfield_core.sender import Sender
from .outfield_core.spool import Spool, user_folder
from .outfield_core.texts import set_language, tr

BUDGET_S = 0.002
"""Time for reading the scene in one turn."""

MOVING_S, QUIET_S = 0.02, 0.5
"""Pause between turns while something moves, and otherwise."""

CHECK_S = 30.0
"""How old a check may be while somebody looks at the panel."""

BATCH_TIMEOUT_S = 5.0
"""How long a pipeline waits for the farm to say what it has, before the job is just kept."""


class Session:
    """One start of the add-on."""

    def __init__(self) -> None:
        self.folder = user_folder(dict(os.environ))
        self.spool = Spool(self.folder)
        self.cache = HashCache(os.path.join(self.folder, "hashes.json"))
        self.sender = Sender(self.spool, self.cache, self.client)
        self.follower = Follower(self.folder, self.client)
        self.flow: Any = None
        self.check: Any = None
        self.found: List[Finding] = []
        self.missing: List[Any] = []
        self.outputs: List[str] = []
        self.found_for: Any = None
        self.messages: Deque[Tuple[bool, str]] = deque(maxlen=4)
        self.fetched: Deque[str] = deque(maxlen=4)
        self.draw: Optional[Callable[[], None]] = None
        self._found_s = -1e9
        self._connection: Dict[str, str] = {}
        self._client: Optional[Client] = None
        self._address_error: Optional[FarmError] = None

    # ---- The farm ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take over the preferences; on the main thread."""
        set_language(os.environ.get("OUTFIELD_LANGUAGE") or str(cmds.about(uiLanguage=True)))
        said = settings.connection()
        if said == self._connection:
            return
        self._connection = said
        try:
            self._client, self._address_error = settings.new_client(said), None
        except FarmError as error:
            self._client, self._address_error = None, error
        self.follower.kick()

    def client(self) -> Optional[Client]:
        """A client, from any thread; None: the address is none."""
        return self._client

    @property
    def trouble(self) -> Optional[FarmError]:
        """What is wrong with the connection."""
        return self._address_error or self.follower.view.error

    def ask(self) -> FarmView:
        """What the farm says now, for pipelines; what the follower knows where it is fresh."""
        if self._client is None or self.follower.view.is_live:
            return self.follower.view
        asking = Client(self._client.server, self._connection["token"], timeout_s=BATCH_TIMEOUT_S,
                        ca_file=self._connection["ca_file"])  # fmt: skip
        try:
            info, workers = asking.get("/info"), asking.get("/workers")
        except FarmError as error:
            return FarmView().but(error=error, asked=True)
        return FarmView().but(info=info, workers=workers, asked=True)

    # ---- What goes on in the window ----------------------------------------------------------------------------------

    def begin(self, *, send: bool) -> None:
        """Submit, or check again."""
        from .flow import Flow

        if send and self.flow is not None:
            self.say(False, tr("One submission is being prepared already."))
            return
        try:
            made = Flow(settings.wishes(), self.follower.view, send=send)
        except FarmError as error:
            self.say(False, str(error))
            return
        if send:
            self.flow = made
        else:
            self.check, self._found_s = made, time.monotonic()

    def stop_sending(self) -> None:
        """Cancel what is being prepared, else what is being sent."""
        if self.flow is not None:
            self.flow.cancel()
        else:
            self.sender.cancel()

    def turn(self) -> None:
        """Move things along and draw; on the main thread."""
        self.look()
        self._take_outcomes()
        moving = self.flow or self.check
        if moving is not None:
            moving.advance(BUDGET_S)
            if moving.ended:
                self._end(moving)
        elif self.draw is not None and self._is_stale():
            self.found_for = signature(self.follower.view)
            self.begin(send=False)
        if self.draw is not None:
            self.follower.touch(time.monotonic())
            self.draw()

    @property
    def moves(self) -> bool:
        """Is a check or a submission going on?"""
        return self.flow is not None or self.check is not None

    def say(self, good: bool, text: str) -> None:
        """A line for the artist."""
        self.messages.append((good, text))

    def _is_stale(self) -> bool:
        return time.monotonic() - self._found_s > CHECK_S or self.found_for != signature(self.follower.view)

    def _end(self, ended: Any) -> None:
        if ended is self.flow:
            self.flow = None
            if ended.kept:
                self.sender.kick()
        else:
            self.check = None
        self.found, self.missing = list(ended.found), list(ended.assembly.missing)
        self.outputs = [target.output for target in ended.assembly.targets]
        if ended.error is not None and ended.send:
            self.say(False, str(ended.error))
        elif ended.error is not None:
            self.found = [Finding(ended.error.code, "error", "{text}", {"text": str(ended.error)})]
        elif not ended.send and ended.assembly.targets and ended.assembly.renderer:
            self._try(ended.assembly.targets[0].wish)

    def _try(self, wish: Any) -> None:
        try:
            body = body_of(wish)
        except FarmError:
            return
        body.pop("metadata", None)
        self.follower.try_job(body)

    def _take_outcomes(self) -> None:
        while self.sender.outcomes:
            outcome = self.sender.outcomes.popleft()
            if outcome.job is not None:
                self.say(True, tr("{name} is job {job}.", name=outcome.kept.name, job=outcome.job["jobID"]))
                print("outfield jobID {}".format(outcome.job["jobID"]))
                self.follower.kick()
            elif outcome.error is not None and outcome.error.code not in ("unreachable", "canceled"):
                self.say(False, str(outcome.error))
        while self.follower.notes:
            self.say(*self.follower.notes.popleft())
            self.follower.kick()
        while self.follower.fetched:
            self.fetched.append(self.follower.fetched.popleft()[2])


def signature(view: FarmView) -> Any:
    """What a check depends on and can be told at once."""
    from . import scene

    wishes = settings.wishes()
    layers, cameras = scene.layers()[0], scene.cameras()[0]
    told = (scene.path(), scene.engine(), scene.scene_frames(), tuple(layers), tuple(cameras), view.is_live)
    return (*told, tuple((name, str(wishes[name])) for name in sorted(wishes)))


class Ticks:
    """The thread that asks for turns."""

    def __init__(self, here: Session) -> None:
        self._here, self._stop, self._had = here, threading.Event(), threading.Event()
        self._had.set()
        self._thread = threading.Thread(target=self._run, name="outfield-ticks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more turns; one that was asked for does nothing."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(MOVING_S if self._here.moves else QUIET_S):
            if self._had.is_set() and (self._here.draw is not None or self._here.moves or self._here.sender.outcomes):
                self._had.clear()
                utils.executeDeferred(self._turn)

    def _turn(self) -> None:
        try:
            if not self._stop.is_set():
                self._here.turn()
        finally:
            self._had.set()


_current: List[Session] = []
_ticks: List[Ticks] = []


def current() -> Session:
    """The session; made for pipelines, which load no plug-in."""
    if not _current:
        start(in_window=False)
    return _current[0]


def is_on() -> bool:
    """Is there a session?"""
    return bool(_current)


def start(*, in_window: bool) -> None:
    """Sweep what died earlier; in a window follow the farm and send what was kept. May be called again."""
    if not _current:
        made = Session()
        try:
            made.spool.sweep()
        except OSError as error:
            print("outfield: the spool {} cannot be swept: {}".format(made.folder, error))
        _current.append(made)
        made.look()
    here = _current[0]
    if in_window and not _ticks:
        here.sender.start()
        here.sender.kick()
        here.follower.start()
        _ticks.append(Ticks(here))


def stop() -> None:
    """End the threads; what is unfinished stays in the spool for the next start."""
    while _ticks:
        _ticks.pop().stop()
    if not _current:
        return
    ended = _current.pop()
    if ended.flow is not None:
        ended.flow.cancel()
    ended.draw = None
    ended.sender.stop()
    ended.follower.stop()
    settings.forget()
