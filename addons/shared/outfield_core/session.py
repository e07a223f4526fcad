# SPDX-License-Identifier: Apache-2.0
"""What lives as long as an add-on is on: the spool, the hashes, the threads, and what goes on in its panel.

Everything that touches the program happens on its main thread, inside `advance`; threads are given plain values.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, Callable, Deque, List, Optional, Tuple

from .assembly import Assembly
from .client import Client
from .disk import user_folder
from .errors import FarmError
from .facts import Finding
from .files import Need
from .flow import Flow
from .following import FarmView, Follower
from .hashing import HashCache
from .host import Connection, Host, Ticks
from .sender import Sender
from .spool import Spool
from .texts import set_language, tr

CHECK_S = 30.0
"""How old a check may be while somebody looks at the panel."""

LOOK_S = 1.0
"""How often the preferences are looked at."""

ASK_TIMEOUT_S = 5.0
"""How long a pipeline waits for the farm to say what it has, before the job is just kept."""

BUDGET_S = 0.002
"""Time for reading the scene in one turn that `Ticks` has asked for."""


class Session:
    """One start of the add-on."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.folder = self.own_folder()
        self.spool = Spool(self.folder)
        self.cache = HashCache(os.path.join(self.folder, "hashes.json"))
        self.sender = Sender(self.spool, self.cache, self.client)
        self.follower = Follower(self.folder, self.client)
        self.connection = Connection({}, {})
        self.flow: Optional[Flow] = None
        self.check: Optional[Flow] = None
        self.found: List[Finding] = []
        self.found_for: Any = None
        self.found_s = -1e9
        self.missing: List[Need] = []
        self.outputs: List[str] = []
        self.messages: Deque[Tuple[bool, str]] = deque(maxlen=4)
        self.draw: Optional[Callable[[], None]] = None
        self.may_connect = False
        self._wanted: Optional[Tuple[Any, Callable[[], Optional[Assembly]]]] = None
        self._client: Optional[Client] = None
        self._address_error: Optional[FarmError] = None
        self._looked_s = -1e9
        self._sending = self._opened = False
        self._ticks: Optional[Ticks] = None
        self._shown: Any = None

    @staticmethod
    def own_folder() -> str:
        """Where this user's spool is."""
        return user_folder(dict(os.environ))

    # ---- The farm ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take over the preferences; on the main thread."""
        set_language(os.environ.get("OUTFIELD_LANGUAGE") or self.host.language())
        said = Connection(self.host.preferences(), os.environ)
        self.may_connect = self.host.may_connect(said.server)
        if said == self.connection and (self._client is not None or self._address_error is not None):
            return  # a client may hold a certificate store, which takes its time to load
        self.connection = said
        try:
            self._client, self._address_error = said.client(), None
        except FarmError as error:
            self._client, self._address_error = None, error
        self.follower.kick()

    def client(self) -> Optional[Client]:
        """A client, from any thread; None: there is no usable address, or the program is to stay off the network."""
        return self._client if self.may_connect else None

    @property
    def trouble(self) -> Optional[FarmError]:
        """What is wrong with the connection."""
        return self._address_error or self.follower.view.error

    def ask(self) -> FarmView:
        """What the farm says now, for pipelines; what the follower knows where it is fresh."""
        if self.client() is None or self.follower.view.is_live:
            return self.follower.view
        try:
            asking = self.connection.client(ASK_TIMEOUT_S)
            info, workers = asking.get("/info"), asking.get("/workers")
        except FarmError as error:
            return FarmView().but(error=error, asked=True)
        return FarmView().but(info=info, workers=workers, asked=True)

    def wake(self) -> None:
        """There is something new to send."""
        if not self._sending:
            self._sending = True
            self.sender.start()
        self.sender.kick()

    def open(self, ask: Optional[Callable[[Callable[[], None]], Any]] = None) -> None:
        """There are windows: follow the farm, and send what was kept. May be called again.

        `ask` has the program make a call on its main thread; None: it calls `advance` by a timer of its own.
        """
        if self._opened:
            return
        self._opened = True
        self.follower.start()
        self.wake()
        if ask is not None:
            self._ticks = Ticks(ask, self.turn, lambda: self.moves, lambda: bool(self.draw or self.sender.outcomes))

    def close(self, finish_s: float) -> None:
        """End the threads. What is being sent may finish for so long; what is unfinished stays for the next start."""
        if self._ticks is not None:
            self._ticks.stop()
        if self.flow is not None:
            self.flow.cancel()
        self.draw = None
        if finish_s:
            self.sender.idle(finish_s)
        self.sender.stop()
        self.follower.stop()

    # ---- What goes on in the window ----------------------------------------------------------------------------------

    def begin(self, assemble: Callable[[], Assembly]) -> None:
        """Submit. What cannot be begun is told in `messages`."""
        if self.flow is not None:
            self.say(False, tr("One submission is being prepared already."))
            return
        try:
            self.flow = Flow(assemble(), send=True)
        except FarmError as error:
            self.say(False, str(error))

    def want_check(self, signature: Any, assemble: Callable[[], Optional[Assembly]]) -> None:
        """The panel is drawn for a scene: it is looked through again when what the check depends on (`signature`) has
        changed, or time went by. `assemble`: None, the scene is gone.
        """
        self._wanted = (signature, assemble)
        self.follower.touch(time.monotonic())

    def stop_sending(self) -> None:
        """Cancel what is being prepared, else what is being sent."""
        if self.flow is not None:
            self.flow.cancel()
        else:
            self.sender.cancel()

    @property
    def moves(self) -> bool:
        """Is a check or a submission going on?"""
        return self.flow is not None or self.check is not None

    def turn(self) -> None:
        """Move things along and draw."""
        self.advance(BUDGET_S)
        if self.draw is not None:
            self.draw()

    def advance(self, budget_s: float) -> bool:
        """Move things along for about so long, on the main thread; True: something moves."""
        now_s = time.monotonic()
        if now_s - self._looked_s > LOOK_S:
            self._looked_s = now_s
            self.look()
            return True
        self._take_outcomes()
        moving = self.flow or self.check
        if moving is None:
            return self._begin_check(now_s)
        moving.advance(budget_s)
        if moving.ended:
            self._end(moving)
        return True

    def say(self, good: bool, text: str) -> None:
        """A line for the artist."""
        self.messages.append((good, text))

    def has_news(self) -> bool:
        """Would the panel look different from when it was asked last?"""
        watch = self.sender.watch
        shown = (
            self.follower.view.version, len(self.messages), self.messages[-1] if self.messages else None,
            self.flow.phase if self.flow is not None else "", self.sender.kept, len(self.sender.refused),
            self.sender.busy, watch.stage, round(watch.fraction, 2), id(self.found),
        )  # fmt: skip
        changed, self._shown = shown != self._shown, shown
        return changed

    def _begin_check(self, now_s: float) -> bool:
        if self._wanted is None:
            return False
        (signature, assemble), self._wanted = self._wanted, None
        if signature == self.found_for and now_s - self.found_s < CHECK_S:
            return False
        self.found_for, self.found_s = signature, now_s
        try:
            made = assemble()
        except FarmError as error:
            self.say(False, str(error))
            return False
        if made is not None:
            self.check = Flow(made, send=False)
        return made is not None

    def _end(self, ended: Flow) -> None:
        if ended is self.flow:
            self.flow = None
            if ended.kept:
                self.wake()
        else:
            self.check = None
        self.missing = list(ended.assembly.missing)
        self.outputs = [target.output for target in ended.assembly.targets]
        if not ended.send and ended.error is not None:
            self.found = [Finding(ended.error.code, "error", "{text}", {"text": str(ended.error)})]
            return
        if ended.found or not ended.send:
            self.found = list(ended.found)
        if ended.error is not None:
            self.say(False, str(ended.error))
        elif not ended.send:
            self.follower.try_job(ended.assembly.trial)

    def _take_outcomes(self) -> None:
        while self.sender.outcomes:
            outcome = self.sender.outcomes.popleft()
            if outcome.job is not None:
                self.say(True, tr("{name} is job {job}.", name=outcome.kept.name, job=outcome.job["jobID"]))
                print("outfield jobID {}".format(outcome.job["jobID"]), flush=True)
                self.follower.kick()
            elif outcome.error is not None and outcome.error.code not in ("unreachable", "canceled"):
                self.say(False, str(outcome.error))
        while self.follower.notes:
            self.say(*self.follower.notes.popleft())
            self.follower.kick()
