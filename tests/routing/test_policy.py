"""Policies: which apply to a call, what they come to, and what they rule out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, Price, Tier, Traits
from satisfice.core.amounts import Msat, Rate
from satisfice.core.errors import UnknownPolicy
from satisfice.routing.policy import NONE, Applied, Asking, Policies, Policy, Strategy, exclusion
from satisfice.wire.request import Ability
from tests.build import a_price, an_offer

_PLACE = "for the model `small` of the provider `acme`"
_DEARER = "a million tokens of output cost 3,000,000 msat for prompts of over 200,000 tokens"
_TOOLS = frozenset((Ability.TOOLS, Ability.REASONING))
_ANYBODY = Asking()
_PATTERNS = st.lists(st.sampled_from(("*", "s*", "?arge", "acme")), max_size=2).map(tuple)
_RATES = st.integers(0, 3).map(Rate)
_TOKENS = st.integers(0, 3)
_ABILITIES = st.frozensets(st.sampled_from(Ability))
_WORDS = st.frozensets(st.sampled_from(("eu", "us", "ch")))
_POLICIES = st.builds(
    Policy,
    name=st.just("p"),
    **dict.fromkeys(("allow_models", "deny_models", "allow_providers", "deny_providers"), _PATTERNS),
    max_output_msat_per_mtok=st.none() | _RATES,
    min_context=st.none() | _TOKENS,
    require=_ABILITIES,
    **dict.fromkeys(("regions", "retentions", "quantisations"), _WORDS),
)
_OFFERS = st.builds(
    Offer,
    provider=st.sampled_from(("acme", "beta")),
    model=st.sampled_from(("small", "large")),
    upstream_model=st.sampled_from(("small", "large", "s-1")),
    price=st.none()
    | st.builds(
        Price,
        input=_RATES,
        output=_RATES,
        tiers=st.lists(st.builds(Tier, above=_TOKENS, input=_RATES, output=_RATES), max_size=1).map(tuple),
    ),
    capabilities=st.builds(Capabilities, context=st.none() | _TOKENS, has=_ABILITIES, lacks=_ABILITIES),
    traits=st.builds(
        Traits, **dict.fromkeys(("region", "retention", "quantisation"), st.sampled_from((None, "eu", "us")))
    ),
)


def test_without_policies_nothing_applies() -> None:
    """It is the same object each time, so that whoever sees it needs to look no further."""
    policies = Policies()

    assert NONE is policies.match(Asking(), "small", last_words=_unheard)
    assert NONE is policies.match(Asking(key="laptop", session="s"), "small", last_words=_unheard)
    assert ((), (), (), None) == (NONE.binding, NONE.advisory, NONE.names, NONE.max_msat_per_call)
    assert (Strategy.CHEAPEST, 0.0, {}) == (NONE.strategy, NONE.spread, NONE.weights)


def test_a_policy_that_nobody_calls_for_does_not_apply() -> None:
    assert NONE is Policies([Policy(name="eu", regions=frozenset(("eu",)))]).match(
        Asking(), "small", last_words=_unheard
    )


def test_a_caller_chooses_a_policy_by_header() -> None:
    eu = Policy(name="eu")

    assert (eu,) == Policies([eu, Policy(name="us")]).match(Asking("eu"), "small", last_words=_unheard).binding


def test_a_policy_that_there_is_not_is_refused_and_near_misses_are_named() -> None:
    """To go on without it would lift limits that the caller counts on."""
    policies = Policies([Policy(name="careful"), Policy(name="care"), Policy(name="eu")], "eu")

    with pytest.raises(UnknownPolicy) as unknown:
        policies.match(Asking("carefull"), "small", last_words=_unheard)

    assert "There is no policy `carefull`." == unknown.value.message
    assert f"Did you mean `careful` or `care`? {UnknownPolicy.hint}" == unknown.value.hint


def test_a_name_is_refused_where_there_are_no_policies_and_an_endless_one_is_not_repeated_in_full() -> None:
    with pytest.raises(UnknownPolicy) as unknown:
        Policies().match(Asking("x" * 1_000_000), "small", last_words=_unheard)

    assert f"There is no policy `{'x' * 100}…`." == unknown.value.message
    assert UnknownPolicy.hint == unknown.value.hint

    with pytest.raises(UnknownPolicy, match=r"`x{100}`"):
        Policies().match(Asking("x" * 100), "small", last_words=_unheard)


def test_a_caller_s_key_brings_its_policy() -> None:
    policies = Policies([Policy(name="eu")], by_key={"laptop": "eu"})

    assert ("eu",) == _names(policies, Asking(key="laptop"))
    assert () == _names(policies, Asking(key="desktop"))
    assert () == _names(policies, Asking())


@pytest.mark.parametrize(
    "asked", ["gpt-4o", "gpt-4o@acme", "openai/gpt-4o", "openai/gpt-4o@acme", "house", "house@acme", "at@2026", "GPT"]
)
def test_a_model_brings_its_policy_by_whichever_of_its_names_it_is_asked_for(asked: str) -> None:
    """Or a caller would get round the policy by naming the provider too."""
    aliases = {"house": "gpt-4o", "at@2026": "gpt-4o", "GPT": "gpt-4o"}

    assert ("eu",) == _names(Policies([Policy(name="eu")], by_model={"gpt-4o": "eu"}, aliases=aliases), model=asked)
    assert ("eu",) == _names(Policies([Policy(name="eu", for_models=("gpt-?o",))], aliases=aliases), model=asked)


@pytest.mark.parametrize("asked", ["gpt-4", "gpt-4o-mini", "GPT-4O", "acme@gpt-4o", "somebody/gpt-4o", ""])
def test_another_model_does_not(asked: str) -> None:
    assert () == _names(Policies([Policy(name="eu")], by_model={"gpt-4o": "eu"}), model=asked)
    assert () == _names(Policies([Policy(name="eu", for_models=("gpt-?o",))]), model=asked)


def test_a_model_s_name_of_any_length_can_bring_a_policy() -> None:
    policies = Policies([Policy(name="eu", for_models=("*claude*",))])

    assert ("eu",) == _names(policies, model="x" * 100_000 + "claude" + "x" * 100_000)
    assert () == _names(policies, model="x" * 200_000)


def test_the_default_applies_when_no_other_binds() -> None:
    policies = Policies([Policy(name="usual"), Policy(name="eu")], "usual")

    assert ("usual",) == _names(policies)
    assert ("eu",) == _names(policies, Asking("eu"))


def test_all_that_apply_bind_together_each_once() -> None:
    """A header can't lift what the policy of a key forbids."""
    policies = [Policy(name=name) for name in ("usual", "header", "key", "named")]
    pattern, both = Policy(name="pattern", for_models=("s*",)), Policy(name="both", for_models=("*",))
    book = Policies([both, pattern, *policies], "usual", by_key={"laptop": "key"}, by_model={"small": "named"})

    applied = book.match(Asking("header", "laptop"), "small", last_words=_unheard)

    assert ("header", "key", "named", "both", "pattern") == applied.names
    assert applied.names == tuple(policy.name for policy in applied.binding)
    assert ("both", "key", "named", "pattern") == _names(book, Asking("both", "laptop"))


def test_a_keyword_in_the_last_words_calls_for_a_policy_as_advice() -> None:
    code = Policy(name="code", keywords=("refactor", "unit test"))

    applied = Policies([code]).match(Asking(), "small", last_words=lambda: "Please refactor this.")

    assert (("code",), (), (code,)) == (applied.names, applied.binding, applied.advisory)
    assert NONE is applied.without_advice()


def test_a_strict_policy_binds_when_a_keyword_calls_for_it_too() -> None:
    code = Policy(name="code", keywords=("refactor",), is_strict=True)

    applied = Policies([code]).match(Asking(), "small", last_words=lambda: "refactor")

    assert ((code,), ()) == (applied.binding, applied.advisory)


def test_a_policy_that_binds_already_is_no_advice() -> None:
    code = Policy(name="code", keywords=("refactor",))

    applied = Policies([code]).match(Asking("code"), "small", last_words=lambda: "refactor")

    assert (("code",), (code,), ()) == (applied.names, applied.binding, applied.advisory)


def test_advice_does_not_replace_the_default() -> None:
    """Or a word in a prompt would lift the limits of the default, and all limits once the advice gives way."""
    usual, code = Policy(name="usual"), Policy(name="code", keywords=("refactor",))
    strict = Policy(name="strict", keywords=("secret",), is_strict=True)
    policies = Policies([usual, code, strict], "usual")

    applied = policies.match(Asking(), "small", last_words=lambda: "refactor")

    assert (("code", "usual"), (usual,), (code,)) == (applied.names, applied.binding, applied.advisory)
    assert (usual,) == applied.without_advice().binding
    assert ("code", "strict") == _names(policies, words="refactor the secret")


def test_a_default_that_a_keyword_calls_for_binds() -> None:
    usual = Policy(name="usual", keywords=("refactor",))

    applied = Policies([usual], "usual").match(Asking(), "small", last_words=lambda: "refactor")

    assert (("usual",), (usual,), ()) == (applied.names, applied.binding, applied.advisory)


def test_advice_gives_way_all_at_once_and_what_binds_stays() -> None:
    eu, code = Policy(name="eu", max_msat_per_call=Msat(2)), Policy(name="code", keywords=("refactor",))
    dear = Policy(name="dear", keywords=("this",), max_msat_per_call=Msat(1), strategy=Strategy.WEIGHTED)

    applied = Policies([eu, code, dear]).match(Asking("eu"), "small", last_words=lambda: "Refactor this")

    assert (("eu", "code", "dear"), 1, Strategy.WEIGHTED) == _sum(applied)
    assert (("eu",), 2, Strategy.CHEAPEST) == _sum(applied.without_advice())


def test_the_last_words_are_asked_for_only_if_there_are_keywords() -> None:
    assert ("eu",) == _names(Policies([Policy(name="eu")]), Asking("eu"), words=None)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("refactor", "refactor"),
        ("refactor", "Would you REFACTOR?"),
        ("refactor", "refactors, then\nrefactor"),
        ("refactor", "re\trefactor\n"),
        ("unit test", "a unit  \n test"),
        ("c++", "in C++, please"),
        (".net", "on .NET"),
        ("50 %", "by 50 %"),
        ("über", "ÜBER alles"),
        ("straße", "STRASSE"),
        ("café", "cafe\u0301"),
        ("cafe\u0301", "CAFÉ"),
        ("ελλάς", "ΕΛΛΆΣ"),
        ("перевод", "Перевод: «мир»"),
        ("翻译", "请翻译这段话"),
        ("python", "用python写"),
        ("แปล", "ช่วยแปลหน่อย"),
        ("리팩터링", "이 코드 리팩터링"),
        ("a|b", "a|b"),
    ],
)
def test_a_keyword_is_found_as_whole_words_in_any_case(keyword: str, words: str) -> None:
    assert ("code",) == _names(Policies([Policy(name="code", keywords=("absent", keyword))]), words=words)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("refactor", "refactoring"),
        ("refactor", "unrefactor"),
        ("refactor", "refactor_this"),
        ("refactor", ""),
        ("unit test", "unittest"),
        ("unit test", "unit, test"),
        ("c++", "objc++"),
        ("c++", "c"),
        ("a.c", "abc"),
        ("ber", "über"),
        ("cafe", "café"),
        ("cafe", "cafe\u0301"),
        ("stra", "straße"),
        ("мир", "мировой"),
        ("a|b", "a"),
    ],
)
def test_a_part_of_a_word_is_no_keyword(keyword: str, words: str) -> None:
    assert () == _names(Policies([Policy(name="code", keywords=(keyword,))]), words=words)


def test_only_the_start_and_the_end_of_a_long_message_are_looked_through() -> None:
    """4,096 characters of each: a word cut at one of the two bounds is not a whole one."""
    policies = Policies([Policy(name="code", keywords=("refactor",))])

    def is_heard(before: int, word: str, after: int) -> bool:
        return ("code",) == _names(policies, words="." * before + word + "." * after)

    assert is_heard(4_087, "refactor", 1_000_000)
    assert is_heard(1_000_000, "refactor", 4_087)
    assert is_heard(4_092, "refactor", 4_092)
    assert not is_heard(4_088, "refactor", 1_000_000)
    assert not is_heard(1_000_000, "refactor", 4_088)
    assert not is_heard(4_088, "refactoring", 1_000_000)
    assert not is_heard(1_000_000, "unrefactor", 4_088)
    assert not is_heard(4_096 - 4, "refa" + "." * 9_000 + "ctor", 4_096 - 4)


def test_the_same_policies_in_the_same_roles_are_the_same_object() -> None:
    """It is by the object that pools of offers are kept."""
    code, eu = Policy(name="code", keywords=("refactor",)), Policy(name="eu")
    policies = Policies([code, eu], by_key={"laptop": "eu"})

    def applied(asking: Asking, model: str = "small", words: str = "") -> Applied:
        return policies.match(asking, model, last_words=lambda: words)

    assert applied(Asking("eu")) is applied(Asking(key="laptop"), "large")
    assert applied(Asking(), words="refactor") is applied(Asking(), words="Refactor this")
    assert applied(Asking("code")) != applied(Asking(), words="refactor")
    assert 2 == len({applied(Asking("eu")), applied(Asking("code")), applied(Asking("eu"))})


def test_strategy_spread_and_weights_are_of_the_first_that_sets_one() -> None:
    policies = Policies(
        [
            Policy(name="usual", strategy=Strategy.CHEAPEST, spread=0.3),
            Policy(name="word", keywords=("fast",), strategy=Strategy.LOWEST_LATENCY, spread=0.1),
            Policy(name="key", strategy=Strategy.WEIGHTED, weights=(("acme", 3), ("beta", 1))),
            Policy(name="header"),
        ],
        "usual",
        by_key={"laptop": "key"},
    )

    def applied(asking: Asking, words: str) -> tuple[Strategy, float, Mapping[str, int]]:
        found = policies.match(asking, "small", last_words=lambda: words)
        return found.strategy, found.spread, found.weights

    assert (Strategy.WEIGHTED, 0.1, {"acme": 3, "beta": 1}) == applied(Asking("header", "laptop"), "fast")
    assert (Strategy.LOWEST_LATENCY, 0.1, {}) == applied(Asking(), "fast")
    assert (Strategy.CHEAPEST, 0.3, {}) == applied(Asking(), "slow")
    assert (Strategy.CHEAPEST, 0.0, {}) == applied(Asking("header"), "slow")


def test_the_least_a_call_may_cost_by_any_policy_is_its_limit() -> None:
    policies = Policies(
        [Policy(name="a", max_msat_per_call=Msat(5)), Policy(name="b", max_msat_per_call=Msat(0)), Policy(name="c")],
        by_key={"laptop": "b", "desktop": "c"},
    )

    assert 0 == policies.match(Asking("a", "laptop"), "small", last_words=_unheard).max_msat_per_call
    assert 5 == policies.match(Asking("a", "desktop"), "small", last_words=_unheard).max_msat_per_call
    assert policies.match(Asking("c"), "small", last_words=_unheard).max_msat_per_call is None


def test_a_policy_without_limits_rules_nothing_out() -> None:
    assert exclusion(Policy(name="p"), an_offer()) is None
    assert exclusion(Policy(name="p"), an_offer(price=None)) is None


@pytest.mark.parametrize(
    ("policy", "code", "detail"),
    [
        (Policy(name="p", deny_models=("x", "s*")), "model_denied", "`deny_models` has `s*`"),
        (Policy(name="p", deny_models=("vendor/*",)), "model_denied", "`deny_models` has `vendor/*`"),
        (Policy(name="p", allow_models=("*",), deny_models=("small",)), "model_denied", "`deny_models` has `small`"),
        (Policy(name="p", allow_models=("Small", "mall")), "model_denied", "`allow_models` has nothing that fits"),
        (Policy(name="p", deny_providers=("a?me",)), "provider_denied", "`deny_providers` has `a?me`"),
        (Policy(name="p", allow_providers=("beta",)), "provider_denied", "`allow_providers` has nothing that fits"),
        (
            Policy(name="p", max_output_msat_per_mtok=Rate(1_999_999)),
            "output_rate",
            "a million tokens of output cost 2,000,000 msat, over the 1,999,999 allowed",
        ),
        (
            Policy(name="p", max_output_msat_per_mtok=Rate(2_000_000)),
            "output_rate",
            f"{_DEARER}, over the 2,000,000 allowed",
        ),
        (Policy(name="p", min_context=8_193), "context", "its context window is 8,192 tokens, less than 8,193"),
        (Policy(name="p", require=_TOOLS), "lacks_tools", "it can't do what is required: tools"),
        (
            Policy(name="p", require=frozenset((Ability.VISION, Ability.REASONING))),
            "vision_unknown",
            f"whether it can do what is required is not known: vision; add it to `can` {_PLACE}",
        ),
        (Policy(name="p", regions=frozenset(("eu", "ch"))), "region", "its region is `us`, not `ch` or `eu`"),
        (Policy(name="p", retentions=frozenset(("none",))), "retention", "its retention is `30-days`, not `none`"),
        (
            Policy(name="p", quantisations=frozenset(("fp8",))),
            "quantisation",
            "its quantisation is not known; set `quantisation` for the provider `acme`",
        ),
    ],
)
def test_an_offer_outside_a_limit_is_ruled_out_with_what_to_change(policy: Policy, code: str, detail: str) -> None:
    assert (code, f"policy `p`: {detail}") == exclusion(policy, _restricted())


@pytest.mark.parametrize(
    "policy",
    [
        Policy(name="p", deny_models=("smal", "mall", "SMALL", "small?")),
        Policy(name="p", allow_models=("vendor/*",)),
        Policy(name="p", allow_models=("x", "small"), allow_providers=("*",)),
        Policy(name="p", deny_providers=("small", "acme@*")),
        Policy(name="p", max_output_msat_per_mtok=Rate(3_000_000)),
        Policy(name="p", min_context=8_192),
        Policy(name="p", require=frozenset((Ability.REASONING,))),
        Policy(name="p", regions=frozenset(("us", "ch")), retentions=frozenset(("30-days",))),
    ],
)
def test_an_offer_within_a_limit_is_not_ruled_out(policy: Policy) -> None:
    assert exclusion(policy, _restricted()) is None


def test_what_is_not_known_is_not_taken_for_enough() -> None:
    """Nor is a price, but that is told apart from one that is too high."""
    limits = Policy(name="p", min_context=1)

    assert (
        "context_unknown",
        f"policy `p`: its context window is not known; set `context` {_PLACE}",
    ) == exclusion(limits, an_offer())
    assert exclusion(Policy(name="p", max_output_msat_per_mtok=Rate(0)), an_offer(price=None)) is None


@given(pattern=st.text("ab*?.", max_size=8), name=st.text("ab.\n", max_size=10))
def test_a_star_is_any_text_and_a_question_mark_any_one_character(pattern: str, name: str) -> None:
    reason = exclusion(Policy(name="p", allow_providers=(pattern,)), an_offer(name))

    assert _fits(pattern, name) == (reason is None)


def test_a_pattern_of_many_stars_takes_no_longer_than_it_must() -> None:
    """Tried in every way that the stars can be shared out, this would never end."""
    policy = Policy(name="p", deny_models=("*a" * 60 + "*b",))

    assert exclusion(policy, an_offer(model="a" * 2_000)) is None
    assert exclusion(policy, an_offer(model="a" * 2_000 + "b")) is not None


@given(policy=_POLICIES, other=_POLICIES, offer=_OFFERS, data=st.data())
def test_a_tighter_limit_never_lets_an_offer_in(
    policy: Policy, other: Policy, offer: Offer, data: st.DataObject
) -> None:
    limit, both = data.draw(st.sampled_from(sorted(_TIGHTENED.items())))
    tighter = msgspec.structs.replace(policy, **{limit: both(getattr(policy, limit), getattr(other, limit))})

    assert exclusion(policy, offer) is None or exclusion(tighter, offer) is not None


@given(policies=st.lists(_POLICIES, min_size=3, max_size=3), offer=_OFFERS)
def test_naming_a_policy_by_header_never_lets_in_what_a_key_or_a_model_keeps_out(
    policies: list[Policy], offer: Offer
) -> None:
    header, key, model = (
        msgspec.structs.replace(policy, name=name)
        for policy, name in zip(policies, ("header", "key", "model"), strict=True)
    )
    book = Policies([header, key, model], by_key={"laptop": "key"}, by_model={"small": "model"})

    def is_out(asking: Asking) -> bool:
        binding = book.match(asking, "small", last_words=_unheard).binding
        return any(exclusion(policy, offer) is not None for policy in binding)

    assert is_out(Asking("header", "laptop")) >= is_out(Asking(key="laptop"))


def _unheard() -> str:
    pytest.fail("nobody has asked for words")


def _names(
    policies: Policies, asking: Asking = _ANYBODY, *, model: str = "small", words: str | None = ""
) -> tuple[str, ...]:
    return policies.match(asking, model, last_words=_unheard if words is None else lambda: words).names


def _sum(applied: Applied) -> tuple[tuple[str, ...], Msat | None, Strategy]:
    return applied.names, applied.max_msat_per_call, applied.strategy


def _restricted() -> Offer:
    """An offer that can reason, can't use tools and is run in the US; dearer for long prompts."""
    dearer = Tier(above=200_000, input=Rate(1_000_000), output=Rate(3_000_000))
    return msgspec.structs.replace(
        an_offer(upstream_model="vendor/small-1"),
        price=msgspec.structs.replace(a_price(), tiers=(dearer,)),
        capabilities=Capabilities(
            context=8_192, has=frozenset((Ability.REASONING,)), lacks=frozenset((Ability.TOOLS,))
        ),
        traits=Traits(region="us", retention="30-days"),
    )


def _fits(pattern: str, name: str) -> bool:
    """Said so simply that it is plainly right, and slow."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return _fits(pattern[1:], name) or (bool(name) and _fits(pattern, name[1:]))
    return bool(name) and pattern[0] in {"?", name[0]} and _fits(pattern[1:], name[1:])


def _fewer(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """None at all would be no limit."""
    return one & other or one or other


_TIGHTENED: Mapping[str, Callable[..., object]] = {
    "allow_models": lambda one, other: one[:1] or other,
    "allow_providers": lambda one, other: one[:1] or other,
    "deny_models": lambda one, other: one + other,
    "deny_providers": lambda one, other: one + other,
    "max_output_msat_per_mtok": lambda one, other: other if one is None else min(one, one if other is None else other),
    "min_context": lambda one, other: max(one or 0, other or 0),
    "require": lambda one, other: one | other,
    "regions": _fewer,
    "retentions": _fewer,
    "quantisations": _fewer,
}
