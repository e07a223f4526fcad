"""How far a worker can be relied on, from what became of its attempts. It knows counts and nothing else."""

from __future__ import annotations

PRIOR_SUCCEEDED = 19.0
PRIOR_FAILED = 1.0
"""A worker without a history is taken for one that did 19 of 20 well: its first failures weigh, but do not damn it."""


def reliability(succeeded: int, failed: int) -> float:
    """The chance, above 0 and below 1, that the worker's next attempt does not fail through the worker's fault.

    The mean of the Beta distribution that the prior becomes after these counts (the rule of succession, generalised:
    https://en.wikipedia.org/wiki/Beta_distribution#Bayesian_inference).
    """
    good, bad = PRIOR_SUCCEEDED + max(0, succeeded), PRIOR_FAILED + max(0, failed)
    return good / (good + bad)
