"""The settings of models: what each is called, what it costs and what it can do."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from satisfice.config.choices import ABILITIES
from satisfice.config.tables import Setting, Table
from satisfice.config.values import MSAT, TOKENS, TRAIT, Flag, Text, Usd
from satisfice.wire.request import Ability

__all__ = ["MODELS", "TIERS", "ModelTable", "TierTable"]

_DOLLARS: Final = Usd(1_000_000)
_ID: Final = Text("a name of printable ASCII without spaces, or `*` alone", r"\*|[!-)+-~]+")
_NEEDED: Final = "none: it must be given, in one of the units"


class ModelTable(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the provider above, and its price: in millisatoshi, in dollars, or `free`."""

    id: Annotated[
        str,
        Setting(
            _ID,
            "What callers ask for; `*` is any model that they ask for, at this price.",
            example='"gpt-4o"',
            also=("name", "model", "model_name", "model_id"),
        ),
    ]
    upstream_id: Annotated[
        str | None,
        Setting(
            Text("a text", r"[\s\S]+"),
            "What the provider calls it.",
            example='"openai/gpt-4o"',
            otherwise="the same as `id`",
            also=("upstream_model", "provider_model"),
        ),
    ] = None
    input_msat_per_mtok: Annotated[
        int | None,
        Setting(
            MSAT,
            "Price of a million input tokens, in millisatoshi (1 sat = 1,000 msat).",
            example="2_631_579",
            otherwise="not known",
            also=("input_rate", "input_price", "input_cost_per_token", "input"),
        ),
    ] = None
    output_msat_per_mtok: Annotated[
        int | None,
        Setting(
            MSAT,
            "Price of a million output tokens, in millisatoshi.",
            example="10_526_316",
            otherwise="not known",
            also=("output_rate", "output_price", "output_cost_per_token", "output"),
        ),
    ] = None
    cache_read_msat_per_mtok: Annotated[
        int | None,
        Setting(
            MSAT,
            "Price of a million input tokens that the provider had in its cache, in millisatoshi.",
            example="1_315_790",
            otherwise="as other input",
        ),
    ] = None
    cache_write_msat_per_mtok: Annotated[
        int | None,
        Setting(
            MSAT,
            "Price of a million input tokens that the provider puts into its cache, in millisatoshi.",
            example="3_289_474",
            otherwise="as other input",
        ),
    ] = None
    input_usd_per_mtok: Annotated[
        int | None,
        Setting(_DOLLARS, "Price of a million input tokens, in US dollars.", example="2.50", otherwise="not known"),
    ] = None
    output_usd_per_mtok: Annotated[
        int | None,
        Setting(_DOLLARS, "Price of a million output tokens, in US dollars.", example="10.00", otherwise="not known"),
    ] = None
    cache_read_usd_per_mtok: Annotated[
        int | None,
        Setting(
            _DOLLARS,
            "Price of a million input tokens that the provider had in its cache, in US dollars.",
            example="1.25",
            otherwise="as other input",
        ),
    ] = None
    cache_write_usd_per_mtok: Annotated[
        int | None,
        Setting(
            _DOLLARS,
            "Price of a million input tokens that the provider puts into its cache, in US dollars.",
            example="3.125",
            otherwise="as other input",
        ),
    ] = None
    base_fee_msat: Annotated[
        int, Setting(MSAT, "Price of a call itself, in millisatoshi, on top of its tokens.", also=("base_fee",))
    ] = 0
    free: Annotated[bool, Setting(Flag(), "It costs nothing; stands instead of prices.", example="true")] = False
    context: Annotated[
        int | None,
        Setting(
            TOKENS,
            "Tokens of prompt and answer together that it can take.",
            example="128_000",
            otherwise="not known",
            also=("context_length", "context_window", "max_context", "max_input_tokens"),
        ),
    ] = None
    max_output: Annotated[
        int | None,
        Setting(
            TOKENS,
            "The most tokens of one answer.",
            example="16_384",
            otherwise="not known",
            also=("max_output_tokens", "max_completion_tokens", "max_tokens"),
        ),
    ] = None
    can: Annotated[
        tuple[Ability, ...],
        Setting(
            ABILITIES,
            "What it can do, of `tools`, `vision`, `json_schema` and `reasoning`.",
            example='["tools", "vision"]',
            otherwise="not known",
            also=("capabilities", "supports", "abilities"),
        ),
    ] = ()
    cannot: Annotated[
        tuple[Ability, ...],
        Setting(
            ABILITIES,
            "What it can't do: a call that needs it goes elsewhere.",
            example='["reasoning"]',
            otherwise="not known",
            also=("lacks", "can_not"),
        ),
    ] = ()
    quantisation: Annotated[
        str | None,
        Setting(
            TRAIT,
            "The precision of its weights.",
            example='"fp8"',
            otherwise="that of the provider",
            also=("quantization", "precision"),
        ),
    ] = None


class TierTable(msgspec.Struct, frozen=True, kw_only=True):
    """What the model above costs for long prompts. It is the price of all of a call's tokens."""

    above: Annotated[
        int,
        Setting(
            TOKENS,
            "Input tokens that a prompt has to have more than.",
            example="200_000",
            also=("threshold", "from", "over"),
        ),
    ]
    input_msat_per_mtok: Annotated[
        int | None,
        Setting(MSAT, "As for the model.", example="5_263_158", otherwise=_NEEDED),
    ] = None
    output_msat_per_mtok: Annotated[
        int | None,
        Setting(MSAT, "As for the model.", example="15_789_474", otherwise=_NEEDED),
    ] = None
    cache_read_msat_per_mtok: Annotated[
        int | None, Setting(MSAT, "As for the model.", example="2_631_579", otherwise="as other input")
    ] = None
    cache_write_msat_per_mtok: Annotated[
        int | None, Setting(MSAT, "As for the model.", example="6_578_948", otherwise="as other input")
    ] = None
    input_usd_per_mtok: Annotated[
        int | None,
        Setting(_DOLLARS, "As for the model.", example="5.00", otherwise=_NEEDED),
    ] = None
    output_usd_per_mtok: Annotated[
        int | None,
        Setting(_DOLLARS, "As for the model.", example="15.00", otherwise=_NEEDED),
    ] = None
    cache_read_usd_per_mtok: Annotated[
        int | None, Setting(_DOLLARS, "As for the model.", example="2.50", otherwise="as other input")
    ] = None
    cache_write_usd_per_mtok: Annotated[
        int | None, Setting(_DOLLARS, "As for the model.", example="6.25", otherwise="as other input")
    ] = None


TIERS: Final = Table("providers.models.tiers", TierTable, is_list=True, also=("tier", "long_context"))
MODELS: Final = Table("providers.models", ModelTable, is_list=True, tables=(TIERS,), also=("model_list", "model_info"))
