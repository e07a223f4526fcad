"""EC2 for tests: moto behind a door at which things go wrong as they do at Amazon, and never in moto.

    with fake_ec2() as fake:                     # one server for a whole test session; `fake.peace()` between tests
        pool = AwsPool(region=fake.region, endpoint_url=fake.url, image=fake.image, subnets=fake.subnets[:2])
        fake.fail("CreateFleet", "RequestLimitExceeded", 503, times=2)      # refuse without doing
        fake.room = 1                            # a fleet gets so many instances, and errors for the rest
        fake.slow("CreateFleet", 5.0)            # done, but the answer is late
        fake.lose("CreateFleet")                 # done, but the connection breaks before the answer
        fake.down = True                         # every connection is closed without a word
        fake.crash(3, after=True)                # the connection breaks at the fourth request from now
        fake.lag = 2                             # so many answers of DescribeInstances lack what is new
        fake.interrupt(number)                   # Amazon takes a spot instance back
        fake.shut_down(number)                   # it powers itself off
        fake.sent("CreateFleet")                 # what it was asked, as parameters
        fake.start_up(number); fake.life_limit(number)      # the scripts that an instance boots with
        fake.alive()                             # number -> start-up script of what pays by the hour

Client tokens are kept as Amazon keeps them (moto forgets them), and an instance that powers off is terminated or
stopped as its launch template says (moto's fleets lose that). What a launch template holds, moto stores and does not
act upon: ask `template_of`. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFleet.html
"""

from __future__ import annotations

import base64
import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

import boto3
from fake_ec2_door import ANY, CAPACITY, Door, Fault, Parameters

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # six seconds for images that no test needs

ACCOUNT, REGION = "123456789012", "us-east-1"


@dataclass
class FakeEc2:
    """See the module's docstring."""

    url: str = ""
    region: str = REGION
    image: str = ""
    subnets: tuple[str, ...] = ()
    down: bool = False
    room: int | None = None
    refusal: tuple[str, str] = CAPACITY
    lag: int = 0
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, Parameters]] = field(default_factory=list)
    tokens: dict[str, tuple[Parameters, bytes]] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Number of an instance → the launch template's data that it was started from."""
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def peace(self) -> None:
        """No faults; what was asked is forgotten."""
        self.down, self.room, self.refusal, self.lag = False, None, CAPACITY, 0
        self.faults.clear()
        self.requests.clear()

    def fail(self, action: str, code: str, status: int = 400, *, times: int = 1, message: str = "No.") -> None:
        """Refuse the next calls."""
        self.faults.append(Fault(action, times, code, status, message))

    def lose(self, action: str, *, times: int = 1) -> None:
        """Carry out the next calls, and break the connection before the answer."""
        self.faults.append(Fault(action, times, after=True))

    def slow(self, action: str, seconds: float) -> None:
        """Carry out the next call, and answer so much later (or when `released` is set)."""
        self.released.clear()
        self.faults.append(Fault(action, 1, after=True, pause_s=seconds))

    def crash(self, step: int, *, after: bool) -> None:
        """Break the connection at one request, counted from 0 on from now: before it is carried out, or after."""
        self.faults.append(Fault(ANY, 1, after=after, skip=step, hang_up=True))

    def sent(self, action: str) -> list[Parameters]:
        """The calls of an action, each with its parameters."""
        return [parameters for name, parameters in self.requests if name == action]

    def interrupt(self, number: str, code: str = "Server.SpotInstanceTermination") -> None:
        """End an instance of Amazon's own accord."""
        self._end(number, code, "Server: Spot instance termination")

    def shut_down(self, number: str) -> str:
        """Power an instance off from within; the state that it comes to."""
        behaviour = self.template_of(number).get("InstanceInitiatedShutdownBehavior", "stop")
        self._end(number, "Client.InstanceInitiatedShutdown", "Client: shut down", behaviour)
        return "terminated" if behaviour == "terminate" else "stopped"

    def template_of(self, number: str) -> dict[str, Any]:
        """The launch template's data that an instance was started from, though the template is deleted by now."""
        return self.templates[number]

    def start_up(self, number: str) -> str:
        """The order's script, as cloud-init would run it."""
        return self._part(number, "text/x-shellscript")

    def life_limit(self, number: str) -> str:
        """The script that ends the instance at its time."""
        return self._part(number, "text/cloud-boothook")

    def alive(self, farm: str | None = None) -> dict[str, str]:
        """Number → start-up script of every instance (of a farm) that runs."""
        numbers = [number for number in list(self.templates) if farm in (None, self.tags(number).get("outfield-farm"))]
        return {number: self.start_up(number) for number in numbers if state(number) in {"pending", "running"}}

    def tags(self, number: str) -> dict[str, str]:
        """The tags of an instance."""
        return {tag["key"]: tag["value"] for tag in _instance(number).get_tags()}

    def _end(self, number: str, code: str, message: str, behaviour: str = "terminate") -> None:
        from moto.ec2.models.instances import StateReason

        instance = _instance(number)
        instance.stop() if behaviour == "stop" else instance.terminate()
        instance.state_reason = StateReason(message, code)

    def _part(self, number: str, kind: str) -> str:
        data = base64.b64decode(str(_instance(number).user_data))
        archive = message_from_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        for part in archive.walk():
            if part.get_content_type() == kind:
                payload = part.get_payload(decode=True)
                assert isinstance(payload, bytes)
                return payload.decode()
        raise AssertionError(f"{number} has no {kind} in its user data")


def state(number: str) -> str:
    """The state of an instance, in EC2's words."""
    return _instance(number)._state.name


def _backend() -> Any:
    from moto.ec2 import ec2_backends

    return ec2_backends[ACCOUNT][REGION]


def _instance(number: str) -> Any:
    return _backend().get_instance(number)


@contextmanager
def fake_ec2() -> Iterator[FakeEc2]:
    """EC2 on a free port, with an image and the default subnets of the region."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *_: object) -> None:
            """Tests read `requests`, not a log."""

    fake = FakeEc2()
    door = Door(fake, DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        fake.url = f"http://127.0.0.1:{server.port}"
        client = boto3.client(
            "ec2", endpoint_url=fake.url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y"
        )
        fake.image = client.register_image(Name="worker", RootDeviceName="/dev/sda1")["ImageId"]
        fake.subnets = tuple(subnet["SubnetId"] for subnet in client.describe_subnets()["Subnets"])
        fake.peace()
        yield fake
    finally:
        server.shutdown()
        server.server_close()
