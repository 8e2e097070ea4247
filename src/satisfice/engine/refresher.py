"""Polls offer sources, merges what they say, swaps the catalog in one assignment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from satisfice.catalog.offers import Catalog, Offer, merge
from satisfice.core.errors import Broken
from satisfice.ports import OfferSource

__all__ = ["Refresher"]

_log: Final = logging.getLogger(__name__)
_PERIOD: Final = 300.0
_PERIOD_AFTER_FAILURE: Final = 30.0
_PATIENCE: Final = 60.0


class Refresher:
    """Keeps a catalog up to date; a source that fails keeps its last offers."""

    def __init__(
        self, fixed: Sequence[Offer], sources: Sequence[OfferSource], *, swap: Callable[[Catalog], None]
    ) -> None:
        """Fixed offers (which count over found ones of the same id), the sources to ask, who takes the new catalog."""
        self._fixed = fixed
        self._sources = sources
        self._swap = swap
        self.found: dict[str, tuple[Offer, ...]] = {}
        """What each source said last, by its name."""
        self.has_looked = asyncio.Event()
        """Every source has been asked once."""
        self.failures: dict[str, str] = {}
        """What the sources that failed last time said, by the source's name."""

    async def run(self) -> None:
        """Refresh for ever, sooner if something was missing: it may be about to start."""
        while True:
            await self.refresh()
            self.has_looked.set()
            await asyncio.sleep(_PERIOD_AFTER_FAILURE if self.failures else _PERIOD)

    async def refresh(self) -> None:
        """Ask every source once, all at the same time; each answer counts as soon as it is here."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._ask(source))

    async def _ask(self, source: OfferSource) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                self.found[source.name] = await source.fetch()
        except Broken as news:
            self.failures[source.name] = str(news)
        except TimeoutError:
            self.failures[source.name] = f"no list of models within {_PATIENCE:.0f} s"
        except Exception as bug:
            self.failures[source.name] = "a bug of the gateway, see its log"
            _log.error("offers of %s: a bug of ours", source.name, exc_info=bug)
        else:
            self.failures.pop(source.name, None)
            self._swap(merge((*self.found.values(), self._fixed)))
