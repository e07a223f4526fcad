"""Texts of Maya's log that tell what went wrong, whose fault it was, and what to do. PURE.

From AWS Thinkbox Deadline's MayaCmd, CGRU's parsers and logs in public issues, as facts; Autodesk documents none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scheduler.protocol.work import FailureClass

GOT_A_LICENCE = re.compile(
    r"\bauthori[sz]ed\b|\blicen[cs]e (?:acquired|obtained|granted|checked[- ]out)|checked out (?:a )?licen[cs]e",
    re.IGNORECASE,
)
"""Engines ask one server after the other: a refusal is none when a later one says yes."""


@dataclass(frozen=True)
class Known:
    """A text of the log, what it means, and what to do. `fatal`: frames that were written are worth nothing then."""

    sign: re.Pattern[str]
    failure: FailureClass
    meaning: str
    advice: str
    fatal: bool = False


def _known(sign: str, failure: FailureClass, meaning: str, advice: str, *, fatal: bool = False) -> Known:
    return Known(re.compile(sign, re.IGNORECASE), failure, meaning, advice, fatal)


LICENCE = _known(
    r"\blicen[cs]e was not obtained|could not (?:get|obtain) a licen[cs]e|flexlm error|\blicen[cs]e error"
    r"|error checking out licen[cs]e|no licen[cs]e for product|abort(?:ed|ing)? on licen[cs]e fail"
    r"|\[(?:licensing|rlm|clm|ads?k?lm)[^\]]*\].*(?:\berror|fail|denied|not available|no licen[cs]e)"
    r"|\berror\b.*\[(?:licensing|rlm|clm)[^\]]*\]|no licen[cs]e (?:found|available)"
    r"|licen[cs](?:e|ing) (?:server|checkout|check-out|manager).*(?:fail|error|denied|unavailable|not respond)",
    "licence",
    "Maya or its renderer got no licence",
    "Free one, or look whether the worker reaches the licence server (its variables are kept).",
    fatal=True,
)

KNOWN: tuple[Known, ...] = (
    LICENCE,
    _known(
        r"\bwith (?:a )?watermarks?\b|\bwatermarked\b|\bwatermarks? (?:will|are|is|because|added)\b",
        "licence",
        "the pictures carry a watermark, because the renderer had no licence",
        "Free a licence, and switch off Render with Watermarks (Skip License Check) in the scene.",
        fatal=True,
    ),
    _known(
        r"camera .+ does not exist|no object matches name: .*cam",
        "user",
        "the scene has no camera of that name",
        "Name one that the scene has, with its namespace.",
    ),
    _known(
        r"does not have any renderable cameras|no renderable camera|no camera to render",
        "user",
        "no camera of the scene is renderable",
        "Name one in the settings, or make one renderable (Render Settings > Common).",
    ),
    _known(
        r"(?:render ?layer|layer) .*(?:does not exist|not found|could not be found)|no (?:render )?layer named",
        "user",
        "the scene has no render layer of that name",
        "Name one that the scene has, as the Render Setup shows it.",
    ),
    _known(
        r"\busage: render\b|unknown (?:flag|option)|invalid flag|error while parsing arguments",
        "infra",
        "this Maya's Render does not take the farm's command line",
        "Tell us Maya's version and the log.",
    ),
    _known(
        r"cannot open project|cannot find project",
        "user",
        "Maya cannot open the project's folder",
        "Look whether it is where all workers can read it.",
    ),
    _known(
        r"file contains nodes? from a newer version|created with a newer version|newer version of maya",
        "infra",
        "the scene was saved by a newer Maya than this worker has",
        "Install that Maya on a worker, or save the scene with an older one.",
    ),
    _known(
        r"cannot load scene|scene was not loaded properly|error reading file|could not open file"
        r"|file not found: .*\.m[ab]\b|error:.*syntax error",
        "user",
        "Maya cannot read the scene, or a file that it refers to",
        "Open it in Maya, look into the Script Editor, save it and submit again.",
    ),
    _known(
        r"error.*\b(?:texture|image|cache|proxy|procedural|file)\b"
        r".*(?:not found|does not exist|no such file|not be found)",
        "user",
        "a file that the scene uses is not there",
        "Submit it along (the add-on finds it), or put it where all workers can read it.",
    ),
    _known(
        r"no space left|disk quota exceeded|not enough (?:disk )?space",
        "infra",
        "the worker's disk is full",
        "Free some space there.",
    ),
    _known(
        r"out of memory|bad_alloc|cannot allocate memory|not enough storage is available|memory allocation failed"
        r"|cuda_error_out_of_memory",
        "infra",
        "the worker's memory ran out",
        "Give the job more memory (requires.memory_gib), or simplify the scene.",
    ),
    _known(
        r"cuda_error|failed to init the cuda driver|graphics card capabilities are insufficient"
        r"|unable to (?:open|connect to) (?:x )?display|could not connect to display",
        "infra",
        "this worker's graphics card or driver cannot do what the engine asks",
        "Let the job ask for workers with a GPU (requires.gpus), or install a driver there.",
    ),
    _known(
        r"can'?t create file|cannot (?:write|create) (?:image|output)|error writing (?:image|file)|permission denied",
        "infra",
        "Maya cannot write its pictures",
        "Look at the worker's disk and its rights.",
    ),
    _known(
        r"plug-?in,? \S*(?:mtoa|vrayformaya|redshift4maya|renderman_for_maya)\S*,? was not found"
        r"|unknown renderer|is not a (?:valid|known) renderer"
        r"|cannot find procedure \"(?:rsPreference|arnold\w*|vray\w*)\"",
        "infra",
        "this worker's Maya lacks the renderer's plug-in",
        "Install it there, or let the job ask for workers that have it (requires.tags).",
    ),
    _known(
        r"maya encountered a fatal error|fatal error\. attempting to save|stack trace:",
        "infra",
        "Maya crashed",
        "If it does so on every worker, the scene is the cause: open it in Maya and render the frame there.",
    ),
    _known(
        r"\[mtoa\] failed batch render|rendering was internally aborted|frame rendering aborted|v-ray error:"
        r"|rman (?:fatal|error):|there was a fatal error (?:rendering|building) the scene|failed to render\.?$",
        "user",
        "the renderer gave up on the frame",
        "The lines before it in the log say why; render the frame in Maya to see it.",
    ),
)
"""In the order in which they are looked for: what explains the others comes first."""
