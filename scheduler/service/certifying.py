"""Certificates for workers: a worker that has joined may prove with its own key that it is the one."""

from __future__ import annotations

from scheduler.errors import Conflict, Refused
from scheduler.security.authority import check_csr
from scheduler.service.farm import Farm


def check_request(farm: Farm, csr: str | None) -> None:
    """Refuse a join that could not be completed, before the join code is used up.

    Raises:
        Refused: `bad_csr`, or `csr_required` where the farm asks workers for certificates and the worker wants none.
    """
    if csr is not None:
        check_csr(csr)
    elif farm.settings.server.tls.workers == "certificate":
        raise Refused(
            "This farm asks workers for a certificate, and the worker has sent no signing request.",
            code="csr_required",
            hint="Start the worker with the farm's https address and a current release of Outfield.",
        )


def certify(farm: Farm, worker: str, csr: str) -> str:
    """A certificate for this worker (PEM).

    Raises:
        Conflict: `no_authority`: the farm serves plain HTTP and has no authority. Refused: `bad_csr`.
    """
    if farm.authority is None:
        raise Conflict(
            "This farm has no certificate authority.",
            code="no_authority",
            hint="`outfield init` makes one; set server.tls.enabled = true.",
        )
    days = farm.settings.server.tls.worker_certificate_days
    return farm.authority.worker_certificate(csr, worker, days=days, now=farm.clock.now())
