"""Who sells what: providers, their offers and the price feeds, from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from satisfice.catalog.model import AUTO, Capabilities, ModelId
from satisfice.catalog.names import ANY
from satisfice.catalog.offers import Offer, Price, Traits
from satisfice.config.addresses import is_loopback
from satisfice.config.models import MODELS, ModelTable
from satisfice.config.pricing import Pricing
from satisfice.config.problems import Code, Unfit
from satisfice.config.providers import FeedConfig, ProviderTable
from satisfice.config.reading import Entry, Reader
from satisfice.config.references import check_token, key_variable
from satisfice.config.rules import keep_order, refuse_overlap, refuse_twins
from satisfice.config.schema import HealthConfig, ProviderConfig
from satisfice.core.secrets import Secret
from satisfice.health.breaker import Limits
from satisfice.ports import Endpoint, Timeouts

__all__ = ["Supply"]


class Supply:
    """Reads providers and feeds, with what holds for all of them."""

    def __init__(self, pricing: Pricing, health: HealthConfig, *, reader: Reader) -> None:
        """Take how models are priced, and how breakers behave."""
        self._pricing = pricing
        self._health = health
        self._reader = reader

    def providers(self, entries: Sequence[Entry[ProviderTable]]) -> tuple[ProviderConfig, ...]:
        """Those that are right."""
        refuse_twins(self._reader, entries, key="name")
        return tuple(found for found in map(self._provider, entries) if found)

    def feeds(self, entries: Sequence[Entry[FeedConfig]]) -> tuple[FeedConfig, ...]:
        """Those that are right."""
        refuse_twins(self._reader, entries, key="name")
        for entry in entries:
            hint = "between two looks no quote would be young enough: look more often"
            keep_order(self._reader, entry, low="period", high="max_age", hint=hint)
            self._warn_of_plain(entry)
        return tuple(entry.value for entry in entries if entry.value)

    def _provider(self, entry: Entry[ProviderTable]) -> ProviderConfig | None:
        models = self._reader.many(MODELS, entry)
        refuse_twins(self._reader, models, key="id")
        for model in models:
            self._check_model(model)
        is_free = entry.raw.get("free") is True
        prices = [self._pricing.price(each, is_free=is_free) for each in models]
        provider = entry.value
        if provider is None:
            return None
        self._check_timeouts(entry, provider)
        return ProviderConfig(
            endpoint=_endpoint(provider, provider.key or self._key_by_convention(entry, provider)),
            offers=tuple(
                _offer(provider, model.value, price=price)
                for model, price in zip(models, prices, strict=True)
                if model.value
            ),
            list_models=self._lists_models(entry, provider),
            free=is_free,
            traits=_traits(provider),
            limits=self._limits(entry, provider),
            cache_lifetime=provider.cache_lifetime,
        )

    def _check_model(self, model: Entry[ModelTable]) -> None:
        path, raw, _ = model
        if raw.get("id") == AUTO:
            message = f"`{AUTO}` is no model's name: it asks for whichever is cheapest"
            hint = "name the model; the provider's name is `upstream_id`"
            self._reader.note(Code.BAD_VALUE, (*path, "id"), message=message, hint=hint)
        if raw.get("id") == ANY and "upstream_id" in raw:
            message = f'`upstream_id` contradicts `id = "{ANY}"`, which is whatever the caller asks for'
            hint = "drop it, or name the model by `id`"
            self._reader.note(Code.CONFLICT, (*path, "upstream_id"), message=message, hint=hint, at_key=True)
        refuse_overlap(self._reader, model, one="can", other="cannot")
        hint = "the answer has to fit into the context: swap the two, or drop one"
        keep_order(self._reader, model, low="max_output", high="context", hint=hint)

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

    def _limits(self, entry: Entry[ProviderTable], provider: ProviderTable) -> Limits | None:
        """How its breakers behave, as far as the provider has words of its own."""
        if provider.failures is None and provider.open_for is None:
            return None
        general = self._health.limits
        if provider.open_for is not None and provider.open_for > general.open_max:
            message = f"`open_for` ({provider.open_for:g}) is more than `open_max` ({general.open_max:g}) of [health]"
            hint = "lower it, or raise that"
            self._reader.note(Code.CONFLICT, (*entry.path, "open_for"), message=message, hint=hint)
        return Limits(
            failures=general.failures if provider.failures is None else provider.failures,
            open_for=general.open_for if provider.open_for is None else provider.open_for,
            open_max=general.open_max,
        )

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

    def _warn_of_plain(self, entry: Entry[FeedConfig]) -> None:
        address = urlsplit(entry.value.url) if entry.value else None
        if address and address.scheme == "http" and not is_loopback(address.hostname or ""):
            message = f"prices come unprotected from {address.hostname}: on the way they may be changed"
            hint = "write https:// if it can be reached so"
            self._reader.note(Code.PLAIN_FEED, (*entry.path, "url"), message=message, hint=hint)


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


def _traits(provider: ProviderTable, quantisation: str | None = None) -> Traits:
    """Those of the provider, and the precision of one model where it has its own."""
    return Traits(
        region=provider.region, retention=provider.retention, quantisation=quantisation or provider.quantisation
    )


def _offer(provider: ProviderTable, model: ModelTable, *, price: Price | None) -> Offer:
    return Offer(
        provider=provider.name,
        model=ModelId(model.id),
        upstream_model=model.upstream_id or model.id,
        price=price,
        capabilities=Capabilities(
            context=model.context,
            max_output=model.max_output,
            has=frozenset(model.can),
            lacks=frozenset(model.cannot),
        ),
        traits=_traits(provider, model.quantisation),
    )
