"""The book as the engine uses it: who is let in, what is learnt of how attempts end, and what is told of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from satisfice.health.book import Change, Trouble, TroubleKind
from satisfice.health.breaker import Limits, State
from satisfice.health.index import Snapshot
from satisfice.health.page import ProviderStanding, Standing
from satisfice.health.stats import Figures
from tests.health.life import HUGE, LARGE, LEASE, OTHER, SMALL, STEPS, TINY, Life, World, broken, unreachable


def test_all_are_let_in_to_begin_with() -> None:
    life = Life()

    permit = life.enter(SMALL)

    assert (SMALL, life.now, False) == (permit.offer, permit.begun, permit.is_probe)
    assert (set(), None) == (life.book.troubled, life.book.trouble(SMALL, life.now))


def test_an_offer_that_fails_three_times_in_a_row_is_left_alone() -> None:
    life = Life()
    life.fails(SMALL, SMALL)
    assert life.trouble(SMALL) is None

    life.fails(SMALL)

    trouble = Trouble(TroubleKind.OPEN, life.now + 30.0, "status 500", "offer")
    assert trouble == life.refused(SMALL) == life.book.trouble(SMALL, life.now)
    assert {"small@acme"} == life.book.troubled
    assert [Change("offer", "small@acme", State.CLOSED, State.OPEN, "status 500", life.now + 30.0)] == life.changes


def test_each_failure_counts_at_once() -> None:
    """Calls that come while another one is still looking for an answer elsewhere profit from it (B-46)."""
    life = Life()
    permits = [life.enter(SMALL) for _ in range(3)]
    for permit in permits:
        life.fail(permit)

    assert TroubleKind.OPEN is life.refused(SMALL).kind


def test_one_call_that_fails_again_and_again_does_not_open_it() -> None:
    """A request that no server survives must not cost all others the offer (B-46)."""
    life = Life()
    life.fails(SMALL)
    for _ in range(5):
        life.fail(life.enter(SMALL), is_repeat=True)

    assert life.trouble(SMALL) is None
    assert pytest.approx(6 / 11) == life.book.failure_rates[SMALL.id]


def test_a_probe_that_fails_counts_though_its_call_has_failed_there_before() -> None:
    life = broken()
    life.now += 30.0

    life.fail(life.enter(SMALL), is_repeat=True)

    assert TroubleKind.OPEN is life.refused(SMALL).kind


def test_time_alone_brings_it_to_the_point_where_it_may_be_tried() -> None:
    """A balancer that sends no traffic to what is not well sees it recover all the same (B-14)."""
    life = broken()
    life.now += 30.0

    assert (State.CLOSED, State.HALF_OPEN) == life.state(SMALL)
    assert Trouble(TroubleKind.HALF_OPEN, life.now, "status 500", "offer") == life.book.trouble(SMALL, life.now)


def test_looking_takes_no_probe() -> None:
    """A decision looks at all candidates, and begins at one (B-01, B-06)."""
    life = broken()
    life.now += 30.0
    for _ in range(3):
        assert TroubleKind.HALF_OPEN is life.trouble(SMALL)

    assert life.enter(SMALL).is_probe


def test_one_call_finds_out_and_the_others_are_told_until_when() -> None:
    life = broken()
    life.now += 31.0
    life.enter(SMALL)

    assert Trouble(TroubleKind.PROBING, life.now + LEASE, "status 500", "offer") == life.refused(SMALL)


def test_a_probe_that_succeeds_makes_it_plainly_usable() -> None:
    life = broken()
    life.now += 30.0

    life.answers(SMALL)

    assert (None, set()) == (life.trouble(SMALL), life.book.troubled)
    assert not life.enter(SMALL).is_probe
    assert [Change("offer", "small@acme", State.HALF_OPEN, State.CLOSED, None, None)] == life.changes


def test_a_probe_that_fails_keeps_it_away_for_longer() -> None:
    life = broken()
    life.now += 30.0

    life.fails(SMALL)

    until = life.now + 60.0
    assert Trouble(TroubleKind.OPEN, until, "status 500", "offer") == life.refused(SMALL)
    assert [Change("offer", "small@acme", State.HALF_OPEN, State.OPEN, "status 500", until)] == life.changes


def test_a_probe_that_tells_nothing_leaves_it_to_the_next_call() -> None:
    """Whoever waits for its result is told (B-15)."""
    life = broken()
    life.now += 30.0

    life.book.release(life.enter(SMALL))

    assert TroubleKind.HALF_OPEN is life.trouble(SMALL)
    assert [Change("offer", "small@acme", State.HALF_OPEN, State.HALF_OPEN, "status 500", life.now)] == life.changes
    assert life.enter(SMALL).is_probe


def test_a_probe_that_never_comes_back_is_waited_for_no_longer_than_its_lease() -> None:
    """And what it tells after that is not heard (B-01, B-03)."""
    life = broken()
    life.now += 30.0
    lost = life.enter(SMALL)
    life.now += LEASE
    assert TroubleKind.HALF_OPEN is life.trouble(SMALL)
    probe = life.enter(SMALL)

    life.succeed(lost)

    assert TroubleKind.PROBING is life.trouble(SMALL)
    life.succeed(probe)
    assert life.trouble(SMALL) is None


def test_each_of_two_offers_that_may_be_well_again_has_its_own_probe() -> None:
    """Nobody has to hold both to get either (B-01)."""
    life = Life()
    life.fails(*[SMALL] * 3, *[OTHER] * 3)
    life.now += 30.0
    first, second = life.enter(SMALL), life.enter(OTHER)

    life.book.release(second)
    life.succeed(first)

    assert (None, TroubleKind.HALF_OPEN) == (life.trouble(SMALL), life.trouble(OTHER))


def test_late_news_does_not_prolong_the_pause_or_cut_it_short() -> None:
    """Nor does it change anything else that is known (B-13)."""
    life = Life()
    failing, answering, resting = (life.enter(SMALL) for _ in range(3))
    life.fails(SMALL, SMALL, SMALL, is_providers=True)
    before = life.book.report([SMALL], life.now)

    life.fail(failing, is_providers=True)
    life.succeed(answering)
    life.rest(resting, 500.0, whole_provider=True)

    assert before == life.book.report([SMALL], life.now)


def test_what_is_late_for_an_offer_may_be_news_of_its_provider() -> None:
    life = Life()
    slow = life.enter(SMALL)
    life.fails(SMALL, SMALL, SMALL)
    life.fails(LARGE)

    life.succeed(slow)

    ((provider, (own,)),) = life.book.report([SMALL], life.now)
    assert (0, 3) == (provider.failures, own.failures)


def test_a_permit_comes_back_once() -> None:
    life = Life()
    permit = life.enter(SMALL)
    life.book.release(permit)

    for _ in range(3):
        life.fail(permit)
    life.rest(permit, 60.0)
    life.succeed(permit)
    life.book.release(permit)

    assert (set(), {}) == (life.book.troubled, life.book.failure_rates)
    ((_, (standing,)),) = life.book.report([SMALL], life.now)
    assert Figures(None, None, 0.0) == standing.figures


def test_nobody_has_to_listen() -> None:
    life = Life()
    life.book.on_change = None
    life.fails(SMALL, SMALL, SMALL)

    assert {"small@acme"} == life.book.troubled


def test_where_nothing_can_be_reached_none_of_a_provider_s_offers_can_be_used() -> None:
    life = Life()
    life.fails(SMALL, SMALL, SMALL, is_providers=True)

    assert Trouble(TroubleKind.OPEN, life.now + 30.0, "connection refused", "provider") == life.refused(LARGE)
    assert {"small@acme", "acme"} == life.book.troubled
    assert [("offer", "small@acme"), ("provider", "acme")] == [(each.scope, each.name) for each in life.changes]
    assert life.trouble(OTHER) is None


def test_one_broken_model_does_not_take_its_provider_down() -> None:
    life = broken()
    for _ in range(3):
        life.now += 1_000.0
        life.fails(SMALL)

    assert (TroubleKind.OPEN, None) == (life.trouble(SMALL), life.trouble(LARGE))


def test_an_outage_that_several_models_see_is_one_of_the_provider() -> None:
    life = Life()
    life.fails(SMALL, SMALL, LARGE)
    assert life.trouble(TINY) is None

    life.fails(HUGE)

    assert Trouble(TroubleKind.OPEN, life.now + 30.0, "status 500", "provider") == life.refused(TINY)
    assert (State.OPEN, State.CLOSED) == life.state(HUGE)


def test_models_that_fail_now_and_then_are_no_outage() -> None:
    """What any of them answers shows that the provider is there."""
    life = Life()
    for offer in (SMALL, LARGE, HUGE):
        life.fails(offer)
        life.answers(TINY)

    assert set() == life.book.troubled


def test_models_that_failed_before_a_success_can_show_an_outage_after_it() -> None:
    life = Life()
    life.fails(SMALL)
    life.answers(TINY)

    life.fails(SMALL, LARGE, HUGE)

    assert TroubleKind.OPEN is life.trouble(TINY)


def test_one_call_finds_out_about_a_whole_provider() -> None:
    life = unreachable()
    life.now += 30.0
    assert Trouble(TroubleKind.HALF_OPEN, life.now, "connection refused", "provider") == life.book.trouble(
        LARGE, life.now
    )
    probe = life.enter(LARGE)
    assert probe.is_probe

    until = life.now + LEASE
    assert Trouble(TroubleKind.PROBING, until, "connection refused", "provider") == life.refused(SMALL)
    assert TroubleKind.PROBING is life.refused(HUGE).kind

    life.succeed(probe)
    assert (None, TroubleKind.HALF_OPEN) == (life.trouble(HUGE), life.trouble(SMALL))
    assert [Change("provider", "acme", State.HALF_OPEN, State.CLOSED, None, None)] == life.changes


def test_a_probe_that_tells_nothing_of_a_provider_leaves_it_to_the_next_call() -> None:
    life = unreachable()
    life.now += 30.0

    life.book.release(life.enter(LARGE))

    assert life.enter(HUGE).is_probe


def test_a_probe_can_be_for_an_offer_and_its_provider() -> None:
    life = unreachable()
    life.now += 30.0

    life.answers(SMALL)

    assert set() == life.book.troubled


@pytest.mark.parametrize("is_providers", [False, True])
def test_a_provider_is_left_alone_again_when_an_offer_of_it_fails_that_was_well(is_providers: bool) -> None:  # noqa: FBT001 - a parameter of the test
    life = unreachable()
    life.now += 30.0

    life.fails(LARGE, is_providers=is_providers)

    assert (State.OPEN, State.CLOSED) == life.state(LARGE)
    assert life.now + 60.0 == life.refused(HUGE).until


def test_an_offer_that_is_broken_itself_does_not_decide_about_its_provider() -> None:
    """Or one broken model would keep a provider away that has long been well."""
    life = unreachable()
    life.now += 30.0

    life.fails(SMALL)

    assert (State.HALF_OPEN, State.OPEN) == life.state(SMALL)
    life.answers(LARGE)
    assert (State.CLOSED, State.OPEN) == life.state(SMALL)


@pytest.mark.parametrize(("own", "shared", "scope"), [(9.0, 5.0, "offer"), (5.0, 9.0, "provider")])
def test_of_two_troubles_the_longer_one_is_told(own: float, shared: float, scope: str) -> None:
    life = Life()
    first, second = life.enter(SMALL), life.enter(SMALL)
    life.rest(first, own)
    life.rest(second, shared, whole_provider=True)

    assert (scope, life.now + 9.0) == (life.refused(SMALL).scope, life.refused(SMALL).until)


def test_of_two_troubles_that_last_equally_long_the_one_is_told_that_concerns_more() -> None:
    assert "provider" == unreachable().refused(SMALL).scope


@pytest.mark.parametrize(
    ("seconds", "kind", "until"), [(29.0, TroubleKind.OPEN, 30.0), (31.0, TroubleKind.RESTING, 31.0)]
)
def test_what_failed_and_wants_to_rest_is_left_alone_for_the_longer_of_the_two(
    seconds: float, kind: TroubleKind, until: float
) -> None:
    life = Life()
    *failing, resting = (life.enter(SMALL) for _ in range(4))
    life.rest(resting, seconds)
    for permit in failing:
        life.fail(permit)

    assert (kind, life.now + until) == life.refused(SMALL)[:2]


def test_what_is_at_its_limit_rests_as_long_as_it_says_and_is_then_usable_without_a_probe() -> None:
    life = Life()
    life.rest(life.enter(SMALL), 7.0)

    assert Trouble(TroubleKind.RESTING, life.now + 7.0, "status 429", "offer") == life.refused(SMALL)
    assert life.trouble(LARGE) is None
    life.now += 7.0
    assert (None, set()) == (life.trouble(SMALL), life.book.troubled)
    assert not life.enter(SMALL).is_probe


def test_resting_is_no_failure() -> None:
    life = Life()
    for _ in range(10):
        life.rest(life.enter(SMALL), 1.0)
        life.now += 1.0

    ((_, (standing,)),) = life.book.report([SMALL], life.now)
    assert (State.CLOSED, 0, {}, []) == (standing.state, standing.failures, life.book.failure_rates, life.changes)


def test_a_whole_provider_rests_when_it_refuses_our_key_or_our_account_is_empty() -> None:
    life = Life()
    life.rest(life.enter(SMALL), 7.0, whole_provider=True)

    assert Trouble(TroubleKind.RESTING, life.now + 7.0, "status 429", "provider") == life.refused(LARGE)
    assert life.trouble(OTHER) is None


def test_rests_of_unknown_length_grow_until_a_success() -> None:
    life = Life()
    seconds = []
    for _ in range(4):
        life.rest(life.enter(SMALL))
        seconds.append(life.refused(SMALL).until - life.now)
        life.now += 60.0
    life.answers(SMALL)
    life.rest(life.enter(SMALL))

    assert [1.0, 2.0, 4.0, 8.0, 1.0] == [*seconds, life.refused(SMALL).until - life.now]


def test_a_probe_that_is_told_to_wait_leaves_the_question_open() -> None:
    life = broken()
    life.now += 30.0
    life.rest(life.enter(SMALL), 5.0)

    assert TroubleKind.RESTING is life.refused(SMALL).kind
    life.now += 5.0
    assert TroubleKind.HALF_OPEN is life.trouble(SMALL)


def test_providers_may_have_limits_of_their_own() -> None:
    life = Life(special={"acme": Limits(failures=1, open_for=5.0)})
    life.fails(SMALL, OTHER)

    assert life.now + 5.0 == life.refused(SMALL).until
    assert life.trouble(OTHER) is None


def test_how_long_an_answer_takes_is_learnt_of_those_that_came() -> None:
    life = Life()
    assert life.book.latency(SMALL.id, 50, now=life.now) is None

    life.answers(SMALL)

    assert 0.5 + 1.0 == life.book.latency(SMALL.id, 50, now=life.now)


def test_how_often_an_offer_fails_is_known_as_long_as_it_is_worth_a_word() -> None:
    life = Life()
    life.fails(SMALL)
    assert {SMALL.id: pytest.approx(1 / 6)} == life.book.failure_rates

    life.answers(SMALL)
    assert {SMALL.id: pytest.approx(1 / 7)} == life.book.failure_rates

    life.answers(OTHER)
    assert {SMALL.id: pytest.approx(1 / 7)} == life.book.failure_rates


def test_that_an_offer_failed_is_forgotten_though_nobody_asks_it_again() -> None:
    """Or what is ranked last because it failed would be ranked last for ever."""
    life = Life()
    life.fails(SMALL)
    life.now += 300.0
    life.enter(OTHER)
    assert {SMALL.id: pytest.approx(0.5 / 5.5)} == life.book.failure_rates

    life.now += 3_600.0
    life.enter(OTHER)
    assert {} == life.book.failure_rates


def test_the_report_shows_each_provider_with_its_offers() -> None:
    life = Life()
    life.fails(SMALL, SMALL, SMALL)
    life.rest(life.enter(LARGE), 5.0)
    life.answers(TINY)

    now = life.now
    broken = Standing("small@acme", State.OPEN, 3, "status 500", now, now + 30.0, figures=Figures(None, None, 0.375))
    resting = Standing("large@acme", last_error="status 429", resting_until=now + 5.0, figures=Figures(None, None, 0.0))
    well = Standing("tiny@acme", figures=Figures(0.5, 50.0, 0.0))
    assert (
        ProviderStanding(Standing("acme"), (broken, resting, well)),
        ProviderStanding(Standing("other"), (Standing("small@other"),)),
    ) == life.book.report([SMALL, LARGE, OTHER, TINY], now)


def test_offers_that_are_gone_are_forgotten_and_nothing_more_is_told_of_them() -> None:
    life = Life()
    *failing, probe = (life.enter(SMALL) for _ in range(4))
    life.book.forget(keep=[LARGE])

    for permit in failing:
        life.fail(permit)
    life.rest(probe, 60.0)

    assert (set(), {}, []) == (life.book.troubled, life.book.failure_rates, life.changes)
    assert life.trouble(SMALL) is None


def test_all_of_it_survives_a_restart() -> None:
    life = unreachable()
    life.rest(life.enter(OTHER), 60.0)
    saved = msgspec.json.encode(life.book.snapshot(life.now, 1_764_000_000_000))
    before = life.book.report([SMALL, OTHER], life.now)

    after = Life()
    after.now = life.now
    after.book.restore(msgspec.json.decode(saved, type=Snapshot), after.now, unix_ms=1_764_000_000_000)

    assert before == after.book.report([SMALL, OTHER], after.now)
    assert life.book.troubled == after.book.troubled
    assert life.book.failure_rates == after.book.failure_rates


@given(steps=STEPS)
def test_nothing_is_ever_probed_twice_at_once(steps: list[tuple[str, int]]) -> None:
    World().live(steps)


@given(steps=STEPS)
def test_every_permit_comes_back(steps: list[tuple[str, int]]) -> None:
    """Once leases, pauses and rests are over, each offer can be had, whatever has become of those who asked."""
    world = World()
    world.live(steps)

    for offer in world.offers:
        world.now += 200.0
        world.answers(offer)

    assert set() == world.book.troubled
