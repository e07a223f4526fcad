"""Who may call what: one written table. A route that is not in it cannot be served, so nothing is open by oversight.

`admin` and `user` are people, `worker` is a machine with a token of its own. Jobs are the studio's, not a person's: any
user may pause, cancel or reorder any job, as in OpenCue and Flamenco; who did it stands in the job's events.
"""

from __future__ import annotations

from scheduler.errors import Denied
from scheduler.service.identity import Principal, Role

ANYONE: frozenset[Role] | None = None
"""No token is asked for."""

ADMINS = frozenset({Role.ADMIN})
PEOPLE = frozenset({Role.ADMIN, Role.USER})
WORKERS = frozenset({Role.WORKER})
ALL = frozenset({Role.ADMIN, Role.USER, Role.WORKER})

PERMISSIONS: dict[str, frozenset[Role] | None] = {
    # Nothing secret: that it is alive, what it can be asked, and the page that shows it.
    "GET /healthz": ANYONE,
    "GET /openapi.json": ANYONE,
    "GET /docs": ANYONE,
    # The authority's certificate, which callers check against the pin that they were given.
    "GET /ca.pem": ANYONE,
    # Files without a secret; an artist needs them before there is a token.
    "GET /addons": ANYONE,
    "GET /addons/index.json": ANYONE,
    "GET /addons/{file}": ANYONE,
    # The join code in the body is the credential; it is valid once.
    "POST /workers": ANYONE,
    "GET /info": ALL,
    "POST /new_job": PEOPLE,
    "POST /jobs/new": PEOPLE,
    "POST /jobs/cancel": PEOPLE,
    "GET /jobs": PEOPLE,
    "DELETE /jobs": PEOPLE,
    "GET /jobs/export": PEOPLE,
    "GET /jobs/{job}": PEOPLE,
    "DELETE /jobs/{job}": PEOPLE,
    "GET /jobs/{job}/tasks": PEOPLE,
    "GET /jobs/{job}/events": PEOPLE,
    "GET /jobs/{job}/why": PEOPLE,
    "GET /jobs/{job}/estimate": PEOPLE,
    "GET /estimates/accuracy": PEOPLE,
    "GET /jobs/{job}/frames": PEOPLE,
    "GET /jobs/{job}/frames/{frame}": PEOPLE,
    "GET /jobs/{job}/frames/{frame}/preview": PEOPLE,
    "GET /jobs/{job}/sheet": PEOPLE,
    "GET /jobs/{job}/archive": PEOPLE,
    "POST /jobs/{job}/pause": PEOPLE,
    "POST /jobs/{job}/resume": PEOPLE,
    "POST /jobs/{job}/cancel": PEOPLE,
    "POST /jobs/{job}/retry": PEOPLE,
    "POST /jobs/{job}/priority": PEOPLE,
    "DELETE /jobs/{job}/priority": PEOPLE,
    "POST /jobs/{job}/cost_cap": PEOPLE,
    "GET /priorities": PEOPLE,
    "POST /priorities/sync": PEOPLE,
    # A conflict that is retried overwrites what a person has put into the tracker.
    "GET /priorities/outbox": PEOPLE,
    "POST /priorities/outbox/{message}/retry": ADMINS,
    "GET /budgets": PEOPLE,
    "GET /costs": PEOPLE,
    # Reaping ends machines, and with them what they render.
    "GET /cloud/instances": PEOPLE,
    "GET /cloud/launches": PEOPLE,
    "POST /cloud/reap": ADMINS,
    "GET /cloud/plan": PEOPLE,
    # Rules decide where everybody's work goes; anyone may look at them and try them out.
    "GET /rules": PEOPLE,
    "PUT /rules": ADMINS,
    "POST /rules/test": PEOPLE,
    "GET /rules/history": PEOPLE,
    "GET /rules/history/{version}": PEOPLE,
    "POST /rules/history/{version}": ADMINS,
    # Points are spent from the caller's own account; only an admin makes them out of nothing.
    "POST /jobs/{job}/boost": PEOPLE,
    "GET /users": PEOPLE,
    "GET /users/{user}": PEOPLE,
    "POST /users/{user}/grant": ADMINS,
    "GET /tasks/{task}": PEOPLE,
    "GET /tasks/{task}/log": PEOPLE,
    "GET /tasks/{task}/preview": PEOPLE,
    "GET /tasks/{task}/why": PEOPLE,
    "GET /events": PEOPLE,
    "GET /pools": PEOPLE,
    "GET /workers": PEOPLE,
    "GET /workers/{worker}": PEOPLE,
    "POST /workers/{worker}/drain": ADMINS,
    "POST /workers/{worker}/enable": ADMINS,
    "POST /workers/{worker}/certificate": WORKERS,
    "POST /workers/{worker}/rating": frozenset({Role.ADMIN, Role.WORKER}),
    "PUT /blobs/{hash}": PEOPLE,
    "HEAD /blobs/{hash}": ALL,
    "GET /blobs/{hash}": ALL,
    "POST /workers/{worker}/sync": WORKERS,
    "PUT /attempts/{attempt}/files/{name}": WORKERS,
    "POST /attempts/{attempt}/files/{name}/url": WORKERS,
    "PUT /attempts/{attempt}/picture": WORKERS,
    "POST /attempts/{attempt}/log": WORKERS,
    "POST /attempts/{attempt}/complete": WORKERS,
    "POST /attempts/{attempt}/fail": WORKERS,
    "GET /tokens": ADMINS,
    "POST /tokens": ADMINS,
    "DELETE /tokens/{token}": ADMINS,
}


def check(principal: Principal | None, allowed: frozenset[Role] | None) -> None:
    """Let the caller pass, or say why not.

    Raises:
        Denied: `unauthenticated` without a valid token, `wrong_role` with one that may not do this.
    """
    if allowed is ANYONE or (principal is not None and allowed is not None and principal.role in allowed):
        return
    if principal is None:
        raise unauthenticated()
    needed = " or ".join(sorted(allowed or ()))
    raise Denied(f"This needs the role {needed}; your token has the role {principal.role.value}.", code="wrong_role")


def unauthenticated() -> Denied:
    """The error for a missing or wrong token."""
    return Denied(
        "A valid token is needed.",
        code="unauthenticated",
        hint="Send it as `Authorization: Bearer TOKEN` or `X-API-Token: TOKEN`; `outfield token new` makes one.",
    )
