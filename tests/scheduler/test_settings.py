"""Settings: four sources in order, unknown keys with their nearest neighbour, origins told."""

from __future__ import annotations

import pytest

from scheduler.errors import Refused
from scheduler.settings import (
    AwsPool,
    OnpremPool,
    Settings,
    given_keys,
    known_keys,
    load_settings,
    workers_environment,
)


def write(tmp_path, text):
    path = tmp_path / "outfield.toml"
    path.write_text(text)
    return path


def test_flags_beat_environment_beats_file_beats_defaults(tmp_path):
    file = write(tmp_path, '[server]\nport = 1\nhost = "a"\n[farm]\nname = "f"\nlease_s = 30\n')
    loaded = load_settings(
        file=file,
        environment={"OUTFIELD_SERVER__HOST": "b", "OUTFIELD_SERVER__PORT": "2", "OUTFIELD_TOKEN": "t", "HOME": "/"},
        flags={"server.port": 3, "server.database": None},
    )
    assert (loaded.settings.server.port, loaded.settings.server.host, loaded.settings.farm.name) == (3, "b", "f")
    assert loaded.origin["server.port"] == "flag"
    assert loaded.origin["server.host"] == "environment"
    assert loaded.origin["farm.name"] == str(file)
    assert "farm.grace_s" not in loaded.origin


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nprot = 1\n", "server.port"),
        ("[sever]\nport = 1\n", "server.port"),
        ("[farm]\nlease = 1\n", "farm.lease_s"),
    ],
)
def test_unknown_keys_name_their_nearest_neighbour(tmp_path, text, words):
    with pytest.raises(Refused) as error:
        load_settings(file=write(tmp_path, text), environment={})
    assert error.value.code == "settings_unknown"
    assert words in error.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nport = 99999\n", "server.port"),
        ("[server]\nport = 'x'\n", "server.port"),
        ("not toml", "not TOML"),
        ("port = 1\n", "must stand in a section"),
    ],
)
def test_wrong_values_say_where(tmp_path, text, words):
    with pytest.raises(Refused, match=words):
        load_settings(file=write(tmp_path, text), environment={})


def test_words_of_clients_and_add_ons_are_no_settings_and_others_are_refused(tmp_path):
    words = ("SERVER", "TOKEN", "CA_FILE", "SPOOL", "LANGUAGE")
    load_settings(file=write(tmp_path, ""), environment={f"OUTFIELD_{word}": "x" for word in words})

    with pytest.raises(Refused, match="OUTFIELD_SPOOLS is not a setting"):
        load_settings(file=write(tmp_path, ""), environment={"OUTFIELD_SPOOLS": "x"})


def test_a_pool_takes_the_keys_of_its_backend(tmp_path):
    file = write(tmp_path, '[pools.a]\nbackend = "aws"\nregion = "eu-west-1"\n[pools.b]\nworkers_max = 3\n')
    pools = load_settings(file=file, environment={"OUTFIELD_POOLS__A__MARKET": "on_demand"}).settings.pools

    assert isinstance(pools["a"], AwsPool) and (pools["a"].region, pools["a"].market) == ("eu-west-1", "on_demand")
    assert isinstance(pools["b"], OnpremPool)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[pools.a]\nbackend = "slurm"\nregion = "x"\n', r'pools.a.region .* backend = "slurm"'),
        ('[pools.a]\nbackend = "aws"\n', "pools.a.region"),
        ('[pools.a]\nbackend = "awz"\n', "pools.a"),
        ('[pools.a]\nbackend = "site"\nurl = "ftp://x"\ntoken = "t"\n', "pools.a.url"),
        ('[pools.a]\nbackend = "site"\nurl = "https://x"\ntoken = "t"\njobs_max = 0\n', "pools.a.jobs_max"),
    ],
)
def test_a_pool_refuses_the_keys_of_another_backend(tmp_path, text, words):
    with pytest.raises(Refused, match=words):
        load_settings(file=write(tmp_path, text), environment={})


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(Refused, match="cannot be read"):
        load_settings(file=tmp_path / "none.toml", environment={})


def test_environment_values_are_toml_where_they_can_be(tmp_path):
    environment = {"OUTFIELD_SERVER__OUTPUT_ROOTS": '["/proj", "/cache"]', "OUTFIELD_FARM__NAME": "night shift"}
    settings = load_settings(file=write(tmp_path, ""), environment=environment).settings
    assert [str(root) for root in settings.server.output_roots] == ["/proj", "/cache"]
    assert settings.farm.name == "night shift"


def test_settings_are_frozen_and_every_key_is_described():
    with pytest.raises(Exception, match="frozen"):
        Settings().server.port = 1
    assert all(field.description for field in known_keys().values())


PRODUCTION = """
[shotgrid]
url = "https://studio.example"
[shotgrid.priority]
fields = ["Task.sg_tier"]
values = {"1_Tier" = 90}
[pools.aws]
backend = "aws"
region = "eu-west-1"
price_usd_per_hour = 0.14
[budgets.farm]
usd = 500
[[rules]]
name = "nda stays home"
forbid = ["aws"]
"""


def test_sections_inside_sections_and_sections_with_names(tmp_path):
    environment = {"OUTFIELD_SHOTGRID__API_KEY": "s3cret", "OUTFIELD_POOLS__AWS__WORKERS_MAX": "4"}
    loaded = load_settings(file=write(tmp_path, PRODUCTION), environment=environment)
    settings = loaded.settings
    assert settings.shotgrid.priority.fields == ("Task.sg_tier",)
    assert (settings.pools["aws"].backend, settings.pools["aws"].workers_max) == ("aws", 4)
    assert settings.budgets["farm"].period == "month"
    assert settings.rules[0]["name"] == "nda stays home"
    assert loaded.origin["pools.aws.workers_max"] == "environment"
    assert "pools.aws.workers_max" in given_keys(settings.model_dump(mode="json"))


def test_the_key_of_the_tracker_is_never_shown(tmp_path):
    loaded = load_settings(file=write(tmp_path, ""), environment={"OUTFIELD_SHOTGRID__API_KEY": "s3cret"})
    assert "s3cret" not in repr(loaded)
    assert "s3cret" not in str(loaded.settings.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[shotgrid]\nurll = 'x'\n", "shotgrid.url"),
        ("[shotgrid.priority]\nfield = ['x']\n", "shotgrid.priority.fields"),
        ("[pools.aws]\nbackends = 'aws'\n", "pools.NAME.backend"),
    ],
)
def test_unknown_keys_inside_sections_name_their_neighbour_too(tmp_path, text, words):
    with pytest.raises(Refused) as error:
        load_settings(file=write(tmp_path, text), environment={})
    assert words in error.value.hint


@pytest.mark.parametrize("text", ["[pools]\naws = 1\n", "[shotgrid]\npriority = 'x'\n"])
def test_what_must_be_a_section_says_so(tmp_path, text):
    with pytest.raises(Refused, match="must be a section"):
        load_settings(file=write(tmp_path, text), environment={})


def test_what_workers_read_may_stand_in_the_same_environment():
    load_settings(environment={"OUTFIELD_BLENDER__EXECUTABLES": "/opt/blender", "OUTFIELD_WORKER__DATA": "/d"})


def test_workers_inherit_nothing_that_only_the_scheduler_may_know():
    secret = {
        "AWS_SECRET_ACCESS_KEY": "s",
        "GOOGLE_APPLICATION_CREDENTIALS": "/k.json",
        "OUTFIELD_SHOTGRID__API_KEY": "k",
    }
    kept = {"PATH": "/bin", "AWS_REGION": "us-east-1", "OUTFIELD_WORKER__SLOTS": "2", "OUTFIELD_BLENDER__SPARE": "0"}

    assert workers_environment(secret | kept) == kept


@pytest.mark.parametrize(
    "text", ["part_bytes = 1000", "single_max_bytes = 9000000", "parallel = 0", "url_s = 1", "stale_upload_s = 1"]
)
def test_wrong_transfers_are_refused(tmp_path, text):
    with pytest.raises(Refused, match="storage"):
        load_settings(file=write(tmp_path, f"[storage]\n{text}\n"), environment={})


GCE = 'backend = "gce"\nproject = "studio"\n'
AWS = 'backend = "aws"\nregion = "us-east-1"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'{AWS}image = "Ubuntu"', "pools.a.image"),
        (f"{AWS}instance_types = []", "pools.a.instance_types"),
        (f"{AWS}disk_gib = 0", "pools.a.disk_gib"),
        (f"{AWS}spot_price_max_usd_per_hour = 0.0001", "pools.a.spot_price_max_usd_per_hour"),
        (f'{AWS}prices_usd_per_hour = {{"c7i.2xlarge" = -1}}', "pools.a.prices_usd_per_hour"),
        (f'{AWS}labels = {{"outfield-farm" = "x"}}', "'outfield-farm' is not yours to set"),
        (f'{AWS}price_usd_per_hour = 0.1\nprices_usd_per_hour = {{"c7i.2xlarge" = 0.2}}', "what a budget reserves"),
        (f'{GCE}zones = ["europe-west1"]', "its zones look like europe-west1-b"),
        (f"{GCE}zones = []", "pools.a.zones"),
        (f'{GCE}zones = ["us-east1-b"]\ngpus = 1', "gpus and gpu_type belong together"),
        (f'{GCE}zones = ["us-east1-b"]\nlabels = {{"Show" = "x"}}', "no label Show=x"),
    ],
)
def test_a_wrong_value_of_a_cloud_is_refused(tmp_path, text, words):
    with pytest.raises(Refused, match=words):
        load_settings(file=write(tmp_path, f"[pools.a]\n{text}\n"), environment={})
