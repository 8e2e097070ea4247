"""Which offer is the cheapest for a call, which may not be used at all, and what a preview says of both."""

from __future__ import annotations

from typing import Final

import msgspec

from satisfice.core.amounts import Msat, Rate
from satisfice.core.clock import ManualClock
from satisfice.routing.policy import Asking, Policies, Policy, Strategy
from satisfice.transport.script import Script
from tests.build import a_body, a_price, an_offer
from tests.engine.stage import WHOLE, Stage
from tests.parity.calls import cost_of, look
from tests.server.front import ASGIFront, an_app

__all__ = [
    "a_base_fee_counts_once_a_call",
    "a_limit_of_the_answer_is_used",
    "a_policy_caps_the_price",
    "a_policy_forbids_a_model",
    "a_preview_needs_the_token",
    "a_preview_shows_all_there_is",
    "a_price_of_its_own_for_each_model",
    "an_unknown_policy",
    "costs_to_the_millisatoshi",
    "every_strategy_does_something",
    "nobody_has_the_model",
    "nobody_to_choose_from",
    "rates_are_those_of_the_offer",
    "the_cheapest",
    "the_length_of_an_answer_is_learnt",
    "the_length_of_the_prompt_counts",
    "the_order",
    "the_preview_is_what_happens",
    "tokens_are_learnt",
    "who_charges_more_than_the_price",
    "who_does_not_list_the_model",
    "words_call_for_a_policy",
]

_SAT_PER_1000: Final = 1_000_000
"""One sat for a thousand tokens, in msat per million."""


async def the_cheapest(clock: ManualClock) -> None:
    """It stands neither first in the file nor first by name."""
    offers = [an_offer("acme", price=a_price(3 * 10**6)), an_offer("bell", price=a_price(10**6))]
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock, offers=offers)

    assert "bell" == (await stage.ask()).header("x-satisfice-provider")


async def the_order(clock: ManualClock) -> None:
    prices = {"acme": 3, "bell": 1, "core": 2, "dell": 2}
    offers = [an_offer(name, price=a_price(price * 10**6)) for name, price in prices.items()]

    told = await cost_of(Stage({}, clock, offers=offers), a_body())

    assert ["small@bell", "small@core", "small@dell", "small@acme"] == [each.id for each in told.candidates]


async def the_preview_is_what_happens(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock)
    told = await cost_of(stage, a_body())
    assert [] == stage.tried, "nothing is sent"

    caller = await stage.ask()

    assert told.choice == told.candidates[0].id == f"small@{caller.header('x-satisfice-provider')}"
    assert str(told.expected_cost_msat) == caller.header("x-satisfice-expected-cost-msat")


async def nobody_has_the_model(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock)

    caller = await stage.ask(body=a_body("smaal"))

    assert (404, "model_not_found") == (caller.status, caller.error["code"])
    assert "Did you mean `small`" in str(caller.error["message"])
    assert 404 == (await look(stage, "POST", "/v1/cost", a_body("smaal"))).status


async def nobody_to_choose_from(clock: ManualClock) -> None:
    caller = await Stage({}, clock).ask()

    assert (404, "model_not_found") == (caller.status, caller.error["code"])


async def who_does_not_list_the_model(clock: ManualClock) -> None:
    offers = [an_offer("acme", "large", price=a_price(1, 1)), an_offer("bell", "small")]
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock, offers=offers)

    await stage.ask()

    assert ["bell"] == stage.tried
    assert ["small@bell"] == [each.id for each in (await cost_of(stage, a_body())).candidates]


async def a_base_fee_counts_once_a_call(clock: ManualClock) -> None:
    """10 sat for a thousand tokens and 8 sat a call, against 15 sat: the longer the answer, the better the fee."""
    fee = an_offer("fee", price=a_price(0, 10 * _SAT_PER_1000, base_fee=8_000))
    flat = an_offer("flat", price=a_price(0, 15 * _SAT_PER_1000))
    stage = Stage({}, clock, offers=[fee, flat])

    short = await cost_of(stage, b'{"model":"small","messages":[],"max_tokens":100}')
    long = await cost_of(stage, b'{"model":"small","messages":[],"n":16}')

    assert ["small@flat", "small@fee"] == [short.choice, long.choice]


async def the_length_of_the_prompt_counts(clock: ManualClock) -> None:
    """One is cheap to read, the other cheap to write."""
    offers = [an_offer("reads", price=a_price(10**6, 9 * 10**6)), an_offer("writes", price=a_price(9 * 10**6, 10**6))]
    stage = Stage({}, clock, offers=offers)

    long = await cost_of(stage, a_body(prompt="word " * 9_000))
    short = await cost_of(stage, a_body())

    assert ["small@reads", "small@writes"] == [long.choice, short.choice]


_COSTS: Final = (
    (100, 200, a_price(10 * _SAT_PER_1000, 30 * _SAT_PER_1000, base_fee=1_000), 8_000),
    (10, 5, a_price(5 * _SAT_PER_1000, 15 * _SAT_PER_1000), 125),
    (0, 0, a_price(10 * _SAT_PER_1000, 30 * _SAT_PER_1000, base_fee=5_000), 5_000),
    (1_000, 1_000, a_price(10 * _SAT_PER_1000, 30 * _SAT_PER_1000), 40_000),
)
"""Tokens in and out, a price, and what that is in msat."""


async def costs_to_the_millisatoshi(clock: ManualClock) -> None:
    for tokens_in, tokens_out, price, cost in _COSTS:
        body = f'{{"choices":[{{}}],"usage":{{"prompt_tokens":{tokens_in},"completion_tokens":{tokens_out}}}}}'
        offer = an_offer(price=price)
        stage = Stage({"acme": Script().head(200).body(body)}, clock, offers=[offer])
        assert str(cost) == (await stage.ask()).header("x-satisfice-cost-msat")


async def a_price_of_its_own_for_each_model(clock: ManualClock) -> None:
    offers = [
        an_offer("acme", "small", price=a_price(1 * 10**6)),
        an_offer("acme", "large", price=a_price(9 * 10**6)),
        an_offer("bell", "small", price=a_price(2 * 10**6)),
        an_offer("bell", "large", price=a_price(3 * 10**6)),
    ]
    stage = Stage({}, clock, offers=offers)

    assert ["small@acme", "large@bell"] == [
        (await cost_of(stage, a_body(model))).choice for model in ("small", "large")
    ]


async def words_call_for_a_policy(clock: ManualClock) -> None:
    """A whole word does, a part of one does not, and where nobody would be left it was only advice."""
    policies = Policies([Policy(name="code", keywords=("refactor",), deny_providers=("acme",))])
    both = Stage({"acme": WHOLE, "bell": WHOLE}, clock).under(policies)
    alone = Stage({"acme": WHOLE}, clock).under(policies)

    for prompt, provider, applied in (
        ("Please REFACTOR this.", "bell", "code"),
        ("A refactory it is.", "acme", None),
    ):
        caller = await both.ask(body=a_body(prompt=prompt))
        assert (provider, applied) == (caller.header("x-satisfice-provider"), caller.header("x-satisfice-policy"))
    caller = await alone.ask(body=a_body(prompt="Please refactor this."))

    assert (200, None) == (caller.status, caller.header("x-satisfice-policy"))


async def an_unknown_policy(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock).under(Policies([Policy(name="careful", max_msat_per_call=Msat(1))]))

    caller = await stage.ask(asking=Asking(policy="carefull"))

    assert (400, "unknown_policy", []) == (caller.status, caller.error["code"], stage.tried)
    assert "Did you mean `careful`" in str(caller.error["message"])


async def a_policy_caps_the_price(clock: ManualClock) -> None:
    cap = Policy(name="cap", max_output_msat_per_mtok=Rate(5 * 10**6), strategy=Strategy.ROUND_ROBIN)
    offers = [an_offer("acme", price=a_price(1, 9 * 10**6)), an_offer("bell", price=a_price(1, 5 * 10**6))]
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock, offers=offers).under(Policies([cap]))

    told = await cost_of(stage, a_body(), policy="cap")
    callers = [await stage.ask(asking=Asking(policy="cap")) for _ in range(3)]

    assert (["cap"], ["small@bell"]) == (told.policies, [each.id for each in told.candidates])
    assert [("small@acme", "output_rate")] == [(each.offer, each.reason) for each in told.excluded]
    assert {("bell", "cap")} == {
        (caller.header("x-satisfice-provider"), caller.header("x-satisfice-policy")) for caller in callers
    }


async def a_policy_forbids_a_model(clock: ManualClock) -> None:
    policies = Policies([Policy(name="large-only", allow_models=("large",))])
    stage = Stage({"acme": WHOLE}, clock).under(policies)

    caller = await stage.ask(asking=Asking(policy="large-only"))

    assert (400, "no_candidate", []) == (caller.status, caller.error["code"], stage.tried)
    assert "small@acme: policy `large-only`: `allow_models` has nothing that fits" in str(caller.error["message"])


async def a_preview_shows_all_there_is(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock)

    told = await cost_of(stage, a_body())

    assert 2 == len(told.candidates)
    assert 0 < told.low_cost_msat < told.expected_cost_msat < told.high_cost_msat < told.most_cost_msat
    assert told.expected_cost_msat == told.candidates[0].expected_cost_msat
    assert [] == stage.tried


async def rates_are_those_of_the_offer(clock: ManualClock) -> None:
    price = a_price(8 * 10**6, 15 * 10**6, base_fee=7)
    stage = Stage({}, clock, offers=[an_offer(price=price)])

    told = (await cost_of(stage, a_body())).candidates[0].offer["price"]

    assert msgspec.to_builtins(told) == {
        "input_msat_per_mtok": 8_000_000,
        "output_msat_per_mtok": 15_000_000,
        "cache_read_msat_per_mtok": None,
        "cache_write_msat_per_mtok": None,
        "base_fee_msat": 7,
        "tiers": [],
    }


async def a_limit_of_the_answer_is_used(clock: ManualClock) -> None:
    stage = Stage({}, clock, offers=[an_offer()])

    for field in ("max_tokens", "max_completion_tokens"):
        told = await cost_of(stage, f'{{"model":"small","messages":[],"{field}":50}}'.encode())
        first = told.candidates[0]
        assert 40 < first.output_tokens <= 50, field
        assert first.input_tokens + 2 * 50 == told.most_cost_msat, field


async def the_length_of_an_answer_is_learnt(clock: ManualClock) -> None:
    long = '{"choices":[{}],"usage":{"prompt_tokens":19,"completion_tokens":3000}}'
    stage = Stage({"acme": Script().head(200).body(long)}, clock)

    before = (await cost_of(stage, a_body())).candidates[0].output_tokens
    for _ in range(50):
        await stage.ask()
    after = (await cost_of(stage, a_body())).candidates[0].output_tokens

    assert 300 == before
    assert 2_000 < after <= 3_000


async def tokens_are_learnt(clock: ManualClock) -> None:
    """Of 400 characters about a hundred tokens are expected, until a model that counts otherwise has said so."""
    body = a_body(prompt="word " * 80)
    dense = '{"choices":[{}],"usage":{"prompt_tokens":300,"completion_tokens":10}}'
    stage = Stage({"acme": Script().head(200).body(dense)}, clock)

    before = (await cost_of(stage, body)).candidates[0].input_tokens
    for _ in range(100):
        await stage.ask(body=body)
    after = (await cost_of(stage, body)).candidates[0].input_tokens

    assert 100 <= before <= 130
    assert 250 <= after <= 310


async def a_preview_needs_the_token(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock)
    front = ASGIFront(an_app(stage.gateway, token="sk-ours"))

    stranger = await front.ask("POST", "/v1/cost", body=a_body())
    known = await front.ask("POST", "/v1/cost", body=a_body(), headers=[("authorization", "Bearer sk-ours")])

    assert (401, 200) == (stranger.status, known.status)


async def every_strategy_does_something(clock: ManualClock) -> None:
    """`acme` is the cheapest and slow, `core` the dearest and fast, and `bell` is to get ten calls in twelve."""
    policies = [
        Policy(name=each.value, strategy=each, weights=(("bell", 10),) if each is Strategy.WEIGHTED else ())
        for each in Strategy
    ]
    waits = {"acme": 5.0, "bell": 2.0, "core": 0.5}
    scripts = {name: Script().wait(seconds).then(*WHOLE.steps) for name, seconds in waits.items()}
    stage = Stage(scripts, clock).under(Policies(policies))

    counts = {}
    for strategy in ("cheapest", "round_robin", "lowest_latency", "weighted"):
        asked = len(stage.tried)
        for _ in range(24):
            await stage.ask(asking=Asking(policy=strategy))
        counts[strategy] = [stage.tried[asked:].count(name) for name in waits]

    assert ([24, 0, 0], [8, 8, 8]) == (counts["cheapest"], counts["round_robin"])
    assert 20 <= counts["lowest_latency"][2]
    assert 15 <= counts["weighted"][1] < 24


async def who_charges_more_than_the_price(clock: ManualClock) -> None:
    """It asks for the least and takes three times as much, and says so itself."""
    greedy = Script().head(200, {"x-routstr-cost-msats": "117"}).then(*WHOLE.steps[1:])
    offers = [an_offer("acme"), an_offer("bell", price=a_price(1_500_000, 3_000_000))]
    stage = Stage({"acme": greedy, "bell": WHOLE}, clock, offers=offers)

    providers = [(await stage.ask()).header("x-satisfice-provider") for _ in range(12)]

    assert ("acme", "bell") == (providers[0], providers[-1])
    assert 117 == stage.told[0][1].charged
