"""Whose turn it is when offers are ruled out by what another one said, rest, or don't let a call in."""

from __future__ import annotations

import pytest

from satisfice.attempt.machine import (
    Answered,
    Broke,
    Call,
    Commit,
    Denied,
    Ended,
    Fail,
    Finish,
    Open,
    Wake,
    Woke,
)
from satisfice.attempt.outcome import Fault
from satisfice.attempt.pacing import RetryBudget
from tests.attempt.staging import a_play
from tests.build import a_pacing, an_outcome

_BROKEN = an_outcome()
_GONE = an_outcome(Fault.OFFER, status=404)
_TOO_LONG = an_outcome(Fault.CONTEXT, status=400)
_LEFT_ALONE = an_outcome(status=None)


def test_what_one_fault_rules_out_is_not_tried() -> None:
    """A prompt that is too long for one window is too long for all that are no larger."""
    (
        a_play(4)
        .tell(Broke(0, _TOO_LONG, spoiled=frozenset((1, 2))))
        .expect(Open(1, rank=3))
        .tell(Broke(1, _TOO_LONG))
        .expect(Fail())
    )


def test_what_is_ruled_out_is_not_waited_for_either() -> None:
    (
        a_play(2)
        .tell(Broke(0, _BROKEN))
        .expect(Open(1, rank=1))
        .tell(Broke(1, _TOO_LONG, spoiled=frozenset((0, 1))))
        .expect(Fail())
    )


def test_a_fault_may_rule_its_own_offer_out_though_time_would_mend_it() -> None:
    a_play(1).tell(Broke(0, _BROKEN, spoiled=frozenset((0,)))).expect(Fail())


def test_a_hedge_at_an_offer_that_is_ruled_out_is_left_to_fail_by_itself() -> None:
    (
        a_play(3, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1), Wake(3.0))
        .tell(Broke(0, _TOO_LONG, spoiled=frozenset((1, 2))))
        .expect()
        .tell(Broke(1, _TOO_LONG))
        .expect(Fail())
    )


def test_the_next_offer_is_tried_at_once_when_one_is_denied() -> None:
    (
        a_play()
        .tell(Denied(0, _LEFT_ALONE, until=2.0))
        .expect(Open(1, rank=1))
        .tell(Answered(1))
        .expect(Commit(1))
        .tell(Ended(1))
        .expect(Finish(1, is_complete=True))
    )


def test_an_offer_that_is_denied_is_waited_for_when_nothing_else_is_left() -> None:
    """A little longer than it says, by chance: many wait for the same moment, and one alone may probe."""
    (
        a_play(2)
        .tell(Denied(0, _LEFT_ALONE, until=2.0))
        .expect(Open(1, rank=1))
        .tell(Broke(1, _GONE), after=1.0)
        .expect(Wake(2.5))
        .tell(Woke(), after=1.5)
        .expect(Open(2, rank=0))
    )


def test_whoever_is_woken_early_tries_early() -> None:
    (
        a_play(1)
        .tell(Denied(0, _LEFT_ALONE, until=2.0))
        .expect(Wake(2.5))
        .tell(Woke(), after=0.25)
        .expect(Open(1, rank=0))
    )


def test_an_offer_that_is_denied_twice_is_given_up() -> None:
    (
        a_play(1)
        .tell(Denied(0, _LEFT_ALONE, until=2.0))
        .expect(Wake(2.5))
        .tell(Woke(), after=2.5)
        .expect(Open(1, rank=0))
        .tell(Denied(1, _LEFT_ALONE, until=4.0))
        .expect(Fail())
    )


@pytest.mark.parametrize("until", [None, 10.0, 60.0])
def test_nobody_waits_for_an_offer_that_is_denied_for_long(until: float | None) -> None:
    """Or nobody knows for how long."""
    a_play(1).tell(Denied(0, _LEFT_ALONE, until=until)).expect(Fail())


def test_a_denial_is_no_attempt() -> None:
    (
        a_play(3, max_attempts=1)
        .tell(Denied(0, _LEFT_ALONE, until=None))
        .expect(Open(1, rank=1))
        .tell(Denied(1, _LEFT_ALONE, until=None))
        .expect(Open(2, rank=2))
        .tell(Broke(2, _BROKEN))
        .expect(Fail())
    )


def test_a_denial_costs_nothing() -> None:
    """The budget has one retry, which the last attempt needs; the first attempt that is one is free."""
    (
        a_play(4, budget=RetryBudget(ratio=0.0, reserve=0.0))
        .tell(Denied(0, _LEFT_ALONE, until=None))
        .expect(Open(1, rank=1))
        .tell(Broke(1, _BROKEN))
        .expect(Open(2, rank=2))
        .tell(Denied(2, _LEFT_ALONE, until=None))
        .expect(Open(3, rank=3))
        .tell(Broke(3, _BROKEN))
        .expect(Fail())
    )


def test_a_hedge_that_is_denied_is_replaced() -> None:
    (
        a_play(3, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1), Wake(3.0))
        .tell(Denied(1, _LEFT_ALONE, until=9.0))
        .expect(Open(2, rank=2))
        .tell(Denied(2, _LEFT_ALONE, until=9.0))
        .expect()
        .tell(Answered(0))
        .expect(Commit(0))
    )


@pytest.mark.parametrize("max_attempts", [1, 2])
def test_a_denial_fails_no_call_that_has_an_attempt_on_its_way(max_attempts: int) -> None:
    broke = RetryBudget(ratio=0.0, reserve=0.0)

    (
        a_play(2, max_attempts=max_attempts, hedge_after=1.5, budget=broke)
        .tell(Woke(), after=1.5)
        .expect(*((Open(1, rank=1),) if max_attempts == 2 else ()))
        .tell(Denied(1, _LEFT_ALONE, until=None))
        .expect()
        .tell(Answered(0))
        .expect(Commit(0))
    )


def test_a_hedge_that_can_not_be_paid_for_after_a_denial_is_not_begun() -> None:
    """Somebody else has spent the last retry in the meantime."""
    budget = RetryBudget(ratio=0.0, reserve=0.0)
    play = a_play(3, hedge_after=1.5, budget=budget).tell(Woke(), after=1.5).expect(Open(1, rank=1), Wake(3.0))
    play.tell(Denied(0, _LEFT_ALONE, until=None)).expect(Open(2, rank=2)).tell(Broke(1, _BROKEN)).expect()


def test_nobody_denies_an_answer_that_is_being_relayed() -> None:
    (
        a_play()
        .tell(Answered(0))
        .expect(Commit(0))
        .tell(Denied(0, _LEFT_ALONE, until=None))
        .expect()
        .tell(Ended(0))
        .expect(Finish(0, is_complete=True))
    )


def test_a_denial_is_among_the_failures() -> None:
    call = Call(1, a_pacing(), expires_at=60.0)
    call.start(0.0)
    call.tell(Denied(0, _LEFT_ALONE, None), 0.0)

    assert [(0, _LEFT_ALONE)] == call.failures
    assert (0, True) == (call.attempts, call.is_over)


def test_an_offer_that_rests_is_tried_when_nothing_else_is_left() -> None:
    (
        a_play(3, ready=[2.0, 0.0, 0.0])
        .expect(Open(0, rank=1))
        .tell(Broke(0, _GONE))
        .expect(Open(1, rank=2))
        .tell(Broke(1, _GONE))
        .expect(Wake(2.5))
        .tell(Woke(), after=2.5)
        .expect(Open(2, rank=0))
        .tell(Broke(2, _BROKEN))
        .expect(Wake(2.5 + 1.0))
    )


def test_an_offer_whose_rest_is_over_by_then_is_tried_at_once() -> None:
    (a_play(2, ready=[2.0, 0.0]).expect(Open(0, rank=1)).tell(Broke(0, _GONE), after=3.0).expect(Open(1, rank=0)))


def test_an_offer_that_rests_is_no_hedge() -> None:
    a_play(2, hedge_after=1.5, ready=[0.0, 2.0]).expect(Open(0, rank=0)).tell(Woke(), after=3.0).expect()


def test_a_call_that_is_woken_too_late_fails_by_what_its_first_attempt_says() -> None:
    """Never by nothing: the attempt breaks at once, for want of time."""
    (
        a_play(1, expires_at=5.0, ready=[2.0])
        .expect(Wake(2.5))
        .tell(Woke(), after=5.0)
        .expect(Open(0, rank=0))
        .tell(Broke(0, an_outcome(is_final=True)))
        .expect(Fail())
    )


def test_a_call_may_begin_with_a_wait() -> None:
    (
        a_play(2, ready=[4.0, 2.0])
        .expect(Wake(2.5))
        .tell(Woke(), after=2.5)
        .expect(Open(0, rank=1))
        .tell(Broke(0, _GONE))
        .expect(Wake(4.0 + 1.0))
        .tell(Woke(), after=2.5)
        .expect(Open(1, rank=0))
        .tell(Broke(1, _GONE))
        .expect(Fail())
    )


def test_when_every_offer_rests_for_long_the_first_of_them_says_so() -> None:
    """A call does not fail before anybody was asked: the denial is what the caller hears."""
    (a_play(2, ready=[90.0, 80.0]).expect(Open(0, rank=1)).tell(Denied(0, _LEFT_ALONE, until=80.0)).expect(Fail()))
