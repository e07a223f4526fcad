"""Asks the provider's metadata service for notices, in threads of their own, and tells the worker of them.

The service has one address at each provider and is reached without any proxy. Whatever it answers, a watcher goes on
asking: a metadata service that is broken must not end a worker, and the end of a worker's life does not depend on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx

from worker.cloud.notices import Notice, aws_action, aws_rebalance, gce_maintenance, gce_preempted
from worker.settings import WorkerSettings
from worker.telemetry import logger

GCE_URL = "http://metadata.google.internal"
AWS_URL = "http://169.254.169.254"
GCE_WAIT_S = 60
"""How long the metadata server of GCE waits for a change before it answers that there is none."""

AWS_TOKEN_S = 21_600
"""How long a token of EC2's metadata service is valid; the longest that it gives."""

TIMEOUT_S = 2.0

Tell = Callable[[Notice], None]
Loop = Callable[[], None]

_log = logger("cloud")


def watchers(settings: WorkerSettings, tell: Tell, closing: threading.Event) -> dict[str, Loop]:
    """The loops that watch for notices where this worker runs, each for a thread of its own; none on other machines."""
    if settings.cloud == "gce":
        return {
            "watch-preempted": _GceKey(settings, "preempted", gce_preempted, tell, closing).loop,
            "watch-maintenance": _GceKey(settings, "maintenance-event", gce_maintenance, tell, closing).loop,
        }
    if settings.cloud == "aws":
        return {"watch-spot": _Ec2(settings, tell, closing).loop}
    return {}


class _Told:
    """Says each thing once, and of trouble only that it began and that it is over."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._said: set[Notice] = set()
        self._silent = False

    def notice(self, notice: Notice | None) -> None:
        if notice is not None and notice not in self._said:
            self._said.add(notice)
            _log.warning("notice", reason=notice.words, urgent=notice.urgent)
            self._tell(notice)

    def answered(self) -> None:
        if self._silent:
            _log.info("metadata_answers")
        self._silent = False

    def failed(self, error: Exception) -> None:
        if not self._silent:
            _log.warning("metadata_silent", reason=str(error) or type(error).__name__)
        self._silent = True


class _GceKey:
    """One key of GCE's metadata server: a request that waits until the key changes, again and again."""

    def __init__(
        self,
        settings: WorkerSettings,
        key: str,
        read: Callable[[str], Notice | None],
        tell: Tell,
        closing: threading.Event,
    ) -> None:
        base = settings.metadata_url or GCE_URL
        self._url = f"{base}/computeMetadata/v1/instance/{key}"
        self._read, self._told, self._closing, self._pause_s = read, _Told(tell), closing, settings.metadata_poll_s

    def loop(self) -> None:
        """Until the worker closes. The first question does not wait: the machine may have been taken already."""
        etag = ""
        timeout = httpx.Timeout(TIMEOUT_S, read=GCE_WAIT_S + TIMEOUT_S)
        with httpx.Client(trust_env=False, timeout=timeout, headers={"Metadata-Flavor": "Google"}) as client:
            while not self._closing.is_set():
                wait = {"wait_for_change": "true", "timeout_sec": str(GCE_WAIT_S), "last_etag": etag} if etag else {}
                try:
                    answer = client.get(self._url, params=wait).raise_for_status()
                except httpx.HTTPError as error:
                    self._told.failed(error)
                    self._closing.wait(self._pause_s)
                    continue
                self._told.answered()
                self._told.notice(self._read(answer.text))
                etag = answer.headers.get("ETag", "")
                if not etag:  # not the server that was expected: ask on, but not without a pause
                    self._closing.wait(self._pause_s)


class _Ec2:
    """EC2's metadata service, version 2: a token first, then two documents that are not there until they are."""

    def __init__(self, settings: WorkerSettings, tell: Tell, closing: threading.Event) -> None:
        self._base = settings.metadata_url or AWS_URL
        self._told, self._closing = _Told(tell), closing
        self._pause_s, self._drain_s = settings.metadata_poll_s, settings.drain_s
        self._token = ""

    def loop(self) -> None:
        """Until the worker closes."""
        with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client:
            while not self._closing.is_set():
                try:
                    action = self._document(client, "spot/instance-action")
                    self._told.notice(aws_action(action) if action is not None else None)
                    advice = self._document(client, "events/recommendations/rebalance")
                    self._told.notice(aws_rebalance(advice, self._drain_s) if advice is not None else None)
                    self._told.answered()
                except httpx.HTTPError as error:
                    self._told.failed(error)
                self._closing.wait(self._pause_s)

    def _document(self, client: httpx.Client, path: str) -> bytes | None:
        """A document, or None while there is none. A token that is not accepted any more is replaced, once."""
        for fresh in (not self._token, True):
            if fresh:
                ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(AWS_TOKEN_S)}
                self._token = client.put(f"{self._base}/latest/api/token", headers=ttl).raise_for_status().text
            answer = client.get(
                f"{self._base}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": self._token}
            )
            if answer.status_code != 401:
                break
        if answer.status_code == 404:
            return None
        return answer.raise_for_status().content
