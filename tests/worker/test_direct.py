"""What an object store may answer to a worker's signed URLs, and what follows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_stores import free_ports
from store_gates import Handler, Loopback

from worker.direct import SKIPPED, BadRange, DirectStore, StoreFailed
from worker.settings import WorkerSettings

CONTENT = b"0123456789"


class Answering(Loopback):
    """A store that answers as it is told, and notes what it was sent."""

    def __init__(self) -> None:
        self.status, self.body, self.cut = 200, CONTENT, 0
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        store = self

        class Answers(Handler):
            def handle_any(self) -> None:
                store.seen.append((self.command, dict(self.headers), self.body()))
                headers = {"Content-Length": str(len(store.body) + store.cut)}
                self.close_connection = store.cut > 0
                self.answer(store.status, store.body, headers)

        super().__init__(Answers)


@pytest.fixture
def store() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.stop()


@pytest.fixture
def direct() -> Iterator[DirectStore]:
    opened = DirectStore(WorkerSettings(server="http://scheduler", connect_timeout_s=1.0))
    yield opened
    opened.close()


def get(direct: DirectStore, url: str, offset: int = 0) -> bytes:
    into = io.BytesIO(CONTENT[:offset])
    into.seek(offset)
    list(direct.get(url, into, offset))
    return into.getvalue()


def test_nothing_of_the_farm_is_sent_to_the_store(direct: DirectStore, store: Answering, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(CONTENT)
    direct.put(store.url, {"x-amz-checksum-sha256": "abc"}, file)
    get(direct, store.url)

    (put, sent, body), (_get, asked, _none) = store.seen
    assert (put, body, sent["x-amz-checksum-sha256"], sent["Content-Length"]) == ("PUT", CONTENT, "abc", "10")
    assert {name.lower() for headers in (sent, asked) for name in headers} & {
        "authorization",
        "x-lease-secret",
    } == set()


@pytest.mark.parametrize("status", [403, 404, 412, 500, 503])
def test_any_other_answer_is_a_failure(direct: DirectStore, store: Answering, tmp_path: Path, status: int) -> None:
    store.status = status
    (tmp_path / "f").write_bytes(CONTENT)

    with pytest.raises(StoreFailed, match=f"status {status}"):
        direct.put(store.url, {}, tmp_path / "f")
    with pytest.raises(StoreFailed, match=f"status {status}"):
        get(direct, store.url)


def test_a_download_goes_on_where_it_was(direct: DirectStore, store: Answering) -> None:
    store.status, store.body = 206, CONTENT[4:]

    assert get(direct, store.url, 4) == CONTENT
    assert store.seen[0][1]["Range"] == "bytes=4-"


def test_a_store_that_ignores_the_range_begins_anew(direct: DirectStore, store: Answering) -> None:
    assert get(direct, store.url, 4) == CONTENT


def test_a_part_that_is_too_long_is_told_apart(direct: DirectStore, store: Answering) -> None:
    store.status = 416

    with pytest.raises(BadRange):
        get(direct, store.url, 4)


def test_a_line_that_breaks_keeps_what_has_come(direct: DirectStore, store: Answering) -> None:
    store.cut = 5
    into = io.BytesIO()

    with pytest.raises(StoreFailed):
        list(direct.get(store.url, into, 0))

    assert into.getvalue() == CONTENT


def test_no_url_is_told_in_an_error(direct: DirectStore) -> None:
    """A signed URL is a credential."""
    with pytest.raises(StoreFailed) as caught:
        get(direct, f"http://127.0.0.1:{free_ports(1)[0]}/x?X-Amz-Signature=secret")

    assert "secret" not in str(caught.value)


def test_after_a_failure_it_is_left_alone_for_a_while(direct: DirectStore) -> None:
    assert direct.wanted()
    direct.failed(StoreFailed("away"))

    assert [direct.wanted() for _time in range(SKIPPED + 1)] == [False] * SKIPPED + [True]
