"""One call as plays, and as a world of offers that answer, break and dawdle as hypothesis likes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.attempt.machine import (
    Answered,
    Broke,
    Call,
    Cancel,
    Commit,
    Denied,
    DownstreamLeft,
    Ended,
    Event,
    Fail,
    Finish,
    Open,
    Wake,
    Woke,
)
from satisfice.attempt.outcome import Fault, Outcome
from satisfice.attempt.pacing import RetryBudget
from tests.attempt.staging import a_play
from tests.attempt.world import OUTCOMES, SETTINGS, Setting, World, history, to_the_end
from tests.build import a_pacing, an_outcome

_BROKEN = an_outcome()
_BUSY = an_outcome(Fault.CAPACITY, status=429, retry_after=3.0)
_COMPLETE = Finish(0, is_complete=True)


def test_an_answer_is_relayed_to_its_end() -> None:
    a_play().tell(Answered(0)).expect(Commit(0)).tell(Ended(0), after=2.0).expect(_COMPLETE)


def test_the_next_offer_is_tried_at_once_when_one_breaks() -> None:
    (
        a_play()
        .tell(Broke(0, _BROKEN))
        .expect(Open(1, rank=1))
        .tell(Broke(1, _BROKEN))
        .expect(Open(2, rank=2))
        .tell(Answered(2))
        .expect(Commit(2))
        .tell(Ended(2))
        .expect(Finish(2, is_complete=True))
    )


def test_what_breaks_after_the_commit_is_too_late_to_retry() -> None:
    a_play().tell(Answered(0)).expect(Commit(0)).tell(Broke(0, _BROKEN)).expect(Finish(0, is_complete=False))


@pytest.mark.parametrize("outcome", [an_outcome(Fault.CALLER, status=400), an_outcome(is_final=True)])
def test_nothing_else_is_tried_when_nothing_else_can_help(outcome: Outcome) -> None:
    """The request is wrong everywhere, or there is no time left."""
    a_play().tell(Broke(0, outcome)).expect(Fail())


@pytest.mark.parametrize("fault", [Fault.OFFER, Fault.FUNDS, Fault.KEY])
def test_an_offer_that_time_will_not_mend_is_not_tried_again(fault: Fault) -> None:
    broke = an_outcome(fault)

    a_play(2).tell(Broke(0, broke)).expect(Open(1, rank=1)).tell(Broke(1, broke)).expect(Fail())


def test_when_every_offer_has_been_tried_the_cheapest_is_tried_again_after_a_backoff() -> None:
    (
        a_play(2)
        .tell(Broke(0, _BROKEN), after=1.0)
        .expect(Open(1, rank=1))
        .tell(Broke(1, _BROKEN))
        .expect(Wake(1.5))
        .tell(Woke(), after=0.5)
        .expect(Open(2, rank=0))
    )


def test_the_second_backoff_is_longer_than_the_first() -> None:
    (
        a_play(1)
        .tell(Broke(0, _BROKEN))
        .expect(Wake(0.5))
        .tell(Woke(), after=0.5)
        .expect(Open(1, rank=0))
        .tell(Broke(1, _BROKEN), after=1.0)
        .expect(Wake(1.5 + 1.0))
    )


def test_an_offer_is_left_alone_as_long_as_it_wants() -> None:
    a_play(1).tell(Broke(0, _BUSY), after=1.0).expect(Wake(1.0 + 3.0 + 0.5))


def test_of_two_offers_that_rest_the_one_that_wakes_first_is_tried() -> None:
    (
        a_play(2)
        .tell(Broke(0, _BUSY))
        .expect(Open(1, rank=1))
        .tell(Broke(1, an_outcome(Fault.CAPACITY, retry_after=1.0)))
        .expect(Wake(1.5))
        .tell(Woke(), after=1.5)
        .expect(Open(2, rank=1))
    )


def test_a_rest_that_is_over_already_is_not_waited_for_again() -> None:
    (
        a_play(2)
        .tell(Broke(0, _BUSY))
        .expect(Open(1, rank=1))
        .tell(Broke(1, an_outcome(Fault.OFFER)), after=9.0)
        .expect(Wake(9.5))
    )


def test_a_caller_is_told_rather_than_kept_waiting_for_long() -> None:
    """Ten seconds are the longest wait, backoff included; the error says how long it would have been."""
    a_play(1).tell(Broke(0, an_outcome(Fault.CAPACITY, retry_after=9.5))).expect(Wake(10.0))
    a_play(1).tell(Broke(0, an_outcome(Fault.CAPACITY, retry_after=9.75))).expect(Fail())


def test_nothing_is_waited_for_that_would_come_too_late() -> None:
    a_play(1, expires_at=3.75).tell(Broke(0, _BUSY)).expect(Wake(3.5))
    a_play(1, expires_at=3.5).tell(Broke(0, _BUSY)).expect(Fail())


def test_nothing_is_begun_when_the_time_is_over() -> None:
    a_play(expires_at=3.0).tell(Broke(0, _BROKEN), after=3.0).expect(Fail())


def test_a_retry_that_is_woken_too_late_is_not_begun() -> None:
    a_play(1, expires_at=3.0).tell(Broke(0, _BROKEN)).expect(Wake(0.5)).tell(Woke(), after=3.0).expect(Fail())


def test_there_are_no_more_attempts_than_allowed() -> None:
    (a_play(max_attempts=2).tell(Broke(0, _BROKEN)).expect(Open(1, rank=1)).tell(Broke(1, _BROKEN)).expect(Fail()))


def test_a_retry_that_the_budget_does_not_pay_for_is_not_made() -> None:
    (
        a_play(budget=RetryBudget(ratio=0.0, reserve=0.0))
        .tell(Broke(0, _BROKEN))
        .expect(Open(1, rank=1))
        .tell(Broke(1, _BROKEN))
        .expect(Fail())
    )


def test_a_wait_that_the_budget_does_not_pay_for_is_not_begun() -> None:
    broke = RetryBudget(ratio=0.0, reserve=0.0)
    broke.withdraw(0.0)

    a_play(1, budget=broke).tell(Broke(0, _BROKEN)).expect(Fail())


def test_a_success_pays_into_the_budget() -> None:
    budget = RetryBudget(ratio=1.0, reserve=0.0)
    budget.withdraw(0.0)

    a_play(budget=budget).tell(Answered(0)).expect(Commit(0)).tell(Ended(0)).expect(_COMPLETE)

    assert budget.withdraw(0.0)


def test_a_slow_offer_is_hedged_and_the_loser_cancelled() -> None:
    (
        a_play(2, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1))
        .tell(Answered(1), after=0.1)
        .expect(Cancel(0), Commit(1))
        .tell(Ended(1), after=1.0)
        .expect(Finish(1, is_complete=True))
    )


def test_hedges_go_on_until_every_offer_has_been_asked() -> None:
    (
        a_play(3, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1), Wake(3.0))
        .tell(Woke(), after=1.5)
        .expect(Open(2, rank=2))
        .tell(Woke(), after=1.5)
        .expect()
        .tell(Answered(0), after=9.0)
        .expect(Cancel(1), Cancel(2), Commit(0))
    )


@pytest.mark.parametrize(("hedge_after", "wait"), [(None, 3.0), (5.0, 3.0), (1.0, 1.0)])
def test_a_probe_is_hedged_soon_and_what_rescues_it_only_as_others_are(hedge_after: float | None, wait: float) -> None:
    machine = Call(3, a_pacing(hedge_after=hedge_after), expires_at=60.0, is_probe=True)

    assert (Open(0, rank=0), Wake(wait)) == machine.start(0.0)
    next_hedge = () if hedge_after is None else (Wake(wait + hedge_after),)
    assert (Open(1, rank=1), *next_hedge) == machine.tell(Woke(), wait)


def test_a_probe_that_nobody_could_rescue_is_not_hedged() -> None:
    assert (Open(0, rank=0),) == Call(1, a_pacing(), expires_at=60.0, is_probe=True).start(0.0)


def test_a_hedge_is_an_attempt_like_any_other() -> None:
    a_play(max_attempts=1, hedge_after=1.5).tell(Woke(), after=1.5).expect()


def test_a_hedge_is_paid_for() -> None:
    broke = RetryBudget(ratio=0.0, reserve=0.0)
    broke.withdraw(0.0)

    a_play(hedge_after=1.5, budget=broke).tell(Woke(), after=1.5).expect()


def test_no_hedge_is_begun_when_the_time_is_over() -> None:
    a_play(hedge_after=1.5, expires_at=3.0).tell(Woke(), after=3.0).expect()


def test_a_running_hedge_is_the_retry_of_an_attempt_that_breaks() -> None:
    (
        a_play(3, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1), Wake(3.0))
        .tell(Broke(0, _BROKEN))
        .expect()
        .tell(Broke(1, _BROKEN))
        .expect(Open(2, rank=2))
    )


def test_a_replacement_is_given_as_much_time_as_the_first_before_it_is_hedged() -> None:
    """The wish to be woken replaces the earlier one, which would come at 1.5."""
    (
        a_play(3, hedge_after=1.5)
        .tell(Broke(0, _BROKEN), after=1.25)
        .expect(Open(1, rank=1), Wake(2.75))
        .tell(Woke(), after=1.5)
        .expect(Open(2, rank=2))
    )


def test_a_hedge_that_comes_when_nothing_is_left_to_ask_is_none() -> None:
    (
        a_play(2, hedge_after=1.5)
        .tell(Broke(0, _BROKEN), after=1.25)
        .expect(Open(1, rank=1))
        .tell(Woke(), after=0.25)
        .expect()
    )


def test_the_caller_s_fault_ends_the_hedges_too() -> None:
    (
        a_play(2, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1))
        .tell(Broke(1, an_outcome(Fault.CALLER, status=400)))
        .expect(Cancel(0), Fail())
    )


def test_an_offer_is_not_hedged_with_itself() -> None:
    a_play(1, hedge_after=1.5)


def test_time_passes_in_vain_once_an_answer_is_relayed() -> None:
    a_play(hedge_after=1.5).tell(Answered(0)).expect(Commit(0)).tell(Woke(), after=1.5).expect()


def test_a_caller_who_leaves_ends_every_attempt() -> None:
    (
        a_play(2, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1))
        .tell(DownstreamLeft())
        .expect(Cancel(0), Cancel(1), Finish(None, is_complete=False))
    )


def test_a_caller_who_leaves_in_mid_answer_ends_it() -> None:
    (
        a_play()
        .tell(Answered(0))
        .expect(Commit(0))
        .tell(DownstreamLeft())
        .expect(Cancel(0), Finish(0, is_complete=False))
    )


def test_a_loser_is_cancelled_once() -> None:
    (
        a_play(2, hedge_after=1.5)
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1))
        .tell(Answered(1))
        .expect(Cancel(0), Commit(1))
        .tell(DownstreamLeft())
        .expect(Cancel(1), Finish(1, is_complete=False))
    )


def test_a_caller_may_leave_while_nothing_is_on_its_way() -> None:
    (a_play(1).tell(Broke(0, _BROKEN)).expect(Wake(0.5)).tell(DownstreamLeft()).expect(Finish(None, is_complete=False)))


def test_an_answer_that_says_twice_that_it_is_here_is_still_cancelled_when_the_caller_leaves() -> None:
    (
        a_play()
        .tell(Answered(0))
        .expect(Commit(0))
        .tell(Answered(0))
        .expect()
        .tell(DownstreamLeft())
        .expect(Cancel(0), Finish(0, is_complete=False))
    )


@pytest.mark.parametrize(
    "news", [Answered(7), Broke(7, _BROKEN), Denied(7, _BROKEN, 1.0), Ended(7), Ended(0)], ids=repr
)
def test_news_of_what_is_not_on_its_way_changes_nothing(news: Event) -> None:
    a_play().tell(news).expect().tell(Answered(0)).expect(Commit(0))


@pytest.mark.parametrize(
    "news",
    [Answered(0), Broke(0, _BROKEN), Denied(0, _BROKEN, 1.0), Ended(0), Woke(), DownstreamLeft()],
    ids=repr,
)
def test_news_after_the_end_changes_nothing(news: Event) -> None:
    a_play().tell(Answered(0)).expect(Commit(0)).tell(Ended(0)).expect(_COMPLETE).tell(news).expect()


def test_failures_are_kept_in_order_with_the_ranks_of_their_offers() -> None:
    call = Call(2, a_pacing(max_attempts=2), expires_at=60.0)
    call.start(0.0)
    call.tell(Broke(0, _BROKEN), 0.0)
    call.tell(Broke(1, _BUSY), 0.0)

    assert [(0, _BROKEN), (1, _BUSY)] == call.failures
    assert (2, True) == (call.attempts, call.is_over)


@given(st.data(), SETTINGS)
def test_a_call_commits_at_most_once_and_always_ends(data: st.DataObject, setting: Setting) -> None:
    """The rest is in `World`: offers in the order of their ranks, none after the commit, retries paid for."""
    world = World(setting)
    for event in history(data, world):
        world.tell(event)

    for event in to_the_end(world):
        world.tell(event)

    assert world.is_over


@given(st.data(), SETTINGS)
def test_a_call_ends_though_no_offer_lets_it_in(data: st.DataObject, setting: Setting) -> None:
    world = World(setting)
    for event in history(data, world):
        world.tell(event)

    for event in to_the_end(world, is_let_in=False):
        world.tell(event)

    assert world.is_over


@given(SETTINGS)
def test_what_is_never_let_in_has_cost_nothing(setting: Setting) -> None:
    world = World(setting)
    for event in to_the_end(world, is_let_in=False):
        world.tell(event)

    assert (0, 0) == (world.call.attempts, world.budget.paid)


@given(st.data(), SETTINGS)
def test_late_news_changes_nothing(data: st.DataObject, setting: Setting) -> None:
    """The same call without news of attempts that are lost, cancelled, over or never begun goes just the same way."""
    world, twin = World(setting), World(setting)
    for event in history(data, world):
        gone = [attempt for attempt in range(world.opened + 2) if attempt not in world.open]
        attempt = data.draw(st.sampled_from(gone))
        late = data.draw(st.sampled_from(_news_of(attempt)))

        assert () == world.tell(late)
        twin.now = world.now
        assert repr(twin.tell(event)) == repr(world.tell(event))

    assert twin.call.failures == world.call.failures


_ATTEMPTS = st.integers(-1, 5)
_ANY_EVENT = st.one_of(
    st.builds(Answered, _ATTEMPTS),
    st.builds(Broke, _ATTEMPTS, OUTCOMES, st.frozensets(st.integers(0, 5))),
    st.builds(Denied, _ATTEMPTS, OUTCOMES, st.none() | st.floats(0.0, 30.0)),
    st.builds(Ended, _ATTEMPTS),
    st.just(Woke()),
    st.just(DownstreamLeft()),
)


@given(SETTINGS, st.lists(_ANY_EVENT, max_size=20))
def test_any_sequence_of_events_ends_a_call_once_at_most(setting: Setting, events: list[Event]) -> None:
    """Even one that no driver would tell."""
    pacing = a_pacing(max_attempts=setting.most, hedge_after=setting.hedge_after)
    call = Call(setting.offers, pacing, expires_at=9.0, ready=setting.rests[: setting.offers])
    commands = [*call.start(0.0)]
    for second, event in enumerate(events):
        commands += call.tell(event, float(second))

    assert 1 >= len([each for each in commands if isinstance(each, Commit)])
    assert call.is_over == len([each for each in commands if isinstance(each, Finish | Fail)])
    assert not call.is_over or isinstance(commands[-1], Finish | Fail)


def _news_of(attempt: int) -> list[Event]:
    return [Answered(attempt), Broke(attempt, _BUSY), Denied(attempt, _BUSY, 1_000.0), Ended(attempt)]
