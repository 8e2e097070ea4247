"""Reads the cases of tests/corpus/openai_chat; its README says what stands in them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from satisfice.core.amounts import Usage

__all__ = ["Case", "cases", "said", "shown"]

_CORPUS = Path(__file__).parents[1] / "corpus" / "openai_chat"
_DASHES = b"----------\n"


class Case(NamedTuple):
    """What comes in, and the lines of what is expected."""

    name: str
    given: bytes
    expected: list[str]


def cases(kind: str) -> list[Case]:
    """All cases of a kind, which is the name of their folder."""
    return [_read(path) for path in sorted((_CORPUS / kind).glob("*.test"))]


def shown(case: Case) -> str:
    """The name of the test."""
    return case.name


def said(usage: Usage | None) -> str:
    """Usage as the corpus writes it."""
    if usage is None:
        return "not said"
    counts = msgspec.structs.asdict(usage)
    return " ".join(f"{bucket}={count}" for bucket, count in counts.items() if count) or "all 0"


def _read(path: Path) -> Case:
    given, _, expected = path.read_bytes().partition(_DASHES)
    return Case(path.stem, given, expected.decode().rstrip("\n").split("\n"))
