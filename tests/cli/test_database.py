"""Backup and restore of a farm's memory."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from scheduler.store.store import Store
from scheduler.store.tables import Meta

Run = Callable[..., Result]

CONTENT = b"a mesh"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
BLOB = f"blobs/{DIGEST[:2]}/{DIGEST}"


def remember(store: Store, value: str) -> None:
    store.write(lambda tx: tx.session.merge(Meta(key="said", value=value)))


def said(data: Path) -> str:
    store = Store(data)
    try:
        with store.read() as session:
            row = session.get(Meta, "said")
            return row.value if row else ""
    finally:
        store.close()


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """The data folder of a farm that is stopped."""
    data = tmp_path / "farm"
    store = Store(data)
    remember(store, "before")
    (data / BLOB).parent.mkdir()
    (data / BLOB).write_bytes(CONTENT)
    (data / "blobs" / "half.part").write_bytes(b"x")
    store.close()
    return data


def test_a_backup_holds_database_and_blobs_and_brings_both_back(outfield: Run, farm: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.zip"

    result = outfield("backup", target, "--data", farm)

    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist()) == [BLOB, "outfield.sqlite"]
    elsewhere = tmp_path / "elsewhere"
    assert outfield("restore", target, "--data", elsewhere).exit_code == 0
    assert said(elsewhere) == "before"
    assert (elsewhere / BLOB).read_bytes() == CONTENT


def test_a_backup_is_taken_while_the_farm_runs(outfield: Run, farm: Path, tmp_path: Path) -> None:
    store = Store(farm)
    remember(store, "running")

    result = outfield("--json", "backup", tmp_path / "b.sqlite", "--data", farm)
    store.close()

    assert json.loads(result.stdout)["path"] == str(tmp_path / "b.sqlite")
    assert outfield("restore", tmp_path / "b.sqlite", "--data", tmp_path / "new").exit_code == 0
    assert said(tmp_path / "new") == "running"


def test_restoring_keeps_what_was_there(outfield: Run, farm: Path, tmp_path: Path) -> None:
    outfield("backup", tmp_path / "b.zip", "--data", farm)
    store = Store(farm)
    remember(store, "after")
    store.close()

    assert outfield("restore", tmp_path / "b.zip", "--data", farm).exit_code == 0

    assert said(farm) == "before"
    assert (farm / "outfield.before-restore.sqlite").exists()
    assert [path.name for path in farm.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_restored_under_a_running_scheduler(outfield: Run, farm: Path, tmp_path: Path) -> None:
    outfield("backup", tmp_path / "b.zip", "--data", farm)
    store = Store(farm)
    remember(store, "after")

    result = outfield("restore", tmp_path / "b.zip", "--data", farm)
    upgrade = outfield("db", "upgrade", "--data", farm)
    store.close()

    assert (result.exit_code, upgrade.exit_code) == (1, 1)
    assert "[already_active]" in result.stderr
    assert said(farm) == "after"


@pytest.mark.parametrize("names", [["x"], ["outfield.sqlite", "../evil"], ["outfield.sqlite", BLOB]])
def test_what_is_no_backup_changes_nothing(outfield: Run, farm: Path, tmp_path: Path, names: list[str]) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"not what its name says")

    result = outfield("restore", tmp_path / "bad.zip", "--data", farm)

    assert result.exit_code == 1
    assert "[backup_damaged]" in result.stderr
    assert said(farm) == "before"
    assert not (tmp_path / "evil").exists()


def test_a_backup_that_is_not_there_is_said(outfield: Run, farm: Path, tmp_path: Path) -> None:
    assert outfield("restore", tmp_path / "none.zip", "--data", farm).exit_code == 1


def test_no_farm_no_backup(outfield: Run, tmp_path: Path) -> None:
    result = outfield("backup", tmp_path / "b.zip", "--data", tmp_path / "none")

    assert result.exit_code == 1
    assert "[no_farm]" in result.stderr
    assert not (tmp_path / "b.zip").exists()


def test_an_upgrade_says_whether_there_was_anything_to_do(outfield: Run, farm: Path, tmp_path: Path) -> None:
    assert "already" in outfield("db", "upgrade", "--data", farm).stdout
    assert "now" in outfield("db", "upgrade", "--data", tmp_path / "new").stdout


def test_blobs_in_another_folder_are_backed_up_too(outfield: Run, farm: Path, tmp_path: Path) -> None:
    target, settings = tmp_path / "backup.zip", tmp_path / "outfield.toml"
    (farm / "blobs").rename(tmp_path / "elsewhere")
    (tmp_path / "store").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "store" / "blobs")
    settings.write_text(f'[server]\ndata = "{farm}"\nstorage = "file://{tmp_path}/store"\n')

    assert outfield("backup", target, "--config", settings).exit_code == 0

    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist()) == [BLOB, "outfield.sqlite"]


def test_a_backup_says_that_an_object_store_is_not_in_it(outfield: Run, farm: Path, tmp_path: Path) -> None:
    target, settings = tmp_path / "backup.zip", tmp_path / "outfield.toml"
    settings.write_text(f'[server]\ndata = "{farm}"\nstorage = "s3://bucket/farm"\n')

    result = outfield("backup", target, "--config", settings)

    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    assert "s3://bucket/farm" in result.stderr
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["outfield.sqlite"]
