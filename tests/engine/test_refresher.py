"""What keeps the catalog up to date, and what becomes of it when a source fails, hangs or has a bug."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.refresher import Refresher
from tests.build import a_price, an_offer


class _Source:
    """Says one thing after the other, the last one for ever; a number is how long it waits first."""

    def __init__(self, name: str, *says: Sequence[Offer] | Exception | float) -> None:
        self.name = name
        self.asked: list[float] = []
        self._says = list(says)

    async def fetch(self) -> tuple[Offer, ...]:
        self.asked.append(asyncio.get_running_loop().time())
        said = self._says.pop(0) if len(self._says) > 1 else self._says[0]
        if isinstance(said, float):
            await asyncio.sleep(said)
            return await self.fetch()
        if isinstance(said, Exception):
            raise said
        return tuple(said)


class _Board:
    """Takes catalogs."""

    def __init__(self) -> None:
        self.catalogs: list[Catalog] = []

    def refresher(self, *sources: _Source, fixed: Sequence[Offer] = ()) -> Refresher:
        return Refresher(fixed, sources, swap=self.catalogs.append)

    @property
    def ids(self) -> list[str]:
        return [offer.id for offer in self.catalogs[-1].offers]


async def test_what_all_sources_say_is_one_catalog(clock: ManualClock) -> None:
    board = _Board()
    refresher = board.refresher(
        _Source("acme", [an_offer("acme")]), _Source("bell", [an_offer("bell")]), fixed=[an_offer("own")]
    )

    await refresher.refresh()

    assert ["small@acme", "small@bell", "small@own"] == board.ids
    assert {"acme", "bell"} == refresher.found.keys()
    assert {} == refresher.failures


async def test_each_answer_counts_as_soon_as_it_is_here(clock: ManualClock) -> None:
    board = _Board()
    refresher = board.refresher(_Source("slow", 9.0, [an_offer("slow")]), _Source("fast", [an_offer("fast")]))

    async with asyncio.TaskGroup() as group:
        group.create_task(refresher.refresh())
        await asyncio.sleep(1.0)
        assert ["small@fast"] == board.ids

    assert ["small@fast", "small@slow"] == board.ids


async def test_the_operators_own_word_counts_over_what_is_found(clock: ManualClock) -> None:
    own = an_offer("acme", price=a_price(5, 5))
    board = _Board()

    await board.refresher(_Source("acme", [an_offer("acme")]), fixed=[own]).refresh()

    assert (own,) == board.catalogs[-1].offers


async def test_a_source_that_fails_keeps_its_last_offers(clock: ManualClock) -> None:
    board = _Board()
    refresher = board.refresher(_Source("acme", [an_offer("acme")], Broken(Break.REFUSED), [an_offer("acme", "new")]))

    await refresher.refresh()
    await refresher.refresh()
    assert ["small@acme"] == board.ids
    assert {"acme": "connection refused"} == refresher.failures

    await refresher.refresh()
    assert ["new@acme"] == board.ids
    assert {} == refresher.failures


async def test_a_source_that_hangs_is_given_up(clock: ManualClock) -> None:
    board = _Board()
    refresher = board.refresher(_Source("acme", 1e6, []), _Source("bell", [an_offer("bell")]))
    begun = clock.now()

    await refresher.refresh()

    assert begun + 60.0 == pytest.approx(clock.now())
    assert {"acme": "no list of models within 60 s"} == refresher.failures
    assert ["small@bell"] == board.ids


async def test_a_bug_in_one_source_is_logged_and_the_others_go_on(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    board = _Board()
    refresher = board.refresher(_Source("acme", KeyError("data")), _Source("bell", 9.0, [an_offer("bell")]))

    with caplog.at_level(logging.ERROR, "satisfice"):
        await refresher.refresh()

    assert {"acme": "a bug of the gateway, see its log"} == refresher.failures
    assert ["small@bell"] == board.ids
    assert ["offers of acme: a bug of ours"] == [record.getMessage() for record in caplog.records]
    assert "KeyError: 'data'" in caplog.text


async def test_it_asks_again_and_again_and_sooner_if_something_was_missing(clock: ManualClock) -> None:
    """A model server that is started after the gateway should not have to wait long."""
    source = _Source("acme", Broken(Break.REFUSED), [an_offer("acme")])
    refresher = _Board().refresher(source)
    begun = clock.now()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(700.0):
            await refresher.run()

    assert [begun, begun + 30.0, begun + 330.0, begun + 630.0] == source.asked


async def test_it_says_when_it_has_asked_everybody_once(clock: ManualClock) -> None:
    refresher = _Board().refresher(_Source("acme", Broken(Break.REFUSED)), _Source("bell", 5.0, []))
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(refresher.run())
        assert not refresher.has_looked.is_set()
        await refresher.has_looked.wait()
        running.cancel()

    assert begun + 5.0 == clock.now()
