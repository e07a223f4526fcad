"""Which scheduler, and with which token."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.cli.connection import LOCAL_SERVER, Profile, choose, clean_url, read_profiles
from scheduler.cli.exits import Usage
from scheduler.cli.options import SharedOptions

STUDIO = Profile("https://farm.example", "studio-token")
PROFILES = {"studio": STUDIO}
LOCAL = "local-admin"


def chosen(options: SharedOptions, profiles: dict[str, Profile] | None = None) -> tuple[str, str | None]:
    found = choose(options, PROFILES if profiles is None else profiles, lambda: LOCAL)
    return found.server, found.token


def test_with_nothing_said_it_is_the_farm_on_this_machine() -> None:
    assert chosen(SharedOptions()) == (LOCAL_SERVER, LOCAL)


def test_a_flag_beats_the_environment() -> None:
    options = SharedOptions(server="http://a:1", token="flag", env_server="http://b:1", env_token="env")

    assert chosen(options) == ("http://a:1", "flag")


def test_the_environment_beats_the_default() -> None:
    assert chosen(SharedOptions(env_server="http://b:1/", env_token="env")) == ("http://b:1", "env")


def test_a_named_profile_beats_the_environment() -> None:
    options = SharedOptions(profile="studio", env_server="http://b:1", env_token="env")

    assert chosen(options) == (STUDIO.server, STUDIO.token)


def test_the_profile_called_default_stands_in_for_the_local_farm() -> None:
    assert chosen(SharedOptions(), {"default": STUDIO}) == (STUDIO.server, STUDIO.token)


def test_a_profiles_token_does_not_go_to_another_server() -> None:
    assert chosen(SharedOptions(server="https://elsewhere.example", profile="studio")) == (
        "https://elsewhere.example",
        None,
    )


def test_the_local_admins_token_stays_on_this_machine() -> None:
    assert chosen(SharedOptions(server="http://10.0.0.1:8000"))[1] is None
    assert chosen(SharedOptions(server="http://127.0.0.1:9000"))[1] == LOCAL


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(Usage) as refusal:
        chosen(SharedOptions(profile="home"))

    assert "studio" in refusal.value.hint


@pytest.mark.parametrize("text", ["farm", "ftp://farm", "http://", "127.0.0.1:8000"])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        clean_url(text)


def test_profiles_are_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-file\n")
    file = tmp_path / "clients.toml"
    file.write_text(f'[default]\nserver = "http://a:1"\ntoken_file = "{secret}"\n')

    found = choose(SharedOptions(), read_profiles(file), lambda: None)

    assert (found.server, found.token) == ("http://a:1", "from-file")


@pytest.mark.parametrize(
    ("text", "word"),
    [("x = [", "cannot be read"), ("[a]\n", "needs a server"), ('[a]\nserver = "http://a"\ntokn = "x"\n', "tokn")],
)
def test_a_wrong_profile_file_says_what_is_wrong(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(text)

    with pytest.raises(Usage, match=word):
        read_profiles(file)


def test_no_profile_file_is_no_profiles(tmp_path: Path) -> None:
    assert read_profiles(tmp_path / "none.toml") == {}
