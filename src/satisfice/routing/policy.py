"""What an operator allows and wants: policies, which of them apply to a call, and what they forbid.

A policy is called for by the caller's header, by the caller's key, by the model
asked for, or by words of the prompt. All that apply hold at once, so none can
lift what another forbids; but those that only a word has called for advise, and
give way when nothing would be left, unless they are strict. The default policy
holds where no other binds: advice alone does not replace it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import lru_cache
from typing import Final
from unicodedata import normalize

import msgspec

from satisfice.catalog.model import near_misses
from satisfice.catalog.names import canonical
from satisfice.catalog.offers import Offer
from satisfice.catalog.patterns import compiled
from satisfice.core.amounts import Msat, Rate
from satisfice.core.errors import UnknownPolicy
from satisfice.routing.reasons import Reason
from satisfice.wire.request import Ability

__all__ = ["NONE", "Applied", "Asking", "Policies", "Policy", "Strategy", "exclusion"]


class Strategy(Enum):
    """By what offers that qualify are ranked; the value is its name in configuration."""

    CHEAPEST = "cheapest"
    LOWEST_LATENCY = "lowest_latency"
    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator allows and wants, under a name. In patterns `*` is any text and `?` any one character."""

    name: str
    for_models: tuple[str, ...] = ()
    """It applies to who asks for one of these models, by pattern."""
    keywords: tuple[str, ...] = ()
    """It applies if one of these, as whole words, is in what the user said last (within 4,096 characters of its ends).

    Each has a letter or a digit in it.
    """
    is_strict: bool = False
    """It binds even if only a keyword has called for it."""
    allow_models: tuple[str, ...] = ()
    """By pattern; empty: all."""
    deny_models: tuple[str, ...] = ()
    """By pattern, even if they are allowed."""
    allow_providers: tuple[str, ...] = ()
    deny_providers: tuple[str, ...] = ()
    max_msat_per_call: Msat | None = None
    max_output_msat_per_mtok: Rate | None = None
    """At whatever length of the prompt."""
    strategy: Strategy | None = None
    weights: tuple[tuple[str, int], ...] = ()
    """How often each provider is chosen, against the others."""
    spread: float = 0.0
    """The share above the best score within which chance chooses."""
    min_context: int | None = None
    require: frozenset[Ability] = frozenset()
    """What an offer has to be known to do."""
    regions: frozenset[str] = frozenset()
    """Empty: any, known or not."""
    retentions: frozenset[str] = frozenset()
    quantisations: frozenset[str] = frozenset()


class Asking(msgspec.Struct, frozen=True, gc=False):
    """What a caller says beside the body."""

    policy: str | None = None
    """The policy asked for by header."""
    key: str | None = None
    """The name of the caller's API key."""
    session: str | None = None
    """What the caller calls the conversation."""


class Applied(msgspec.Struct, frozen=True, eq=False):
    """The policies that apply to a call, and what they come to.

    Where the same policies apply in the same way it is the same object, so it is compared and hashed by identity.
    """

    binding: tuple[Policy, ...] = ()
    advisory: tuple[Policy, ...] = ()
    """Those that give way if they would leave no candidate."""
    names: tuple[str, ...] = ()
    """Of all of them, in the order in which they are heard: header, key, model, keywords, default."""
    strategy: Strategy = Strategy.CHEAPEST
    """This, the spread and the weights are each of the first policy that sets one."""
    spread: float = 0.0
    weights: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By provider; who is not named has 1."""
    max_msat_per_call: Msat | None = None
    """The least that one of them allows."""

    def without_advice(self) -> Applied:
        """What is left when the advisory policies give way."""
        return _sum(self.binding) if self.binding else NONE


NONE: Final = Applied()
"""No policy applies."""

_Question = tuple[str | None, str | None, str]
"""The policy asked for, the name of the key, and the model."""

_MEMO: Final = 4_096
"""Questions and answers kept."""
_LONGEST: Final = 200
"""Longer names of models are not kept, since a caller may make up megabytes."""


class Policies:
    """All policies, and who calls for which."""

    __slots__ = ("_aliases", "_by_key", "_by_model", "_called", "_default", "_known", "_spoken", "_sums")

    def __init__(
        self,
        policies: Iterable[Policy] = (),
        default: str | None = None,
        *,
        by_key: Mapping[str, str] | None = None,
        by_model: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """The names of the policies that apply by default, by name of a caller's key, and by name of a model.

        `aliases` are other ids of models, each with the model's own name.
        """
        self._known: Mapping[str, Policy] = {policy.name: policy for policy in policies}
        self._default = default
        self._by_key = by_key or {}
        self._by_model = by_model or {}
        self._aliases = aliases or {}
        self._spoken = tuple((each.name, _finder(each.keywords)) for each in self._known.values() if each.keywords)
        self._called = lru_cache(_MEMO)(self._call)
        self._sums = lru_cache(_MEMO)(self._apply)

    def match(self, asking: Asking, model: str, *, last_words: Callable[[], str]) -> Applied:
        """The policies for who asks so for this model; `UnknownPolicy`, with near misses, if there is none of the name.

        `last_words` gives the text of the user's last message; it is called only if there are keywords.
        """
        if asking.policy is None and not self._known:
            return NONE
        question = (asking.policy, asking.key, model)
        called = self._called(question) if len(model) <= _LONGEST else self._call(question)
        heard = self._hear(last_words()) if self._spoken else ()
        return self._sums(called, heard)

    def _call(self, question: _Question) -> tuple[str, ...]:
        """The policies that are called for whatever the prompt says, in the order in which they are heard."""
        return tuple(dict.fromkeys(self._calls(question)))

    def _calls(self, question: _Question) -> Iterator[str]:
        asked, key, model = question
        if asked is not None:
            if asked not in self._known:
                raise _unknown(asked, self._known)
            yield asked
        if key is not None and key in self._by_key:
            yield self._by_key[key]
        names = _all_names(model, self._aliases)
        yield from (self._by_model[name] for name in names if name in self._by_model)
        yield from (policy.name for policy in self._known.values() if _fitting(policy.for_models, names))

    def _hear(self, words: str) -> tuple[str, ...]:
        """The policies that have a keyword among these."""
        if len(words) > 2 * _HEARD:
            words = f"{words[:_HEARD]}{_SEAM}{words[-_HEARD:]}"
        folded = _folded(words)
        return tuple(name for name, spoken in self._spoken if spoken.search(folded))

    def _apply(self, called: Sequence[str], heard: Sequence[str]) -> Applied:
        names = dict.fromkeys((*called, *heard))
        advisory = {name for name in heard if name not in called and not self._known[name].is_strict}
        if self._default is not None and len(advisory) == len(names):
            names[self._default] = None
            advisory.discard(self._default)
        return _sum([self._known[name] for name in names], advisory) if names else NONE


def exclusion(policy: Policy, offer: Offer) -> Reason | None:
    """Why the policy rules this offer out for any call, and what to change; None if it doesn't.

    An offer without a price is not judged by price.
    """
    code, detail = next(_objections(policy, offer), ("", ""))
    return Reason(code, f"policy `{policy.name}`: {detail}") if code else None


_HEARD: Final = 4_096
"""Characters at the start and at the end of a message among which keywords are looked for."""
_SEAM: Final = "___"
"""Stands between the two; it counts as letters, so that a word cut there is not taken for a whole one."""
# The scripts that put no spaces between words, of which therefore any letter may begin or end one: Thai and Lao,
# Burmese, Khmer, kana and bopomofo, and the Han characters in their several blocks.
_UNSPACED: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u312f\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_LETTER: Final = rf"[^\W{_UNSPACED}]"
"""What may not stand beside a whole word."""


def _finder(keywords: Iterable[str]) -> re.Pattern[str]:
    """What finds one of them as whole words, in a text that is `_folded`."""
    return re.compile("|".join(map(_whole, keywords)))


def _whole(keyword: str) -> str:
    words = _folded(keyword).split()
    first = re.escape(words[0][0])
    rest = r"\s+".join(map(re.escape, words)).removeprefix(first)
    # What stands before is looked at only behind the first character, so that the search can skip to where that is.
    return rf"{first}(?<!{_LETTER}{first}){rest}(?!{_LETTER})"


def _folded(text: str) -> str:
    """So that neither the case nor how an accent is written makes a difference."""
    return normalize("NFC", text).casefold()


def _all_names(model: str, aliases: Mapping[str, str]) -> tuple[str, ...]:
    """What is asked for by this name: nobody gets round a policy by naming a provider, a maker or an alias as well."""
    bare = model.rpartition("@")[0] or model
    return (model, bare, canonical(model, aliases), canonical(bare, aliases))


def _fitting(patterns: Iterable[str], names: Iterable[str]) -> str | None:
    """The first pattern that one of the names fits."""
    return next((pattern for pattern in patterns if any(map(compiled(pattern).match, names))), None)


def _sum(policies: Sequence[Policy], advisory: AbstractSet[str] = frozenset()) -> Applied:
    """What these come to, in the order in which they are heard."""
    return Applied(
        binding=tuple(policy for policy in policies if policy.name not in advisory),
        advisory=tuple(policy for policy in policies if policy.name in advisory),
        names=tuple(policy.name for policy in policies),
        strategy=next((policy.strategy for policy in policies if policy.strategy is not None), Strategy.CHEAPEST),
        spread=next((policy.spread for policy in policies if policy.spread), 0.0),
        weights=dict(next((policy.weights for policy in policies if policy.weights), ())),
        max_msat_per_call=min(
            (each for policy in policies if (each := policy.max_msat_per_call) is not None), default=None
        ),
    )


def _unknown(name: str, known: Iterable[str]) -> UnknownPolicy:
    shown = name if len(name) <= 100 else name[:100] + "…"
    near = near_misses(name, known)
    hint = f"Did you mean {_either(near)}? {UnknownPolicy.hint}" if near else None
    return UnknownPolicy(f"There is no policy `{shown}`.", hint=hint)


def _objections(policy: Policy, offer: Offer) -> Iterator[tuple[str, str]]:
    """Codes with what is wrong."""
    yield from _denials(policy, offer)
    yield from _excesses(policy, offer)
    yield from _inabilities(policy, offer)
    yield from _misplacements(policy, offer)


def _denials(policy: Policy, offer: Offer) -> Iterator[tuple[str, str]]:
    for kind, names, denied, allowed in (
        ("model", (offer.model, offer.upstream_model), policy.deny_models, policy.allow_models),
        ("provider", (offer.provider,), policy.deny_providers, policy.allow_providers),
    ):
        pattern = _fitting(denied, names)
        if pattern is not None:
            yield f"{kind}_denied", f"`deny_{kind}s` has `{pattern}`"
        elif allowed and _fitting(allowed, names) is None:
            yield f"{kind}_denied", f"`allow_{kind}s` has nothing that fits"


def _excesses(policy: Policy, offer: Offer) -> Iterator[tuple[str, str]]:
    limit, price = policy.max_output_msat_per_mtok, offer.price
    if limit is None or price is None:
        return
    tiers = ((tier.output, f" for prompts of over {tier.above:,} tokens") for tier in price.tiers)
    for rate, prompts in ((price.output, ""), *tiers):
        if rate > limit:
            yield "output_rate", f"a million tokens of output cost {rate:,} msat{prompts}, over the {limit:,} allowed"


def _inabilities(policy: Policy, offer: Offer) -> Iterator[tuple[str, str]]:
    able = offer.capabilities
    place = f"for the model `{offer.model}` of the provider `{offer.provider}`"
    if policy.min_context is not None:
        if able.context is None:
            yield "context_unknown", f"its context window is not known; set `context` {place}"
        elif able.context < policy.min_context:
            yield "context", f"its context window is {able.context:,} tokens, less than {policy.min_context:,}"
    for ability in sorted(policy.require, key=_name):
        if ability in able.lacks:
            yield f"lacks_{ability.value}", f"it can't do what is required: {ability.value}"
        elif ability not in able.has:
            what = f"whether it can do what is required is not known: {ability.value}"
            yield f"{ability.value}_unknown", f"{what}; add it to `can` {place}"


def _misplacements(policy: Policy, offer: Offer) -> Iterator[tuple[str, str]]:
    traits = offer.traits
    for name, found, allowed in (
        ("region", traits.region, policy.regions),
        ("retention", traits.retention, policy.retentions),
        ("quantisation", traits.quantisation, policy.quantisations),
    ):
        if allowed and found is None:
            yield name, f"its {name} is not known; set `{name}` for the provider `{offer.provider}`"
        elif allowed and found not in allowed:
            yield name, f"its {name} is `{found}`, not {_either(sorted(allowed))}"


def _either(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _name(ability: Ability) -> str:
    return ability.value
