"""What is made of the entries of a list of models, in the shapes of those who list any."""

from __future__ import annotations

import msgspec
import pytest

from satisfice.catalog.listing import Listing, Refused
from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, Traits
from satisfice.core.amounts import UsdPerBtc
from satisfice.discovery.listing import Terms, is_model, read_listing
from satisfice.discovery.pricing import usd_per_token
from satisfice.wire.request import Ability
from tests.build import a_price

_TERMS = Terms("acme", usd_per_token(UsdPerBtc(100_000)))


def _read(*entries: object, terms: Terms = _TERMS) -> Listing:
    return read_listing([msgspec.Raw(msgspec.json.encode(entry)) for entry in entries], terms)


def _able(entry: dict[str, object]) -> Capabilities:
    (offer,) = _read({"id": "m"} | entry).offers
    return offer.capabilities


def test_openrouter_lists_limits_abilities_and_prices() -> None:
    """As at https://openrouter.ai/docs/overview/models."""
    listing = _read(
        {
            "id": "anthropic/claude-sonnet-4.5",
            "canonical_slug": "anthropic/claude-4.5-sonnet-20250929",
            "name": "Anthropic: Claude Sonnet 4.5",
            "created": 1_759_161_676,
            "context_length": 1_000_000,
            "architecture": {
                "modality": "text+image->text",
                "input_modalities": ["text", "image", "file"],
                "output_modalities": ["text"],
                "tokenizer": "Claude",
                "instruct_type": None,
            },
            "pricing": {"prompt": "0.000003", "completion": "0.000015", "request": "0", "web_search": "0.01"},
            "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000, "is_moderated": False},
            "per_request_limits": None,
            "supported_parameters": ["include_reasoning", "max_tokens", "response_format", "tool_choice", "tools"],
        }
    )

    assert listing == Listing(
        offers=(
            Offer(
                provider="acme",
                model=listing.offers[0].model,
                upstream_model="anthropic/claude-sonnet-4.5",
                price=a_price(3_000_000, 15_000_000),
                capabilities=Capabilities(
                    context=1_000_000,
                    max_output=64_000,
                    has=frozenset((Ability.TOOLS, Ability.VISION, Ability.REASONING)),
                ),
            ),
        )
    )


def test_routstr_lists_prices_in_satoshi() -> None:
    listing = _read(
        {
            "id": "small",
            "context_length": 32_768,
            "architecture": {"input_modalities": ["text"]},
            "pricing": {"prompt": 1e-6, "completion": 2e-6},
            "sats_pricing": {"prompt": 0.001, "completion": 0.002, "request": 0.001, "input_cache_read": 0.0},
            "top_provider": None,
            "enabled": True,
            "alias_ids": None,
        }
    )

    (offer,) = listing.offers
    assert a_price(1_000_000, 2_000_000) == offer.price
    assert Capabilities(context=32_768, lacks=frozenset((Ability.VISION,))) == offer.capabilities


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"max_model_len": 8_192, "root": "/models/m", "permission": []}, 8_192),
        ({"meta": {"n_vocab": 128_256, "n_ctx_train": 131_072}}, 131_072),
        ({"meta": {"n_ctx": 4_096, "n_ctx_train": 131_072}}, 4_096),
        ({"meta": None}, None),
        ({"state": "loaded", "max_context_length": 131_072, "loaded_context_length": 4_096}, 4_096),
        ({"state": "not-loaded", "max_context_length": 131_072}, 131_072),
        ({"context_window": 131_072}, 131_072),
        ({"object": "model", "created": 1, "owned_by": "library"}, None),
    ],
    ids=["vLLM", "llama.cpp", "llama.cpp loaded", "llama.cpp loading", "LM Studio", "LM Studio idle", "Groq", "Ollama"],
)
def test_a_window_is_found_in_every_shape(entry: dict[str, object], context: int | None) -> None:
    assert context == _able(entry).context


@pytest.mark.parametrize(
    ("entry", "limits"),
    [
        ({"context_length": 8_192, "max_completion_tokens": 1_024}, (8_192, 1_024)),
        ({"context_length": "8192", "top_provider": {"max_completion_tokens": None}}, (8_192, None)),
        ({"context_length": 0, "max_model_len": 8_192}, (8_192, None)),
        ({"context_length": -1}, (None, None)),
        ({"context_length": 10**30}, (None, None)),
        ({"context_length": 1.5}, (None, None)),
        ({"context_length": "long"}, (None, None)),
        ({"context_length": 8_192, "top_provider": []}, (None, None)),
    ],
    ids=str,
)
def test_limits_that_make_no_sense_are_not_known(
    entry: dict[str, object], limits: tuple[int | None, int | None]
) -> None:
    able = _able(entry)

    assert limits == (able.context, able.max_output)


@pytest.mark.parametrize(
    ("entry", "has", "lacks"),
    [
        ({}, "", ""),
        ({"supported_parameters": []}, "", ""),
        ({"supported_parameters": None, "architecture": None}, "", ""),
        ({"supported_parameters": "tools"}, "", ""),
        ({"supported_parameters": ["temperature"]}, "", "tools json_schema reasoning"),
        ({"supported_parameters": ["tools", "structured_outputs"]}, "tools json_schema", "reasoning"),
        ({"supported_parameters": ["response_format"]}, "", "tools reasoning"),
        ({"supported_parameters": ["response_format", "structured_outputs"]}, "json_schema", "tools reasoning"),
        ({"supported_parameters": ["reasoning"]}, "reasoning", "tools json_schema"),
        ({"architecture": {"input_modalities": ["text", "image"]}}, "vision", ""),
        ({"architecture": {"input_modalities": ["text"]}}, "", "vision"),
        ({"architecture": {"input_modalities": []}}, "", ""),
        ({"architecture": {"modality": "text->text"}}, "", ""),
        ({"architecture": 1, "supported_parameters": ["tools"]}, "", ""),
    ],
    ids=str,
)
def test_what_a_list_does_not_name_is_lacking_and_without_a_list_nothing_is_known(
    entry: dict[str, object], has: str, lacks: str
) -> None:
    able = _able(entry)

    assert set(map(Ability, has.split())) == able.has
    assert set(map(Ability, lacks.split())) == able.lacks


def test_an_offer_without_a_price_stands_and_the_reason_is_told() -> None:
    listing = _read({"id": "plain"}, {"id": "odd", "pricing": {"prompt": "-1", "completion": "0"}})

    assert [("plain", None), ("odd", None)] == [(offer.model, offer.price) for offer in listing.offers]
    assert listing.refused == (
        Refused("plain", "has no price"),
        Refused("odd", "has a price of input below nothing"),
    )
    assert listing.has_own_prices


def test_what_the_operator_says_is_free_costs_nothing() -> None:
    terms = _TERMS._replace(is_free=True)
    odd = {"prompt": 0, "completion": 1}

    listing = _read(
        {"id": "a", "pricing": {"prompt": "1", "completion": "1"}}, {"id": "b", "sats_pricing": odd}, terms=terms
    )

    assert [a_price(0, 0), a_price(0, 0)] == [offer.price for offer in listing.offers]
    assert () == listing.refused
    assert not listing.has_own_prices


def test_traits_of_the_provider_are_those_of_its_models() -> None:
    traits = Traits(region="eu")

    (offer,) = _read({"id": "m"}, terms=_TERMS._replace(traits=traits)).offers

    assert traits == offer.traits


def test_a_model_whose_calls_take_all_is_no_offer() -> None:
    listing = _read(
        {"id": "embed", "pricing": {"prompt": 1e-7, "completion": 0}, "sats_pricing": {"prompt": 1e-4, "completion": 0}}
    )

    assert () == listing.offers
    assert ["embed"] == [refused.name for refused in listing.refused]
    assert "a call would cost all that is held" in listing.refused[0].reason


@pytest.mark.parametrize("enabled", [True, None, 1, "false"])
def test_only_what_is_disabled_is_left_out(enabled: object) -> None:
    listing = _read({"id": "off", "enabled": False}, {"id": "on", "enabled": enabled})

    assert ["on"] == [offer.model for offer in listing.offers]
    assert Refused("off", "is disabled by the provider") in listing.refused


def test_of_two_entries_of_one_name_the_first_counts() -> None:
    dear, cheap = ({"id": "m", "pricing": {"prompt": f"{n}e-6", "completion": "0"}} for n in (2, 1))

    listing = _read(dear, cheap)

    assert [a_price(2_000_000, 0)] == [offer.price for offer in listing.offers]
    assert (Refused("m", "is listed more than once"),) == listing.refused


@pytest.mark.parametrize(
    "entry",
    [b"1", b"null", b"[]", b"{}", b'{"id":1}', b'{"id":"\xff"}', b'{"id":' + b"[" * 9_999],
    ids=lambda entry: repr(entry[:20]),
)
def test_one_odd_entry_spoils_no_other(entry: bytes) -> None:
    listing = read_listing([msgspec.Raw(entry), msgspec.Raw(b'{"id":"good"}')], _TERMS)

    assert ["good"] == [offer.model for offer in listing.offers]
    assert Refused("entry 1", "can't be read") == listing.refused[0]


@pytest.mark.parametrize("name", ["auto", "*", "", "a b", "a\nb", "modèle", "x" * 201, "a\x7f"], ids=repr)
def test_what_fits_in_no_header_or_means_something_here_is_no_name_of_a_model(name: str) -> None:
    """Whoever listed `auto` or `*` would get what is meant for the cheapest of all, or for any."""
    listing = _read({"id": name}, {"id": "x" * 200})

    assert not is_model(name)
    assert ["x" * 200] == [offer.model for offer in listing.offers]
    assert "is no name for a model here" == listing.refused[0].reason


def test_names_that_only_look_like_ours_are_taken() -> None:
    assert all(map(is_model, ("automatic", "openai/gpt-4o:free", "a*")))
