"""The engine is tested in virtual time: on Python's own loop, which knows no other clock than the test's."""

from __future__ import annotations

import asyncio

import pytest

from satisfice.core.clock import ManualClock
from tests.engine.virtual_time import VirtualLoop

__all__ = ["anyio_backend", "clock"]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, type[VirtualLoop]]]:
    """Each test on a new loop."""
    return ("asyncio", {"loop_factory": VirtualLoop})


@pytest.fixture
async def clock() -> ManualClock:
    """The one by which the test's loop goes."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.clock
