"""Every scenario and every known defect of the other system: what we do is played, or a test that shows it is there."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from satisfice.core.clock import ManualClock
from tests.parity.defects import DEFECTS
from tests.parity.plays import breaker, choice, circuit, health, retry, supply
from tests.parity.row import Play, Row
from tests.parity.scenarios import SCENARIOS

_ROOT: Final = Path(__file__).parents[2]
_ROWS: Final = (*SCENARIOS, *DEFECTS)
_PLAYS: Final = (breaker, choice, circuit, health, retry, supply)
_NUMBERED: Final = {"circuit": 9, "health": 8, "cost": 9, "discovery": 6}


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(shown, id=f"{row.id}-{shown.__name__}")
        for row in _ROWS
        for shown in row.shown
        if not isinstance(shown, str)
    ],
)
async def test_it_happens_as_the_table_says(play: Play, clock: ManualClock) -> None:
    await play(clock)


@pytest.mark.parametrize(
    "named",
    [pytest.param(shown, id=f"{row.id}-{shown}") for row in _ROWS for shown in row.shown if isinstance(shown, str)],
)
def test_what_shows_it_is_there(named: str) -> None:
    path, *names = named.split("::")

    assert (_ROOT / path).is_file()
    if names:
        assert names[-1].startswith("test_")
        assert callable(reduce(getattr, names, _module(path)))
    else:
        assert path.startswith("tests/corpus/")


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.id)
def test_each_row_is_shown_or_says_what_it_waits_for(row: Row) -> None:
    assert row.theirs
    assert row.ours
    assert row.shown or row.later
    assert len(set(row.shown)) == len(row.shown)


def test_no_row_is_there_twice() -> None:
    assert [] == [id_ for id_, count in Counter(row.id for row in _ROWS).items() if count > 1]


def test_no_scenario_and_no_defect_is_left_out() -> None:
    ids = {row.id for row in _ROWS}

    assert set() == {f"{group} {number}" for group, most in _NUMBERED.items() for number in range(1, most + 1)} - ids
    assert {f"B-{number:02}" for number in range(1, 49)} == {row.id for row in DEFECTS}


def test_no_play_is_left_out() -> None:
    played = {shown for row in _ROWS for shown in row.shown if not isinstance(shown, str)}

    assert set() == set(_all_plays()) - played


def _all_plays() -> Iterator[Play]:
    for module in _PLAYS:
        for name in module.__all__:
            yield getattr(module, name)


def _module(path: str) -> ModuleType:
    return importlib.import_module(path.removesuffix(".py").replace("/", "."))
