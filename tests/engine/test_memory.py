"""What calls have taught: it is told on, outlives a restart, and goes over to a gateway with other settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, assert_never

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.attempt.outcome import Fault
from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Msat
from satisfice.core.clock import ManualClock
from satisfice.engine.memory import Memory, Unreadable
from satisfice.engine.visit import Visit
from satisfice.health.book import Trouble
from satisfice.health.breaker import Limits
from satisfice.routing.forecast import Expected, kind_of
from satisfice.wire.request import Ability
from tests.build import a_price, a_request, a_usage, an_offer, an_outcome

ACME: Final = an_offer("acme")
BELL: Final = an_offer("bell", price=a_price(cache_read=100_000))
OFFERS: Final = (ACME, BELL, an_offer("bell", "large"))
LACKS_TOOLS: Final = msgspec.structs.replace(an_outcome(Fault.ABILITY), learnt_lack=Ability.TOOLS)
TOO_LONG: Final = msgspec.structs.replace(an_outcome(Fault.CONTEXT), learnt_context=4_096)
TAUGHT: Final = {Fault.ABILITY: LACKS_TOOLS, Fault.CONTEXT: TOO_LONG}


class Succeeded(NamedTuple):
    offer: Offer
    tokens: int
    charged: int


class Failed(NamedTuple):
    offer: Offer
    fault: Fault


class Cached(NamedTuple):
    provider: str
    gap: int
    percent: int


class Passed(NamedTuple):
    seconds: int


Lived = Succeeded | Failed | Cached | Passed
_OFFER = st.sampled_from(OFFERS)
LIVES = st.lists(
    st.one_of(
        st.builds(Succeeded, _OFFER, st.integers(0, 10**6), st.integers(0, 10**6)),
        st.builds(Failed, _OFFER, st.sampled_from(Fault)),
        st.builds(Cached, st.sampled_from(("acme", "bell")), st.integers(0, 1_000), st.integers(0, 100)),
        st.builds(Passed, st.integers(0, 90)),
    )
)


def visiting(memory: Memory, clock: ManualClock, offer: Offer = ACME) -> Visit | None:
    """An attempt there, if its breaker lets it in."""
    permit = memory.health.admit(offer, clock.now(), lease=10.0)
    return None if isinstance(permit, Trouble) else Visit(memory.health, permit, clock=clock, lease=10.0)


def live(memory: Memory, clock: ManualClock, life: Iterable[Lived]) -> None:
    """Let it live through this."""
    request = a_request()
    for event in life:
        match event:
            case Succeeded(offer, tokens, charged):
                if visit := visiting(memory, clock, offer):
                    visit.ended(a_usage(19, tokens))
                memory.forecast.learn(request, offer.model, kind=kind_of(request), usage=a_usage(19, tokens))
                memory.charges.note(offer, expected=Msat(1_000), charged=Msat(charged))
            case Failed(offer, fault):
                if visit := visiting(memory, clock, offer):
                    memory.judge(visit, TAUGHT.get(fault) or an_outcome(fault), needs=frozenset((Ability.TOOLS,)))
            case Cached(provider, gap, percent):
                memory.conversations.caches.learn(provider, gap=gap, share=percent / 100)
            case Passed(seconds):
                clock.advance(seconds)
            case _ as never:
                assert_never(never)


def fail(memory: Memory, clock: ManualClock, times: int = 3, *, offer: Offer = ACME) -> None:
    """So often in a row, with other calls."""
    live(memory, clock, [Failed(offer, Fault.UPSTREAM)] * times)


def expected(memory: Memory) -> Expected:
    return memory.forecast.expect(a_request(), ACME.model, kind=kind_of(a_request()))


# What attempts teach.


def test_who_fails_is_told_to_its_breaker() -> None:
    memory, clock = Memory(ManualClock()), ManualClock()

    fail(memory, clock)

    assert None is visiting(memory, clock)
    assert not memory.has_new_lessons


def test_that_a_window_is_smaller_than_listed_is_a_lesson_once() -> None:
    memory, clock = Memory(ManualClock()), ManualClock()
    for is_news in (True, False):
        visit = visiting(memory, clock)
        assert visit is not None
        memory.has_new_lessons = False

        memory.judge(visit, TOO_LONG)

        assert is_news == memory.has_new_lessons
    assert 4_096 == memory.lessons.apply(ACME).capabilities.context


@pytest.mark.parametrize(("needs", "lacks"), [([Ability.TOOLS], [Ability.TOOLS]), ([], [])])
def test_that_an_ability_is_missing_is_a_lesson_if_it_was_needed(needs: list[Ability], lacks: list[Ability]) -> None:
    memory, clock = Memory(ManualClock()), ManualClock()
    visit = visiting(memory, clock)
    assert visit is not None

    memory.judge(visit, LACKS_TOOLS, needs=frozenset(needs))

    assert set(lacks) == memory.lessons.apply(ACME).capabilities.lacks
    assert bool(lacks) == memory.has_new_lessons


# What it tells.


async def test_who_waits_for_a_change_is_told_of_it(clock: ManualClock) -> None:
    memory = Memory(clock)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(memory.changed(60.0))
        await asyncio.sleep(1.0)
        fail(memory, clock)
        fail(memory, clock, offer=BELL)

    assert 1_001.0 == clock.now()


async def test_nobody_waits_for_a_change_for_ever(clock: ManualClock) -> None:
    await Memory(clock).changed(3.0)

    assert 1_003.0 == clock.now()


def test_an_outage_is_a_warning_and_its_end_is_news(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    memory = Memory(clock)
    caplog.set_level(logging.INFO)

    fail(memory, clock)
    clock.advance(60.0)
    live(memory, clock, [Succeeded(ACME, 1, 1)])

    assert [
        ("WARNING", "offer small@acme is left alone after: status 500"),
        ("INFO", "offer small@acme is well again"),
    ] == [(record.levelname, record.getMessage()) for record in caplog.records]


def test_that_a_probe_told_nothing_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    memory = Memory(clock)
    fail(memory, clock)
    clock.advance(60.0)
    caplog.clear()
    probe = visiting(memory, clock)
    assert probe is not None

    probe.dropped()

    assert [] == caplog.records


# What is kept.


@given(LIVES)
def test_whatever_it_has_lived_through_is_kept_to_the_last_byte(life: list[Lived]) -> None:
    clock = ManualClock()
    memory, again = Memory(clock), Memory(clock)
    live(memory, clock, life)

    again.restore(memory.to_bytes(), OFFERS)

    assert memory.to_bytes() == again.to_bytes()


def test_what_was_learnt_counts_after_a_restart() -> None:
    clock = ManualClock()
    memory, again = Memory(clock), Memory(clock)
    live(memory, clock, [Succeeded(ACME, 90_000, 3_000)] * 5)
    memory.lessons.learn_context(ACME.id, 4_096)

    again.restore(memory.to_bytes(), OFFERS)

    assert expected(memory) == expected(again) != expected(Memory(clock))
    assert 1.0 < memory.charges.factor(ACME.id) == again.charges.factor(ACME.id)
    assert 4_096 == again.lessons.apply(ACME).capabilities.context
    assert again.has_new_lessons, "who knows offers by older lessons has to look again"


@pytest.mark.parametrize(("seconds", "is_let_in"), [(0, False), (20, False), (60, True), (10**6, True), (-900, False)])
def test_an_outage_lasts_through_a_restart_by_the_clock_on_the_wall(seconds: int, *, is_let_in: bool) -> None:
    """The other clock begins anew with each boot. A wall clock that went back has seen no time pass."""
    before = ManualClock(now=9_000.0, unix_ms=1_764_000_000_000)
    after = ManualClock(now=5.0, unix_ms=1_764_000_000_000 + seconds * 1_000)
    memory, again = Memory(before), Memory(after)
    fail(memory, before)

    again.restore(memory.to_bytes(), OFFERS)

    assert is_let_in == (visiting(again, after) is not None)
    assert visiting(again, after, BELL), "the others are as they were"


def test_after_a_restart_a_new_price_is_judged_anew_though_it_is_in_the_file_alone() -> None:
    clock = ManualClock()
    memory, again = Memory(clock), Memory(clock)
    live(memory, clock, [Succeeded(ACME, 1, 16_000)] * 40)
    cheaper = an_offer("acme", price=a_price(1_000, 2_000))

    again.restore(memory.to_bytes(), [cheaper])

    assert again.charges.factor(ACME.id) == pytest.approx(memory.charges.factor(ACME.id) ** 0.5)


# What can't be read.


@pytest.fixture(scope="module")
def kept() -> bytes:
    """Of a memory that has something to say in every part."""
    clock = ManualClock()
    memory = Memory(clock)
    fail(memory, clock)
    life: list[Lived] = [Succeeded(BELL, 500, 1_200), Cached("bell", 60, 90), Failed(BELL, Fault.CONTEXT), Passed(5)]
    live(memory, clock, life)
    return memory.to_bytes()


def is_refused(data: bytes) -> bool:
    """Whether it is, and nothing of it is left; if it isn't, the memory can be used."""
    clock = ManualClock()
    memory = Memory(clock)
    fresh = memory.to_bytes()
    try:
        memory.restore(data, OFFERS)
    except Unreadable as refusal:
        assert fresh == memory.to_bytes()
        assert not memory.has_new_lessons
        return bool(str(refusal))
    memory.to_bytes()
    visiting(memory, clock)
    return False


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is damaged: Input data was truncated"),
        (b"null", "it is damaged: Expected `object`, got `null`"),
        (b"[" * 100_000, "it is damaged: "),
        (b'{"version":"1"}', "it is damaged: Expected `int`, got `str`"),
        (b'{"version":1}', "it is damaged: Object missing required field `health`"),
        (b'{"version":0,"anything":[]}', "it is of version 0, and only version 1 is understood"),
        (b'{"version":2,"health":{}}', "it is of version 2, and only version 1 is understood"),
    ],
)
def test_what_can_not_be_read_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        Memory(ManualClock()).restore(data, OFFERS)

    assert why in str(refusal.value)
    assert is_refused(data)


@given(st.data())
def test_half_a_file_is_refused(kept: bytes, data: st.DataObject) -> None:
    assert is_refused(kept[: data.draw(st.integers(0, len(kept) - 1))])


@given(st.data())
def test_damaged_bytes_are_refused_or_harmless(kept: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(kept) - 1))

    is_refused(kept[:at] + data.draw(st.binary(max_size=4)) + kept[at + 1 :])


_ODD: Final[tuple[object, ...]] = (None, True, "odd", [], {}, -1, 0, 2**63, 10**30, 1e308, -1e308, 1e-308)


def test_any_value_in_any_place_is_refused_or_harmless(kept: bytes) -> None:
    for odd in _ODD:
        for damaged in _damaged(msgspec.json.decode(kept), odd):
            is_refused(msgspec.json.encode(damaged))


def _damaged(value: object, odd: object) -> Iterator[object]:
    """The document with this in place of each of its values in turn."""
    yield odd
    match value:
        case dict():
            for key, each in value.items():
                for damaged in _damaged(each, odd):
                    yield {**value, key: damaged}
        case list():
            for at, each in enumerate(value):
                for damaged in _damaged(each, odd):
                    yield [*value[:at], damaged, *value[at + 1 :]]


# What goes over to another gateway.


def test_other_settings_judge_by_what_was_known_before() -> None:
    clock = ManualClock()
    former = Memory(clock, lifetimes={"bell": 60.0})
    memory = Memory(clock, limits=Limits(failures=3, open_for=1.0, open_max=8.0), lifetimes={"bell": 600.0})
    fail(former, clock)
    live(former, clock, [Succeeded(BELL, 90_000, 3_000)] * 5)
    former.lessons.learn_context(ACME.id, 4_096)

    memory.follow(former, OFFERS)

    assert visiting(memory, clock) is None
    clock.advance(10.0)
    assert visiting(memory, clock), "by the new limits it has waited for long enough"
    assert visiting(former, clock) is None
    assert expected(former) == expected(memory)
    assert 4_096 == memory.lessons.apply(ACME).capabilities.context
    assert memory.has_new_lessons
    assert {"bell": 600.0} == memory.conversations.caches.lifetimes


def test_calls_that_go_on_by_the_old_settings_teach_the_new_ones_what_calls_cost() -> None:
    clock = ManualClock()
    former, memory = Memory(clock), Memory(clock)
    memory.follow(former, OFFERS)

    live(former, clock, [Succeeded(ACME, 90_000, 3_000)] * 5)
    fail(former, clock)

    assert expected(former) == expected(memory) != expected(Memory(clock))
    assert 1.0 < memory.charges.factor(ACME.id)
    assert former.conversations is memory.conversations
    assert visiting(memory, clock), "but a provider's old address says nothing of its new one"
