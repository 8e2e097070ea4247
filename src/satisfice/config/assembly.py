"""From the tables of a file to what the gateway is built from: the rules that concern several settings at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from satisfice.catalog.model import AUTO, ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.config.addresses import is_loopback
from satisfice.config.pricing import Pricing
from satisfice.config.problems import Code, Unfit
from satisfice.config.reading import Entry, Reader
from satisfice.config.references import check_token, key_variable
from satisfice.config.schema import (
    FILE,
    MODELS,
    PROVIDERS,
    RATES,
    ROUTING,
    SERVER,
    Config,
    ModelTable,
    ProviderConfig,
    ProviderTable,
    RoutingConfig,
    ServerConfig,
)
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint, Timeouts

__all__ = ["assemble"]


def assemble(document: Mapping[str, object], reader: Reader) -> Config:
    """What the document says as far as it is right; what isn't has been noted by the reader."""
    file = reader.entry(FILE, document, ())
    server = reader.one(SERVER, file)
    routing = reader.one(ROUTING, file)
    rates = reader.one(RATES, file)
    providers = reader.many(PROVIDERS, file)
    _check_host(server, reader)
    _check_backoff(routing, reader)
    _refuse_twins(providers, "name", reader)
    pricing = Pricing(rates, reader)
    ready = [_provider(each, pricing, reader) for each in providers]
    return Config(
        server=server.value or ServerConfig(),
        routing=routing.value or RoutingConfig(),
        providers=tuple(each for each in ready if each),
        usd_per_btc=rates.value.usd_per_btc if rates.value else None,
    )


def _check_host(server: Entry[ServerConfig], reader: Reader) -> None:
    if server.value and not is_loopback(server.value.host) and "access_token" not in server.raw:
        reader.note(
            Code.OPEN_TO_NETWORK,
            (*server.path, "host"),
            f"other machines can reach {server.value.host}, and there is no `access_token`",
            'set access_token = "env:SATISFICE_TOKEN" here, or host = "127.0.0.1"',
        )


def _check_backoff(routing: Entry[RoutingConfig], reader: Reader) -> None:
    value = routing.value
    if value and value.backoff_initial > value.backoff_max:
        name = "backoff_initial" if "backoff_initial" in routing.raw else "backoff_max"
        reader.note(
            Code.CONFLICT,
            (*routing.path, name),
            f"`backoff_initial` ({value.backoff_initial:g}) is more than `backoff_max` ({value.backoff_max:g})",
            "the first pause is the shortest: swap the two, or drop both",
        )


def _refuse_twins(entries: Sequence[Entry[msgspec.Struct]], key: str, reader: Reader) -> None:
    first: dict[str, Entry[msgspec.Struct]] = {}
    for entry in entries:
        name = entry.raw.get(key)
        if isinstance(name, str) and (twin := first.setdefault(name, entry)) is not entry:
            line = reader.line_of((*twin.path, key))
            message = f"`{key}` is `{name}` once more"
            reader.note(Code.DUPLICATE, (*entry.path, key), message, f"line {line} has it already: change one of them")


def _provider(entry: Entry[ProviderTable], pricing: Pricing, reader: Reader) -> ProviderConfig | None:
    models = reader.many(MODELS, entry)
    _refuse_twins(models, "id", reader)
    is_free = entry.raw.get("free") is True
    prices = [pricing.price(each, is_free=is_free) for each in models]
    for each in models:
        _refuse_auto(each, reader)
    table = entry.value
    if table is None:
        return None
    _check_timeouts(entry, table, reader)
    lists = table.list_models if table.list_models is not None else not entry.raw.get("models")
    if not lists and not entry.raw.get("models"):
        message = f"`{table.name}` has no models, and isn't to be asked for any"
        reader.note(
            Code.NO_MODELS, (*entry.path, "list_models"), message, "add [[providers.models]], or drop this line"
        )
    return ProviderConfig(
        endpoint=_endpoint(table, table.key or _conventional_key(entry, table.name, reader)),
        offers=tuple(
            _offer(table, each.value, price) for each, price in zip(models, prices, strict=True) if each.value
        ),
        list_models=lists,
        free=is_free,
    )


def _offer(provider: ProviderTable, model: ModelTable, price: Price | None) -> Offer:
    upstream = model.upstream_id or model.id
    return Offer(provider=provider.name, model=ModelId(model.id), upstream_model=upstream, price=price)


def _endpoint(table: ProviderTable, key: Secret | None) -> Endpoint:
    timeouts = Timeouts(
        connect=table.connect_timeout,
        first_byte=table.first_byte_timeout,
        idle=table.idle_timeout,
        total=table.total_timeout,
    )
    return Endpoint(
        provider=table.name, url=table.url, key=key, timeouts=timeouts, proxy=table.proxy, ca_file=table.ca_file
    )


def _conventional_key(entry: Entry[ProviderTable], name: str, reader: Reader) -> Secret | None:
    variable = key_variable(name)
    value = reader.around.env.get(variable, "").strip("\r\n")
    if "key" in entry.raw or not value:
        return None
    try:
        check_token(value)
    except Unfit as unfit:
        message = f"the key in the environment variable {variable} {unfit.why}"
        reader.note(unfit.code, (*entry.path, "name"), message, unfit.hint)
    return Secret(value)


def _refuse_auto(model: Entry[ModelTable], reader: Reader) -> None:
    if model.value and model.value.id == AUTO:
        message = f"`{AUTO}` is no model's name: it asks for whichever is cheapest"
        reader.note(
            Code.BAD_VALUE, (*model.path, "id"), message, "name the model; the provider's name is `upstream_id`"
        )


def _check_timeouts(entry: Entry[ProviderTable], table: ProviderTable, reader: Reader) -> None:
    parts = {
        "connect_timeout": table.connect_timeout,
        "first_byte_timeout": table.first_byte_timeout,
        "idle_timeout": table.idle_timeout,
    }
    for name, seconds in parts.items():
        if name in entry.raw and seconds > table.total_timeout:
            reader.note(
                Code.UNREACHABLE_TIMEOUT,
                (*entry.path, name),
                f"`{name}` is never reached: the whole call may take {table.total_timeout:g} seconds",
                f"lower it, or raise `total_timeout` to {seconds:g} or more",
            )
