"""The settings of who may ask for what: policies, callers' API keys, and names for models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from satisfice.config.choices import ABILITIES, Choice, Many, Shares
from satisfice.config.references import TOKEN
from satisfice.config.tables import Setting, Table
from satisfice.config.values import MSAT, SLUG, TOKENS, TRAIT, Flag, Number, Text, Whole
from satisfice.core.secrets import Secret
from satisfice.routing.policy import Strategy
from satisfice.wire.request import Ability

__all__ = ["KEYS", "NAMES", "POLICIES", "POLICY_NAME", "CallerKey", "NamedTable", "PolicyTable"]

POLICY_NAME: Final = Text("the name of a policy", r"[\s\S]+")
"""Whether there is one of this name is asked when all are read."""
_STRATEGIES: Final[Mapping[str, str]] = {
    "cost": "cheapest",
    "cost_based_routing": "cheapest",
    "lowest_cost": "cheapest",
    "price": "cheapest",
    "fastest": "lowest_latency",
    "latency": "lowest_latency",
    "latency_based_routing": "lowest_latency",
    "roundrobin": "round_robin",
    "simple_shuffle": "weighted",
    "random": "weighted",
}
_NAME: Final = Text(
    "a name of printable ASCII without spaces, `*`, `?` and `@`",
    "[!-)+->A-~]+",
    lambda text: re.sub("[^!-)+->A-~]+", "-", text).strip("-"),
)
_PATTERN: Final = Text("a name, or a pattern with `*` and `?`", r"[!-Z\\^-~]+")
_MODELS: Final = Many(_PATTERN, "a list of models, by name or pattern (`*`, `?`)")
_PROVIDERS: Final = Many(_PATTERN, "a list of providers, by name or pattern (`*`, `?`)")
_TRAITS: Final = Many(TRAIT, "a list of words, each in lower case")


class PolicyTable(msgspec.Struct, frozen=True, kw_only=True):
    """What callers may use, what it may cost, and what is wanted. One table for each policy."""

    name: Annotated[
        str,
        Setting(
            SLUG,
            "What you call it; a caller chooses it by the header `x-satisfice-policy`.",
            example='"careful"',
            also=("id", "policy"),
        ),
    ]
    for_models: Annotated[
        tuple[str, ...],
        Setting(
            _MODELS,
            "It applies when a caller asks for one of these.",
            example='["claude-*"]',
            otherwise="none",
            also=("models", "match", "match_models"),
        ),
    ] = ()
    keywords: Annotated[
        tuple[str, ...],
        Setting(
            Many(Text("a text with a letter or a digit in it", r"[^\x00-\x1f]*[^\W_][^\x00-\x1f]*"), "a list of texts"),
            "It applies when what the user said last has one of these words, as advice: "
            "if it would leave no offer, it is passed over.",
            example='["refactor", "unit test"]',
            otherwise="none",
            also=("words",),
        ),
    ] = ()
    strict: Annotated[bool, Setting(Flag(), "It binds even where only a keyword calls for it.", example="true")] = False
    allow_models: Annotated[
        tuple[str, ...],
        Setting(
            _MODELS,
            "No other models may be used.",
            example='["gpt-4o*", "claude-*"]',
            otherwise="all",
            also=("allowed_models", "only_models"),
        ),
    ] = ()
    deny_models: Annotated[
        tuple[str, ...],
        Setting(
            _MODELS,
            "These may not be used, even if they are allowed.",
            example='["*-preview"]',
            otherwise="none",
            also=("denied_models", "blocked_models"),
        ),
    ] = ()
    allow_providers: Annotated[
        tuple[str, ...],
        Setting(
            _PROVIDERS,
            "No other providers may be used.",
            example='["openrouter"]',
            otherwise="all",
            also=("allowed_providers", "only", "order"),
        ),
    ] = ()
    deny_providers: Annotated[
        tuple[str, ...],
        Setting(
            _PROVIDERS,
            "These may not be used, even if they are allowed.",
            example='["local"]',
            otherwise="none",
            also=("denied_providers", "blocked_providers", "ignore"),
        ),
    ] = ()
    max_msat_per_call: Annotated[
        int | None,
        Setting(
            MSAT,
            "The most that a call may be expected to cost, in millisatoshi.",
            example="40_000",
            otherwise="no limit",
            also=("max_cost", "max_price", "max_cost_per_call", "budget"),
        ),
    ] = None
    max_output_msat_per_mtok: Annotated[
        int | None,
        Setting(
            MSAT,
            "The most that a million output tokens may cost, in millisatoshi.",
            example="10_000_000",
            otherwise="no limit",
            also=("max_output_rate", "max_output_price"),
        ),
    ] = None
    strategy: Annotated[
        Strategy | None,
        Setting(
            Choice(Strategy, _STRATEGIES),
            "By what the next offer is chosen of those that qualify.",
            example='"lowest_latency"',
            otherwise='that of another policy that applies, else `"cheapest"`',
            also=("routing_strategy", "sort"),
        ),
    ] = None
    weights: Annotated[
        tuple[tuple[str, int], ...],
        Setting(
            Shares(Whole(1, 1_000_000)),
            'For `"weighted"`: how often each provider is chosen, against the others; those left out have 1.',
            example="{ openrouter = 3, local = 1 }",
            otherwise="all are chosen equally often",
            also=("weight", "shares"),
        ),
    ] = ()
    spread: Annotated[
        float,
        Setting(
            Number(0, 1),
            "Offers that are worse than the best one by no more than this share of it are chosen by chance, "
            "so that not all callers run to the same: 0.1 is a tenth.",
            also=("jitter", "tolerance"),
        ),
    ] = 0.0
    min_context: Annotated[
        int | None,
        Setting(
            TOKENS,
            "Tokens of prompt and answer that an offer has to be known to have room for.",
            example="128_000",
            otherwise="no limit",
            also=("context", "context_length"),
        ),
    ] = None
    require: Annotated[
        tuple[Ability, ...],
        Setting(
            ABILITIES,
            "What an offer has to be known to do, of `tools`, `vision`, `json_schema` and `reasoning`.",
            example='["tools"]',
            otherwise="what the call needs",
            also=("required", "requires", "capabilities"),
        ),
    ] = ()
    regions: Annotated[
        tuple[str, ...],
        Setting(
            _TRAITS,
            "Where an offer may be run, by the `region` of its provider.",
            example='["eu", "ch"]',
            otherwise="anywhere",
            also=("region",),
        ),
    ] = ()
    retentions: Annotated[
        tuple[str, ...],
        Setting(
            _TRAITS,
            "How long prompts may be kept, by the `retention` of the provider.",
            example='["none"]',
            otherwise="however long",
            also=("retention", "data_retention"),
        ),
    ] = ()
    quantisations: Annotated[
        tuple[str, ...],
        Setting(
            _TRAITS,
            "Which precisions will do, by the `quantisation` of the model.",
            example='["fp16", "fp8"]',
            otherwise="any",
            also=("quantisation", "quantizations", "quantization"),
        ),
    ] = ()


class CallerKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of callers, beside the `access_token`. One table for each key."""

    name: Annotated[str, Setting(SLUG, "Whose it is, for logs and sums.", example='"laptop"', also=("user", "alias"))]
    key: Annotated[
        Secret,
        Setting(
            TOKEN,
            "What this caller has to send as API key.",
            example='"env:LAPTOP_KEY"',
            also=("api_key", "token", "secret", "value", "access_token"),
        ),
    ]
    policy: Annotated[
        str | None,
        Setting(POLICY_NAME, "The policy that binds whoever has this key.", example='"careful"', otherwise="none"),
    ] = None


class NamedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A name of your own: for one model that providers list under several ids, or for a choice of models."""

    name: Annotated[
        str,
        Setting(
            _NAME,
            "What callers ask for.",
            example='"gpt-4o"',
            also=("model", "model_name"),
        ),
    ]
    aliases: Annotated[
        tuple[str, ...],
        Setting(
            Many(Text("a name of printable ASCII without spaces and `*`", "[!-)+-~]+"), "a list of ids"),
            "Ids under which providers list this same model.",
            example='["openai/gpt-4o", "gpt-4o-2024-11-20"]',
            otherwise="none: it must be given, or `any_of`",
            also=("alias", "ids", "same_as"),
        ),
    ] = ()
    any_of: Annotated[
        tuple[str, ...],
        Setting(
            _MODELS,
            "Models any of which will do.",
            example='["gpt-4o-mini", "qwen/*"]',
            otherwise="none: it must be given, or `aliases`",
            also=("models", "candidates", "fallbacks"),
        ),
    ] = ()
    policy: Annotated[
        str | None,
        Setting(POLICY_NAME, "The policy that binds whoever asks by this name.", example='"careful"', otherwise="none"),
    ] = None


POLICIES: Final = Table("policies", PolicyTable, is_list=True, also=("policy", "rules"))
KEYS: Final = Table("keys", CallerKey, is_list=True, also=("api_keys", "virtual_keys", "tokens", "users"))
NAMES: Final = Table("models", NamedTable, is_list=True, also=("model", "aliases", "model_group_alias"))
