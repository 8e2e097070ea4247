"""The gateway as a whole: what it refuses, what it survives, how it starts and stops, and that there can be two."""

from __future__ import annotations

import asyncio
import logging

import pytest

from satisfice.catalog.listing import Listing
from satisfice.core.amounts import Msat
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.health.book import Permit
from satisfice.ports import Endpoint
from satisfice.routing.policy import Asking, Policies, Policy, Strategy
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending, ScriptedTransport
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body, a_price, an_offer
from tests.engine.stage import STREAM, WHOLE, Caller, Stage, a_pace, a_stream, an_error


async def test_a_model_nobody_has_is_told_with_those_it_may_mean(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock, offers=[an_offer(model="gpt-4o"), an_offer(model="gpt-4o-mini")])

    caller = await stage.ask(body=a_body("gpt-4-o"))

    assert 404 == caller.status
    assert "model_not_found" == caller.error["code"]
    assert "model" == caller.error["param"]
    assert "Did you mean `gpt-4o`" in str(caller.error["message"])
    assert "caller" == caller.header("x-satisfice-error-source")
    assert [] == stage.tried
    assert [] == stage.told


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON"),
        (b"[]", "The body is not a JSON object."),
        (b'{"messages":[]}', "`model` is missing."),
        (b'{"model":"small"}', "`messages` must be an array."),
        (b'{"model":"small","messages":[],"n":"two"}', "`n` must be a whole number."),
    ],
)
async def test_a_body_that_is_no_request_is_refused_in_the_callers_dialect(
    body: bytes, message: str, clock: ManualClock
) -> None:
    stage = Stage({"acme": WHOLE}, clock)

    caller = await stage.ask(body=body)

    assert 400 == caller.status
    assert "invalid_request_error" == caller.error["type"]
    assert message in str(caller.error["message"])
    assert str(caller.header("x-satisfice-request-id")) in str(caller.error)
    assert [] == stage.tried


async def test_the_upstreams_name_of_the_model_is_used_there(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock, offers=[an_offer(upstream_model="acme/small-v2")])

    await stage.ask()

    assert b'"model":"acme/small-v2"' in stage.transport.sent[0].sending.body


async def test_one_offer_can_be_asked_for_by_its_provider(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock)

    caller = await stage.ask(body=a_body("small@bell"))

    assert "bell" == caller.header("x-satisfice-provider")


async def test_each_call_is_told_once_it_is_over(clock: ManualClock) -> None:
    stage = Stage({"acme": [WHOLE, Script().refuse()]}, clock, pacing=a_pace(max_attempts=1))

    for _ in range(2):
        await stage.ask()

    jobs = [job for job, _ in stage.told]
    assert ["small", "small"] == [job.request.model for job in jobs]
    assert 2 == len({job.request_id for job in jobs})
    assert [True, False] == [seen.is_complete for _, seen in stage.told]


async def test_a_call_needs_nobody_to_be_told(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock)
    stage.gateway.on_call = None

    caller = await stage.ask()

    assert 200 == caller.status


async def test_a_bug_of_ours_is_told_and_logged_under_one_id(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage({}, clock, offers=[an_offer("ghost")])

    with caplog.at_level(logging.ERROR, "satisfice"):
        caller = await stage.ask()

    request_id = caller.header("x-satisfice-request-id")
    assert 500 == caller.status
    assert "internal" == caller.error["code"]
    assert "gateway" == caller.header("x-satisfice-error-source")
    assert "ghost" not in str(caller.error)
    assert [f"{request_id}: a bug of ours"] == [record.getMessage() for record in caplog.records]
    assert "KeyError: 'ghost'" in caplog.text
    assert stage.told[0][0].request_id == request_id
    assert stage.seen.error is not None
    assert "internal" == stage.seen.error.code


async def test_a_bug_amid_a_stream_leaves_it_without_an_end(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The server drops the connection then; a forged end would pass half an answer for a whole one."""
    stage = Stage({"acme": a_stream().wait(1.0).say("more").done()}, clock)
    caller = Caller()

    def fail_at_the_second() -> None:
        if len(caller.pieces) == 2:
            raise RuntimeError("a bug")

    caller.on_piece = fail_at_the_second

    with caplog.at_level(logging.CRITICAL, "satisfice"):
        await stage.ask(caller, stream=True)

    assert not caller.has_end
    assert b"error" not in caller.body
    assert (False, "acme", None) == (stage.seen.is_complete, stage.seen.provider, stage.seen.error)


async def test_it_is_ready_when_there_is_something_to_sell(clock: ManualClock) -> None:
    assert Stage({"acme": WHOLE}, clock).gateway.is_ready
    assert not _gateway_with(_Source("acme"), clock).is_ready


async def test_it_looks_for_offers_from_its_start_to_its_stop(clock: ManualClock) -> None:
    source = _Source("acme")
    gateway = _gateway_with(source, clock)

    gateway.start()
    await gateway.refresher.has_looked.wait()
    assert gateway.is_ready
    assert ("small",) == gateway.catalog.models
    await asyncio.sleep(1_000)
    await gateway.stop()
    asked = source.asked
    await asyncio.sleep(1_000)

    assert asked == source.asked > 1


async def test_what_is_found_later_can_be_bought_at_once(clock: ManualClock) -> None:
    source = _Source("acme")
    gateway = _gateway_with(source, clock)

    refused, answered = Caller(), Caller()
    await gateway.answer(OpenAIChat(), a_body(), asking=Asking(), headers=(), downstream=refused)
    await gateway.refresher.refresh()
    await gateway.answer(OpenAIChat(), a_body(), asking=Asking(), headers=(), downstream=answered)

    assert [404, 200] == [refused.status, answered.status]


async def test_what_is_no_longer_offered_is_forgotten(clock: ManualClock) -> None:
    """It may come back years later, or another provider may take its name."""
    source = _Source("acme")
    gateway = _gateway_with(source, clock)
    await gateway.refresher.refresh()
    for _ in range(3):
        permit = gateway.memory.health.admit(an_offer("acme"), clock.now(), lease=1.0)
        assert isinstance(permit, Permit)
        gateway.memory.health.fail(permit, clock.now(), error="status 500", is_providers=False)
    before = set(gateway.memory.health.troubled)

    source.offers = (an_offer("acme", "large"),)
    await gateway.refresher.refresh()

    assert ({"small@acme"}, set()) == (before, set(gateway.memory.health.troubled))


async def test_who_names_a_new_price_is_judged_anew(clock: ManualClock) -> None:
    source = _Source("acme")
    gateway = _gateway_with(source, clock)
    await gateway.refresher.refresh()
    charges = gateway.memory.charges
    for _ in range(20):
        charges.note(an_offer("acme"), expected=Msat(100), charged=Msat(400))
    before = charges.factor(an_offer("acme").id)

    source.offers = (an_offer("acme", price=a_price(4_000_000, 8_000_000)),)
    await gateway.refresher.refresh()

    assert before > 3.0
    assert before**0.5 == pytest.approx(charges.factor(an_offer("acme").id))


@pytest.mark.parametrize(("leaves", "lessons"), [(False, 1), (True, 0)])
async def test_only_a_whole_answer_tells_how_long_answers_are(
    clock: ManualClock, lessons: int, *, leaves: bool
) -> None:
    stage = Stage({"acme": a_stream().usage(19, 10).wait(1.0).finish().done()}, clock)
    caller = Caller()
    if leaves:
        asyncio.get_running_loop().call_later(0.5, caller.gone.set)

    await stage.ask(caller, stream=True)

    assert (39, lessons) == (stage.seen.cost, stage.gateway.memory.forecast.version)


@pytest.mark.parametrize(("key", "turns"), [("ours", 1), ("another", 0), (None, 0)])
async def test_what_two_callers_call_a_conversation_is_not_the_same(
    key: str | None, turns: int, clock: ManualClock
) -> None:
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock)
    await stage.ask(body=a_body(prompt="one"), asking=Asking(key="ours", session="s"))

    await stage.ask(body=a_body(prompt="two"), asking=Asking(key=key, session="s"))

    assert [0, turns] == [job.decision.thread.turns for job, _ in stage.told]


async def test_to_stop_before_the_start_is_harmless(clock: ManualClock) -> None:
    await Stage({"acme": WHOLE}, clock).gateway.stop()


async def test_to_stop_ends_what_is_open_upstream(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().drip(1.0).say(" x" * 99).done()}, clock)
    caller = Caller()

    async with asyncio.TaskGroup() as group:
        group.create_task(stage.ask(caller, stream=True))
        await asyncio.sleep(5.0)
        assert 1 == stage.gateway.open_calls
        await stage.gateway.stop()

    assert "error: The stream from acme broke" in caller.events[-1]
    assert [Ending.ABORTED] == stage.endings


async def test_two_gateways_in_one_process_do_not_disturb_each_other(clock: ManualClock) -> None:
    one = Stage({"acme": a_stream().drip(1.0).say(" x" * 9).done()}, clock)
    other = Stage({"acme": STREAM}, clock, offers=[an_offer(price=None)])
    caller = Caller()

    async with asyncio.TaskGroup() as group:
        group.create_task(one.ask(caller, stream=True))
        await asyncio.sleep(5.0)
        assert (1, 0) == (one.gateway.open_calls, other.gateway.open_calls)
        await other.ask(stream=True)
        await other.gateway.stop()

    assert "[DONE]" == caller.events[-1]
    assert (1, 1) == (len(one.told), len(other.told))
    assert (True, None) == (one.seen.is_complete, other.seen.cost)
    assert not any(ending is Ending.OPEN for ending in one.endings + other.endings)


class _Source:
    """Sells `small` at its provider."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.period = 300.0
        self.asked = 0
        self.offers = (an_offer(name),)

    async def fetch(self) -> Listing:
        self.asked += 1
        if self.asked == 3:
            raise Broken(Break.REFUSED)
        return Listing(offers=self.offers)


def _gateway_with(source: _Source, clock: ManualClock) -> Gateway:
    return Gateway(
        Supply((), {source.name: Endpoint(provider=source.name, url="script://acme")}, sources=[source]),
        Policies(),
        pacing=a_pace(),
        transport=ScriptedTransport({"acme": WHOLE}, clock),
        clock=clock,
        memory=Memory(clock),
    )


async def test_offers_take_turns_for_each_model_by_itself(clock: ManualClock) -> None:
    """Calls for the two models come in turns, too: counted together each would always go to the same provider."""
    offers = [an_offer(provider, model=model) for model in ("small", "large") for provider in ("acme", "bell")]
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock, offers=offers)
    stage.under(Policies([Policy(name="fair", strategy=Strategy.ROUND_ROBIN)], "fair"))

    for _ in range(2):
        await stage.ask(body=a_body("small"))
        await stage.ask(body=a_body("large"))

    assert ["acme", "acme", "bell", "bell"] == stage.tried


async def test_an_error_names_the_policies_that_the_call_was_tried_under(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(max_attempts=1))
    stage.under(Policies([Policy(name="careful")], "careful"))

    caller = await stage.ask()

    assert (500, "careful") == (caller.status, caller.header("x-satisfice-policy"))
