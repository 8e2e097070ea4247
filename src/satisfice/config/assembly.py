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
    """What the document says as far as it is right; what isn't is noted by the reader."""
    return _Assembly(document, reader).config()


class _Assembly:
    """The tables of one document, read one by one, and looked at together."""

    def __init__(self, document: Mapping[str, object], reader: Reader) -> None:
        file = reader.file(FILE, document)
        self._reader = reader
        self._server = reader.one(SERVER, file)
        self._routing = reader.one(ROUTING, file)
        self._rates = reader.one(RATES, file)
        self._providers = reader.many(PROVIDERS, file)
        self._pricing = Pricing(self._rates, reader)

    def config(self) -> Config:
        self._check_host()
        self._check_backoff()
        self._refuse_twins(self._providers, "name")
        providers = [self._provider(each) for each in self._providers]
        return Config(
            server=self._server.value or ServerConfig(),
            routing=self._routing.value or RoutingConfig(),
            providers=tuple(each for each in providers if each),
            usd_per_btc=self._rates.value.usd_per_btc if self._rates.value else None,
        )

    def _check_host(self) -> None:
        path, raw, server = self._server
        if server and not is_loopback(server.host) and "access_token" not in raw:
            message = f"other machines can reach {server.host}, and there is no `access_token`"
            hint = 'set access_token = "env:SATISFICE_TOKEN" here, or host = "127.0.0.1"'
            self._reader.note(Code.OPEN_TO_NETWORK, (*path, "host"), message=message, hint=hint)

    def _check_backoff(self) -> None:
        path, raw, routing = self._routing
        if routing and routing.backoff_initial > routing.backoff_max:
            name = "backoff_initial" if "backoff_initial" in raw else "backoff_max"
            message = (
                f"`backoff_initial` ({routing.backoff_initial:g}) is more than `backoff_max` ({routing.backoff_max:g})"
            )
            hint = "the first pause is the shortest: swap the two, or drop both"
            self._reader.note(Code.CONFLICT, (*path, name), message=message, hint=hint)

    def _refuse_twins(self, entries: Sequence[Entry[msgspec.Struct]], key: str) -> None:
        """No two may have the same name."""
        first: dict[str, Entry[msgspec.Struct]] = {}
        for entry in entries:
            name = entry.raw.get(key)
            if isinstance(name, str) and (twin := first.setdefault(name, entry)) is not entry:
                line = self._reader.line_of((*twin.path, key))
                hint = f"line {line} has it already: change one of them"
                self._reader.note(
                    Code.DUPLICATE, (*entry.path, key), message=f"`{key}` is `{name}` once more", hint=hint
                )

    def _provider(self, entry: Entry[ProviderTable]) -> ProviderConfig | None:
        models = self._reader.many(MODELS, entry)
        self._refuse_twins(models, "id")
        self._refuse_auto(models)
        is_free = entry.raw.get("free") is True
        prices = [self._pricing.price(each, is_free=is_free) for each in models]
        provider = entry.value
        if provider is None:
            return None
        self._check_timeouts(entry, provider)
        return ProviderConfig(
            endpoint=_endpoint(provider, provider.key or self._key_by_convention(entry, provider)),
            offers=tuple(
                _offer(provider.name, model.value, price=price)
                for model, price in zip(models, prices, strict=True)
                if model.value
            ),
            list_models=self._lists_models(entry, provider),
            free=is_free,
        )

    def _lists_models(self, entry: Entry[ProviderTable], provider: ProviderTable) -> bool:
        has_models = bool(entry.raw.get("models"))
        if provider.list_models is None:
            return not has_models
        if not provider.list_models and not has_models:
            message = f"`{provider.name}` has no models, and isn't to be asked for any"
            hint = "add [[providers.models]], or drop this line"
            self._reader.note(Code.NO_MODELS, (*entry.path, "list_models"), message=message, hint=hint)
        return provider.list_models

    def _key_by_convention(self, entry: Entry[ProviderTable], provider: ProviderTable) -> Secret | None:
        variable = key_variable(provider.name)
        key = self._reader.around.env.get(variable, "").strip("\r\n")
        if "key" in entry.raw or not key:
            return None
        try:
            check_token(key)
        except Unfit as unfit:
            message = f"the key in the environment variable {variable} {unfit.why}"
            self._reader.note(unfit.code, (*entry.path, "name"), message=message, hint=unfit.hint)
        return Secret(key)

    def _refuse_auto(self, models: Sequence[Entry[ModelTable]]) -> None:
        for model in models:
            if model.value and model.value.id == AUTO:
                message = f"`{AUTO}` is no model's name: it asks for whichever is cheapest"
                hint = "name the model; the provider's name is `upstream_id`"
                self._reader.note(Code.BAD_VALUE, (*model.path, "id"), message=message, hint=hint)

    def _check_timeouts(self, entry: Entry[ProviderTable], provider: ProviderTable) -> None:
        """A timeout that somebody has set can be reached."""
        parts = {
            "connect_timeout": provider.connect_timeout,
            "first_byte_timeout": provider.first_byte_timeout,
            "idle_timeout": provider.idle_timeout,
        }
        total = provider.total_timeout
        for name, seconds in parts.items():
            if name in entry.raw and seconds > total:
                message = f"`{name}` is never reached: the whole call may take {total:g} seconds"
                hint = f"lower it, or raise `total_timeout` to {seconds:g} or more"
                self._reader.note(Code.UNREACHABLE_TIMEOUT, (*entry.path, name), message=message, hint=hint)


def _endpoint(provider: ProviderTable, key: Secret | None) -> Endpoint:
    return Endpoint(
        provider=provider.name,
        url=provider.url,
        key=key,
        timeouts=Timeouts(
            connect=provider.connect_timeout,
            first_byte=provider.first_byte_timeout,
            idle=provider.idle_timeout,
            total=provider.total_timeout,
        ),
        proxy=provider.proxy,
        ca_file=provider.ca_file,
    )


def _offer(provider: str, model: ModelTable, *, price: Price | None) -> Offer:
    upstream = model.upstream_id or model.id
    return Offer(provider=provider, model=ModelId(model.id), upstream_model=upstream, price=price)
