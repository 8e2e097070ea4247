"""Reads one entry of a list of models: its name, what it can take and do, and its price, in whichever shape.

Who lists what, besides `id`:

    OpenRouter   context_length, top_provider, supported_parameters, architecture, pricing (dollars)
    Routstr      the same but for supported_parameters; sats_pricing (satoshi), enabled
    vLLM         max_model_len
    llama.cpp    meta.n_ctx (once it is loaded), meta.n_ctx_train, architecture
    LM Studio    loaded_context_length, max_context_length
    Groq         context_window, max_completion_tokens
    Ollama       nothing
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import Final, NamedTuple, TypeVar

import msgspec

from satisfice.catalog.listing import Listing, Refused
from satisfice.catalog.model import AUTO, Capabilities, ModelId
from satisfice.catalog.names import ANY
from satisfice.catalog.offers import Offer, Price, Traits
from satisfice.core.amounts import Rate
from satisfice.discovery.lists import showable
from satisfice.discovery.pricing import TakesAll, Unit, Unpriced, read_price
from satisfice.wire.request import Ability

__all__ = ["Terms", "is_model", "read_listing"]

_PRINTABLE: Final = re.compile(r"[!-~]{1,200}")
_LARGEST: Final = 1_000_000_000
"""Tokens; what is above is no window but a mistake."""
_FREE: Final = Price(input=Rate(0), output=Rate(0))


class Terms(NamedTuple):
    """What is known of all models of a list, whatever it says."""

    provider: str
    usd: Unit
    """To read prices in dollars by."""
    is_free: bool = False
    """They cost nothing, by the operator's word."""
    traits: Traits = Traits()


def read_listing(elements: Iterable[msgspec.Raw], terms: Terms) -> Listing:
    """The offers of a list, and what of it is no offer, or one without a price, with the reason."""
    offers: dict[str, Offer] = {}
    refused: list[Refused] = []
    for number, element in enumerate(elements, 1):
        entry = _read(_entry_of, element)
        if entry is None:
            refused.append(Refused(f"entry {number}", "can't be read"))
            continue
        reason = _refusal(entry, offers)
        if reason is None:
            price, reason = _price(entry, terms)
            if reason != _TAKES_ALL:
                offers[entry.id] = _offer(entry.id, element, price=price, terms=terms)
        if reason is not None:
            refused.append(Refused(showable(entry.id), reason))
    return Listing(offers=tuple(offers.values()), refused=tuple(refused), has_own_prices=not terms.is_free)


def is_model(name: str) -> bool:
    """An id goes into header fields and onto screens; and what the gateway gives a meaning of its own is no model."""
    return name not in {AUTO, ANY} and _PRINTABLE.fullmatch(name) is not None


class _Entry(msgspec.Struct):
    id: str
    enabled: msgspec.Raw = msgspec.Raw(b"true")
    pricing: msgspec.Raw = msgspec.Raw(b"null")
    sats_pricing: msgspec.Raw = msgspec.Raw(b"null")


class _TopProvider(msgspec.Struct):
    max_completion_tokens: int | None = None


class _Meta(msgspec.Struct):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class _Limits(msgspec.Struct):
    context_length: int | None = None
    max_model_len: int | None = None
    context_window: int | None = None
    loaded_context_length: int | None = None
    max_context_length: int | None = None
    max_completion_tokens: int | None = None
    top_provider: _TopProvider | None = None
    meta: _Meta | None = None


class _Architecture(msgspec.Struct):
    input_modalities: list[str] | None = None


class _Abilities(msgspec.Struct):
    supported_parameters: list[str] | None = None
    architecture: _Architecture | None = None


# Each part on its own, so that what is odd in one leaves the others readable; numbers may come as text.
_entry_of = msgspec.json.Decoder(_Entry).decode
_limits_of = msgspec.json.Decoder(_Limits, strict=False).decode
_abilities_of = msgspec.json.Decoder(_Abilities).decode

_T = TypeVar("_T")


def _read(decode: Callable[[msgspec.Raw], _T], element: msgspec.Raw) -> _T | None:
    try:
        return decode(element)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _refusal(entry: _Entry, offers: Container[str]) -> str | None:
    if not is_model(entry.id):
        return "is no name for a model here"
    if entry.id in offers:
        return "is listed more than once"
    if bytes(entry.enabled) == b"false":
        return "is disabled by the provider"
    return None


def _price(entry: _Entry, terms: Terms) -> tuple[Price | None, str | None]:
    """The price, or why there is none."""
    if terms.is_free:
        return _FREE, None
    try:
        return read_price(entry.pricing, entry.sats_pricing, usd=terms.usd), None
    except Unpriced as why:
        return None, str(why)
    except TakesAll:
        return None, _TAKES_ALL


def _offer(name: str, element: msgspec.Raw, *, price: Price | None, terms: Terms) -> Offer:
    return Offer(
        provider=terms.provider,
        model=ModelId(name),
        upstream_model=name,
        price=price,
        capabilities=_capabilities(_read(_limits_of, element) or _Limits(), _read(_abilities_of, element)),
        traits=terms.traits,
    )


def _capabilities(limits: _Limits, abilities: _Abilities | None) -> Capabilities:
    meta, top = limits.meta or _Meta(), limits.top_provider or _TopProvider()
    has, lacks = _sorted_out(abilities or _Abilities())
    return Capabilities(
        # What a server has loaded counts over what the model was made for. OpenRouter's `top_provider` tells the window
        # of one of several hosts, and sends long prompts to others.
        context=_first(
            limits.context_length,
            limits.max_model_len,
            limits.context_window,
            limits.loaded_context_length,
            meta.n_ctx,
            meta.n_ctx_train,
            limits.max_context_length,
        ),
        max_output=_first(top.max_completion_tokens, limits.max_completion_tokens),
        has=has,
        lacks=lacks,
    )


def _first(*tokens: int | None) -> int | None:
    """The first number that can be meant."""
    return next((number for number in tokens if number is not None and 0 < number <= _LARGEST), None)


def _sorted_out(listed: _Abilities) -> tuple[frozenset[Ability], frozenset[Ability]]:
    """What it can do and what it can't; a list that is there and doesn't name an ability says that it is lacking."""
    has: set[Ability] = set()
    lacks: set[Ability] = set()
    parameters = listed.supported_parameters
    if parameters:
        for ability, names in _PARAMETERS:
            (lacks if names.isdisjoint(parameters) else has).add(ability)
        if "response_format" in parameters:  # perhaps only for JSON of any shape
            lacks.discard(Ability.JSON_SCHEMA)
    modalities = listed.architecture and listed.architecture.input_modalities
    if modalities:
        (has if "image" in modalities else lacks).add(Ability.VISION)
    return frozenset(has), frozenset(lacks)


_PARAMETERS: Final = (
    (Ability.TOOLS, frozenset(("tools",))),
    (Ability.JSON_SCHEMA, frozenset(("structured_outputs",))),
    (Ability.REASONING, frozenset(("reasoning", "reasoning_effort", "include_reasoning"))),
)
_TAKES_ALL: Final = "has a price of 0 for input or output though it isn't free: a call would cost all that is held"
