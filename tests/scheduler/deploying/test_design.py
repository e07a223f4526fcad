"""Plans as data: what is made, what is there, what goes, in which order and for how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.deploying import aws_design, gce_design
from scheduler.deploying.aws_design import AwsChoices
from scheduler.deploying.design import Design, Found, Piece, farm_name, to_make, to_remove, usd_per_hour
from scheduler.deploying.gce_design import GceChoices
from scheduler.errors import Refused

AWS = AwsChoices("studio", "eu-central-1", "123456789012", ("eu-central-1a", "eu-central-1b"))
GCE = GceChoices("studio", "show-1", "europe-west1", "europe-west1-b")


def designs() -> list[tuple[Design, tuple[str, ...]]]:
    found: list[tuple[Design, tuple[str, ...]]] = []
    for nat in (True, False):
        for start in (True, False):
            aws = aws_design.aws_design(replace(AWS, nat=nat, start_scheduler=start))
            gce = gce_design.gce_design(replace(GCE, nat=nat, start_scheduler=start))
            found += [(aws, aws_design.ORDER), (gce, gce_design.ORDER)]
    return found


@pytest.mark.parametrize(("design", "order"), designs())
def test_pieces_are_removed_before_what_they_need(design: Design, order: tuple[str, ...]) -> None:
    assert {piece.name for piece in design.pieces} <= set(order)
    found = [Found(piece.name, f"id-{piece.name}") for piece in design.pieces]
    removed = [change.piece for change in to_remove(order, found)]
    assert sorted(removed) == sorted(piece.name for piece in design.pieces)
    for piece in design.pieces:
        for need in piece.needs:
            assert removed.index(piece.name) < removed.index(need)


def test_the_plan_says_what_is_there_and_what_it_costs() -> None:
    design = Design(
        "aws", "f", "p", (Piece("a", "x", usd_per_hour=1.0), Piece("b", "y", ("a",), 0.5), Piece("c", "z", (), None))
    )
    changes = to_make(design, [Found("a", "id-1")])
    assert [(change.action, change.piece, change.id) for change in changes] == [
        ("there", "a", "id-1"),
        ("make", "b", ""),
        ("make", "c", ""),
    ]
    assert usd_per_hour(changes) == (1.5, ("c",))


def test_what_is_kept_says_why_and_what_was_never_finished_goes_first() -> None:
    found = [Found("a", "1", kept="it holds blobs"), Found("b", "2"), Found("", "3")]
    changes = to_remove(("a", "b"), found)
    assert [(change.action, change.id) for change in changes] == [("remove", "3"), ("remove", "2"), ("keep", "1")]
    assert changes[2].words == "it holds blobs"


def test_a_price_can_be_said() -> None:
    design = aws_design.aws_design(replace(AWS, prices={"nat-gateway": 0.052}))
    assert next(piece for piece in design.pieces if piece.name == "nat-gateway").usd_per_hour == 0.052


def test_without_a_way_out_nothing_costs_while_nothing_happens() -> None:
    assert usd_per_hour(to_make(aws_design.aws_design(replace(AWS, nat=False)), [])) == (0.0, ())


@pytest.mark.parametrize("name", ["studio", "a1", "show-12"])
def test_names_that_fit(name: str) -> None:
    assert farm_name(name) == name


@pytest.mark.parametrize("name", ["", "a", "Studio", "-a", "a-", "x" * 21, "a_b", "ä1", "a b"])
def test_names_that_do_not(name: str) -> None:
    with pytest.raises(Refused, match="cannot name"):
        farm_name(name)


def test_the_schedulers_rights_are_bounded() -> None:
    policy = aws_design.scheduler_policy(AWS)
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        if statement["Resource"] == "*" and "Condition" not in statement:
            assert not any("Terminate" in action or "Delete" in action for action in actions)
    passing = next(s for s in policy["Statement"] if s["Action"] == "iam:PassRole")
    assert passing["Resource"] == "arn:aws:iam::123456789012:role/outfield/outfield-studio-worker-role"
