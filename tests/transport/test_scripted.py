"""Scripts are played at the port as documented there, in the time of an injected clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from satisfice.core.clock import ManualClock, SystemClock
from satisfice.core.errors import Break, Broken
from satisfice.ports import Endpoint, Sending, Timeouts
from satisfice.transport.scenario import scenario
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending, ScriptedAnswer, ScriptedTransport, Sent, instant

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from satisfice.ports import Answer, Transport

    # The type checker tests that the ports are filled.
    _transport: type[Transport] = ScriptedTransport
    _answer: type[Answer] = ScriptedAnswer

_TIMEOUTS = Timeouts(connect=1, first_byte=4, idle=2, total=60)
_ENDPOINT = Endpoint(provider="acme", url="script://acme", timeouts=_TIMEOUTS)
_ASKED = {"model": "demo-small", "messages": [{"role": "user", "content": "Hello"}]}
_WHOLE = Sending("/chat/completions", msgspec.json.encode(_ASKED))
_STREAM = Sending("/chat/completions", msgspec.json.encode({**_ASKED, "stream": True}))


class _Play:
    """Scripts of one provider, a clock that stands still until somebody sleeps, and the seconds since the start."""

    def __init__(self, *scripts: Script) -> None:
        self.clock = ManualClock()
        self.transport = ScriptedTransport({"acme": scripts}, self.clock, sleep=instant(self.clock))
        self._start = self.clock.now()

    @property
    def passed(self) -> float:
        return self.clock.now() - self._start

    async def open(self, *, expires_in: float = 1_000) -> ScriptedAnswer:
        sending = msgspec.structs.replace(_WHOLE, expires_at=self.clock.now() + expires_in)
        return await self.transport.open(_ENDPOINT, sending)

    @property
    def endings(self) -> list[Ending]:
        return [answer.ending for answer in self.transport.answers]


async def _breaks(doing: Awaitable[object]) -> Break:
    with pytest.raises(Broken) as caught:
        await doing
    return caught.value.kind


async def test_the_head_is_here_when_the_answer_is() -> None:
    play = _Play(Script().wait(1).head(429, {"retry-after": "2"}).body("{}"))
    answer = await play.open()

    assert (429, ((b"retry-after", b"2"), (b"content-type", b"application/json"))) == (answer.status, answer.headers)
    assert 1 == play.passed


async def test_a_body_is_read_to_its_end() -> None:
    play = _Play(Script().head(200).body("ab").wait(1).body("c").wait(1))
    answer = await play.open()

    assert b"abc" == await answer.read(3)
    assert 2 == play.passed
    assert b"" == await answer.chunk()
    assert [Ending.ENDED] == play.endings


async def test_a_body_over_the_limit_is_too_large() -> None:
    play = _Play(Script().head(200).body("ab").body("c").stall())
    answer = await play.open()

    assert Break.TOO_LARGE == await _breaks(answer.read(2))
    assert Break.TOO_LARGE == await _breaks(answer.chunk())
    assert [Ending.BROKEN] == play.endings


async def test_chunks_come_one_by_one() -> None:
    answer = await _Play(Script().split(2).head(200).raw(b"abc").raw(b"d")).open()

    assert [b"ab", b"c", b"d", b"", b""] == [await answer.chunk() for _ in range(5)]


async def test_a_pump_hands_over_each_piece_when_it_is_due_and_tells_of_the_end() -> None:
    play = _Play(Script().head(200).drip(1).raw(b"a").raw(b"b"))
    answer = await play.open()
    seen: list[tuple[float, bytes]] = []

    def sink(piece: bytes) -> bool:
        seen.append((play.passed, piece))
        return True

    assert not await answer.pump(sink)
    assert [(0, b"a"), (1, b"b")] == seen
    assert [Ending.ENDED] == play.endings


async def test_a_pump_stops_when_the_sink_says_so_and_can_go_on() -> None:
    answer = await _Play(Script().head(200).raw(b"a").raw(b"b")).open()
    seen: list[bytes] = []

    def sink(piece: bytes) -> bool:
        seen.append(piece)
        return piece != b"a"

    assert await answer.pump(sink)
    assert [b"a"] == seen
    assert not await answer.pump(sink)
    assert [b"a", b"b"] == seen


async def test_what_came_while_nobody_read_is_there_at_once() -> None:
    play = _Play(Script().head(200).drip(1).raw(b"a").repeat(2))
    answer = await play.open()
    play.clock.advance(1.5)

    assert [b"a", b"a"] == [await answer.chunk(), await answer.chunk()]
    assert 1.5 == play.passed
    await answer.chunk()
    assert 2 == play.passed


async def test_beyond_the_high_water_mark_the_upstream_waits_for_its_reader() -> None:
    play = _Play(Script().head(200).drip(1).raw(b"x" * 40_000).repeat(9))
    answer = await play.open()
    await answer.chunk()
    answer.flow()
    play.clock.advance(100)
    for _ in range(2):
        await answer.chunk()

    assert 100 == play.passed
    await answer.chunk()
    assert 101 == play.passed


@pytest.mark.parametrize("kind", [Break.REFUSED, Break.UNREACHABLE, Break.TLS, Break.PROXY, Break.CUT, Break.MALFORMED])
async def test_it_breaks_before_the_head(kind: Break) -> None:
    play = _Play(Script().wait(0.5).fault(kind))

    assert kind == await _breaks(play.open())
    assert 0.5 == play.passed
    assert [Ending.BROKEN] == play.endings


@pytest.mark.parametrize("kind", [Break.CUT, Break.MALFORMED])
async def test_it_breaks_within_the_body_and_stays_broken(kind: Break) -> None:
    play = _Play(Script().head(200).raw(b"a").fault(kind))
    answer = await play.open()

    assert b"a" == await answer.chunk()
    assert kind == await _breaks(answer.read(100))
    assert kind == await _breaks(answer.pump(lambda _: True))
    assert [Ending.BROKEN] == play.endings


async def test_a_connection_that_never_stands_breaks_at_the_connect_timeout() -> None:
    play = _Play(Script().fault(Break.CONNECT_TIMEOUT))

    assert Break.CONNECT_TIMEOUT == await _breaks(play.open())
    assert _TIMEOUTS.connect == play.passed


async def test_a_refusal_that_takes_too_long_is_a_connect_timeout() -> None:
    play = _Play(Script().wait(9).refuse())

    assert Break.CONNECT_TIMEOUT == await _breaks(play.open())
    assert _TIMEOUTS.connect == play.passed


@pytest.mark.parametrize("script", [Script().stall(), Script().wait(9).head(200), Script().wait(4).head(200)])
async def test_a_head_that_does_not_come_breaks_at_the_first_byte_timeout(script: Script) -> None:
    play = _Play(script)

    assert Break.FIRST_BYTE_TIMEOUT == await _breaks(play.open())
    assert _TIMEOUTS.first_byte == play.passed


async def test_pieces_without_output_do_not_stop_the_first_byte_timeout() -> None:
    play = _Play(Script().wait(1).head(200).drip(0.7).comment("hm").repeat(1_000))
    answer = await play.open()

    assert Break.FIRST_BYTE_TIMEOUT == await _breaks(answer.read(10_000))
    assert _TIMEOUTS.first_byte == play.passed


async def test_once_it_flows_only_silence_counts() -> None:
    play = _Play(Script().head(200).drip(1.5).raw(b"a").repeat(9).stall())
    answer = await play.open()
    answer.flow()

    assert Break.IDLE_TIMEOUT == await _breaks(answer.read(100))
    assert 9 * 1.5 + _TIMEOUTS.idle == play.passed


async def test_silence_counts_from_the_moment_it_flows() -> None:
    play = _Play(Script().head(200).raw(b"a").stall())
    answer = await play.open()
    await answer.chunk()
    play.clock.advance(3)
    answer.flow()

    assert Break.IDLE_TIMEOUT == await _breaks(answer.chunk())
    assert 3 + _TIMEOUTS.idle == play.passed


@pytest.mark.parametrize("script", [Script().wait(3).head(200), Script().stall(), Script().wait(0.4).refuse()])
async def test_the_whole_call_is_over_when_it_expires(script: Script) -> None:
    play = _Play(script)

    assert Break.TOTAL_TIMEOUT == await _breaks(play.open(expires_in=0.25))
    assert 0.25 == play.passed


async def test_a_stream_is_over_when_the_call_expires() -> None:
    play = _Play(Script().head(200).drip(1).raw(b"a").repeat(99))
    answer = await play.open(expires_in=9.5)
    answer.flow()

    assert Break.TOTAL_TIMEOUT == await _breaks(answer.read(100))
    assert 9.5 == play.passed


async def test_a_body_without_a_head_is_malformed_and_nothing_at_all_is_a_cut() -> None:
    """The builder refuses such scripts, but steps may be put together without it."""
    headless = Script(Script().head(200).raw(b"a").steps[1:])

    assert Break.MALFORMED == await _breaks(_Play(headless).open())
    assert Break.CUT == await _breaks(_Play(Script()).open())
    answer = await _Play(Script(Script().head(200).steps * 2)).open()
    assert Break.MALFORMED == await _breaks(answer.chunk())


async def test_an_aborted_answer_gives_nothing_more() -> None:
    play = _Play(Script().head(200).raw(b"a"))
    answer = await play.open()
    answer.abort()
    answer.abort()
    answer.close()

    assert Break.CUT == await _breaks(answer.chunk())
    assert [Ending.ABORTED] == play.endings


async def test_to_abort_after_the_end_is_harmless() -> None:
    play = _Play(Script().head(200))
    answer = await play.open()
    await answer.read(0)
    answer.abort()

    assert b"" == await answer.chunk()
    assert [Ending.ENDED] == play.endings


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        (Script().head(200), Ending.ENDED),
        (Script().head(200).wait(1), Ending.CLOSED),
        (Script().head(200).raw(b"a"), Ending.CLOSED),
        (Script().head(200).stall(), Ending.CLOSED),
        (Script().head(200).cut(), Ending.CLOSED),
    ],
)
async def test_a_closed_answers_connection_is_kept_if_the_end_is_at_hand(script: Script, ending: Ending) -> None:
    play = _Play(script)
    answer = await play.open()
    answer.close()

    assert [ending] == play.endings


async def test_an_abort_reaches_who_waits_for_a_piece() -> None:
    play = _Play(Script().head(200).wait(1).raw(b"a"))
    answer = await play.open()
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_breaks(answer.chunk()))
        await asyncio.sleep(0)
        answer.abort()

    assert Break.CUT == reading.result()


async def test_cancelling_the_wait_for_the_head_drops_the_connection() -> None:
    play = _Play(Script().wait(1).head(200))
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(play.open())
        await asyncio.sleep(0)
        opening.cancel()

    assert [Ending.ABORTED] == play.endings


async def test_cancelling_the_wait_for_a_piece_loses_nothing() -> None:
    play = _Play(Script().head(200).wait(1).raw(b"a").raw(b"b"))
    answer = await play.open()
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(answer.chunk())
        await asyncio.sleep(0)
        reading.cancel()

    assert b"ab" == await answer.read(2)


async def test_closing_the_transport_aborts_what_is_open() -> None:
    play = _Play(Script().head(200).raw(b"a"))
    await (await play.open()).read(1)
    await play.open()
    await play.transport.aclose()

    assert [Ending.ENDED, Ending.ABORTED] == play.endings


async def test_each_attempt_plays_the_next_script_and_the_last_one_again() -> None:
    play = _Play(Script().head(500), Script().head(200))

    assert [500, 200, 200] == [(await play.open()).status for _ in range(3)]


async def test_what_was_sent_is_remembered_in_order() -> None:
    clock = ManualClock()
    scripts = {"acme": Script().refuse(), "bolt": Script().head(200)}
    transport = ScriptedTransport(scripts, clock, sleep=instant(clock), memory=2)
    bolt = Endpoint(provider="bolt", url="script://bolt")
    await transport.open(bolt, _WHOLE)
    await _breaks(transport.open(_ENDPOINT, _WHOLE))
    await transport.open(bolt, _STREAM)

    assert [Sent("acme", _WHOLE), Sent("bolt", _STREAM)] == list(transport.sent)
    assert [Ending.BROKEN, Ending.OPEN] == [answer.ending for answer in transport.answers]


async def test_a_provider_without_a_part_is_not_reachable() -> None:
    transport = ScriptedTransport({}, ManualClock())

    assert Break.UNREACHABLE == await _breaks(transport.open(_ENDPOINT, _WHOLE))


async def test_the_models_of_a_provider_can_be_asked_for_without_using_up_a_script() -> None:
    demo = scenario("demo")
    clock = ManualClock()
    transport = ScriptedTransport(demo, clock, sleep=instant(clock))
    answers = [await transport.open(each, Sending("/models", b"", method="GET")) for each in demo.endpoints]
    lists = [msgspec.json.decode(await answer.read(10_000)) for answer in answers]

    assert ["demo-small"] == [model["id"] for model in lists[0]["data"]]
    assert ["demo-small", "demo-large"] == [model["id"] for model in lists[1]["data"]]
    assert 200 == (await transport.open(demo.endpoints[0], _WHOLE)).status


async def test_the_demo_model_answers_at_the_providers_pace() -> None:
    play = scenario("caller-leaves")
    clock = ManualClock()
    start = clock.now()
    answer = await ScriptedTransport(play, clock, sleep=instant(clock)).open(play.endpoints[0], _STREAM)
    first_byte = clock.now() - start
    body = await answer.read(100_000)

    assert 0.5 == first_byte
    assert body.count(b"data: ") - 1 == round(clock.now() - start - first_byte)


async def test_on_the_real_clock_it_takes_the_real_time() -> None:
    clock = SystemClock()
    start = clock.now()
    answer = await ScriptedTransport({"acme": Script().wait(0.02).head(200).wait(0.02)}, clock).open(_ENDPOINT, _WHOLE)
    await answer.read(0)

    assert 0.035 < clock.now() - start < 5
