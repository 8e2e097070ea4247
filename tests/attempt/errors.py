"""Reads the cases of tests/corpus/errors; its README says what stands in them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from satisfice.attempt.outcome import Fault
from satisfice.wire.request import Ability

__all__ = ["Case", "errors", "shown"]

_CORPUS = Path(__file__).parents[1] / "corpus" / "errors"
_DASHES = b"----------\n"


class Case(NamedTuple):
    """An error answer, and what there is to learn from it."""

    name: str
    status: int
    body: bytes
    fault: Fault
    context: int | None
    lacks: Ability | None


def errors() -> list[Case]:
    """All cases."""
    return [_read(path) for path in sorted(_CORPUS.glob("*.test"))]


def shown(case: Case) -> str:
    """The name of the test."""
    return case.name


def _read(path: Path) -> Case:
    given, _, expected = path.read_bytes().partition(_DASHES)
    status, _, body = given.partition(b"\n")
    (_, fault, *learnt), (label, *_) = (line.split() for line in expected.decode().splitlines())
    assert label == "source:", f"{path.name} does not say where its sentence comes from"
    context = int(learnt[0]) if learnt and fault == "context" else None
    lacks = Ability(learnt[0]) if learnt and fault == "ability" else None
    return Case(path.stem, int(status), body, Fault(fault), context, lacks)
