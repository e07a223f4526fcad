"""Which jobs leave, which stay, and which are brought back."""

from __future__ import annotations

TO_BRANCH = {"name": "to the branch", "when": 'job.name == "away"', "prefer": ["branch"], "allow": ["branch"]}


def test_without_a_rule_no_job_goes_to_a_sister_studio(make_home):
    home = make_home(sites={"branch": {}})
    home.join()
    stays = home.submit(renderer="kernel", name="stays")
    home.put_rules(TO_BRANCH)
    leaves = home.submit(renderer="kernel", name="away")
    home.rounds()
    assert (home.row(stays).away, home.row(leaves).away) == (None, "branch")


def test_a_job_that_has_started_stays(make_home):
    home = make_home(sites={"branch": {}})
    worker = home.join()
    job = home.submit(renderer="kernel", name="away", frames="1-2")
    assert len(home.sync(worker, want=1).leases) == 1
    home.put_rules(TO_BRANCH)
    home.rounds()
    assert home.row(job).away is None
    assert len(home.sync(worker, want=1).leases) == 1


def test_a_job_waits_for_its_dependencies_before_it_leaves(home):
    far = home.far["branch"]
    first = home.submit(renderer="kernel", name="first")
    second = home.submit(renderer="kernel", name="second", depends_on=[f"{first:05d}"])
    home.rounds()
    assert home.row(second).away is None
    far.render("00001")
    home.rounds()
    assert home.row(second).away == "branch"
    assert "depends_on" not in far.jobs["00002"].payload


def test_rules_that_forbid_bring_a_job_back(make_home):
    home = make_home(sites={"branch": {}})
    home.put_rules(TO_BRANCH)
    job = home.submit(renderer="kernel", name="away", frames="1-2", split={"tiles": [2, 1]})
    home.rounds()
    far = home.far["branch"]
    far.render("00001", frames=1)
    home.rounds()
    far.line = "down"
    home.put_rules({"name": "nda", "when": "true", "forbid": ["branch"]})
    home.rounds(1)
    assert home.row(job).away is None, "at once, whether the branch can be reached or not"
    worker = home.join()
    home.rounds(1)
    assert len(home.sync(worker, want=4).leases) == 2, "the two tiles of the frame that is missing"
    far.line = "up"
    far.render("00001")
    home.rounds(3, seconds=61)
    assert [row.outcome for row in home.handovers(job)] == ["WITHDRAWN"]
    assert set(home.frames(job)) == {1}, "what it made after that does not count"


def test_rules_that_merely_do_not_allow_it_any_more_bring_nothing_back(make_home):
    home = make_home(sites={"branch": {}})
    home.put_rules(TO_BRANCH)
    job = home.submit(renderer="kernel", name="away")
    home.rounds()
    home.put_rules()
    home.rounds()
    assert home.row(job).away == "branch"


def test_a_silent_site_is_given_up_where_there_is_another_place(make_home):
    home = make_home(sites={"branch": {"give_up_s": 120}})
    worker = home.join()
    home.put_rules(TO_BRANCH)
    home.far["branch"].line = "down"
    job = home.submit(renderer="kernel", name="away")

    def minutes(count: int) -> None:
        for _minute in range(count):
            home.sync(worker)
            home.rounds(1, seconds=61)

    minutes(2)
    assert home.row(job).away == "branch"
    minutes(2)
    assert home.row(job).away is None
    assert [(row.state, row.outcome) for row in home.handovers(job)] == [("CLOSED", "WITHDRAWN")]
    minutes(2)
    assert len(home.handovers(job)) == 1, "it is not offered to a site that cannot be reached"


def test_no_more_jobs_are_there_than_may_be(make_home):
    home = make_home(sites={"branch": {"default": True, "jobs_max": 1}})
    jobs = [home.submit(renderer="kernel"), home.submit(renderer="kernel")]
    home.rounds()
    assert [home.row(job).away for job in jobs] == ["branch", None]
    assert "jobs_max = 1" in home.why(jobs[1])["waiting"][0]["reason"]
    home.far["branch"].render("00001")
    home.rounds()
    assert home.row(jobs[1]).away == "branch"


def test_a_job_that_waits_too_long_at_home_overflows(make_home):
    home = make_home(sites={"branch": {"overflow_s": 300}})
    home.join()
    home.put_rules({"name": "may", "when": "true", "allow": ["branch"]})
    job = home.submit(renderer="kernel")
    home.rounds(2)
    assert home.row(job).away is None
    home.clock.advance(301)
    home.rounds(2)
    assert home.row(job).away == "branch"


def test_a_site_that_is_taken_out_of_the_settings_gives_its_jobs_back(home):
    job = home.submit(renderer="kernel")
    home.rounds()
    home.settings = home.settings.model_copy(update={"pools": {}})
    home.far = {}
    home.restart()
    assert home.row(job).away is None
    worker = home.join()
    home.rounds(1)
    assert len(home.sync(worker, want=1).leases) == 1
