"""One connection to a site: the client's many errors sorted into one small family, and what it does only once."""

from __future__ import annotations

from typing import Any

import pytest
from fake_shotgrid import FakeShotGrid
from tracked_farm import site_settings

from scheduler.priorities.client import Site
from scheduler.priorities.troubles import Changed, Denied, Trouble, Unreachable, retry_after_s


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (lambda fake: fake.fail(403), Denied),
        (lambda fake: fake.fail(401), Denied),
        (lambda fake: fake.fail(302), Unreachable),
        (lambda fake: fake.hang(), Unreachable),
        (lambda fake: fake.hang_up(3), Unreachable),
        (lambda fake: fake.garble(body=b""), Unreachable),
        (lambda fake: fake.garble(body=b"\xff\xfe"), Unreachable),
        (lambda fake: fake.garble(body=b"[" * 100_000), Unreachable),
        (lambda fake: fake.site.schema.pop("Task"), Changed),
    ],
)
def test_trouble(fake: FakeShotGrid, fault: Any, kind: type[Trouble]) -> None:
    site = Site(site_settings(fake))
    site.find("Task", [], ["content"])
    fault(fake)

    with pytest.raises(Trouble) as met:
        site.find("Task", [], ["content"])

    assert type(met.value) is kind
    assert FakeShotGrid.api_key not in str(met.value) + str(met.value.__cause__)


def test_what_is_created_is_sent_once(fake: FakeShotGrid) -> None:
    site = Site(site_settings(fake))
    fake.drop_answer(3, method="create")

    with pytest.raises(Unreachable):
        site.create("Project", {"name": "Alpha"})

    assert len(fake.rows("Project")) == 1


@pytest.mark.parametrize("url", ["", "studio.example", "ftp://studio.example", "http://", "http://127.0.0.1:1"])
def test_an_address_that_leads_nowhere(fake: FakeShotGrid, url: str) -> None:
    with pytest.raises(Unreachable):
        Site(site_settings(fake).model_copy(update={"url": url})).info()


def test_a_key_in_a_file_is_read_anew(fake: FakeShotGrid, tmp_path: Any) -> None:
    file = tmp_path / "key"
    site = Site(site_settings(fake).model_copy(update={"api_key": None, "api_key_file": file}))
    for text in (None, "", "wrong"):
        if text is not None:
            file.write_text(text)
        with pytest.raises(Denied):
            site.find("Task", [], ["content"])

    file.write_text(fake.api_key + "\n")
    assert site.find("Task", [], ["content"]) == []


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "999999999999"}, 3600.0),
        ({"retry-after": "Tue, 01 Dec 2026 09:01:00 GMT", "date": "Tue, 01 Dec 2026 09:00:00 GMT"}, 60.0),
        ({"retry-after": "Tue, 01 Dec 2026 09:01:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_pause_that_a_site_asks_for(headers: dict[str, str], pause_s: float | None) -> None:
    assert retry_after_s(headers) == pause_s
