"""The other system's known defects, each with what shows that it isn't ours."""

from __future__ import annotations

from typing import Final

from tests.parity.plays import breaker, choice, health, retry, supply
from tests.parity.row import Row

__all__ = ["DEFECTS"]

_BOOKS: Final = "the books: nothing is recorded yet"
_WALLET: Final = "the wallet: nothing is held or settled yet"
_POLICY_TESTS: Final = "tests/routing/test_policy.py"

_BREAKERS: Final = (
    Row(
        "B-01",
        "When two probes are due in one call, one is never given back, and all later calls wait for it without limit.",
        "A permit is taken when its attempt begins, comes back however that ends, and is a lease anyway.",
        (
            breaker.two_are_due_at_once,
            "tests/health/test_book.py::test_every_permit_comes_back",
            "tests/health/test_book.py::test_a_probe_that_never_comes_back_is_waited_for_no_longer_than_its_lease",
        ),
    ),
    Row(
        "B-03",
        "A permit is lost when a call ends between taking it and guarding it; strangers can bring that about.",
        "There is no such between: it is taken within the attempt, and strangers don't come that far.",
        (
            breaker.a_stranger_takes_no_probe,
            breaker.a_caller_who_waited_in_vain_holds_nothing,
            "tests/health/test_breaker.py::test_every_ticket_comes_back",
        ),
    ),
    Row(
        "B-06",
        "A call waits for the probe of an offer that it doesn't need, for up to two minutes.",
        "It waits for none if anybody else can be asked, and else for three seconds.",
        (
            breaker.nobody_waits_for_a_stranger_to_the_call,
            breaker.nobody_waits_for_long,
            "tests/engine/test_visit.py::test_others_do_not_wait_for_a_probe_if_somebody_else_can_be_asked",
        ),
    ),
    Row(
        "B-10",
        "Who hangs is never counted, so each call costs 30 s and fails, without another provider being asked.",
        "Each phase has a timeout that counts as a failure and leaves time for others.",
        (
            retry.a_hanging_provider,
            retry.a_black_hole,
            "tests/engine/test_visit.py::test_who_hangs_while_those_asked_later_answer_is_left_alone_too",
        ),
    ),
    Row(
        "B-12",
        "A probe is up to three attempts at the sick provider while others wait.",
        "It is one attempt, which another offer rescues.",
        (
            breaker.a_probe_is_one_attempt,
            "tests/engine/test_visit.py::test_a_probe_that_fails_is_rescued_by_another_offer",
        ),
    ),
    Row(
        "B-13",
        "Late failures make the pause longer, and a late success sets the count to nothing.",
        "What is late changes nothing.",
        (
            breaker.late_news,
            "tests/health/test_breaker.py::test_late_failures_do_not_prolong_the_pause",
            "tests/health/test_breaker.py::test_a_late_success_does_not_close_it",
        ),
    ),
    Row(
        "B-14",
        "With all open `/health` is 503 until a call comes, which a balancer does not send while it is.",
        "It goes by the clock; whether the process lives is another question.",
        (
            health.it_heals_without_a_call,
            health.all_are_open,
            "tests/server/test_status.py::test_time_alone_makes_it_better",
        ),
    ),
    Row(
        "B-15",
        "A probe that the caller's own mistake or leaving ends marks a healthy provider as ill.",
        "Both tell nothing of it, and the next call is the probe.",
        (breaker.a_mistake_of_the_callers_frees_the_probe, breaker.a_caller_who_leaves_frees_the_probe),
    ),
    Row(
        "B-42",
        "Two providers of one name share a breaker, and one of them is never used.",
        "The second is refused when the file is read.",
        (supply.names_twice,),
    ),
    Row(
        "B-46",
        "One call makes three failures in a row, and they are counted only when it is over.",
        "A call counts once at an offer, and at once.",
        (
            breaker.one_call_counts_once,
            breaker.failures_count_at_once,
            "tests/engine/test_visit.py::test_one_call_that_fails_several_times_counts_once",
        ),
    ),
)

_RETRIES: Final = (
    Row(
        "B-11",
        "Long answers are cut off after 30 s, and streams after two minutes.",
        "Silence is bounded rather than length: a stream that has begun goes on as long as it does, and whoever has "
        "not begun has ten minutes, or up to a day if the operator says so.",
        (
            retry.a_call_that_takes_minutes,
            "tests/corpus/config/endless_timeout.test",
            "tests/engine/test_visit.py::test_a_stream_goes_on_as_long_as_it_does",
        ),
    ),
    Row(
        "B-19",
        "What a provider refuses us (401, 402, 403, 404, 408, 429) ends the call as a 502.",
        "A failure has somebody's fault: the provider's goes elsewhere, ours makes it rest, the caller's is relayed.",
        (
            retry.which_failures_are_retried,
            retry.the_callers_mistake,
            "tests/attempt/test_outcome.py::test_a_status_says_whose_fault_it_is",
            "tests/engine/test_visit.py::test_an_account_that_is_refused_rests_with_all_its_models",
        ),
    ),
    Row("B-20", "Streams have no second try.", "Until their first output they do.", (retry.a_stream_falls_back,)),
    Row(
        "B-21",
        "What a call cost comes after the first `[DONE]`; a truncated stream gets a forged one.",
        "It comes before the only one, and a truncated stream has none.",
        (retry.one_terminator, retry.a_cut_stream, retry.a_stall_in_mid_stream),
    ),
    Row(
        "B-24",
        "A large event, or the lack of `[DONE]`, loses the usage.",
        "Events of any size are read, and usage counts when it comes.",
        (
            retry.a_late_usage,
            "tests/engine/test_relay.py::test_an_event_of_ten_megabytes_arrives_whole",
            "tests/wire/test_observer.py::test_any_chunking_gives_callers_the_same",
        ),
    ),
    Row(
        "B-41",
        "What the upstream has to say is read, and paid for, after the caller has left.",
        "The upstream is stopped.",
        (retry.a_caller_who_leaves, "tests/engine/test_driver.py::test_a_caller_who_leaves_stops_the_upstream"),
    ),
)

_CHOICES: Final = (
    Row(
        "B-05",
        "`content: null` is refused; tools and other fields are dropped.",
        "The body passes as it came, but for the model's name.",
        (retry.a_body_as_agents_send_it,),
    ),
    Row(
        "B-07",
        "No list means any model, so a failed discovery makes a provider the first choice for everything.",
        "None, unknown and any are three things, and the last has to be written down.",
        (
            supply.a_failed_list_is_no_wildcard,
            supply.an_empty_list_is_no_wildcard,
            supply.wildcards_are_written_down,
            "tests/engine/test_refresher.py::test_that_a_provider_has_nothing_is_another_thing_than_that_nobody_knows",
        ),
    ),
    Row(
        "B-09",
        "Rates changed their unit but not their name, and a renamed cap is passed over.",
        "The unit is in the name, and what means nothing is refused.",
        (
            supply.rates_of_another_unit,
            "tests/config/test_pricing.py::test_a_price_is_read_in_millisatoshi_whichever_unit_it_has",
            "tests/config/test_reading.py::test_an_unknown_key_is_noted_at_the_key",
        ),
    ),
    Row(
        "B-25",
        "A misspelt policy means no policy; a word in the prompt can make a good request an error.",
        "The one is refused; the other is advice. What applied is told in a header.",
        (
            choice.an_unknown_policy,
            choice.words_call_for_a_policy,
            choice.a_policy_caps_the_price,
            f"{_POLICY_TESTS}::test_naming_a_policy_by_header_never_lets_in_what_a_key_or_a_model_keeps_out",
        ),
        later="that it is recorded, too: the books",
    ),
    Row(
        "B-26",
        "A feed's quote without a price is free, its last word holds for ever, it overwrites fees, names strangers to "
        "whom a key is sent, and whom it names has no breaker.",
        "Quotes need a price and expire, leave fees alone, and are only for addresses that the operator has written; "
        "every offer has a breaker.",
        (
            supply.a_quote_without_a_price,
            supply.a_feed_dies,
            supply.a_quote_for_one_model,
            supply.a_model_found_later_has_a_breaker,
            "tests/catalog/test_listing.py::test_what_a_quote_does_not_tell_moves_along_and_the_fee_stays",
            "tests/catalog/test_listing.py::test_whoever_takes_any_model_still_does_so_after_a_quote_for_one",
            "tests/discovery/test_market.py::test_the_feed_is_asked_at_its_own_address_and_gets_no_key",
            "tests/corpus/config/feed_over_plain_http.test",
        ),
    ),
    Row(
        "B-32",
        "A price of tokens and a price of calls are added up, whatever the size of the prompt.",
        "Offers are ranked by what this call will cost.",
        (choice.a_base_fee_counts_once_a_call, choice.the_length_of_the_prompt_counts),
    ),
    Row(
        "B-34",
        "Settings that do nothing are accepted, and so are strategies.",
        "What does nothing is no setting, and each strategy does something.",
        (
            supply.dead_settings,
            choice.every_strategy_does_something,
            "tests/config/test_callers.py::test_there_is_a_setting_for_everything_that_a_policy_can_say",
            "tests/config/test_load.py::TestFinding::test_a_file_that_is_asked_for_holds_even_if_it_is_missing",
        ),
    ),
    Row(
        "B-35",
        "What a provider says that it charged is stored unread, so its price is believed whatever it takes.",
        "An offer is ranked by what it really takes.",
        (
            choice.who_charges_more_than_the_price,
            "tests/routing/test_charges.py::test_who_charges_three_times_the_price_is_known_for_it_within_ten_calls",
        ),
        later="that the difference is recorded and shown: the books",
    ),
    Row(
        "B-36",
        "Two decimals of a sat hide most costs.",
        "They are told in millisatoshi.",
        (choice.costs_to_the_millisatoshi,),
    ),
    Row(
        "B-40",
        "A cap is applied after the tier, and rules out what a higher tier could serve.",
        "Every limit is applied to every offer.",
        (choice.a_policy_caps_the_price,),
        later="tiers: choosing by quality",
    ),
)

_REST: Final = (
    Row(
        "B-02",
        "A reference to a secret is sent as it stands, for one table doesn't resolve it.",
        "All secrets are references of one kind, and one that leads nowhere is refused at the start.",
        (
            "tests/config/test_references.py::test_a_reference_that_leads_nowhere_good_is_refused",
            "tests/config/test_references.py::test_what_can_not_be_a_reference_is_refused",
        ),
    ),
    Row("B-04", "A tier is only a ceiling.", "Nothing yet.", later="choosing by quality: a tier is to be a floor"),
    Row(
        "B-08",
        "Usage that isn't known costs nothing.",
        "It is always asked for, and what isn't known has no cost, which is not nothing.",
        (
            "tests/engine/test_relay.py::test_usage_is_always_asked_for_and_shown_to_who_asked",
            "tests/engine/test_relay.py::test_usage_that_was_never_said_has_no_cost",
        ),
        later="an estimate in its place: the books",
    ),
    Row("B-16", "Times are compared as text, in two formats.", "Nothing yet.", later=_BOOKS),
    Row("B-17", "The two halves disagree about what they send each other.", "There is one program.", later=_WALLET),
    Row("B-18", "Holds are lost when a caller leaves, and in a crash.", "Nothing yet.", later=_WALLET),
    Row("B-22", "The end of a record may be written before its begin, and is lost.", "Nothing yet.", later=_BOOKS),
    Row(
        "B-23",
        "The mock mode has no mock provider, and two databases that don't know each other.",
        "The demo has five providers, some of them troubled, and needs no network.",
        (
            supply.the_demo_has_providers_of_its_own,
            "tests/engine/test_assembly.py::test_a_scenario_is_a_gateway_of_its_own",
            "tests/cli/test_demo.py::test_it_prints_what_the_page_says",
        ),
        later="its records: the books",
    ),
    Row("B-27", "Grouping by model passes over a filter.", "Nothing yet.", later=_BOOKS),
    Row(
        "B-28",
        "Keys are printed in errors, and what upstreams say of them is told to callers.",
        "A secret can't be printed, and what is said of our keys isn't told.",
        (
            "tests/core/test_secrets.py::test_no_way_of_printing_shows_it",
            "tests/config/test_load.py::TestSecrets::test_no_report_shows_them_whatever_is_wrong",
            "tests/attempt/test_outcome.py::test_what_was_said_of_our_key_is_not_told_to_callers",
        ),
    ),
    Row(
        "B-29",
        "Some paths lose their protection, others never have any.",
        "All need the key, but those that only tell whether we are well, and they tell strangers no more.",
        (
            "tests/server/test_admin.py::test_providers_are_not_for_strangers",
            "tests/server/test_admin.py::test_strangers_are_told_that_something_is_wrong_but_not_with_whom",
            choice.a_preview_needs_the_token,
        ),
    ),
    Row(
        "B-30",
        "A limit of calls makes them wait, and `/health` with them.",
        "There is none yet, so none is in the way.",
        later="limits for each caller's key: the books know what it has used",
    ),
    Row(
        "B-31",
        "Errors come in several shapes; a 504 says 502.",
        "They come in the caller's dialect, with one code for each.",
        (
            "tests/server/test_app.py::test_a_wrong_method_is_told_the_right_one",
            "tests/server/test_app.py::test_an_unknown_path_is_told_where_the_api_is",
            "tests/engine/test_attempt.py::test_a_failure_that_nobody_mends_is_told",
            "tests/core/test_errors.py::test_every_leaf_has_a_code_of_its_own",
        ),
    ),
    Row(
        "B-33",
        "`max_tokens` is put beside the caller's own `max_completion_tokens`, and the estimate leaves much out.",
        "Nothing is put into the body, both names are read, and the bound counts tools, choices and images.",
        (
            retry.a_body_as_agents_send_it,
            choice.a_limit_of_the_answer_is_used,
            "tests/routing/test_forecast.py::test_every_choice_is_an_answer",
            "tests/routing/test_forecast.py::test_an_image_is_no_text_however_it_is_sent",
        ),
        later=_WALLET,
    ),
    Row(
        "B-37",
        "Pages of records overlap, and large numbers of pages wrap round.",
        "Pages of offers don't.",
        ("tests/server/test_providers.py::test_page_by_page_every_offer_is_told_of_once",),
        later=_BOOKS,
    ),
    Row(
        "B-38",
        "A shutdown is abrupt, or without limit for calls and at once for records.",
        "Calls have a time to end in, and those that don't are told.",
        (
            "tests/cli/test_hosting.py::test_a_signal_lets_open_calls_end",
            "tests/cli/test_hosting.py::test_what_does_not_end_in_time_is_cut_off_and_told_so",
        ),
        later="that records are written before it: the books",
    ),
    Row(
        "B-39",
        "What couldn't be settled is counted late, tried one by one, and deleted.",
        "Nothing yet.",
        later=_WALLET,
    ),
    Row(
        "B-43",
        "Latencies of streams, whole answers and failures are one average.",
        "First output and pace are known apart, of answers only.",
        ("tests/health/test_stats.py::test_a_stream_shows_how_soon_it_begins_and_how_fast_it_is",),
        later="percentiles: the books",
    ),
    Row("B-44", "Records are kept for ever.", "Nothing yet.", later=_BOOKS),
    Row(
        "B-45",
        "A record can't be found by the id that its caller was told.",
        "It is in each line of the log.",
        ("tests/cli/test_log.py::test_programs_get_a_line_of_json_for_each_event",),
        later=_BOOKS,
    ),
    Row(
        "B-47",
        "The file that starts the containers names variables that nobody reads.",
        "There are no containers of ours yet.",
        later="a container of one program, started in a test: with the release",
    ),
    Row("B-48", "What is called settled in bitcoin is entries in a table.", "Nothing yet.", later=_WALLET),
)

DEFECTS: Final[tuple[Row, ...]] = (*_BREAKERS, *_RETRIES, *_CHOICES, *_REST)
