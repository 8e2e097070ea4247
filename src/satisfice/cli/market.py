"""`satisfice models` and `satisfice offers`: what can be bought, from whom, at what price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from satisfice.catalog.model import near_misses
from satisfice.catalog.offers import Offer, Price
from satisfice.cli import options, render
from satisfice.cli.asking import Market, market
from satisfice.cli.exits import Failure
from satisfice.core.amounts import Msat, Rate, Usage, show_msat
from satisfice.server.showing import offer_as_json

__all__ = ["models", "offers"]


@click.command(epilog=options.examples("satisfice models", "satisfice models --json | jq '.models[].id'"))
@options.config
@options.from_demo
@options.as_json
@options.no_color
def models(config_file: Path | None, *, from_demo: bool, as_json: bool) -> None:
    """List the models that can be asked for.

    Providers stand cheapest first, by a call of 1,000 tokens in and 500 out; prices are those of the first.
    """
    found = market(config_file, from_demo=from_demo)
    catalog = found.catalog
    sold = {name: sorted(catalog.find(name), key=_usual_cost) for name in catalog.models}
    if as_json:
        listed = [{"id": name, "offers": [offer_as_json(each) for each in sellers]} for name, sellers in sold.items()]
        render.json({"models": listed, "unanswered": _unanswered(found)})
        return
    rows = [
        (name, *_prices(sellers[0].price), ", ".join(offer.provider for offer in sellers))
        for name, sellers in sold.items()
    ]
    render.table(("MODEL", *_PRICE_HEADS, "PROVIDERS"), rows)
    render.next_step(_explain(f"--model {catalog.models[0]} ", from_demo=from_demo), "who would answer it")


@click.command(
    epilog=options.examples("satisfice offers --model gpt-4o", "satisfice offers --provider openrouter --json")
)
@options.config
@options.model
@options.provider
@options.from_demo
@options.as_json
@options.no_color
def offers(
    config_file: Path | None, model: str | None, *, provider: str | None, from_demo: bool, as_json: bool
) -> None:
    """List who sells which model at what price."""
    found = market(config_file, from_demo=from_demo)
    chosen: Iterable[Offer] = found.catalog.offers
    if model is not None:
        _check(model, found.catalog.models, kind="model")
        chosen = found.catalog.find(model)
    if provider is not None:
        _check(provider, sorted({offer.provider for offer in found.catalog.offers}), kind="provider")
        chosen = [offer for offer in chosen if offer.provider == provider]
    chosen = sorted(chosen, key=lambda offer: (offer.model, _usual_cost(offer)))
    if not chosen:
        raise Failure(f"{provider} doesn't sell {model}.", hint=f"satisfice offers --model {model}")
    if as_json:
        render.json({"offers": [offer_as_json(each) for each in chosen], "unanswered": _unanswered(found)})
        return
    rows = [(offer.model, offer.provider, *_prices(offer.price), _fee(offer.price)) for offer in chosen]
    render.table(("MODEL", "PROVIDER", *_PRICE_HEADS, " FEE sat"), rows)
    render.next_step(_explain("", from_demo=from_demo), "what a call would cost")


_PRICE_HEADS: Final = (" IN sat/Mtok", " CACHED", " OUT sat/Mtok")
_USUAL: Final = Usage(uncached=1_000, text=500)


def _prices(price: Price | None) -> tuple[str, str, str]:
    if price is None:
        return "unknown", "", "unknown"
    if not (price.input or price.output or price.base_fee):
        return "free", "", "free"
    return _rate(price.input), _rate(price.cache_read), _rate(price.output)


def _rate(rate: Rate | None) -> str:
    """In sat per million tokens."""
    return "" if rate is None else _sat(Msat(rate))


def _fee(price: Price | None) -> str:
    return _sat(price.base_fee) if price and price.base_fee else ""


def _sat(amount: Msat) -> str:
    return show_msat(amount).removesuffix(" sat")


def _usual_cost(offer: Offer) -> tuple[bool, int]:
    """To sort by: what a usual call costs; those of unknown price last."""
    return offer.price is None, 0 if offer.price is None else offer.price.cost(_USUAL)


def _check(name: str, known: Sequence[str], *, kind: str) -> None:
    if name in known:
        return
    near = near_misses(name, known)
    meant = f"Did you mean {' or '.join(f'`{each}`' for each in near)}?" if near else ""
    raise Failure(f"There is no {kind} `{name}`. {meant}".rstrip(), hint="satisfice models")


def _explain(options: str, *, from_demo: bool) -> str:
    return f"satisfice explain {'--demo ' * from_demo}{options}'your prompt'"


def _unanswered(found: Market) -> list[dict[str, str]]:
    return [{"provider": name, "why": why} for name, why in found.failures.items()]
