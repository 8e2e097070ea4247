"""What keeps the catalog up to date, and what becomes of it when a source fails, hangs or has a bug."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import pytest

from satisfice.catalog.listing import Listing, Quote, Quotes, Refused
from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.refresher import Refresher, SourceState
from tests.build import a_price, an_offer

_T = TypeVar("_T")
_GONE = Broken(Break.REFUSED)
_QUOTED = a_price(7, 9)


class _Source(Generic[_T]):
    """Says one thing after the other, the last one for ever; a number is how long it waits first."""

    def __init__(self, name: str, *says: _T | Exception | float, period: float = 300.0) -> None:
        self.name = name
        self.period = period
        self.asked: list[float] = []
        self.says = list(says)

    async def fetch(self) -> _T:
        self.asked.append(asyncio.get_running_loop().time())
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, float):
            await asyncio.sleep(said)
            return await self.fetch()
        if isinstance(said, Exception):
            raise said
        return said


def _list(*models: str, provider: str = "acme") -> Listing:
    return Listing(offers=tuple(an_offer(provider, model) for model in models or ("small",)))


def _quotes(clock: ManualClock, *models: str, age: float = 0.0, max_age: float = 600.0) -> Quotes:
    observed = clock.unix_ms() - round(age * 1_000)
    quotes = (
        Quote(
            provider="acme",
            model=model,
            input=_QUOTED.input,
            output=_QUOTED.output,
            observed_ms=observed,
            expires_ms=observed + round(max_age * 1_000),
        )
        for model in models or ("small",)
    )
    return Quotes(quotes=tuple(quotes))


class _Board:
    """Takes catalogs."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.catalogs: list[Catalog] = []
        self.built: list[tuple[Offer, ...]] = []

    def refresher(
        self, *sources: _Source[Listing], feeds: Sequence[_Source[Quotes]] = (), fixed: Sequence[Offer] = ()
    ) -> Refresher:
        return Refresher(fixed, sources, feeds=feeds, build=self._build, swap=self.catalogs.append, clock=self.clock)

    def _build(self, offers: Iterable[Offer]) -> Catalog:
        self.built.append(tuple(offers))
        return Catalog(self.built[-1])

    @property
    def ids(self) -> list[str]:
        return [offer.id for offer in self.catalogs[-1].offers]

    @property
    def prices(self) -> list[object]:
        return [offer.price for offer in self.catalogs[-1].offers]


@pytest.fixture
def board(clock: ManualClock) -> _Board:
    return _Board(clock)


async def _run(refresher: Refresher, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await refresher.run()


async def test_what_all_sources_say_is_one_catalog(board: _Board) -> None:
    refresher = board.refresher(
        _Source("acme", _list()), _Source("bell", _list(provider="bell")), fixed=[an_offer("own")]
    )

    await refresher.refresh()

    assert ["small@acme", "small@bell", "small@own"] == board.ids
    assert {"acme": _list(), "bell": _list(provider="bell")} == refresher.found
    assert {} == refresher.failures


async def test_each_answer_counts_as_soon_as_it_is_here(board: _Board) -> None:
    refresher = board.refresher(_Source("slow", 9.0, _list(provider="slow")), _Source("fast", _list(provider="fast")))

    async with asyncio.TaskGroup() as group:
        group.create_task(refresher.refresh())
        await asyncio.sleep(1.0)
        assert ["small@fast"] == board.ids

    assert ["small@fast", "small@slow"] == board.ids


async def test_the_operators_own_offers_come_last_so_that_they_can_count_over_what_is_found(board: _Board) -> None:
    own = an_offer("acme", price=a_price(5, 5))

    await board.refresher(_Source("acme", _list()), fixed=[own]).refresh()

    assert [(an_offer("acme"), own)] == board.built
    assert (own,) == board.catalogs[-1].offers


async def test_the_catalog_is_swapped_only_if_something_has_changed(board: _Board) -> None:
    """To index a large one takes a while, and so does whatever goes by it."""
    refresher = board.refresher(_Source("acme", _list(), _list(), _list("large")), _Source("bell", Listing()))

    for swapped in (1, 1, 2):
        await refresher.refresh()
        assert swapped == len(board.catalogs)


async def test_a_source_that_fails_keeps_its_last_offers(board: _Board) -> None:
    refresher = board.refresher(_Source("acme", _list(), _GONE, _list("new")))

    await refresher.refresh()
    await refresher.refresh()
    assert ["small@acme"] == board.ids
    assert {"acme": "connection refused"} == refresher.failures
    assert ["acme"] == list(refresher.found)

    await refresher.refresh()
    assert ["new@acme"] == board.ids
    assert {} == refresher.failures


async def test_that_a_provider_has_nothing_is_another_thing_than_that_nobody_knows(board: _Board) -> None:
    refresher = board.refresher(_Source("none", Listing()), _Source("unknown", _GONE), fixed=[an_offer("any", "*")])

    await refresher.refresh()

    assert {"none": Listing()} == refresher.found
    assert [("none", 0), ("unknown", None)] == [(state.name, state.found) for state in refresher.state()]
    assert [] == board.catalogs


async def test_an_answer_of_nothing_takes_away_what_was_there(board: _Board) -> None:
    refresher = board.refresher(_Source("acme", _list(), Listing()))

    await refresher.refresh()
    await refresher.refresh()

    assert () == board.catalogs[-1].offers


async def test_a_source_that_hangs_is_given_up(board: _Board) -> None:
    refresher = board.refresher(_Source("acme", 1e6, Listing()), _Source("bell", _list(provider="bell")))
    begun = board.clock.now()

    await refresher.refresh()

    assert begun + 60.0 == pytest.approx(board.clock.now())
    assert {"acme": "no answer within 60 s"} == refresher.failures
    assert ["small@bell"] == board.ids


async def test_a_bug_in_one_source_is_logged_and_the_others_go_on(
    board: _Board, caplog: pytest.LogCaptureFixture
) -> None:
    refresher = board.refresher(_Source("acme", KeyError("data")), _Source("bell", 9.0, _list(provider="bell")))

    with caplog.at_level(logging.ERROR, "satisfice"):
        await refresher.refresh()

    assert {"acme": "a bug of the gateway, see its log"} == refresher.failures
    assert ["small@bell"] == board.ids
    assert ["asking acme: a bug of ours"] == [record.getMessage() for record in caplog.records]
    assert "KeyError: 'data'" in caplog.text


async def test_each_is_asked_in_its_own_time_and_sooner_if_it_was_missing(board: _Board) -> None:
    """A model server that is started after the gateway should not have to wait long."""
    acme = _Source("acme", _GONE, _list())
    bell = _Source("bell", _list(provider="bell"), period=200.0)
    feed = _Source("prices", _GONE, Quotes(), period=20.0)
    begun = board.clock.now()

    await _run(board.refresher(acme, bell, feeds=[feed]), 650.0)

    assert [0.0, 30.0, 330.0, 630.0] == [asked - begun for asked in acme.asked]
    assert [0.0, 200.0, 400.0, 600.0] == [asked - begun for asked in bell.asked]
    assert [0.0, 20.0, 40.0] == [asked - begun for asked in feed.asked][:3]


async def test_once_it_is_stopped_nobody_is_asked_any_more_and_what_is_known_stays(board: _Board) -> None:
    known, slow, feed = (
        _Source("acme", _list()),
        _Source("bell", 60.0, _list()),
        _Source("prices", _quotes(board.clock)),
    )
    refresher = board.refresher(known, slow, feeds=[feed])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(refresher.run())
        await asyncio.sleep(1.0)

        refresher.stop()
        await running
        await asyncio.sleep(3_600.0)

    assert [1, 1, 1] == [len(each.asked) for each in (known, slow, feed)]
    assert ["small@acme"] == board.ids


async def test_it_says_when_it_has_asked_every_provider_once(board: _Board) -> None:
    refresher = board.refresher(
        _Source("acme", _GONE), _Source("bell", 5.0, Listing()), feeds=[_Source("prices", 9.0, Quotes())]
    )
    begun = board.clock.now()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(refresher.run())
        assert not refresher.has_looked.is_set()
        await refresher.has_looked.wait()
        running.cancel()

    assert begun + 5.0 == board.clock.now()


async def test_where_there_is_nobody_to_ask_all_have_been_asked(board: _Board) -> None:
    refresher = board.refresher()

    await refresher.run()

    assert refresher.has_looked.is_set()


async def test_whoever_wants_to_know_is_told_of_each_answer_and_each_failure(board: _Board) -> None:
    refresher = board.refresher(_Source("acme", _list(), _GONE), feeds=[_Source("prices", _quotes(board.clock))])
    seen: list[int] = []
    refresher.on_refreshed = lambda: seen.append(len(board.catalogs))

    await refresher.refresh()
    await refresher.refresh()

    assert [1, 2, 2, 2] == seen


async def test_prices_of_a_list_that_is_gone_for_an_hour_are_no_longer_believed(board: _Board) -> None:
    source = _Source("acme", _list(), _GONE)
    refresher = board.refresher(source)

    await _run(refresher, 3_599.0)
    assert [a_price()] == board.prices

    await _run(refresher, 31.0)
    assert [None] == board.prices
    assert [True] == [state.is_stale for state in refresher.state()]

    source.says = [_list()]
    await refresher.refresh()
    assert [a_price()] == board.prices
    assert [False] == [state.is_stale for state in refresher.state()]


async def test_a_price_that_the_operator_gave_does_not_age(board: _Board) -> None:
    free = Listing(offers=(an_offer("acme", price=a_price(0, 0)),), has_own_prices=False)
    refresher = board.refresher(_Source("acme", free, _GONE), fixed=[an_offer("own")])

    await _run(refresher, 9_999.0)

    assert [a_price(0, 0), a_price()] == board.prices


async def test_a_computer_that_has_slept_still_believes_what_it_knew(board: _Board) -> None:
    """Nothing has failed meanwhile, and the list will be had again in a moment."""
    refresher = board.refresher(_Source("acme", _list(), 9.0, _list("new")), _Source("bell", _GONE))
    await refresher.refresh()
    board.clock.advance(86_400.0)

    async with asyncio.TaskGroup() as group:
        group.create_task(refresher.refresh())
        await asyncio.sleep(1.0)
        assert [False, False] == [state.is_stale for state in refresher.state()]
        assert [a_price()] == board.prices


async def test_quotes_lie_over_the_prices_of_found_and_of_fixed_offers(board: _Board) -> None:
    refresher = board.refresher(
        _Source("acme", _list("small", "large")),
        feeds=[_Source("prices", _quotes(board.clock, "small", "own"))],
        fixed=[an_offer("acme", "own", price=None), an_offer("bell", "small")],
    )

    await refresher.refresh()

    assert {"small@acme": _QUOTED, "large@acme": a_price(), "own@acme": _QUOTED, "small@bell": a_price()} == {
        offer.id: offer.price for offer in board.catalogs[-1].offers
    }


async def test_a_quote_that_grows_too_old_between_two_looks_is_dropped(board: _Board) -> None:
    feed = _Source("prices", _quotes(board.clock, age=500.0), period=86_400.0)
    refresher = board.refresher(_Source("acme", _list()), feeds=[feed])

    await _run(refresher, 99.0)
    assert [_QUOTED] == board.prices

    await _run(refresher, 6.0)
    assert [a_price()] == board.prices
    assert [False, True] == [state.is_stale for state in refresher.state()]


async def test_the_quotes_of_a_feed_that_dies_do_not_live_for_ever(board: _Board) -> None:
    feed = _Source("prices", _quotes(board.clock), _GONE, period=60.0)
    refresher = board.refresher(_Source("acme", _list()), feeds=[feed])

    await _run(refresher, 599.0)
    assert [_QUOTED] == board.prices

    await _run(refresher, 6.0)
    assert [a_price()] == board.prices
    assert {} == refresher.failures


async def test_a_feed_adds_models_only_to_a_provider_that_never_said_what_it_has(board: _Board) -> None:
    """What a provider says of itself is the last word; and of one that isn't asked, the operator's."""
    quotes = _quotes(board.clock, "small", "large")

    for source, fixed, ids in (
        (_Source[Listing]("acme", _GONE), [], ["large@acme", "small@acme"]),
        (_Source("acme", _list()), [], ["small@acme"]),
        (_Source("acme", Listing()), [an_offer("acme", "own")], ["own@acme"]),
        (_Source("bell", Listing()), [an_offer("acme")], ["small@acme"]),
    ):
        refresher = board.refresher(source, feeds=[_Source("prices", quotes)], fixed=fixed)
        await refresher.refresh()
        offers = board.built[-1] if board.built else ()
        assert ids == sorted({offer.id for offer in offers} | {offer.id for offer in fixed}), source.name
        board.built.clear()


async def test_a_feed_adds_nothing_before_the_provider_has_been_asked(board: _Board) -> None:
    refresher = board.refresher(_Source("acme", 9.0, Listing()), feeds=[_Source("prices", _quotes(board.clock))])

    await refresher.refresh()

    assert [] == board.catalogs


async def test_the_state_of_each_source_can_be_looked_at(board: _Board) -> None:
    refused = (Refused("m", "has no price"),)
    listing = Listing(offers=(an_offer("acme"),), refused=refused)
    quotes = Quotes(quotes=_quotes(board.clock).quotes, refused=refused, undated=1)
    refresher = board.refresher(
        _Source("acme", listing, _GONE), _Source("bell", _GONE), feeds=[_Source("prices", quotes), _Source("x", _GONE)]
    )
    never = SourceState(
        "acme", is_feed=False, fetched_ms=None, found=None, failure=None, refused=(), undated=0, is_stale=False
    )
    assert never == refresher.state()[0]
    now = board.clock.unix_ms()

    await refresher.refresh()
    board.clock.advance(1.0)
    await refresher.refresh()

    why = "connection refused"
    assert refresher.state() == (
        never._replace(fetched_ms=now, found=1, failure=why, refused=refused),
        never._replace(name="bell", failure=why),
        SourceState(
            "prices",
            is_feed=True,
            fetched_ms=now + 1_000,
            found=1,
            failure=None,
            refused=refused,
            undated=1,
            is_stale=False,
        ),
        never._replace(name="x", is_feed=True, failure=why),
    )
