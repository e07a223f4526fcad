"""The decoder process: `python -m scheduler.imaging.child MEMORY_BYTES CPU_S PIXELS_MAX`.

Reads one request per line from stdin, writes one answer per line to stdout (`requests`), and ends with stdin, so it
never outlives the scheduler. Of the project it imports only `scheduler.imaging`, so that it starts quickly and has
nothing within reach but pixels.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec
from PIL import Image, WebPImagePlugin

from scheduler.imaging import decode, limits, movie, preview
from scheduler.imaging.facts import OK, ImageFault, Verdict
from scheduler.imaging.judge import judge
from scheduler.imaging.requests import Answer, Check, Movie, Preview, Question, Request, Sheet

__all__ = ["WebPImagePlugin", "answer", "main"]


def answer(question: Question, pixels_max: int) -> Verdict:
    """The verdict for one question; whatever is wrong with the file becomes a verdict, never an exception."""
    try:
        match question:
            case Check(path, expect):
                return judge(decode.measure(decode.load(Path(path), pixels_max)), expect)
            case Preview(path, out, width_px, kind):
                preview.save(preview.render(decode.load(Path(path), pixels_max), width_px), Path(out), kind)
                return Verdict(True, None, OK, "The preview is written.")
            case Sheet(cells, out, columns, cell_px):
                preview.save(preview.sheet(cells, columns, cell_px), Path(out), Path(out).suffix[1:])
                return Verdict(True, None, OK, "The contact sheet is written.")
            case Movie(paths, out, fps, width_px):
                shown = movie.write([Path(path) for path in paths], Path(out), fps, width_px, pixels_max)
                return Verdict(True, None, OK, f"The movie shows {shown} of {len(paths)} frames.")
    except ImageFault as fault:
        return Verdict(False, None, fault.code, fault.message)
    except MemoryError:
        message = "Decoding this image needs more memory than the farm allows for it."
        return Verdict(False, None, "out_of_memory", message)
    except OSError as error:
        return Verdict(False, None, "file_unreadable", f"The file cannot be read: {error.strerror or error}.")


def _serve(requests: BinaryIO, answers: BinaryIO, cpu_s: float, pixels_max: int) -> None:
    _send(answers, Answer(0))
    for line in requests:
        request = msgspec.json.decode(line, type=Request)
        limits.allow_cpu(cpu_s)
        _send(answers, Answer(request.number, answer(request.question, pixels_max)))


def _send(answers: BinaryIO, said: Answer) -> None:
    answers.write(msgspec.json.encode(said) + b"\n")
    answers.flush()


def main() -> None:
    """Takes its limits from the command line and serves until stdin ends."""
    memory_max_bytes, cpu_s, pixels_max = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    Image.preinit()
    limits.apply(memory_max_bytes)
    # Decoders print to stdout and stderr as they like; the answers go out on a descriptor they do not know.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        _serve(sys.stdin.buffer, answers, cpu_s, pixels_max)


if __name__ == "__main__":
    main()
