"""The archive that cloud-init reads, and the script in it that ends an instance at its time, really run."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.backends.aws.user_data import OWN_NUMBER, USER_DATA_MAX_BYTES, life_limit, user_data
from scheduler.backends.base import BackendError
from scheduler.backends.identity import with_identity


def parts(data: bytes) -> list[tuple[str, str]]:
    """As cloud-init takes it apart."""
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    assert b"mime-version:" in text[:4096].lower(), "how cloud-init knows an archive"
    found = [part for part in message_from_bytes(text).walk() if not part.is_multipart()]
    return [(part.get_content_type(), bytes(part.get_payload(decode=True)).decode()) for part in found]


@settings(max_examples=25)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=400))
def test_the_script_arrives_as_it_was_given(body: str) -> None:
    script = f"#!/bin/sh\n{body}\n"
    data = user_data(script, 600.0)

    assert parts(data) == [
        ("text/cloud-boothook", life_limit(600.0)),
        ("text/x-shellscript", with_identity(script, OWN_NUMBER)),
    ]
    assert data == user_data(script, 600.0), "the same order has the same bytes"


def test_a_long_script_is_compressed_and_a_hopeless_one_refused() -> None:
    long = "#!/bin/sh\n" + "echo again\n" * 10_000
    noise = random.Random(7).randbytes(20_000).hex()

    assert len(user_data(long, 60.0)) <= USER_DATA_MAX_BYTES
    assert user_data(long, 60.0) == user_data(long, 60.0)
    assert parts(user_data(long, 60.0))[1][1] == with_identity(long, OWN_NUMBER)
    with pytest.raises(BackendError, match="EC2 takes 16384"):
        user_data(f"#!/bin/sh\n# {noise}\n", 60.0)


def boot(folder: Path, *, life_s: float, systemd: bool = True) -> list[str]:
    """Run the time limit's script once, as at a boot; what it asked systemd for."""
    tools, told = folder / "tools", folder / "told"
    tools.mkdir(exist_ok=True)
    for name, line in {"systemd-run": f'echo "$*" >> {told}', "poweroff": f'echo "poweroff $*" >> {told}'}.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n{'' if systemd or name != 'systemd-run' else 'exit 1'}\n")
        (tools / name).chmod(0o755)
    told.unlink(missing_ok=True)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", "-c", life_limit(life_s, str(folder))], env=environment, check=True, timeout=20)
    return told.read_text().splitlines()


def test_an_instance_sets_its_alarm_at_its_first_boot(tmp_path: Path) -> None:
    (asked,) = boot(tmp_path, life_s=3600)

    assert "--unit=outfield-life --on-active=3600 " in asked and asked.endswith("systemctl poweroff --force")


def test_a_reboot_does_not_give_it_more_time(tmp_path: Path) -> None:
    boot(tmp_path, life_s=3600)
    ends = tmp_path / "outfield-ends-at"
    ends.write_text(str(int(ends.read_text()) - 3000))
    (asked,) = boot(tmp_path, life_s=3600)
    seconds = int(asked.partition("--on-active=")[2].split()[0])
    assert 590 <= seconds <= 600

    ends.write_text("1")
    (asked,) = boot(tmp_path, life_s=3600)
    assert "--on-active=1 " in asked, "its time is long over: at once"


def test_without_systemd_the_script_waits_by_itself(tmp_path: Path) -> None:
    (tmp_path / "outfield-ends-at").write_text("1")
    boot(tmp_path, life_s=1, systemd=False)
    for _round in range(100):
        if "poweroff -f" in (tmp_path / "told").read_text():
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("it never powered off")
