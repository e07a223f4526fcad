"""JSON that comes in is fit to be stored and told again, or refused with a reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.api.bodies import DEPTH_MAX, VALUES_MAX, body_limit_bytes, parse_json
from scheduler.errors import Refused
from scheduler.settings import LimitSettings

BAD = {
    b"": "not_json",
    b"{": "not_json",
    b"name=hello": "not_json",
    b"\xff\xfe": "not_json",
    b'{"name": NaN}': "not_json",
    b"[Infinity]": "not_json",
    b'"\\ud800"': "not_json",
    b'"\xed\xa0\x80"': "not_json",
    b"\xef\xbb\xbf{}": "not_json",
    b'{"a": 1e999}': "number_out_of_range",
    b"1" * 5000: "number_out_of_range",
    b"9223372036854775808": "number_out_of_range",
    b"[-9223372036854775809]": "number_out_of_range",
    b'"\\u0000"': "invalid_text",
    b'{"a\\u0000": 1}': "invalid_text",
    b'{"a": ["x", {"b": "\\u0000"}]}': "invalid_text",
    b"[" * 100_000: "too_deep",
    b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1): "too_deep",
    b"[" + b"0," * VALUES_MAX + b"0]": "too_many_values",
}


@pytest.mark.parametrize("body", BAD, ids=lambda body: body[:20].decode("latin-1"))
def test_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parse_json(body)

    assert refused.value.code == BAD[body]


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1, 0.5, "", "é🎬", None, True, [[]], {"a": {"b": []}}])
def test_taken(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_taken_can_be_told_again(value: Any) -> None:
    try:
        taken = parse_json(json.dumps(value).encode("utf-8", "surrogatepass"))
    except Refused:
        return

    assert msgspec.json.decode(msgspec.json.encode(taken)) == taken
    assert "\\u0000" not in msgspec.json.encode(taken).decode().replace("\\\\", "")


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    with contextlib.suppress(Refused):
        parse_json(body)


def test_limits_by_call() -> None:
    limits = LimitSettings(body_max_bytes=2000, blob_max_bytes=10**6, output_max_bytes=10**5)

    assert body_limit_bytes("POST", "/new_job", limits) == 2000
    assert body_limit_bytes("POST", "/attempts/1.1/log", limits) == 2000
    assert body_limit_bytes("PUT", "/blobs/x", limits) == 10**6
    assert body_limit_bytes("PUT", "/attempts/1.1/files/a.png", limits) == 10**5
    assert body_limit_bytes("POST", "/jobs/new", limits) > 10**6
