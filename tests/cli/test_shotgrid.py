"""`outfield shotgrid check` against a site that speaks the real wire format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_shotgrid import FakeShotGrid, fake_shotgrid
from typer.testing import Result


@pytest.fixture
def site() -> Iterator[FakeShotGrid]:
    with fake_shotgrid() as fake:
        yield fake


def config(site: FakeShotGrid, *lines: str, key: str = FakeShotGrid.api_key) -> Path:
    """An `outfield.toml` that leads to the site."""
    text = [f'url = "{site.url}"', f'api_key = "{key}"', "timeout_s = 1.0", *lines]
    file = Path("outfield.toml").absolute()
    file.write_text("\n".join(["[shotgrid]", *text]) + "\n")
    return file


def test_a_site_that_fits(outfield: Callable[..., Result], site: FakeShotGrid) -> None:
    result = outfield("--json", "shotgrid", "check", "--config", config(site))

    said = json.loads(result.stdout)
    assert (result.exit_code, said["ok"], said["site"]) == (0, True, site.url)
    fields = {entry["field"]: entry for entry in said["fields"]}
    assert fields["Task.sg_priority_1"]["level"] == "ok"
    assert set(fields["Task.sg_priority_1"]) == {"field", "use", "level", "found", "hint"}
    asked = {(p["type"], p.get("field_name")) for p in site.calls("schema_field_read")}
    assert {("Task", "sg_priority_1"), ("Shot", "sg_status_list"), ("Task", "due_date")} <= asked


def test_a_missing_field_exits_with_1_and_names_the_nearest(
    outfield: Callable[..., Result], site: FakeShotGrid
) -> None:
    file = config(site, "[shotgrid.priority]", 'fields = ["Task.sg_priorty"]')

    result = outfield("shotgrid", "check", "--config", file)

    assert result.exit_code == 1
    assert "Task.sg_priorty" in result.stdout
    assert "The nearest field is Task.sg_priority_1." in result.stdout


def test_a_wrong_key_exits_with_4_and_is_not_repeated(outfield: Callable[..., Result], site: FakeShotGrid) -> None:
    result = outfield("shotgrid", "check", "--config", config(site, key="an0ther-key"))

    assert result.exit_code == 4
    assert "ShotGrid refuses the script" in result.stderr
    assert "an0ther-key" not in result.output


@pytest.mark.parametrize("fault", ["down", "503", "garbage"])
def test_a_site_that_does_not_answer_exits_with_5(
    outfield: Callable[..., Result], site: FakeShotGrid, fault: str
) -> None:
    if fault == "down":
        site.down = True
    elif fault == "503":
        site.fail(503, 10)
    else:
        site.garble(10)

    result = outfield("--json", "shotgrid", "check", "--config", config(site))

    assert result.exit_code == 5
    assert json.loads(result.stderr)["code"] == "tracker_unreachable"


def test_no_site_is_a_wrong_use(outfield: Callable[..., Result]) -> None:
    result = outfield("shotgrid", "check")

    assert result.exit_code == 2
    assert "shotgrid.url" in result.stderr


def test_the_key_is_never_shown(outfield: Callable[..., Result], site: FakeShotGrid) -> None:
    file = config(site)

    for words in (("config", "show", "--origin"), ("--json", "config", "show"), ("shotgrid", "check")):
        result = outfield(*words, "--config", file)
        assert result.exit_code == 0
        assert FakeShotGrid.api_key not in result.output
