"""Names, labels and request ids that Google Cloud takes, derived from the farm's: pure.

An instance's name follows from its order, so a repeated order asks for the same names, and Google Cloud refuses a name
that is taken. Labels take fewer characters than our words have; the exact words stand in the instance's metadata.
https://cloud.google.com/compute/docs/labeling-resources
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping

LABEL_MAX = 63
SAFE = re.compile(rf"[a-z0-9_-]{{0,{LABEL_MAX}}}")

NAMESPACE = uuid.UUID("6e0c9a3c-5d0b-5a51-9c39-0d2f6f0a7f11")
"""Of the request ids; any fixed number would do."""


def label(text: str) -> str:
    """A label's value: the text itself where it is one, else what is left of it with a hash that tells it apart."""
    if SAFE.fullmatch(text):
        return text
    rest = re.sub(r"[^a-z0-9_-]+", "-", text.lower())[: LABEL_MAX - 17]
    return f"{rest}-{_digest(text, 16)}"


def labels(given: Mapping[str, str]) -> dict[str, str]:
    """Labels that Google Cloud takes; a name must also begin with a letter."""
    names = {name: label(name) for name in given}
    return {safe if safe[:1].isalpha() else f"x{safe}"[:LABEL_MAX]: label(given[name]) for name, safe in names.items()}


def name_prefix(farm_id: str, pool: str) -> str:
    """What the names of all instances of one pool of one farm begin with."""
    return f"outfield-{_digest(f'{farm_id}/{pool}', 10)}-"


def instance_names(farm_id: str, pool: str, intent: str, count: int) -> list[str]:
    """The names of an order's instances, at most 63 characters each."""
    return [f"{name_prefix(farm_id, pool)}{_digest(intent, 20)}-{number:04d}" for number in range(count)]


def request_id(*parts: str) -> str:
    """The id under which Google Cloud carries a request out once."""
    return str(uuid.uuid5(NAMESPACE, "\n".join(parts)))


def instance_id(zone: str, name: str) -> str:
    """What the port calls the provider's id: with it an instance can be ended."""
    return f"{zone}/{name}"


def zone_and_name(identity: str) -> tuple[str, str]:
    """The parts of an instance's id; a zone that is empty where it is none of ours."""
    zone, _, name = identity.partition("/")
    return (zone, name) if name else ("", identity)


def last(url: str) -> str:
    """The name at the end of one of Google's URLs."""
    return url.rstrip("/").rpartition("/")[2]


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
