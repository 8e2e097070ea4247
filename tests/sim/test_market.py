"""A hundred thousand calls to a market of fifty providers that fail, drift and lie: what they cost, who is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import pytest

from satisfice.core.clock import ManualClock
from tests.sim.books import Books, Sum, add_up
from tests.sim.conftest import Show
from tests.sim.market import Market, Outage
from tests.sim.rivals import cheapest_listed, clairvoyant, oracle, round_robin
from tests.sim.shopping import Probes, shop
from tests.sim.tables import table
from tests.sim.traffic import Ask, traffic
from tests.sim.weather import Window

# The first test to run waits for the simulation.
pytestmark = pytest.mark.timeout(300)

_SEED: Final = 1
_CALLS: Final = 100_000
_A_SECOND: Final = 10.0
_OUTAGES: Final = (Outage(Window(3_000.0, 3_180.0), "coder"), Outage(Window(6_000.0, 6_180.0)))
_HEAD: Final = ("", "cost, sat", "above oracle", "answered", "attempts when nobody is up", "to liars", "median", "95 %")


class _Run(NamedTuple):
    gateway: Sum
    cheapest_listed: Sum
    round_robin: Sum
    probes: Probes


@pytest.fixture(scope="module")
def run(show: Show) -> _Run:
    """The gateway and its rivals, on the same traffic in the same market."""
    market, asks = _world(_CALLS)
    best = oracle(market, asks)
    books, probes = shop(market, asks, seed=_SEED)
    ways = {
        "clairvoyant": clairvoyant(market, asks),
        "oracle": best,
        "satisfice": books,
        "cheapest list price": cheapest_listed(market, asks),
        "round robin": round_robin(market, asks),
    }
    sums = {name: add_up(each, best, market, asks=asks) for name, each in ways.items()}
    title = (
        f"{len(asks):,} calls in {asks[-1].at / 60:.0f} min, 50 providers of which 5 lie; all of one model are down "
        f"for 3 min, everybody for another 3; {probes.made} probes, at most {probes.most} of a breaker at once"
    )
    show(table(title, _HEAD, [_row(name, each) for name, each in sums.items()]))
    return _Run(sums["satisfice"], sums["cheapest list price"], sums["round robin"], probes)


def test_all_that_was_charged_is_at_most_3_percent_above_what_an_oracle_pays(run: _Run) -> None:
    assert run.gateway.excess <= 0.03


def test_of_a_thousand_calls_999_are_answered_while_an_honest_offer_is_up(run: _Run) -> None:
    assert run.gateway.success >= 0.999


def test_while_nobody_is_up_a_call_makes_fewer_than_1_2_attempts(run: _Run) -> None:
    assert run.gateway.attempts_when_down < 1.2


def test_no_breaker_is_probed_by_two_calls_at_once(run: _Run) -> None:
    assert run.probes.made > 100
    assert 1 == run.probes.most


def test_nobody_is_asked_who_is_to_be_left_alone(run: _Run) -> None:
    assert 0 == run.probes.too_early


def test_who_learns_nothing_pays_dearly_and_storms_the_market_when_it_is_down(run: _Run) -> None:
    """Or the market would be too kind to tell anything."""
    for rival in (run.cheapest_listed, run.round_robin):
        assert rival.excess > 0.05
        assert rival.attempts_when_down > 3.0


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (shop(*_world(1_000), seed=_SEED)[0] for _ in range(2))

    assert _facts(first) == _facts(second)


def _world(calls: int) -> tuple[Market, Sequence[Ask]]:
    clock = ManualClock(seed=_SEED)
    asks = traffic(clock, calls, a_second=_A_SECOND)
    return Market(clock, asks[-1].at + 600.0, outages=_OUTAGES), asks


def _facts(books: Books) -> tuple[list[bool], list[int], list[int], list[float]]:
    return books.served, books.attempts, books.charged, books.seconds


def _row(name: str, each: Sum) -> tuple[str, ...]:
    return (
        name,
        f"{each.cost / 1_000:,.0f}",
        f"{each.excess:+.2%}",
        f"{each.success:.3%}",
        f"{each.attempts_when_down:.2f}",
        f"{each.lied_to:.1%}",
        f"{each.median:.1f} s",
        f"{each.slow:.1f} s",
    )
