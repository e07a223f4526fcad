"""`docs/states.md`: the six transition tables, as a picture and as a list."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from scheduler.domain import instance_states, states
from tools.reference.markdown import code, page, table

MACHINES: dict[str, tuple[Mapping[StrEnum, str], Mapping[tuple[StrEnum, StrEnum], StrEnum]]] = {
    "Job": (states.JOB_MEANING, states.JOB_TRANSITIONS),
    "Task": (states.TASK_MEANING, states.TASK_TRANSITIONS),
    "Attempt": (states.ATTEMPT_MEANING, states.ATTEMPT_TRANSITIONS),
    "Worker": (states.WORKER_MEANING, states.WORKER_TRANSITIONS),
    "Intent": (instance_states.INTENT_MEANING, instance_states.INTENT_TRANSITIONS),
    "Instance": (instance_states.INSTANCE_MEANING, instance_states.INSTANCE_TRANSITIONS),
}

INTRODUCTION = """What is not listed here cannot happen: the code raises with the item's story, and the API answers 409.
A state without a next one is final."""


def render() -> str:
    """The page."""
    machines = [machine(name, meaning, moves) for name, (meaning, moves) in MACHINES.items()]
    return page("States", "scheduler/domain/states.py and instance_states.py", INTRODUCTION, *machines)


def machine(name: str, meaning: Mapping[StrEnum, str], moves: Mapping[tuple[StrEnum, StrEnum], StrEnum]) -> str:
    """One machine: its diagram and its table."""
    arrows = "\n".join(f"    {start} --> {end}: {event}" for (start, event), end in moves.items())
    rows = [
        (
            code(state.value),
            text,
            "<br>".join(f"{e} → {code(end.value)}" for (s, e), end in moves.items() if s == state),
        )
        for state, text in meaning.items()
    ]
    diagram = f"```mermaid\nstateDiagram-v2\n{arrows}\n```"
    return f"## {name}\n\n{table(('State', 'Meaning', 'What may happen'), rows)}\n\n{diagram}"
