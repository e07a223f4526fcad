# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a render, before it is sent: findings as data. PURE.

An add-on collects `Facts` about the scene, a thread adds what the disk says, the follower what the farm says. A finding
has a code, a severity, a sentence, and where one exists the name of a fix, which the add-on carries out.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Tuple

from .facts import ERROR, NOTE, WARNING, Facts, Finding, worst_first
from .files import Need
from .frames import FrameSyntaxError, parse_frames
from .hashing import shown
from .outputs import lies_under
from .texts import tr

LISTED_MAX = 20
"""Findings of one kind that are listed one by one."""

Rule = Callable[[Facts], Iterable[Finding]]


def findings(facts: Facts) -> List[Finding]:
    """Everything that is to be said, errors first."""
    found: List[Finding] = []
    for rule in RULES:
        found.extend(rule(facts))
    return worst_first(found)


def _scene(facts: Facts) -> Iterable[Finding]:
    if not facts.scene_path:
        yield Finding("never_saved", NOTE, "This file was never saved; the farm gets a copy of what is open.")
    elif facts.is_dirty:
        yield Finding(
            "unsaved_changes", NOTE, "There are unsaved changes; the farm renders them, your file stays as it is."
        )
    if any(not letter.isprintable() for letter in facts.scene_path):
        yield Finding(
            "odd_name", NOTE, "The file's name holds characters that not every system can write; the copy gets others."
        )
    if facts.camera is False:
        target = facts.other_cameras[0] if facts.other_cameras else ""
        yield Finding(
            "no_camera",
            ERROR,
            "The scene has no active camera.",
            fix="use_camera" if target else "add_camera",
            target=target,
        )
    if facts.view_layers == 0:
        yield Finding("no_view_layer", ERROR, "No view layer is switched on for rendering.", fix="use_view_layer")


def _frames(facts: Facts) -> Iterable[Finding]:
    try:
        count = len(parse_frames(facts.frames, facts.frames_max)) if facts.frames else 0
    except FrameSyntaxError as error:
        yield Finding("bad_frames", ERROR, "{text}", {"text": error.message}, fix="scene_frames")
        return
    if count == 0:
        yield Finding(
            "no_frames",
            ERROR,
            "There is no frame to render: all of them are there, or the range is empty.",
            fix="scene_frames",
        )


def _output(facts: Facts) -> Iterable[Finding]:
    path = shown(facts.output)
    if facts.output_is_movie:
        yield Finding(
            "movie",
            WARNING,
            "A movie cannot be shared out; the farm renders single frames as {format}.",
            {"format": facts.format.upper() or "PNG"},
        )
    if not facts.output:
        return
    if facts.output_is_default:
        yield Finding(
            "output_default",
            WARNING,
            "The output is Blender's temporary folder {path}.",
            {"path": path},
            fix="farm_output",
        )
    elif facts.output_roots is not None and not any(lies_under(facts.output, root) for root in facts.output_roots):
        yield Finding("output_outside", ERROR, "The farm may not write to {path}.", {"path": path}, fix="farm_output")
    if facts.existing_frames:
        yield Finding(
            "overwrites",
            WARNING,
            "{count} frames are there already and will be replaced.",
            {"count": facts.existing_frames},
            fix="missing_only",
        )


def _files(facts: Facts) -> Iterable[Finding]:
    if facts.files is None:
        return
    for code, lacking in (("missing", facts.files.missing), ("unreadable", facts.files.unreadable)):
        needs = sorted(lacking, key=lambda need: need.spare)
        for need in needs[:LISTED_MAX]:
            yield _of_need(code, need)
        if len(needs) > LISTED_MAX:
            yield Finding(
                code + "_more",
                WARNING if needs[LISTED_MAX].spare else ERROR,
                "{count} more files are missing or cannot be read.",
                {"count": len(needs) - LISTED_MAX},
                fix="find_files",
            )
    if facts.upload_bytes_max and facts.files.files:
        path, size = max(facts.files.files.items(), key=lambda pair: pair[1])
        if size > facts.upload_bytes_max:
            yield Finding("too_large", ERROR, "{path} is larger than the farm takes.", {"path": shown(path)})


_KINDS = {
    "library": "The library", "image": "The picture", "udim": "The UDIM set", "sequence": "The sequence",
    "movie": "The movie", "font": "The font", "sound": "The sound", "volume": "The volume", "cache": "The cache",
    "folder": "The cache", "ies": "The IES profile", "script": "The script", "other": "The file",
}  # fmt: skip


_TROUBLES = {"missing": "{kind} {path} is missing ({owner}).", "unreadable": "{kind} {path} cannot be read ({owner})."}


def _of_need(code: str, need: Need) -> Finding:
    severity, fix = ERROR, "find_files" if code == "missing" else ""
    if need.spare:
        severity, fix = WARNING, ""
    elif need.kind == "font" and not need.linked:
        fix = "builtin_font"
    values = {"kind": tr(_KINDS.get(need.kind, _KINDS["other"])), "path": shown(need.path), "owner": shown(need.owner)}
    return Finding(
        "{}_{}".format(code, need.kind),
        severity,
        _TROUBLES[code],
        values,
        fix=fix,
        target=need.owner if fix == "builtin_font" else need.path,
    )


def _unsaved(facts: Facts) -> Iterable[Finding]:
    for name in facts.unsaved_images[:LISTED_MAX]:
        yield Finding(
            "unsaved_image",
            ERROR,
            "The picture {name} was painted and not saved.",
            {"name": shown(name)},
            fix="pack_image",
            target=name,
        )
    for name in facts.unbaked[:LISTED_MAX]:
        yield Finding(
            "unbaked",
            WARNING,
            "The simulation {name} is not baked: workers that start in its middle render something else.",
            {"name": shown(name)},
        )


def _scripts(facts: Facts) -> Iterable[Finding]:
    if facts.scripts:
        yield Finding(
            "scripts",
            WARNING,
            "Scripts in the file do not run on the farm: {names}.",
            {"names": shown(", ".join(facts.scripts[:5]))},
        )
    if facts.drivers:
        yield Finding(
            "drivers", WARNING, "{count} drivers use Python, which does not run on the farm.", {"count": facts.drivers}
        )
    if facts.ocio:
        yield Finding(
            "ocio",
            WARNING,
            "This machine has a colour configuration of its own ({path}); the workers may have another.",
            {"path": shown(facts.ocio)},
        )


def _fleet(facts: Facts) -> Iterable[Finding]:
    """What the workers that exist can do. Unknown: nothing is said."""
    if facts.workers is None or not facts.renderer:
        return
    installations = installed(facts.workers, facts.renderer)
    program = facts.program or facts.renderer
    if not installations:
        yield Finding(
            "no_worker",
            WARNING,
            "No worker with {program} is there now; the job will wait for one.",
            {"program": program},
        )
        return
    fitting = [each for each in installations if version_of(each)[:2] >= facts.version[:2]]
    if not fitting:
        newest = max(installations, key=version_of)
        yield Finding(
            "version",
            ERROR,
            "This file needs {program} {version}; the newest on the farm is {newest}.",
            {"program": program, "version": _dotted(facts.version[:2]), "newest": newest.get("version", "?")},
        )
        return
    listed = [each["engines"] for each in fitting if each.get("engines")]
    if facts.engine and listed and not any(facts.engine in engines for engines in listed):
        yield Finding("engine", ERROR, "No worker can render with {engine}.", {"engine": facts.engine})
    told = [each for each in fitting if "denoiser" in each]
    if facts.denoises and told and not any(each["denoiser"] for each in told):
        yield Finding("denoiser", ERROR, "The scene is denoised, and no worker has the denoiser.", fix="no_denoise")
    elif facts.denoises and told and not all(each["denoiser"] for each in told):
        yield Finding(
            "denoiser_rare", WARNING, "Not every worker has the denoiser; tasks on the others fail.", fix="no_denoise"
        )


def installed(workers: Iterable[Dict[str, Any]], renderer: str) -> List[Dict[str, Any]]:
    """Installations of a renderer on the workers that are there: `version`, where known `engines` and `denoiser`."""
    found: List[Dict[str, Any]] = []
    for worker in workers:
        if str(worker.get("status", "")).lower() in ("offline", "lost", "gone", "quarantined"):
            continue
        capabilities = worker.get("capabilities") or {}
        details = ((capabilities.get("details") or {}).get("renderers") or {}).get(renderer) or {}
        told = [each for each in details.get(renderer + "s") or [] if each.get("version")]
        found.extend(
            told or [{"version": version} for version in (capabilities.get("renderers") or {}).get(renderer, [])]
        )
    return found


def _dotted(version: Tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def version_of(installation: Dict[str, Any]) -> Tuple[int, ...]:
    """Its version as numbers; () where it cannot be read."""
    try:
        return tuple(int(part) for part in str(installation["version"]).split("."))
    except (KeyError, ValueError):
        return ()


RULES: Tuple[Rule, ...] = (_scene, _frames, _output, _files, _unsaved, _scripts, _fleet)
