"""The six calls of the port on EC2: a thin shell around what the modules beside it decide."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from scheduler.backends.aws.connection import Connection
from scheduler.backends.aws.fleets import Answer, client_token, fleet_request, read_answer, tags
from scheduler.backends.aws.images import Images
from scheduler.backends.aws.instances import read_instance, read_notice
from scheduler.backends.aws.offers import Market
from scheduler.backends.aws.plan import launch_plan
from scheduler.backends.aws.refusals import EXISTS, MISSING, has_code, notice_kind, worst
from scheduler.backends.aws.templates import template_data, template_name, template_prefix
from scheduler.backends.aws.user_data import user_data
from scheduler.backends.base import (
    LABEL_FARM,
    LABEL_INTENT,
    LABEL_POOL,
    BackendError,
    Instance,
    InstanceState,
    LaunchOrder,
    LaunchPlan,
    Notice,
    Offer,
    Unknown,
)
from scheduler.clock import Clock, SystemClock
from scheduler.errors import Unavailable
from scheduler.settings import AwsPool

TERMINATE_MAX = 100
"""Instances in one call; EC2 advises small batches."""
UNSEEN_S = 300.0
"""EC2's answers lag behind its deeds: for so long an instance of ours counts as there though it is not listed yet."""
TEMPLATE_AGE = timedelta(hours=1)
"""A template that a launch could not delete is deleted by a later one, when no repetition needs it any more."""


def make_backend(pool: str, settings: AwsPool, farm_id: str) -> AwsBackend:
    """The backend of the pool `pool`. Asks nobody yet."""
    importlib.import_module("boto3")  # a missing SDK is told when the pool is set up, not at its first launch
    return AwsBackend(pool, settings, farm_id)


class AwsBackend:
    """See `scheduler.backends.base.Backend`."""

    def __init__(self, pool: str, settings: AwsPool, farm_id: str, clock: Clock | None = None) -> None:
        self._pool, self._settings, self._farm_id = pool, settings, farm_id
        self._clock = clock or SystemClock()
        self._ec2 = Connection(settings)
        self._images = Images(settings, self._ec2)
        self._market = Market(settings, self._ec2, self._clock)
        self._unseen: dict[str, Instance] = {}
        self._notices: list[Notice] = []
        self._told: set[str] = set()

    def offers(self) -> Sequence[Offer]:
        return self._market.offers()

    def plan(self, count: int) -> LaunchPlan:
        return launch_plan(self._settings, count, self.offers(), farm_id=self._farm_id, pool=self._pool)

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        there = self._launched_before(order)
        if there:
            return there
        template = self._made_template(order)
        try:
            answer = self._launched(order, template)
        except BackendError:
            self._drop(template)
            raise
        self._drop(template)
        self._unseen |= {instance.id: instance for instance in answer.instances}
        if not answer.instances:
            raise worst(answer.refusals)
        missing = order.count - len(answer.instances)
        if missing > 0:
            self._notices.append(_short(order, missing, answer))
        return answer.instances

    def list(self) -> Sequence[Instance]:
        return self._described(None)

    def terminate(self, instances: Sequence[str]) -> None:
        failed: list[Unavailable] = []
        for start in range(0, len(instances), TERMINATE_MAX):
            failed += self._terminate(instances[start : start + TERMINATE_MAX])
        if failed:
            raise Unavailable(failed[0].message, hint=failed[0].hint)

    def events(self) -> Sequence[Notice]:
        ended = ["shutting-down", "stopping", "stopped", "terminated"]
        for described in self._descriptions([{"Name": "instance-state-name", "Values": ended}]):
            notice = read_notice(described)
            if notice is not None and notice.instance not in self._told:
                self._told.add(notice.instance)
                self._notices.append(notice)
        notices, self._notices = self._notices, []
        return notices

    # ---- launching ---------------------------------------------------------------------------------------------------

    def _launched_before(self, order: LaunchOrder) -> list[Instance]:
        """What this order has started already: after a crash, or when its answer was lost."""
        try:
            return self._described(order.intent)
        except Unavailable as error:
            told = f"Whether this order was carried out before cannot be looked up. {error.message}"
            raise Unknown(told, hint=error.hint) from error

    def _made_template(self, order: LaunchOrder) -> str:
        """A launch template with what this order's instances are; its name says what is in it."""
        prefix = template_prefix(self._farm_id, self._pool)
        self._sweep(prefix)
        own = [{"Key": LABEL_FARM, "Value": self._farm_id}, {"Key": LABEL_POOL, "Value": self._pool}]
        try:
            data = self._template_data(order)
        except Unavailable as error:
            raise _not_started(error) from error
        name = template_name(prefix, data)
        try:
            self._ec2.ask(
                "create_launch_template",
                LaunchTemplateName=name,
                LaunchTemplateData=data,
                TagSpecifications=[{"ResourceType": "launch-template", "Tags": own}],
            )
        except Unavailable as error:
            if not has_code(error, EXISTS):
                raise _not_started(error) from error
        return name

    def _template_data(self, order: LaunchOrder) -> dict[str, Any]:
        boot = self._images.boot(self._clock.monotonic())
        script = user_data(order.start_up, order.life_s)
        return template_data(self._settings, boot.base, image=boot.image, root_device=boot.root_device, boot=script)

    def _launched(self, order: LaunchOrder, template: str) -> Answer:
        request = fleet_request(
            self._settings,
            order.count,
            token=client_token(self._farm_id, self._pool, order.intent),
            template=template,
            tagged=tags(self._settings, order, farm_id=self._farm_id, pool=self._pool),
        )
        answer = self._ec2.start("create_fleet", **request)
        return read_answer(answer, order.intent, self._clock.now().timestamp())

    def _drop(self, template: str) -> None:
        """Delete a template, which holds a join code; what cannot be deleted now is swept later."""
        with suppress(Unavailable):
            self._ec2.ask("delete_launch_template", LaunchTemplateName=template)

    def _sweep(self, prefix: str) -> None:
        """Delete the templates of this pool that earlier launches have left behind."""
        with suppress(Unavailable):
            mine = [{"Name": "launch-template-name", "Values": [f"{prefix}*"]}]
            found = [
                t
                for page in self._ec2.pages("describe_launch_templates", Filters=mine)
                for t in page["LaunchTemplates"]
            ]
            for template in found:
                if self._clock.now() - template["CreateTime"] > TEMPLATE_AGE:
                    self._drop(template["LaunchTemplateName"])

    # ---- looking and ending ------------------------------------------------------------------------------------------

    def _described(self, intent: str | None) -> list[Instance]:
        """This pool's instances (of one intent), with those that EC2 does not show yet.

        One that has stopped is ended: EC2 would let its disk cost for ever. If that fails, the next look tries again.
        """
        filters = [] if intent is None else [{"Name": f"tag:{LABEL_INTENT}", "Values": [intent]}]
        described = self._descriptions(filters)
        stopped = [instance["InstanceId"] for instance in described if instance["State"]["Name"] == "stopped"]
        if stopped:
            self._terminate(stopped)
        found = {instance.id: instance for instance in map(read_instance, described)}
        oldest_s = self._clock.now().timestamp() - UNSEEN_S
        self._unseen = {k: i for k, i in self._unseen.items() if k not in found and i.launched_at_s > oldest_s}
        return [*found.values(), *(i for i in self._unseen.values() if intent in (None, i.intent))]

    def _descriptions(self, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        own = [
            {"Name": f"tag:{LABEL_FARM}", "Values": [self._farm_id]},
            {"Name": f"tag:{LABEL_POOL}", "Values": [self._pool]},
        ]
        pages = self._ec2.pages("describe_instances", Filters=[*own, *filters])
        return [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]

    def _terminate(self, instances: Sequence[str]) -> list[Unavailable]:
        """End some instances, and say what failed. One that is not there makes EC2 refuse all, so then singly."""
        try:
            self._ec2.ask("terminate_instances", InstanceIds=list(instances))
        except Unavailable as error:
            if not has_code(error, MISSING):
                return [error]
            if len(instances) > 1:
                return [failed for instance in instances for failed in self._terminate([instance])]
            if instances[0] in self._unseen:
                return [Unavailable(f"{instances[0]} was started a moment ago and cannot be ended yet.")]
        ending = {k: replace(i, state=InstanceState.STOPPING) for k, i in self._unseen.items() if k in instances}
        self._unseen |= ending
        return []


def _not_started(error: Unavailable) -> BackendError:
    """What failed before anything could be started leaves no doubt behind."""
    return error if isinstance(error, BackendError) else BackendError(error.message, hint=error.hint)


def _short(order: LaunchOrder, missing: int, answer: Answer) -> Notice:
    """The notice that a fleet started fewer than ordered."""
    code, message = answer.refusals[0] if answer.refusals else ("UnfulfillableCapacity", "no reason was given")
    return Notice(
        notice_kind(code),
        order.intent,
        message=f"{missing} of {order.count} instances were not started: {code}: {message}",
    )
