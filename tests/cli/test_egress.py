"""The list of what a farm calls beyond the studio: complete, and nothing else."""

from __future__ import annotations

import json

import pytest

from scheduler.cli.egress import allowed_egress
from scheduler.settings import Settings


def calls(**sections: object) -> set[tuple[str, int, str]]:
    return {(one.host, one.port, one.who) for one in allowed_egress(Settings.model_validate(sections))}


def test_a_farm_of_the_studios_own_calls_nobody():
    assert calls(pools={"cluster": {"backend": "slurm"}}) == set()


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"shotgrid": {"url": "https://studio.example"}}, {("studio.example", 443, "scheduler")}),
        (
            {"pools": {"a": {"backend": "aws", "region": "eu-west-1"}}},
            {("ec2.eu-west-1.amazonaws.com", 443, "scheduler")},
        ),
        (
            {"pools": {"a": {"backend": "aws", "region": "x", "endpoint_url": "http://127.0.0.1:5000"}}},
            {("127.0.0.1", 5000, "scheduler")},
        ),
        (
            {"pools": {"g": {"backend": "gce", "project": "p", "zones": ["z"]}}},
            {("compute.googleapis.com", 443, "scheduler"), ("oauth2.googleapis.com", 443, "scheduler")},
        ),
        (
            {"pools": {"b": {"backend": "site", "url": "https://branch.example:8443"}}},
            {("branch.example", 8443, "scheduler")},
        ),
        (
            {"server": {"storage": "s3://bucket/p?region=eu-west-1"}},
            {("bucket.s3.eu-west-1.amazonaws.com", 443, who) for who in ("scheduler", "workers")},
        ),
        (
            {"server": {"storage": "s3://buc.ket/p?region=eu-west-1"}, "storage": {"direct": False}},
            {("s3.eu-west-1.amazonaws.com", 443, "scheduler")},
        ),
        (
            {"server": {"storage": "gs://bucket"}},
            {
                ("oauth2.googleapis.com", 443, "scheduler"),
                ("storage.googleapis.com", 443, "scheduler"),
                ("storage.googleapis.com", 443, "workers"),
            },
        ),
    ],
)
def test_what_is_set_is_on_the_list(sections, expected):
    assert calls(**sections) == expected


def test_doctor_prints_it(outfield, tmp_path):
    file = tmp_path / "outfield.toml"
    file.write_text('[shotgrid]\nurl = "https://studio.example"\nscript_name = "s"\napi_key = "k"\n')
    told = outfield("doctor", "--egress", "--json", "--config", file)

    assert told.exit_code == 0
    assert [one["host"] for one in json.loads(told.stdout)] == ["studio.example"]
