"""What the other system has no tests of, and its scenarios that are about neither choosing nor surviving."""

from __future__ import annotations

from typing import Final

from tests.parity.plays import breaker, choice, health, retry, supply
from tests.parity.row import Row

__all__ = ["ELSEWHERE", "UNTESTED"]

_BOOKS: Final = "the books"
_WALLET: Final = "the wallet"

UNTESTED: Final = (
    Row(
        "untested: two breakers due at once",
        "One of the two probes is lost for ever.",
        "A call takes one probe at a time, and each comes back.",
        (breaker.two_are_due_at_once,),
    ),
    Row(
        "untested: a permit, the caller leaves",
        "It counts as a failure, or is lost.",
        "It comes back and tells nothing.",
        (breaker.a_caller_who_leaves_frees_the_probe, breaker.a_caller_who_waited_in_vain_holds_nothing),
    ),
    Row(
        "untested: a permit, an early error",
        "It is lost.",
        "None is taken before there is something to send.",
        (breaker.a_stranger_takes_no_probe,),
    ),
    Row(
        "untested: a permit, expiry",
        "It has none.",
        "It is a lease, as long as a call may last.",
        ("tests/health/test_book.py::test_a_probe_that_never_comes_back_is_waited_for_no_longer_than_its_lease",),
    ),
    Row(
        "untested: a hang",
        "It uses up the whole call.",
        "It is given up, counted, and another asked.",
        (retry.a_hanging_provider,),
    ),
    Row(
        "untested: a slow first byte",
        "It is waited for as for a hang.",
        "As long as it comes in time it is an answer, and what counts in a stream is the first output.",
        (retry.a_call_that_takes_minutes, "tests/engine/test_attempt.py::test_the_time_of_each_phase_is_bounded"),
    ),
    Row(
        "untested: a stall in mid-stream",
        "The caller waits for two minutes in all.",
        "The stream ends with an error after a minute of silence, and it counts.",
        (retry.a_stall_in_mid_stream,),
    ),
    Row(
        "untested: 401, 402, 404 and 429 elsewhere",
        "They end the call.",
        "They are between us and that provider: the next one is asked, and it is left alone for a while.",
        (
            retry.which_failures_are_retried,
            "tests/engine/test_visit.py::test_an_account_that_is_refused_rests_with_all_its_models",
            "tests/engine/test_visit.py::test_who_is_at_its_limit_rests_as_long_as_it_says",
        ),
    ),
    Row("untested: a stream before its first byte", "It has no second try.", "It has.", (retry.a_stream_falls_back,)),
    Row("untested: a truncated stream", "It gets a forged end.", "It ends with an error.", (retry.a_cut_stream,)),
    Row("untested: one `[DONE]`", "There are two.", "There is one, at the very end.", (retry.one_terminator,)),
    Row(
        "untested: no content",
        "`content: null` is refused.",
        "It passes as it came.",
        (retry.a_body_as_agents_send_it,),
    ),
    Row(
        "untested: a body of more than 2 MB",
        "It is refused, by a limit that nobody has set.",
        "The limit is a setting (32 MiB), and what is over it is told so in JSON.",
        (
            "tests/server/test_inference.py::test_a_body_may_be_as_large_as_the_limit",
            "tests/server/test_inference.py::test_a_body_over_the_limit_is_refused",
        ),
    ),
    Row("untested: order of records", "A record's end may come before its begin.", "Nothing yet.", later=_BOOKS),
    Row("untested: records of this second", "They are missing.", "Nothing yet.", later=_BOOKS),
    Row("untested: an unknown policy", "It is passed over.", "400.", (choice.an_unknown_policy,)),
    Row(
        "untested: routing after a failed discovery",
        "The provider is the first choice for every model.",
        "It is none for any.",
        (supply.a_failed_list_is_no_wildcard, supply.an_empty_list_is_no_wildcard),
    ),
    Row(
        "untested: a feed that dies, a quote without a price",
        "The one is believed for ever, the other is free.",
        "The one is believed for ten minutes, the other refused.",
        (supply.a_feed_dies, supply.a_quote_without_a_price),
    ),
    Row(
        "untested: settling more, nothing, or after the caller has left",
        "The books are wrong.",
        "Nothing yet; what was used is known whoever leaves.",
        ("tests/engine/test_driver.py::test_what_was_used_is_known_even_if_the_caller_leaves",),
        later=_WALLET,
    ),
    Row(
        "untested: the contract with the vault",
        "It is broken.",
        "There is no vault: one program holds it all.",
        later=_WALLET,
    ),
    Row(
        "untested: shutdown",
        "Calls are waited for without limit, records are not.",
        "Calls end or are told that they break off.",
        (
            "tests/cli/test_hosting.py::test_a_signal_lets_open_calls_end",
            "tests/cli/test_hosting.py::test_what_does_not_end_in_time_is_cut_off_and_told_so",
        ),
        later=_BOOKS,
    ),
    Row("untested: health without traffic", "503 for ever.", "Time alone ends it.", (health.it_heals_without_a_call,)),
)

ELSEWHERE: Final = (
    Row("stats", "18 scenarios of sums over a time.", "Nothing yet.", later=_BOOKS),
    Row("request log", "20 scenarios of pages of calls.", "Nothing yet.", later=_BOOKS),
    Row(
        "environment",
        "Five scenarios of references to variables in the file.",
        "References of one kind for every secret, and a variable by convention.",
        (
            "tests/config/test_references.py::test_a_variable_a_file_and_the_file_of_settings_itself_can_hold_a_secret",
            "tests/config/test_references.py::test_a_provider_s_key_has_a_variable_of_its_own",
            "tests/corpus/config/variable_not_set.test",
        ),
    ),
    Row(
        "stream options",
        "Usage is asked for in each stream unless the caller has said that it doesn't want it.",
        "It is always asked for, and shown to who asked for it.",
        ("tests/engine/test_relay.py::test_usage_is_always_asked_for_and_shown_to_who_asked",),
    ),
    Row("vault billing, fault tolerance, the vault's own", "36 scenarios of holds.", "Nothing yet.", later=_WALLET),
    Row(
        "units: stream",
        "17 scenarios of an observer of streams.",
        "A stream may be cut in any way.",
        ("tests/wire/test_observer.py::test_any_chunking_gives_callers_the_same",),
    ),
    Row(
        "units: handlers",
        "Eleven scenarios of usage and headers.",
        "The head says who answered and what it cost, and what was not said has no cost.",
        (
            "tests/engine/test_relay.py::test_the_head_says_who_answered_and_what_it_cost",
            "tests/engine/test_relay.py::test_usage_that_was_never_said_has_no_cost",
        ),
    ),
    Row(
        "units: types",
        "Six scenarios of a body that is written anew.",
        "It isn't: what we don't have to change stays as it came.",
        (retry.a_body_as_agents_send_it,),
    ),
    Row(
        "units: configuration",
        "47 scenarios of files.",
        "Each mistake has its place, its line and a way out.",
        (
            "tests/config/test_load.py::test_a_mistake_is_reported_as_the_corpus_says",
            "tests/config/test_load.py::TestSecrets::test_settings_with_secrets_do_not_show_them",
            supply.nonsense_in_numbers,
        ),
    ),
    Row("units: scorer", "16 scenarios of how hard a prompt is.", "Nothing yet.", later="choosing by quality"),
    Row("units: storage", "Seven scenarios.", "Nothing yet.", later=_BOOKS),
    Row("units: vault maths", "Five scenarios.", "Nothing yet.", later=_WALLET),
)
