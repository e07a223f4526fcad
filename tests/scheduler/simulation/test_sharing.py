"""Recent use in a replay is counted among the same projects as on the farm."""

from __future__ import annotations

import pytest

from scheduler.simulation.sharing import Sharing


def test_projects_without_a_share_do_not_make_listed_ones_look_unused() -> None:
    sharing = Sharing(3600.0, {})
    sharing.follow({"Alpha": 2, "Beta": 1, "unlisted": 30}, 600.0)

    assert sharing.parts(["Alpha", "Beta"]) == pytest.approx({"Alpha": 2 / 3, "Beta": 1 / 3})
