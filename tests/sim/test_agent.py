"""Agents whose conversations grow for forty turns, among providers whose prices cross: what staying saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from satisfice.core.clock import ManualClock
from tests.sim.agents import Hosts, agents
from tests.sim.conftest import Show
from tests.sim.tables import table
from tests.sim.working import Work, by_gateway, by_list_price, by_staying, in_hindsight

_SEED: Final = 1
_HEAD: Final = ("", "cost, sat", "below cheapest per call", "turns", "switches", "cached")


@pytest.fixture(scope="module")
def ways(show: Show) -> Mapping[str, Work]:
    """The same conversations, served in several ways."""
    clock = ManualClock(seed=_SEED)
    working = agents(clock)
    hosts = Hosts(clock, max(agent.turns[-1].at for agent in working) + 60.0)
    found = {
        "best in hindsight": in_hindsight(hosts, working),
        "satisfice": by_gateway(hosts, working, seed=_SEED),
        "where it began": by_staying(hosts, working),
        "cheapest per call": by_list_price(hosts, working),
    }
    dearest = found["cheapest per call"].cost
    title = f"{len(working)} agents of {len(working[0].turns)} turns, {len(hosts.places)} providers of their model"
    show(table(title, _HEAD, [_row(name, work, dearest) for name, work in found.items()]))
    return found


def test_a_conversation_costs_at_least_30_percent_less_than_by_the_cheapest_price_of_each_call(
    ways: Mapping[str, Work],
) -> None:
    assert ways["satisfice"].cost <= 0.7 * ways["cheapest per call"].cost


def test_it_is_not_by_staying_at_any_price(ways: Mapping[str, Work]) -> None:
    """Somebody whose price has risen, or who has forgotten all by now, is left."""
    assert ways["satisfice"].cost < ways["where it began"].cost
    assert 0 < ways["satisfice"].switches < ways["cheapest per call"].switches


def test_it_comes_close_to_the_best_plan_in_hindsight(ways: Mapping[str, Work]) -> None:
    assert ways["satisfice"].cost <= 1.2 * ways["best in hindsight"].cost


def _row(name: str, work: Work, dearest: int) -> tuple[str, ...]:
    return (
        name,
        f"{work.cost / 1_000:,.0f}",
        f"{1.0 - work.cost / dearest:.1%}",
        f"{work.turns}",
        f"{work.switches}",
        f"{work.cached / work.read:.1%}",
    )
