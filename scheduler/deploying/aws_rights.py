"""Roles, instance profiles and the policy of one farm in IAM, which is not regional and finds nothing by tag.

They are looked for by name below the path /outfield/, and are ours only if they carry our tag too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from scheduler.deploying.aws_design import resource_name
from scheduler.deploying.aws_words import code_of, gone, tag_list, told
from scheduler.deploying.design import Found, Piece

PATH = "/outfield/"
PIECES = ("worker-role", "worker-profile", "scheduler-policy", "scheduler-role", "scheduler-profile")
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


class Rights:
    """Made by `AwsHands`, which explains what goes wrong."""

    def __init__(self, farm: str, iam: Any) -> None:
        self._farm, self._iam = farm, iam

    def makes(self, piece: str) -> bool:
        """Is the piece one of these?"""
        return piece in PIECES

    def find(self) -> Sequence[Found]:
        """Those that are there and ours. The id of a role or profile is its name, of the policy its ARN."""
        found: list[Found] = []
        for piece in PIECES:
            name = resource_name(self._farm, piece)
            if piece.endswith("-policy"):
                arns = [p["Arn"] for p in self._policies() if p["PolicyName"] == name]
                found += [Found(piece, arn) for arn in arns]
            elif self._is_ours(piece, name):
                found.append(Found(piece, name))
        return found

    def make(self, piece: Piece, ids: Mapping[str, str]) -> str:
        """See `hands.Hands`."""
        name, tags = resource_name(self._farm, piece.name), tag_list(self._farm, piece.name)
        if piece.name.endswith("-policy"):
            document = piece.spec["document"]
            made = self._iam.create_policy(PolicyName=name, Path=PATH, PolicyDocument=document, Tags=tags)
            return str(made["Policy"]["Arn"])
        make = self._make_profile if piece.name.endswith("-profile") else self._make_role
        make(name, piece, ids)
        tag = self._iam.tag_instance_profile if piece.name.endswith("-profile") else self._iam.tag_role
        tag(**{"InstanceProfileName" if piece.name.endswith("-profile") else "RoleName": name}, Tags=tags)
        return name

    def _make_role(self, name: str, piece: Piece, ids: Mapping[str, str]) -> None:
        """The tag that makes it ours comes last: one that is there without it was begun by an earlier call."""
        with _there_already():
            self._iam.create_role(RoleName=name, Path=PATH, AssumeRolePolicyDocument=TRUST, Description=piece.words)
        if piece.spec["policy"]:
            self._iam.attach_role_policy(RoleName=name, PolicyArn=ids[piece.spec["policy"]])

    def _make_profile(self, name: str, piece: Piece, ids: Mapping[str, str]) -> None:
        with _there_already():
            self._iam.create_instance_profile(InstanceProfileName=name, Path=PATH)
        if not self._iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            self._iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=ids[piece.spec["role"]])

    def remove(self, found: Found) -> None:
        """See `hands.Hands`."""
        remove = {"role": self._remove_role, "profile": self._remove_profile, "policy": self._remove_policy}
        _unless_gone(lambda: remove[found.piece.rpartition("-")[2]](found.id))

    def _policies(self) -> list[dict[str, Any]]:
        pages = self._iam.get_paginator("list_policies").paginate(Scope="Local", PathPrefix=PATH)
        return [policy for page in pages for policy in page["Policies"]]

    def _is_ours(self, piece: str, name: str) -> bool:
        try:
            if piece.endswith("-role"):
                tags = self._iam.list_role_tags(RoleName=name)["Tags"]
            else:
                tags = self._iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"].get("Tags", [])
        except Exception as error:
            if gone(error):
                return False
            raise
        return told(tags) == self._farm

    def _remove_role(self, name: str) -> None:
        for policy in self._iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            self._iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        self._iam.delete_role(RoleName=name)

    def _remove_profile(self, name: str) -> None:
        for role in self._iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            self._iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        self._iam.delete_instance_profile(InstanceProfileName=name)

    def _remove_policy(self, arn: str) -> None:
        held = self._iam.list_entities_for_policy(PolicyArn=arn)
        for user in held.get("PolicyUsers", []):
            self._iam.detach_user_policy(UserName=user["UserName"], PolicyArn=arn)
        for role in held.get("PolicyRoles", []):
            self._iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
        for version in self._iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                self._iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        self._iam.delete_policy(PolicyArn=arn)


@contextmanager
def _there_already() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if code_of(error) != "EntityAlreadyExists":
            raise


def _unless_gone(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        if not gone(error):
            raise
