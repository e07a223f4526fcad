"""A process that puts one large file into an S3 store, until somebody kills it.

    python upload_child.py URL FILE KEY WAIT_AFTER

It says `sending` for every part that it sends and `part N` when part N is there, and goes on at once; but after part
WAIT_AFTER it waits for ever (0: never).
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from scheduler.objects import s3
from scheduler.objects.parts import Part, Piece, read_piece
from scheduler.objects.port import Transfer

PART_BYTES = 5 << 20


def main(url: str, file: str, key: str, wait_after: str) -> None:
    """Put it."""

    def watched(path: Path, part: Part) -> Piece:
        if part.number > 1:  # one at a time: the parts before are there
            say(f"part {part.number - 1}")
        if part.number - 1 == int(wait_after) > 0:
            threading.Event().wait()
        return read_piece(path, part)

    s3.read_piece = watched
    address = urlsplit(url)
    options, transfer = dict(parse_qsl(address.query)), Transfer(PART_BYTES, 0, parallel=1)
    client = s3.make_client(options["endpoint_url"], options["region"], transfer)
    client.meta.events.register("before-call.s3.UploadPart", lambda **_call: say("sending"))
    store = s3.S3Objects(client, address.netloc, address.path.strip("/"), transfer)
    say(f"done {store.put(key, Path(file))}")


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
