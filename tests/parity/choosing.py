"""Which offer gets a call: the other system's scenarios of selection, previews, discovery and feeds."""

from __future__ import annotations

from typing import Final

from tests.parity.plays import choice, supply
from tests.parity.row import Row

__all__ = ["CHOOSING"]

_QUALITY: Final = "choosing by quality: a tier is to be the least that a call gets, not the most"

_SELECTOR: Final = (
    Row(
        "selector: cheapest",
        "The cheapest provider is chosen.",
        "The offer cheapest for this call.",
        (choice.the_cheapest,),
    ),
    Row(
        "selector: unknown model",
        "400.",
        "404, with the nearest names.",
        (choice.nobody_has_the_model,),
    ),
    Row(
        "selector: base fee",
        "It is added to the price of a thousand tokens, so it decides whatever the size of the call.",
        "It counts once a call, against the tokens that the call will take.",
        (choice.a_base_fee_counts_once_a_call,),
    ),
    Row(
        "selector: costs",
        "A table of tokens, rates and fees comes to 8, 0.125, 5 and 40 sat.",
        "The same, in whole millisatoshi.",
        (choice.costs_to_the_millisatoshi,),
    ),
    Row(
        "selector: fractions",
        "Costs are floating-point sat, rounded to two decimals where they are shown.",
        "They are whole millisatoshi, rounded up.",
        (
            choice.costs_to_the_millisatoshi,
            "tests/catalog/test_offers.py::test_each_bucket_is_rounded_up_and_nothing_else",
        ),
    ),
    Row(
        "selector: keywords",
        "The first policy of which a keyword is anywhere in the prompt binds.",
        "Whole words count; what they call for is advice, unless it is strict.",
        (
            choice.words_call_for_a_policy,
            "tests/routing/test_policy.py::test_a_strict_policy_binds_when_a_keyword_calls_for_it_too",
        ),
    ),
    Row(
        "selector: order",
        "Candidates are sorted by price; of equals the first in the file, or later by name.",
        "By the expected cost of the call; equals by name.",
        (choice.the_order,),
    ),
    Row(
        "selector: one name",
        "Of two providers of one name only the cheaper is used.",
        "The file is refused at the second.",
        (supply.names_twice,),
    ),
    Row(
        "selector: first",
        "Who is selected is the first of the candidates.",
        "The same; and a preview's choice is who gets the call.",
        (choice.the_preview_is_what_happens,),
    ),
    Row(
        "selector: models",
        "Who does not list the model is no candidate; who lists none takes any.",
        "The same, but who takes any model says so.",
        (choice.who_does_not_list_the_model, supply.wildcards_are_written_down),
    ),
    Row("selector: nobody", "Without providers: an error.", "404.", (choice.nobody_to_choose_from,)),
    Row(
        "selector: forbidden model",
        "A policy that does not allow the model makes it an error.",
        "The same, and each offer has its reason.",
        (choice.a_policy_forbids_a_model,),
    ),
    Row(
        "selector: tiers",
        "A tier bounds which providers are candidates, from above.",
        "Nothing yet.",
        later=_QUALITY,
    ),
    Row(
        "selector: worst case",
        "The dearest rates of all candidates are what is reserved.",
        "A preview tells the most that the choice can cost.",
        (choice.a_limit_of_the_answer_is_used,),
        later="holds: they come with the wallet",
    ),
    Row(
        "selector: rates of a model",
        "A market feed may price one model of a provider.",
        "The same, and without a feed each model has a price of its own anyway.",
        (choice.a_price_of_its_own_for_each_model, supply.a_quote_for_one_model),
    ),
    Row(
        "selector: hot swap",
        "What the feed says holds from the next call on.",
        "The same for all that is found; a call under way ends as it began.",
        (supply.the_catalog_changes_between_two_calls,),
    ),
    Row(
        "selector: strategies",
        "`lowest_latency` and `round_robin` are accepted, and everything is `cheapest`.",
        "Each of four does what it says.",
        (choice.every_strategy_does_something,),
    ),
)

_COST: Final = (
    Row(
        "cost 1",
        "The whole shape of an estimate.",
        "More of it: all candidates, with an interval and a bound, and all exclusions with their reasons.",
        (
            choice.a_preview_shows_all_there_is,
            "tests/server/test_showing.py::test_a_candidate_has_its_cost_with_interval_and_bound",
        ),
    ),
    Row("cost 2", "An unknown model: 400.", "404, as for the call itself.", (choice.nobody_has_the_model,)),
    Row("cost 3", "The cheapest is chosen.", "The same.", (choice.the_preview_is_what_happens,)),
    Row(
        "cost 4",
        "`max_tokens` is taken for the length of the answer.",
        "For the most that it can be, under both of its names; most answers are shorter.",
        (choice.a_limit_of_the_answer_is_used,),
    ),
    Row(
        "cost 5",
        "Without it the answer has 256 tokens.",
        "300, until it is known how long this model's answers to this kind of call are.",
        (choice.the_length_of_an_answer_is_learnt,),
    ),
    Row(
        "cost 6",
        "The cap of a policy named in the header rules out who is too dear.",
        "The same, with the reason.",
        (choice.a_policy_caps_the_price,),
    ),
    Row(
        "cost 7",
        "400 characters are 100 tokens.",
        "About that many to begin with, and what the model reports from then on.",
        (choice.tokens_are_learnt,),
    ),
    Row(
        "cost 8", "The rates are those of the provider.", "Those of the offer.", (choice.rates_are_those_of_the_offer,)
    ),
    Row("cost 9", "Without the token: 401.", "The same.", (choice.a_preview_needs_the_token,)),
)

_ESCALATION: Final = (
    Row(
        "escalation 1 to 7",
        "A score of the prompt, or a header, sets the highest tier; it rises while nobody in it is well.",
        "Nothing yet.",
        later=_QUALITY,
    ),
)

_DISCOVERY: Final = (
    Row(
        "discovery 1",
        "What a provider lists replaces what the file says, once, at the start.",
        "It adds to what the operator wrote, and is looked at again and again.",
        (
            supply.a_list_adds_to_what_is_fixed,
            "tests/engine/test_refresher.py::test_each_is_asked_in_its_own_time_and_sooner_if_it_was_missing",
        ),
    ),
    Row(
        "discovery 2",
        "A list that can't be had leaves the fixed one.",
        "The same, and what it said before, for an hour.",
        (
            supply.a_list_that_can_not_be_had,
            "tests/engine/test_refresher.py::test_prices_of_a_list_that_is_gone_for_an_hour_are_no_longer_believed",
        ),
    ),
    Row(
        "discovery 3",
        "A list that can't be had and nothing fixed: the list stays empty, which means any model.",
        "It means that nobody knows, so the provider is asked for nothing.",
        (supply.a_failed_list_is_no_wildcard,),
    ),
    Row(
        "discovery 4",
        "Who isn't to be discovered isn't asked.",
        "The same.",
        (supply.lists_are_not_asked_for_unless_wanted,),
    ),
    Row(
        "discovery 5",
        "A file from before discovery can be read.",
        "Nothing has to be said of it: who is given models isn't asked, and who isn't given any is.",
        (
            supply.lists_are_not_asked_for_unless_wanted,
            "tests/config/test_supply.py::test_a_provider_without_models_is_asked_for_them",
        ),
    ),
    Row(
        "discovery 6",
        "The list replaces and is not merged.",
        "A later list replaces an earlier one; what is gone from it is gone.",
        ("tests/engine/test_refresher.py::test_an_answer_of_nothing_takes_away_what_was_there",),
    ),
)

_FEED: Final = (
    Row(
        "feed: addresses",
        "`/v1` is added to an address without it.",
        "Addresses are compared without it.",
        ("tests/discovery/test_market.py::test_an_address_may_be_written_in_several_ways",),
    ),
    Row(
        "feed: no key",
        "A node for which there is no key is not used.",
        "A feed names nobody: only the operator's own providers are priced by it.",
        ("tests/discovery/test_market.py::test_a_quote_for_an_address_that_the_operator_has_not_written_is_refused",),
    ),
    Row(
        "feed: a shared key",
        "Nodes from one source are all sent the same key.",
        "A key is bound to an address that the operator has written, and a feed gets none.",
        ("tests/discovery/test_market.py::test_the_feed_is_asked_at_its_own_address_and_gets_no_key",),
    ),
    Row(
        "feed: the operator's own",
        "Providers of the file are kept, at the feed's prices; the fee of the file is overwritten.",
        "They are kept, and the fee, too.",
        (
            supply.a_quote_for_one_model,
            "tests/catalog/test_listing.py::test_what_a_quote_does_not_tell_moves_along_and_the_fee_stays",
        ),
    ),
    Row(
        "feed: reliability",
        "A node that the feed calls unreliable is left out; one that it does not know is in.",
        "What counts is how an offer has fared here.",
        ("tests/health/test_book.py::test_how_often_an_offer_fails_is_known_as_long_as_it_is_worth_a_word",),
        later="nodes found on the market, and what is said of them: they come with the wallet",
    ),
)

CHOOSING: Final = (*_SELECTOR, *_COST, *_ESCALATION, *_DISCOVERY, *_FEED)
