"""What attempts tell of offers, and what later calls make of it: breakers, rests, probes, lessons."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break
from satisfice.routing.policy import Asking
from satisfice.transport.script import Script
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.request import Ability
from tests.build import a_body, a_price, an_offer
from tests.engine.stage import STREAM, WHOLE, Caller, Stage, a_pace, a_stream, an_error


async def _fail(stage: Stage, times: int = 3) -> None:
    for _ in range(times):
        await stage.ask()


@pytest.mark.parametrize(
    "script",
    [
        an_error(500),
        Script().refuse(),
        Script().fault(Break.TLS),
        Script().stall(),
        Script().head(200).body("{"),
        a_stream().cut(),
        a_stream().stall(),
    ],
    ids=["500", "refused", "TLS", "no first byte", "no JSON", "cut", "stalled"],
)
async def test_who_fails_three_calls_is_left_alone(script: Script, clock: ManualClock) -> None:
    stage = Stage({"acme": script, "bell": [WHOLE, STREAM]}, clock, pacing=a_pace(max_attempts=2))
    for _ in range(3):
        await stage.ask(stream=True, body=a_body(stream=True))
    asked = len(stage.tried)

    await stage.ask(stream=True)

    assert ["bell"] == stage.tried[asked:]


@pytest.mark.parametrize(
    "script",
    [
        an_error(400),
        an_error(422),
        Script().head(400).body('{"error":{"message":"too long","code":"context_length_exceeded"}}'),
        an_error(400, message="This model does not support tools"),
    ],
    ids=["400", "422", "context", "ability"],
)
async def test_who_refuses_a_call_for_what_it_is_stays_in_use(script: Script, clock: ManualClock) -> None:
    stage = Stage({"acme": script}, clock)

    await _fail(stage, 5)

    assert 5 == len(stage.tried)
    assert set() == stage.gateway.memory.health.troubled


async def test_one_call_that_fails_several_times_counts_once(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(max_attempts=4))

    await _fail(stage, 2)

    assert 8 == len(stage.tried)
    assert set() == stage.gateway.memory.health.troubled


async def test_when_all_are_open_the_caller_is_told_at_once_and_when_to_come_back(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": Script().refuse()}, clock, pacing=a_pace(max_attempts=2))
    await _fail(stage)
    asked, now = len(stage.tried), clock.now()

    caller = await stage.ask()

    assert 503 == caller.status
    assert "circuit_open" == caller.error["code"]
    assert "upstream" == caller.header("x-satisfice-error-source")
    assert 20 <= int(caller.header("retry-after") or "") <= 38
    assert "small@acme: left alone for another" in str(caller.error["message"])
    assert "connection refused" in str(caller.error["message"])
    assert (asked, now) == (len(stage.tried), clock.now())


async def test_when_all_have_been_down_whoever_is_up_again_is_found_in_seconds(clock: ManualClock) -> None:
    """By its breaker each is left alone for half a minute, but there is nobody else to ask meanwhile."""
    scripts: dict[str, Script | list[Script]] = {"acme": an_error(500), "bell": [*[an_error(500)] * 3, WHOLE]}
    stage = Stage(scripts, clock, pacing=a_pace(max_attempts=2))
    await _fail(stage)
    asked = len(stage.tried)

    statuses = []
    for _ in range(4):
        clock.advance(3.0)
        statuses.append((await stage.ask()).status)

    assert [503, 502, 200, 200] == statuses
    assert ["acme", "bell", "acme", "bell"] == stage.tried[asked:]


async def test_a_probe_that_is_slow_does_not_keep_all_others_from_trying_who_else_is_up(clock: ManualClock) -> None:
    scripts: dict[str, Script | list[Script]] = {
        "acme": [*[an_error(500)] * 3, Script().stall()],
        "bell": [*[an_error(500)] * 3, WHOLE],
    }
    stage = Stage(scripts, clock, pacing=a_pace(max_attempts=2))
    await _fail(stage)
    clock.advance(10.0)
    first = Caller()

    async with asyncio.TaskGroup() as group:
        group.create_task(_ask(stage, first))
        await asyncio.sleep(1.0)
        other = await _ask(stage)
        first.gone.set()

    assert "bell" == other.header("x-satisfice-provider")


async def test_who_waits_for_a_rest_to_end_makes_nobody_be_tried_sooner(clock: ManualClock) -> None:
    stage = _alone([an_error(429, {"retry-after": "4"}), WHOLE], clock)
    await stage.ask()

    assert 200 == (await stage.ask()).status


async def test_after_a_while_one_call_tries_again_and_all_is_well(clock: ManualClock) -> None:
    stage = Stage({"acme": [*[an_error(500)] * 3, WHOLE], "bell": WHOLE}, clock)
    await _fail(stage)
    clock.advance(60.0)

    caller = await stage.ask()

    assert "acme" == caller.header("x-satisfice-provider")
    assert set() == stage.gateway.memory.health.troubled


async def test_a_probe_that_fails_is_rescued_by_another_offer(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": WHOLE}, clock)
    await _fail(stage)
    clock.advance(60.0)

    caller = await stage.ask()
    await stage.ask()

    assert "bell" == caller.header("x-satisfice-provider")
    assert "1" == caller.header("x-satisfice-retries")
    assert ["acme", "bell", "bell"] == stage.tried[-3:]


_SLOW = Script().wait(2.0).then(*WHOLE.steps)


async def test_others_do_not_wait_for_a_probe_if_somebody_else_can_be_asked(clock: ManualClock) -> None:
    stage = Stage({"acme": [*[an_error(500)] * 3, _SLOW], "bell": WHOLE}, clock)
    await _fail(stage)
    clock.advance(60.0)
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        probe = group.create_task(_ask(stage))
        await asyncio.sleep(1.0)
        other = await _ask(stage)
        assert begun + 1.0 == clock.now()

    assert ("acme", "bell") == (probe.result().header("x-satisfice-provider"), other.header("x-satisfice-provider"))


async def test_a_probe_that_says_nothing_is_rescued_too_and_has_failed(clock: ManualClock) -> None:
    stage = Stage({"acme": [*[an_error(500)] * 3, Script().stall()], "bell": WHOLE}, clock)
    await _fail(stage)
    clock.advance(60.0)
    begun = clock.now()

    caller = await _ask(stage)
    await _ask(stage)

    assert ("bell", "1") == (caller.header("x-satisfice-provider"), caller.header("x-satisfice-retries"))
    assert begun + 3.0 == clock.now()
    assert ["acme", "bell", "bell"] == stage.tried[-3:]


async def test_who_has_nobody_else_waits_for_what_comes_of_a_probe(clock: ManualClock) -> None:
    stage = _alone([*[an_error(500)] * 3, Script().wait(2.0).then(*WHOLE.steps), WHOLE], clock)
    await _fail(stage)
    clock.advance(60.0)
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(_ask(stage)) for _ in range(3)]
        await asyncio.sleep(1.0)
        assert 4 == len(stage.tried)

    assert [200] * 3 == [call.result().status for call in calls]
    assert begun + 2.0 == clock.now()


async def test_it_waits_for_a_bounded_time(clock: ManualClock) -> None:
    stage = _alone([*[an_error(500)] * 3, Script().stall()], clock)
    await _fail(stage)
    clock.advance(60.0)
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        first = Caller()
        group.create_task(_ask(stage, first))
        await asyncio.sleep(1.0)
        other = await _ask(stage)
        assert begun + 1.0 + 3.0 == pytest.approx(clock.now())
        first.gone.set()

    assert 503 == other.status
    assert "left alone after: status 500" in str(other.error["message"])
    assert 4 == len(stage.tried)


async def test_it_waits_for_a_bounded_time_for_a_probe_that_has_begun_meanwhile_too(clock: ManualClock) -> None:
    # Two attempts in each of the first two calls, and one in that which opens it.
    unfunded, bell = Script().wait(1.0).head(402), [*[an_error(500)] * 5, Script().stall()]
    stage = Stage({"acme": unfunded, "bell": bell}, clock, pacing=a_pace(max_attempts=2, backoff=0.0))
    for _ in range(3):
        await stage.ask(body=a_body("small@bell"))
    clock.advance(60.0)
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        first = Caller()
        other = group.create_task(_ask(stage))
        await asyncio.sleep(0.5)
        group.create_task(_ask(stage, first, model="small@bell"))
        await other
        assert begun + 1.0 + 3.0 == clock.now()
        first.gone.set()

    assert 502 == other.result().status
    assert "bell: left alone after: status 500" in str(other.result().error["message"])
    assert ["acme", "bell"] == stage.tried[-2:]


async def test_a_caller_who_leaves_gives_the_probe_back(clock: ManualClock) -> None:
    stage = _alone([*[an_error(500)] * 3, Script().stall(), WHOLE], clock)
    await _fail(stage)
    clock.advance(60.0)
    leaving = Caller()
    asyncio.get_running_loop().call_later(1.0, leaving.gone.set)
    await stage.ask(leaving)

    caller = await stage.ask()

    assert 200 == caller.status


async def test_a_probe_has_succeeded_with_its_first_output(clock: ManualClock) -> None:
    """Those who wait for it must not have to wait for the end of a long answer."""
    slow = a_stream().wait(100.0).say(" end").finish().done()
    stage = _alone([*[an_error(500)] * 3, slow, WHOLE], clock)
    await _fail(stage)
    clock.advance(60.0)

    async with asyncio.TaskGroup() as group:
        group.create_task(_ask(stage, stream=True))
        await asyncio.sleep(1.0)
        assert 200 == (await _ask(stage)).status
        assert set() == stage.gateway.memory.health.troubled


async def test_who_is_at_its_limit_rests_as_long_as_it_says(clock: ManualClock) -> None:
    stage = Stage({"acme": [an_error(429, {"retry-after": "30"}), WHOLE], "bell": WHOLE}, clock)

    providers = []
    for _ in range(3):
        providers.append((await stage.ask()).header("x-satisfice-provider"))
        clock.advance(16.0)

    assert ["bell", "bell", "acme"] == providers


async def test_a_short_rest_is_waited_for_if_there_is_nobody_else(clock: ManualClock) -> None:
    stage = _alone([an_error(429, {"retry-after": "4"}), WHOLE], clock)
    await stage.ask()
    begun = clock.now()

    caller = await stage.ask()

    assert 200 == caller.status
    assert begun + 4.0 == clock.now()


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_an_account_that_is_refused_rests_with_all_its_models(status: int, clock: ManualClock) -> None:
    offers = [
        an_offer("acme"),
        an_offer("acme", "large"),
        an_offer("bell", price=a_price(9 * 10**6)),
        an_offer("bell", "large", price=a_price(9 * 10**6)),
    ]
    stage = Stage({"acme": an_error(status), "bell": WHOLE}, clock, offers=offers)
    await stage.ask()

    await stage.ask(body=a_body("large"))

    assert ["acme", "bell", "bell"] == stage.tried


_TOO_LONG = (
    Script()
    .head(400)
    .body(
        '{"error":{"message":"This model\'s maximum context length is 8192 tokens. However, you requested 9000.",'
        '"type":"invalid_request_error","code":"context_length_exceeded"}}'
    )
)


async def test_a_prompt_that_is_too_long_goes_to_an_offer_with_a_larger_window_and_that_is_remembered(
    clock: ManualClock,
) -> None:
    long = a_stream().finish().usage(6_000, 10).done()
    offers = [
        _with_window("acme", 16_000, 1),
        _with_window("bell", 8_192, 2),
        _with_window("core", 128_000, 3),
    ]
    stage = Stage({"acme": _TOO_LONG, "bell": _TOO_LONG, "core": long}, clock, offers=offers)

    caller = await stage.ask(body=a_body(prompt="word " * 5_000, stream=True))
    again = await stage.ask(body=a_body(prompt="word " * 9_000, stream=True))

    assert ("core", "core") == (caller.header("x-satisfice-provider"), again.header("x-satisfice-provider"))
    assert ["acme", "core", "core"] == stage.tried
    assert set() == stage.gateway.memory.health.troubled
    assert [("small@acme", 8_192)] == [
        (lesson.offer, lesson.context) for lesson in stage.gateway.memory.lessons.shown()
    ]


async def test_a_prompt_that_is_too_long_for_all_is_told_in_the_upstreams_words(clock: ManualClock) -> None:
    stage = Stage({"acme": _TOO_LONG, "bell": _TOO_LONG}, clock)

    caller = await stage.ask()

    assert 400 == caller.status
    assert "context_length_exceeded" == caller.error["code"]
    assert "caller" == caller.header("x-satisfice-error-source")


async def test_what_an_offer_can_not_do_is_remembered(clock: ManualClock) -> None:
    refusal = an_error(404, message="No endpoints found that support tool use.")
    stage = Stage({"acme": refusal, "bell": WHOLE}, clock)
    body = b'{"model":"small","messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}'

    await stage.ask(body=body)
    await stage.ask(body=body)
    await stage.ask()

    assert ["acme", "bell", "bell", "acme", "bell"] == stage.tried
    assert [frozenset({Ability.TOOLS})] == [lesson.lacks for lesson in stage.gateway.memory.lessons.shown()]


async def test_a_stream_goes_on_as_long_as_it_does(clock: ManualClock) -> None:
    """Only silence ends it: an answer of an hour that is cut off has cost an hour's tokens."""
    stage = _alone([a_stream().drip(10.0).say(" x" * 360).finish().done()], clock)
    begun = clock.now()

    caller = await stage.ask(stream=True)

    assert "[DONE]" == caller.events[-1]
    assert clock.now() - begun > 3_600.0


async def test_who_hangs_while_those_asked_later_answer_is_left_alone_too(clock: ManualClock) -> None:
    """Hedged, no call ever waits for its timeout, so nothing else would tell."""
    stage = Stage({"acme": Script().stall(), "bell": WHOLE}, clock, pacing=a_pace(hedge_after=2.0))
    await _fail(stage)
    begun = clock.now()

    caller = await stage.ask()

    assert "bell" == caller.header("x-satisfice-provider")
    assert begun == clock.now()


async def test_a_hedge_that_was_not_needed_says_nothing_of_its_offer(clock: ManualClock) -> None:
    slow = Script().wait(3.0).then(*WHOLE.steps)
    stage = Stage({"acme": slow, "bell": Script().stall()}, clock, pacing=a_pace(hedge_after=2.0))

    await _fail(stage)

    assert set() == stage.gateway.memory.health.troubled
    assert {} == stage.gateway.memory.health.failure_rates


def _alone(scripts: Sequence[Script], clock: ManualClock) -> Stage:
    """One provider, one attempt a call, and no pause but those that have a reason."""
    return Stage({"acme": scripts}, clock, pacing=a_pace(max_attempts=1, backoff=0.0))


async def _ask(stage: Stage, caller: Caller | None = None, *, model: str = "small", stream: bool = False) -> Caller:
    """As `Stage.ask`, for calls that overlap."""
    caller = caller or Caller()
    body = a_body(model, stream=stream)
    await stage.gateway.answer(OpenAIChat(), body, asking=Asking(), headers=(), downstream=caller)
    return caller


def _with_window(provider: str, context: int, price: int) -> Offer:
    offer = an_offer(provider, price=a_price(price * 10**6, price * 10**6))
    return msgspec.structs.replace(offer, capabilities=Capabilities(context=context))
