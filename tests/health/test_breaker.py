"""The breaker, state by state, and through any history that hypothesis thinks of."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.health.breaker import Breaker, Limits, State, Ticket

_LIMITS = Limits(failures=3, open_for=30.0, open_max=100.0)
_LEASE = 10.0


def _breaker(limits: Limits = _LIMITS, *, chance: float = 0.0) -> Breaker:
    return Breaker(limits, chance=lambda: chance)


def _admitted(breaker: Breaker, now: float, *, lease: float = _LEASE) -> Ticket:
    ticket = breaker.admit(now, lease)
    assert ticket is not None
    return ticket


def _fail(breaker: Breaker, now: float, *, times: int = 1) -> None:
    for _ in range(times):
        assert breaker.fail(_admitted(breaker, now), now, error="status 500")


def _opened(now: float = 0.0, *, chance: float = 0.0) -> Breaker:
    breaker = _breaker(chance=chance)
    _fail(breaker, now, times=3)
    return breaker


def test_three_failures_in_a_row_open_it_for_half_a_minute_unless_the_operator_wants_it_otherwise() -> None:
    assert (3, 30.0, 120.0) == Limits()


def test_it_is_closed_to_begin_with() -> None:
    breaker = _breaker()

    assert State.CLOSED is breaker.state(0.0)
    assert (0, None, None, None) == (breaker.failures, breaker.last_error, breaker.opened_at, breaker.probe_at)
    assert not breaker.is_probing(0.0)


def test_a_closed_one_lets_in_any_number_at_once() -> None:
    breaker = _breaker()

    assert None not in [breaker.admit(0.0, _LEASE) for _ in range(10)]


def test_it_opens_with_the_last_failure_allowed_in_a_row() -> None:
    breaker = _breaker()

    _fail(breaker, 1.0, times=2)
    assert (State.CLOSED, 2, "status 500") == (breaker.state(1.0), breaker.failures, breaker.last_error)

    _fail(breaker, 2.0)
    assert (State.OPEN, 3) == (breaker.state(2.0), breaker.failures)
    assert (2.0, 32.0) == (breaker.opened_at, breaker.probe_at)
    assert breaker.admit(31.9, _LEASE) is None


def test_a_success_ends_the_row() -> None:
    breaker = _breaker()
    _fail(breaker, 0.0, times=2)

    assert breaker.succeed(_admitted(breaker, 1.0), 1.0)

    assert (0, None) == (breaker.failures, breaker.last_error)
    _fail(breaker, 2.0, times=2)
    assert State.CLOSED is breaker.state(2.0)


def test_time_alone_makes_it_half_open() -> None:
    """Nobody has to ask, and no timer runs: its health can be shown without any traffic (B-14)."""
    breaker = _opened()

    assert [State.OPEN, State.HALF_OPEN] == [breaker.state(29.9), breaker.state(30.0)]
    assert not breaker.is_probing(30.0)


def test_half_open_it_lets_one_in() -> None:
    breaker = _opened()

    assert breaker.admit(30.0, _LEASE) is not None
    assert breaker.admit(30.0, _LEASE) is None
    assert breaker.is_probing(30.0)
    assert (State.HALF_OPEN, 40.0) == (breaker.state(30.0), breaker.free_at)


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = _opened()

    assert breaker.succeed(_admitted(breaker, 30.0), 31.0)

    assert State.CLOSED is breaker.state(31.0)
    assert (0, None, None, None) == (breaker.failures, breaker.last_error, breaker.opened_at, breaker.probe_at)


def test_a_probe_that_fails_opens_it_again_for_twice_as_long() -> None:
    breaker = _opened()

    assert breaker.fail(_admitted(breaker, 30.0), 31.0, error="cut")

    assert (State.OPEN, 4, "cut") == (breaker.state(31.0), breaker.failures, breaker.last_error)
    assert (0.0, 31.0 + 60.0) == (breaker.opened_at, breaker.probe_at)


def test_the_doubling_ends_at_the_longest() -> None:
    breaker = _opened()
    waits = []
    for _ in range(100):
        now = breaker.free_at
        breaker.fail(_admitted(breaker, now), now, error="cut")
        waits.append(breaker.free_at - now)

    assert [60.0] + [100.0] * 99 == waits


@pytest.mark.parametrize(("closed_for", "seconds"), [(99.0, 60.0), (100.0, 30.0)])
def test_the_doubling_is_forgotten_after_a_good_while(closed_for: float, seconds: float) -> None:
    """What falls over as soon as it is up gets longer and longer rests; what was well for long begins anew."""
    breaker = _opened()
    breaker.succeed(_admitted(breaker, 30.0), 30.0)
    now = 30.0 + closed_for

    _fail(breaker, now, times=3)

    assert now + seconds == breaker.probe_at


def test_chance_adds_up_to_a_quarter() -> None:
    """Or all gateways that saw the same outage would come back in the same instant."""
    assert 33.75 == _opened(chance=0.5).probe_at


def test_a_probe_that_tells_nothing_leaves_it_to_the_next_call() -> None:
    """The caller left, or its request was wrong: that says nothing of the upstream (B-15)."""
    breaker = _opened()

    assert breaker.release(_admitted(breaker, 30.0))

    assert (State.HALF_OPEN, False, 3) == (breaker.state(30.0), breaker.is_probing(30.0), breaker.failures)
    assert breaker.succeed(_admitted(breaker, 30.0), 30.0)


def test_other_calls_that_tell_nothing_change_nothing() -> None:
    breaker = _breaker()
    ticket = _admitted(breaker, 0.0)

    assert not breaker.release(ticket)
    assert breaker.succeed(ticket, 0.0)


def test_a_probe_whose_lease_is_over_no_longer_counts() -> None:
    """Whatever becomes of it, the next call may try (B-01, B-03)."""
    breaker = _opened()
    late = _admitted(breaker, 30.0)

    assert not breaker.is_probing(40.0)
    assert not breaker.succeed(late, 40.0)
    assert not breaker.fail(late, 40.0, error="late")
    probe = _admitted(breaker, 40.0)
    assert not breaker.succeed(late, 41.0)
    assert not breaker.release(late)
    assert breaker.is_probing(41.0)
    assert breaker.succeed(probe, 41.0)


def test_late_failures_do_not_prolong_the_pause() -> None:
    """Of ten calls that were under way when it opened, three count (B-13)."""
    breaker = _breaker()
    tickets = [_admitted(breaker, 0.0) for _ in range(10)]

    news = [breaker.fail(ticket, float(second), error="cut") for second, ticket in enumerate(tickets)]

    assert [True] * 3 + [False] * 7 == news
    assert (3, 32.0) == (breaker.failures, breaker.probe_at)


def test_a_late_success_does_not_close_it() -> None:
    breaker = _breaker()
    slow = _admitted(breaker, 0.0)
    _fail(breaker, 1.0, times=3)

    assert not breaker.succeed(slow, 2.0)
    assert (State.OPEN, 3) == (breaker.state(2.0), breaker.failures)


def test_failures_of_the_time_before_it_opened_do_not_count_when_it_is_closed_again() -> None:
    breaker = _breaker()
    slow = _admitted(breaker, 0.0)
    _fail(breaker, 1.0, times=3)
    breaker.succeed(_admitted(breaker, 31.0), 32.0)

    assert not breaker.fail(slow, 33.0, error="cut")
    assert 0 == breaker.failures


def test_what_was_under_way_when_it_opened_does_not_speak_for_the_probe() -> None:
    breaker = _breaker()
    slow = _admitted(breaker, 0.0)
    _fail(breaker, 1.0, times=3)
    _admitted(breaker, 31.0)

    assert not breaker.succeed(slow, 32.0)
    assert breaker.is_probing(32.0)


def test_a_probe_that_told_nothing_does_not_speak_for_the_next_one() -> None:
    breaker = _opened()
    first = _admitted(breaker, 30.0)
    breaker.release(first)
    _admitted(breaker, 31.0)

    assert not breaker.fail(first, 32.0, error="late")
    assert not breaker.release(first)
    assert breaker.is_probing(32.0)


def test_a_probe_that_closed_it_has_no_say_when_it_is_open_again() -> None:
    breaker = _opened()
    probe = _admitted(breaker, 30.0)
    breaker.succeed(probe, 30.0)
    _fail(breaker, 31.0, times=3)

    assert not breaker.succeed(probe, 32.0)
    assert State.OPEN is breaker.state(32.0)


def test_it_goes_on_from_what_was_saved() -> None:
    saved = _opened(100.0).save(110.0)
    breaker = _breaker()

    breaker.restore(saved, 5.0)

    assert (State.OPEN, State.HALF_OPEN) == (breaker.state(24.9), breaker.state(25.0))
    assert (3, "status 500", -5.0, 25.0) == (
        breaker.failures,
        breaker.last_error,
        breaker.opened_at,
        breaker.probe_at,
    )
    breaker.fail(_admitted(breaker, 25.0), 25.0, error="cut")
    assert 25.0 + 60.0 == breaker.probe_at


@pytest.mark.parametrize(("later", "seconds"), [(49.0, 60.0), (50.0, 30.0)])
def test_a_closed_one_goes_on_from_what_was_saved(later: float, seconds: float) -> None:
    """A good while without trouble may have begun before it was saved."""
    before = _opened(100.0)
    before.succeed(_admitted(before, 130.0), 130.0)
    _fail(before, 131.0)
    breaker = _breaker()

    breaker.restore(before.save(180.0), 1_000.0)

    assert (State.CLOSED, 1) == (breaker.state(1_000.0), breaker.failures)
    _fail(breaker, 1_000.0 + later, times=2)
    assert 1_000.0 + later + seconds == breaker.probe_at


def test_a_probe_is_not_saved() -> None:
    """Whoever held it has gone with the process."""
    before = _opened(100.0)
    _admitted(before, 130.0, lease=1_000.0)
    breaker = _breaker()

    breaker.restore(before.save(131.0), 5.0)

    assert State.HALF_OPEN is breaker.state(5.0)
    assert breaker.admit(5.0, _LEASE) is not None


def test_it_is_no_more_patient_than_the_limits_of_today_allow() -> None:
    saved = _opened(100.0).save(100.0)
    breaker = _breaker(Limits(open_for=1.0, open_max=4.0))

    breaker.restore(saved, 5.0)

    assert 5.0 + 5.0 == breaker.probe_at


_STEPS = st.lists(
    st.tuples(st.sampled_from(["admit", "admit", "succeed", "fail", "fail", "release", "wait"]), st.integers(0, 40)),
    max_size=80,
)
_SETTINGS = st.builds(
    Limits, failures=st.integers(1, 3), open_for=st.sampled_from([5.0, 30.0]), open_max=st.sampled_from([30.0, 100.0])
)


class _Visit(NamedTuple):
    """One call that was let in."""

    ticket: Ticket
    is_probe: bool
    epoch: int
    until: float


class _World:
    """Drives a breaker, and holds it to what must always be true."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.breaker = _breaker(limits, chance=0.5)
        self.now = 0.0
        self.epoch = 0  # a visit of an earlier one is late
        self.visits: list[_Visit] = []

    def live(self, steps: list[tuple[str, int]]) -> None:
        for action, number in steps:
            if action == "wait":
                self.now += number
            elif action == "admit":
                self._admit()
            elif self.visits:
                self._tell(action, self.visits[number % len(self.visits)])

    def facts(self) -> tuple[object, ...]:
        """All that can be seen now; which time of the past it last was free at can't."""
        breaker = self.breaker
        return (
            breaker.state(self.now),
            breaker.is_probing(self.now),
            breaker.failures,
            breaker.last_error,
            breaker.opened_at,
            breaker.probe_at,
            max(self.now, breaker.free_at),
        )

    def _admit(self) -> None:
        state = self.breaker.state(self.now)
        is_taken = any(visit.is_probe and not self._is_late(visit) for visit in self.visits)
        ticket = self.breaker.admit(self.now, _LEASE)
        assert (ticket is not None) == (state is State.CLOSED or (state is State.HALF_OPEN and not is_taken))
        if ticket is not None:
            is_probe = state is State.HALF_OPEN
            self.epoch += is_probe
            until = self.now + _LEASE if is_probe else math.inf
            self.visits.append(_Visit(ticket, is_probe, self.epoch, until))

    def _tell(self, action: str, visit: _Visit) -> None:
        before = self.facts()
        match action:
            case "succeed":
                self.breaker.succeed(visit.ticket, self.now)
            case "fail":
                self.breaker.fail(visit.ticket, self.now, error="cut")
            case _:
                self.breaker.release(visit.ticket)
        if self._is_late(visit):
            assert before == self.facts()
        elif visit.is_probe or self.breaker.opened_at is not None:
            self.epoch += 1
        # What comes of a probe is told again and again; that of others is known to come once.
        if not visit.is_probe:
            self.visits.remove(visit)

    def _is_late(self, visit: _Visit) -> bool:
        return visit.epoch != self.epoch or self.now >= visit.until


@given(limits=_SETTINGS, steps=_STEPS)
def test_there_are_never_two_probes_and_late_news_changes_nothing(limits: Limits, steps: list[tuple[str, int]]) -> None:
    _World(limits).live(steps)


@given(limits=_SETTINGS, steps=_STEPS)
def test_every_ticket_comes_back(limits: Limits, steps: list[tuple[str, int]]) -> None:
    """Whatever becomes of those who hold one, the next call is let in once lease and pause are over."""
    world = _World(limits)
    world.live(steps)

    now = world.now + max(_LEASE, 1.25 * limits.open_max)

    assert world.breaker.succeed(_admitted(world.breaker, now), now)
    assert State.CLOSED is world.breaker.state(now)


@given(limits=_SETTINGS, steps=_STEPS)
def test_the_pause_is_within_its_bounds(limits: Limits, steps: list[tuple[str, int]]) -> None:
    world = _World(limits)
    world.live(steps)

    probe_at = world.breaker.probe_at

    assert probe_at is None or probe_at - world.now <= 1.25 * limits.open_max


def test_it_may_be_half_open_sooner_once_it_has_been_left_alone_for_a_while() -> None:
    breaker = _down_since(now=0.0)

    assert [None, 5.0, None] == [breaker.pause(4.9), breaker.pause(5.0), breaker.pause(30.0)]
    breaker.hasten(5.0)
    assert State.HALF_OPEN is breaker.state(5.0)


def test_a_long_pause_has_to_last_for_an_eighth_of_its_time() -> None:
    breaker = _down_since(now=0.0)
    for now in (30.0, 90.0):
        breaker.fail(breaker.admit(now, 10.0), now, error="down")

    assert [None, 15.0] == [breaker.pause(104.9), breaker.pause(105.0)]


def test_a_probe_that_was_hastened_makes_the_pauses_no_longer() -> None:
    """Or those that are tried soonest when all are down would be left alone longest."""
    breaker = _down_since(now=0.0)
    breaker.hasten(5.0)
    breaker.fail(breaker.admit(5.0, 10.0), 5.0, error="down")
    assert 35.0 == breaker.probe_at

    breaker.fail(breaker.admit(35.0, 10.0), 35.0, error="down")
    assert 95.0 == breaker.probe_at


def test_after_it_was_hastened_and_closed_the_pauses_double_as_ever() -> None:
    breaker = _down_since(now=0.0)
    breaker.hasten(5.0)
    breaker.succeed(breaker.admit(5.0, 10.0), 5.0)
    for _ in range(3):
        breaker.fail(breaker.admit(6.0, 10.0), 6.0, error="down")

    assert 66.0 == breaker.probe_at


def _down_since(now: float) -> Breaker:
    breaker = Breaker(Limits(), chance=lambda: 0.0)
    for _ in range(3):
        breaker.fail(breaker.admit(now, 10.0), now, error="down")
    return breaker
