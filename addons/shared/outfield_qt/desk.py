# SPDX-License-Identifier: Apache-2.0
"""What a program tells the panel: the port beside `outfield_core.host`. Everything is called on the main thread."""

from __future__ import annotations

import os
import webbrowser
from typing import Any, Dict, List, Tuple, Type

from ..outfield_core import choices, running
from ..outfield_core.delivery import Submitted, submit
from ..outfield_core.following import FarmView
from ..outfield_core.host import Host
from ..outfield_core.remembered import Remembered
from ..outfield_core.render_nodes import OF_ONE_SCENE, WISHES, NodesAssembly, Program, RenderNode
from ..outfield_core.session import Session
from ..outfield_core.wishes import overridden


class Desk(Host):
    """One program with a panel; `node_label`: what its nodes that render are called."""

    def __init__(self, of: Program, node_label: str, troubles: Tuple[Type[BaseException], ...]) -> None:
        self.of, self.program, self.node_label, self.troubles = of, of.name, node_label, troubles
        self._remembered: Dict[str, Remembered] = {}

    def language(self) -> str:
        """These programs speak English; the machine's language is taken."""
        return (os.environ.get("LANG") or "en").partition(".")[0]

    @property
    def here(self) -> Session:
        """The session; begun when it is first asked for."""
        return running.start(self)

    @property
    def remembered(self) -> Remembered:
        """Wishes and connection."""
        folder = running.current().folder if running.is_on() else Session.own_folder()
        path = os.path.join(folder, "{}.json".format(self.program.lower()))
        if path not in self._remembered:
            self._remembered[path] = Remembered(path, WISHES, OF_ONE_SCENE)
        return self._remembered[path]

    def preferences(self) -> Dict[str, str]:
        """Those that the panel keeps."""
        return self.remembered.connection()

    def new_assembly(self) -> NodesAssembly:
        """A submission of the panel's wishes."""
        return NodesAssembly(self.here, self.of, self.remembered.wishes(), self.here.follower.view)

    def deliver(self, said: Dict[str, Any]) -> List[Submitted]:
        """The call of pipelines. In a window the panel's wishes count where it says nothing.

        Raises:
            FarmError: something stands in the way. TypeError: a wish that there is not.
        """
        here = self.here
        here.look()
        ground = self.remembered.wishes() if self.of.scene.in_window() else dict(WISHES)
        return submit(NodesAssembly(here, self.of, overridden(said, ground), here.ask()))

    def nodes(self) -> List[RenderNode]:
        """What can be rendered."""
        return self.of.scene.render_nodes()

    def submit(self) -> None:
        """The button."""
        self.here.begin(self.new_assembly)

    def want_check(self) -> None:
        """The panel is drawn."""
        here = self.here
        if not here.moves:
            wishes = self.remembered.wishes()
            told = tuple((name, str(wishes[name])) for name in sorted(wishes))
            nodes = tuple((node.name, node.path, node.frames) for node in self.nodes())
            mark = (here.follower.view.is_live, self.of.scene.path(), nodes, told)
            here.want_check(mark, self.new_assembly)

    def renderer(self, view: FarmView) -> Any:
        """The farm's renderer for these scenes; None: it has none."""
        return self.of.renderer(view.info if view.is_live else None)

    def fix(self, name: str) -> None:
        """Carry out a fix, all of which only change a wish."""
        wish, value = choices.FIXES[name]
        self.remembered.wish(wish, value)
        self.here.found_for = None

    def browse(self, url: str) -> None:
        """Open an address."""
        webbrowser.open(url)
