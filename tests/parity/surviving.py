"""Calls while providers fail: the other system's scenarios of circuits, health, breakers and retries."""

from __future__ import annotations

from typing import Final

from tests.parity.plays import breaker, circuit, health, retry
from tests.parity.row import Row

__all__ = ["SURVIVING"]

_CIRCUIT: Final = (
    Row(
        "circuit 1",
        "Every breaker is open: a whole answer is refused with 503, which says that circuits are open.",
        "The same, at once and without asking anybody, with each offer's reason and when to come back.",
        (circuit.nobody_is_well,),
    ),
    Row(
        "circuit 2",
        "The cheaper provider's breaker is open: another answers, and a header names it.",
        "The same; an offer that is left out counts as no retry.",
        (circuit.the_cheaper_is_open,),
    ),
    Row("circuit 3", "As 1, for a stream.", "The same.", (circuit.nobody_is_well_for_a_stream,)),
    Row("circuit 4", "As 2, for a stream.", "The same.", (circuit.the_cheaper_is_open_for_a_stream,)),
    Row(
        "circuit 5",
        "A 500 raises the provider's count of failures.",
        "It raises that of the offer, by one for each call however often the call has tried it.",
        (circuit.an_error_counts, breaker.one_call_counts_once),
    ),
    Row(
        "circuit 6",
        "A 400 counts nothing.",
        "The same, and the caller gets it as it came rather than as a 502.",
        (circuit.a_mistake_of_the_callers, retry.the_callers_mistake),
    ),
    Row(
        "circuit 7",
        "A success after two failures sets the count to nothing.",
        "The same.",
        (circuit.a_success_after_two_failures,),
    ),
    Row(
        "circuit 8",
        "A stream that is answered with 500 raises the count.",
        "The same; a stream that breaks later does so, too.",
        (circuit.an_error_before_a_stream, retry.a_stall_in_mid_stream),
    ),
    Row(
        "circuit 9",
        "The 503 has the request's id in a header.",
        "In a header and in the message.",
        (circuit.the_refusal_has_an_id,),
    ),
)

_HEALTH: Final = (
    Row(
        "health 1",
        "All are closed: `ok`, with each provider and a count of nothing.",
        "The same; below each provider stand those of its offers of which something is known.",
        (health.all_are_closed,),
    ),
    Row("health 2", "There are no providers: `ok`, and an empty object.", "The same.", (health.nobody_is_there,)),
    Row("health 3", "One of two is open: `degraded` with 200, and its count of 3.", "The same.", (health.one_is_open,)),
    Row(
        "health 4",
        "All are open: `unhealthy` with 503.",
        "The same, if not one offer can be had; `/live` is 200 all the same.",
        (health.all_are_open,),
    ),
    Row(
        "health 5",
        "One is half-open, once somebody has asked for it: `degraded`.",
        "The same, by the clock alone.",
        (health.one_is_half_open,),
    ),
    Row(
        "health 6",
        "One is half-open and another still open: `degraded`.",
        "The same.",
        (health.one_is_half_open_and_one_open,),
    ),
    Row("health 7", "The only one is open: 503.", "The same.", (health.the_only_one_is_open,)),
    Row("health 8", "Two failures: still `ok`, with a count of 2.", "The same.", (health.two_failures,)),
)

_BREAKER: Final = (
    Row(
        "breaker: to begin with",
        "It is closed and has counted nothing.",
        "The same.",
        ("tests/health/test_breaker.py::test_it_is_closed_to_begin_with",),
    ),
    Row(
        "breaker: threshold",
        "One and two failures leave it closed, the third opens it.",
        "The same by default; the threshold can be set, for all and for each provider.",
        (
            breaker.the_third_failure_opens,
            "tests/config/test_supply.py::test_a_provider_s_breakers_behave_as_others_as_far_as_nothing_else_is_said",
        ),
    ),
    Row(
        "breaker: success",
        "A success ends the row of failures.",
        "The same.",
        (circuit.a_success_after_two_failures, "tests/health/test_breaker.py::test_a_success_ends_the_row"),
    ),
    Row(
        "breaker: time",
        "It is not half-open after 29 s and is after 31 s.",
        "Not after 29 s, and by 38 s: chance adds up to a quarter, so that not all come back in the same instant.",
        (breaker.half_a_minute, "tests/health/test_breaker.py::test_chance_adds_up_to_a_quarter"),
    ),
    Row(
        "breaker: permits",
        "Closed, it lets in everybody, and open, nobody.",
        "The same.",
        ("tests/health/test_breaker.py::test_a_closed_one_lets_in_any_number_at_once", circuit.nobody_is_well),
    ),
    Row(
        "breaker: one probe",
        "Half-open, it lets in one call; others wait for its result, for as long as that takes.",
        "One call; others go elsewhere at once, and with nobody else wait three seconds at most.",
        (
            breaker.a_probe_is_one_attempt,
            breaker.nobody_waits_for_long,
            "tests/engine/test_visit.py::test_others_do_not_wait_for_a_probe_if_somebody_else_can_be_asked",
        ),
    ),
    Row("breaker: the probe succeeds", "It closes.", "The same.", (breaker.a_probe_that_succeeds,)),
    Row(
        "breaker: the probe fails",
        "It opens for another 30 s.",
        "It opens for twice as long as before, up to ten minutes.",
        (breaker.a_probe_that_fails, "tests/health/test_breaker.py::test_the_doubling_ends_at_the_longest"),
    ),
    Row(
        "breaker: number of trips",
        "How often it has opened is counted over recoveries, and nothing comes of it.",
        "Openings that follow each other make the pause longer, until it has been closed for a good while.",
        ("tests/health/test_breaker.py::test_the_doubling_is_forgotten_after_a_good_while",),
    ),
    Row(
        "breaker: last error",
        "The last error and when it opened are kept, but not shown.",
        "Both are shown, with when it will be tried.",
        (breaker.what_is_shown,),
    ),
    Row(
        "breaker: who has one",
        "The providers that were there at the start; anybody else is let in and never counted.",
        "Every offer and every provider, also those found later and those whose names callers make up.",
        (
            breaker.the_third_failure_opens,
            "tests/server/test_status.py::test_names_that_callers_made_up_are_offers_too",
            "tests/health/test_index.py::test_an_offer_has_one_page_and_its_provider_another",
        ),
    ),
    Row(
        "breaker: waiters, success",
        "One that waits is let in when the probe succeeds, and so are five.",
        "The same, in the same instant.",
        (breaker.those_who_wait_hear_of_a_success,),
    ),
    Row(
        "breaker: waiters, failure",
        "One that waits is refused when the probe fails.",
        "The same.",
        (breaker.those_who_wait_hear_of_a_failure,),
    ),
    Row(
        "breaker: a dropped probe",
        "A probe that ends untold counts as a failure.",
        "It tells nothing, so the next call may be it.",
        (breaker.a_caller_who_leaves_frees_the_probe, "tests/health/test_book.py::test_every_permit_comes_back"),
    ),
    Row(
        "breaker: the next cycle",
        "Who waits for a probe does not hear of the one before.",
        "News has the generation that it belongs to, and what is late changes nothing.",
        (
            breaker.late_news,
            "tests/health/test_breaker.py::test_a_probe_that_told_nothing_does_not_speak_for_the_next_one",
            "tests/health/test_breaker.py::test_there_are_never_two_probes_and_late_news_changes_nothing",
        ),
    ),
)

_RETRY: Final = (
    Row(
        "retry: which",
        "500, 502, 503 and 504 are tried again; nothing else is, and no other provider is asked for it.",
        "Whatever is the provider's fault goes to the next offer; what is the caller's ends the call as it came.",
        (retry.which_failures_are_retried, retry.the_callers_mistake),
    ),
    Row(
        "retry: told",
        "A header counts failed attempts by provider: `2/alpha, 1/beta`.",
        "A header counts retries; an error's message names each attempt in order, with what came of it.",
        (retry.who_failed_is_told, retry.the_first_answers),
    ),
    Row("retry: first answers", "One request is sent.", "The same.", (retry.the_first_answers,)),
    Row(
        "retry: again",
        "The first provider is asked again after one second.",
        "The next one is asked at once; the first is asked again if there is no other.",
        (retry.the_second_answers, retry.nobody_else),
    ),
    Row(
        "retry: nobody else",
        "Three requests are sent to the only provider.",
        "As many as may be in a call: four by default.",
        (retry.the_waits,),
    ),
    Row(
        "retry: the other answers",
        "After three requests to the first, one is sent to the second.",
        "The second request goes there.",
        (retry.the_second_answers,),
    ),
    Row(
        "retry: the other fails",
        "All four failures are noted, and the last is told. A third provider is never asked.",
        "Every offer is asked before any is asked again, and all failures are told.",
        (retry.all_fail, retry.every_candidate_is_used),
    ),
    Row(
        "retry: not to be retried",
        "One request is sent.",
        "The same, if it is the caller's mistake.",
        (retry.the_callers_mistake,),
    ),
    Row(
        "retry: waits",
        "One second and two, for everybody alike.",
        "They double as well, each drawn anew between nothing and its bound, and calls share one budget for them.",
        (
            retry.the_waits,
            "tests/attempt/test_pacing.py::test_each_wait_is_drawn_anew",
            "tests/engine/test_driver.py::test_retries_come_out_of_one_budget_for_all_calls",
        ),
    ),
)

SURVIVING: Final = (*_CIRCUIT, *_HEALTH, *_BREAKER, *_RETRY)
