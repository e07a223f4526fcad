"""The few calls for service accounts and buckets, which `google-cloud-compute` does not know: plain REST.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts and
https://cloud.google.com/storage/docs/json_api/v1/buckets, with the same credentials as everything else.
"""

from __future__ import annotations

from typing import Any

import httpx

from scheduler.errors import Denied, Refused, Unavailable

IAM, STORAGE = "https://iam.googleapis.com", "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_S = 30.0
ABORT_AFTER_DAYS = 7


class Rest:
    """Made by `GceHands`. With an `endpoint`, all goes there, without credentials."""

    def __init__(self, project: str, endpoint: str | None) -> None:
        self._project = project
        self._iam, self._storage = (endpoint, endpoint) if endpoint else (IAM, STORAGE)
        self._anonymous = endpoint is not None
        self._client: httpx.Client | None = None

    def account(self, email: str) -> dict[str, Any] | None:
        """A service account, or None."""
        return self._call("GET", f"{self._iam}/v1/projects/{self._project}/serviceAccounts/{email}")

    def make_account(self, name: str, title: str, description: str) -> None:
        """A service account without any right."""
        body = {"accountId": name, "serviceAccount": {"displayName": title[:100], "description": description}}
        self._call("POST", f"{self._iam}/v1/projects/{self._project}/serviceAccounts", body)

    def remove_account(self, email: str) -> None:
        """One that has gone already is no error."""
        self._call("DELETE", f"{self._iam}/v1/projects/{self._project}/serviceAccounts/{email}")

    def bucket(self, name: str) -> dict[str, Any] | None:
        """A bucket, or None."""
        return self._call("GET", f"{self._storage}/storage/v1/b/{name}")

    def holds_something(self, name: str) -> bool:
        """Is there any object in the bucket?"""
        listed = self._call("GET", f"{self._storage}/storage/v1/b/{name}/o?maxResults=1&versions=true")
        return bool(listed and listed.get("items"))

    def make_bucket(self, name: str, region: str, labels: dict[str, str]) -> None:
        """A bucket that is private whatever its objects say; born with its labels."""
        abort = {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": ABORT_AFTER_DAYS}}
        body = {
            "name": name,
            "location": region,
            "labels": labels,
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
            "lifecycle": {"rule": [abort]},
        }
        self._call("POST", f"{self._storage}/storage/v1/b?project={self._project}", body)

    def remove_bucket(self, name: str) -> None:
        """Google itself refuses to remove one that is not empty."""
        self._call("DELETE", f"{self._storage}/storage/v1/b/{name}")

    def _call(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The answer, or None where there is no such thing.

        Raises:
            Denied, Refused, Unavailable: in Google's words.
        """
        try:
            answer = self._http().request(method, url, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(f"Google Cloud cannot be reached: {error}") from error
        if answer.status_code == 404 and method != "POST":
            return None
        if answer.is_success:
            return answer.json() if answer.content else {}
        try:
            words = str(answer.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            words = f"status {answer.status_code}"
        if answer.status_code in (401, 403):
            raise Denied(f"Google Cloud refuses: {words}")
        if answer.status_code >= 500:
            raise Unavailable(f"Google Cloud cannot do it now: {words}")
        raise Refused(f"Google Cloud refuses: {words}")

    def _http(self) -> httpx.Client:
        if self._client is None:
            headers = {} if self._anonymous else {"Authorization": f"Bearer {_token()}"}
            self._client = httpx.Client(headers=headers, timeout=TIMEOUT_S)
        return self._client


def _token() -> str:
    """An access token of the machine's or the user's own credentials; an hour is enough for any deployment."""
    import google.auth
    from google.auth.transport.requests import Request

    credentials, _project = google.auth.default(scopes=[SCOPE])
    credentials.refresh(Request())
    return str(credentials.token)
