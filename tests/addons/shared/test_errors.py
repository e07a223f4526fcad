"""What goes wrong is told in the artist's language; the farm's own words stay as they came."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outfield_core.client import normal_server
from outfield_core.disk import disk_says, disk_trouble
from outfield_core.errors import FarmError, Refused
from outfield_core.fields import Field
from outfield_core.frames import FrameSyntaxError, parse_frames
from outfield_core.texts import set_language


@pytest.fixture(autouse=True)
def english():
    yield
    set_language("en")


def test_an_error_speaks_the_language_of_whoever_reads_it_at_that_moment():
    with pytest.raises(Refused) as caught:
        normal_server("ftp://farm")
    error = caught.value
    assert str(error) == (
        "'ftp://farm' is not a farm's address. Write it like http://farm:8000, in the add-on's preferences."
    )
    set_language("de")
    assert str(error) == (
        "'ftp://farm' ist keine Adresse einer Farm. "
        "Schreiben Sie sie wie http://farm:8000, in den Einstellungen des Add-ons."
    )
    assert error.code == "bad_server"


@given(st.text(), st.text())
def test_the_farms_own_words_stay_as_they_came(message, hint):
    error = FarmError(message, hint=hint)

    assert (error.message, error.hint) == (message, hint)
    assert str(error) == f"{message} {hint}".strip()


@given(st.text())
def test_what_is_put_in_may_hold_braces(text):
    assert (
        disk_says(OSError(errno.EIO, text)).message == f"This machine's disk says: {text or OSError(errno.EIO, text)}."
    )
    assert text in disk_trouble(text, OSError(errno.ENOSPC, "full")).message


@pytest.mark.parametrize(
    ("schema", "value", "hint"),
    [
        ({"minimum": 1, "maximum": 9}, "x", "Es liegt zwischen 1 und 9."),
        ({"minimum": 1}, 0, "Es liegt zwischen 1 und …."),
        ({"enum": ["{a}", "b"]}, "c", "Eines von: {a}, b."),
        ({}, None, ""),
    ],
)
def test_a_setting_that_cannot_be_says_what_can(schema, value, hint):
    set_language("de")
    kind = "choice" if "enum" in schema else "int"
    with pytest.raises(Refused) as caught:
        Field("samples", kind, schema).checked(value)

    assert caught.value.message == f"Samples kann nicht {value!r} sein."
    assert caught.value.hint == hint


def test_a_range_that_cannot_be_read_is_told_with_its_place():
    set_language("fr")
    with pytest.raises(FrameSyntaxError) as caught:
        parse_frames("1-5,x")

    assert caught.value.position == 4
    assert caught.value.message == "'x' n’est pas une plage d’images."
