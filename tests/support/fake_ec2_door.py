"""The door before moto's EC2: a WSGI application that sees every request, and lets things go wrong on demand."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from fake_ec2 import FakeEc2

CAPACITY = ("InsufficientInstanceCapacity", "There is no Spot capacity available that matches your request.")
MISMATCH = ("IdempotentParameterMismatch", "The client token was used before, with other parameters.")
ANY = "*"
"""In the place of an action: whatever comes."""
TOTAL = "TargetCapacitySpecification.TotalTargetCapacity"
NUMBER = re.compile(r"\bi-[0-9a-f]{17}\b")

Parameters = dict[str, str]


@dataclass
class Fault:
    """What shall go wrong with the next `times` calls of an action."""

    action: str
    times: int
    code: str = ""
    status: int = 400
    message: str = ""
    after: bool = False
    """Whether what was asked is done, and only the answer lost, or late by `pause_s`."""
    pause_s: float = 0.0
    skip: int = 0
    """Calls that are let through first."""
    hang_up: bool = False
    """Whether the connection is broken instead of refusing."""


@dataclass
class Reply:
    """An answer on its way out."""

    status: str
    body: bytes
    kind: str = "text/xml"


class Door:
    """See the module's docstring."""

    def __init__(self, fake: FakeEc2, inside: Any) -> None:
        self._fake = fake
        self._inside = inside

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
        action = parameters.get("Action", environ.get("HTTP_X_AMZ_TARGET", ""))
        with self._fake.lock:
            fault = self._noted(action, parameters)
            if fault is None and self._fake.down:
                return _hang_up(environ)
            if fault is not None and fault.hang_up and not fault.after:
                return _hang_up(environ)
            if fault is not None and not fault.after:
                reply = _refused(fault.code, fault.message, fault.status)
            else:
                reply = self._answered(action, environ, body, parameters)
        if fault is not None and fault.pause_s:
            self._fake.released.wait(fault.pause_s)
        elif fault is not None and fault.after:
            return _hang_up(environ)
        start_response(reply.status, [("Content-Type", reply.kind), ("Content-Length", str(len(reply.body)))])
        return [reply.body]

    def _noted(self, action: str, parameters: Parameters) -> Fault | None:
        self._fake.requests.append((action, parameters))
        for fault in self._fake.faults:
            if fault.times > 0 and fault.action in (ANY, action):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _answered(self, action: str, environ: dict[str, Any], body: bytes, parameters: Parameters) -> Reply:
        if action == "CreateFleet":
            return self._fleet(environ, parameters)
        reply = self._through(environ, body)
        if action == "DescribeInstances" and self._fake.lag > 0:
            self._fake.lag -= 1
            return Reply(reply.status, _without_instances(reply.body), reply.kind)
        return reply

    def _fleet(self, environ: dict[str, Any], parameters: Parameters) -> Reply:
        """Once per token, as many as there is room for, with an error for the rest."""
        token = parameters["ClientToken"]
        if token in self._fake.tokens:
            before, reply = self._fake.tokens[token]
            return Reply("200 OK", reply) if before == parameters else _refused(*MISMATCH)
        wanted = int(parameters[TOTAL])
        count = wanted if self._fake.room is None else min(wanted, self._fake.room)
        reply = Reply("200 OK", b"<CreateFleetResponse><fleetId>fleet-0</fleetId></CreateFleetResponse>")
        if count > 0:
            reply = self._through(environ, urlencode(parameters | {TOTAL: str(count)}).encode())
        if not reply.status.startswith("200"):
            return reply
        self._remember(parameters, reply.body)
        if count < wanted:
            reply.body = reply.body.replace(
                b"</CreateFleetResponse>", self._errors(parameters) + b"</CreateFleetResponse>"
            )
        self._fake.tokens[token] = (parameters, reply.body)
        if self._fake.room is not None:
            self._fake.room -= count
        return reply

    def _remember(self, parameters: Parameters, answer: bytes) -> None:
        from moto.ec2 import ec2_backends

        name = parameters["LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateName"]
        backend = next(iter(ec2_backends.values()))[self._fake.region]
        data = backend.get_launch_template_by_name(name).get_version(1).data
        self._fake.templates |= dict.fromkeys(NUMBER.findall(answer.decode()), data)

    def _errors(self, parameters: Parameters) -> bytes:
        """The error of every place that the fleet might have taken."""
        place = re.compile(r"LaunchTemplateConfigs\.1\.Overrides\.(\d+)\.InstanceType")
        code, message = self._fake.refusal
        items = [
            f"<item><errorCode>{code}</errorCode><errorMessage>{escape(message)}</errorMessage><lifecycle>spot</lifecycle>"
            f"<launchTemplateAndOverrides><overrides><instanceType>{value}</instanceType></overrides>"
            "</launchTemplateAndOverrides></item>"
            for name, value in parameters.items()
            if place.fullmatch(name)
        ]
        return f"<errorSet>{''.join(items)}</errorSet>".encode()

    def _through(self, environ: dict[str, Any], body: bytes) -> Reply:
        """What moto answers."""
        environ = environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        told: list[Any] = []
        parts = self._inside(environ, lambda status, headers, *_: told.append((status, dict(headers))))
        answer = b"".join(parts)
        status, headers = told[0]
        return Reply(status, answer, headers.get("Content-Type", "text/xml"))


def _refused(code: str, message: str, status: int = 400) -> Reply:
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Reply(f"{status} No", f"<Response><Errors>{text}</Errors><RequestID>r-1</RequestID></Response>".encode())


def _hang_up(environ: dict[str, Any]) -> list[bytes]:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError  # werkzeug takes it for the client's


def _without_instances(answer: bytes) -> bytes:
    """DescribeInstances before it has heard of anything."""
    root = ET.fromstring(answer)
    for part in root:
        if part.tag.endswith("reservationSet"):
            part.clear()
    return ET.tostring(root)
