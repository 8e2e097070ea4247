"""How soon a caller who leaves is noticed, and that calls cost nothing that is left over."""

from __future__ import annotations

import asyncio

import pytest

from satisfice.core.clock import ManualClock
from satisfice.routing.policy import Asking
from satisfice.transport.script import Script
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body
from tests.engine.stage import WHOLE, Caller, Stage, a_stream
from tests.engine.virtual_time import VirtualLoop


async def test_a_call_that_lasts_is_watched_before_half_a_second_is_over(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().stall()}, clock)
    caller = Caller()
    caller.gone.set()
    begun = clock.now()

    await stage.ask(caller, stream=True)

    assert 0.2 <= clock.now() - begun <= 0.4001
    assert stage.seen.has_left


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3], ids=["at once", "before the first tick", "before the second"])
async def test_a_short_call_is_never_watched(seconds: float, clock: ManualClock) -> None:
    """A task for each call would cost more than all else in a short one."""
    stage = Stage({"acme": Script().wait(seconds).then(*WHOLE.steps)}, clock)
    caller = _Watched()

    await stage.ask(caller)

    assert 0 == caller.watches


async def test_the_watch_ends_with_the_call(clock: ManualClock) -> None:
    stage = Stage({"acme": Script().wait(9.0).then(*WHOLE.steps)}, clock)
    caller = _Watched()
    before = asyncio.all_tasks()

    await stage.ask(caller)
    await asyncio.sleep(0)

    assert 1 == caller.watches
    assert before == asyncio.all_tasks()


async def test_calls_that_overlap_are_all_watched(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().stall()}, clock)
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            caller = Caller()
            group.create_task(
                stage.gateway.answer(OpenAIChat(), a_body(stream=True), asking=Asking(), headers=(), downstream=caller)
            )
            asyncio.get_running_loop().call_at(begun + 5.0 + number, caller.gone.set)
            await asyncio.sleep(0.1)
        assert 3 == stage.gateway.open_calls

    assert begun + 7.0 == pytest.approx(clock.now())
    assert [True] * 3 == [seen.has_left for _, seen in stage.told]
    assert 0 == stage.gateway.open_calls


async def test_no_timer_is_left_when_all_calls_are_over(clock: ManualClock) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    stage = Stage({"acme": [Script().wait(9.0).then(*WHOLE.steps), WHOLE]}, clock)

    for _ in range(2):
        await stage.ask()
        assert 1 == loop.timers
        await asyncio.sleep(0.3)
        assert 0 == loop.timers


async def test_to_stop_takes_the_timer_away(clock: ManualClock) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    stage = Stage({"acme": WHOLE}, clock)

    await stage.ask()
    await stage.gateway.stop()

    assert 0 == loop.timers


async def test_a_call_that_begins_after_the_stop_is_watched_as_well(clock: ManualClock) -> None:
    """The server may take one more request while it is stopping."""
    stage = Stage({"acme": [WHOLE, a_stream().stall()]}, clock)
    caller = Caller()
    await stage.ask()
    await stage.gateway.stop()

    caller.gone.set()
    await stage.ask(caller, stream=True)

    assert stage.seen.has_left


class _Watched(Caller):
    """Counts who waits for its leaving."""

    watches = 0

    async def left(self) -> None:
        self.watches += 1
        await super().left()
