# ruff: noqa: N802 - Maya's own names
"""The fake Maya's widgets: a tree of paths, each with its kind and the flags that it was made with."""

from __future__ import annotations

from typing import Any

WIDGETS = frozenset({
    "menu", "menuItem", "shelfLayout", "shelfButton", "tabLayout", "workspaceControl", "scrollLayout", "columnLayout",
    "rowLayout", "frameLayout", "text", "button", "textFieldGrp", "intFieldGrp", "checkBoxGrp", "optionMenuGrp",
    "progressBar", "image",
})  # fmt: skip


class Widgets:
    """What is on the screen. `widgets`: path to kind, parent and flags; `prompt`: what is typed into a dialogue."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.widgets: dict[str, dict[str, Any]] = {
            "MayaWindow": {"kind": "window", "parent": ""},
            "ShelfLayout": {"kind": "tabLayout", "parent": "", "selectTab": "Custom"},
            "ShelfLayout|Custom": {"kind": "shelfLayout", "parent": "ShelfLayout"},
        }
        self.prompt: str | None = None

    def do_promptDialog(self, **flags: Any) -> str:
        if flags.get("query"):
            return self.prompt or ""
        return str(flags["button"][0] if self.prompt is not None else flags["button"][-1])

    def do_deleteUI(self, path: str) -> None:
        gone = self._path(path)
        assert gone, f"there is no widget {path}"
        for each in [known for known in self.widgets if known == gone or known.startswith(gone + "|")]:
            del self.widgets[each]

    def play(self, kind: str, args: tuple[Any, ...], flags: dict[str, Any]) -> Any:
        path = self._path(str(args[0])) if args else ""
        if flags.get("exists"):
            return bool(path)
        if flags.get("query"):
            (flag,) = set(flags) - {"query"}
            if flag == "fullPathName":
                return path
            if flag == "childArray":
                inner = [known.rpartition("|")[2] for known in self.widgets if known.rpartition("|")[0] == path]
                return inner or None
            return self.widgets[path].get(flag)
        if flags.get("edit"):
            self.widgets[path].update(flags)
            return path
        return self._make(kind, str(args[0]) if args else "", flags)

    def _make(self, kind: str, name: str, flags: dict[str, Any]) -> str:
        outer = self._path(str(flags["parent"])) if "parent" in flags else ""
        assert outer or "parent" not in flags, f"there is no parent {flags.get('parent')}"
        own = name or f"{kind}{len(self.calls)}"
        path = f"{outer}|{own}" if outer else own
        assert path not in self.widgets, f"the name {path} is taken"
        self.widgets[path] = {"kind": kind, "parent": outer, **flags}
        if kind == "optionMenuGrp":
            self.widgets[path + "|OptionMenu"] = {"kind": "optionMenu", "parent": path}
        if kind == "workspaceControl":
            exec(flags["uiScript"], {})
        return path

    def _path(self, name: str) -> str:
        if name in self.widgets:
            return name
        found = [path for path in self.widgets if path.endswith("|" + name)]
        assert len(found) < 2, f"{name} is ambiguous"
        return found[0] if found else ""

    def shown(self, kind: str = "text", flag: str = "label") -> list[str]:
        """What the panel says, from top to bottom."""
        return [str(each.get(flag, "")) for each in self.widgets.values() if each["kind"] == kind]

    def widget(self, kind: str, label: str) -> dict[str, Any]:
        """The first of a kind with this label."""
        return next(each for each in self.widgets.values() if each["kind"] == kind and each.get("label") == label)

    def press(self, label: str) -> None:
        """Press a button."""
        self.widget("button", label)["command"](False)
