"""Policies, from their tables, and whoever names one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from satisfice.catalog.model import near_misses
from satisfice.config.callers import PolicyTable
from satisfice.config.problems import Code
from satisfice.config.providers import ProviderTable
from satisfice.config.reading import Entry, Reader
from satisfice.config.rules import refuse_overlap, refuse_twins
from satisfice.config.spans import KeyPath
from satisfice.core.amounts import Msat, Rate
from satisfice.routing.policy import Policy, Strategy

__all__ = ["Policing"]


class Policing:
    """Reads policies, which name providers, and finds who names a policy."""

    def __init__(
        self, policies: Sequence[Entry[PolicyTable]], providers: Sequence[Entry[ProviderTable]], *, reader: Reader
    ) -> None:
        """Take the names that there are, fit or not: what is wrong with one is told where it is given."""
        self._policies = policies
        self._names = _names(policies)
        self._providers = _names(providers)
        self._reader = reader

    def policies(self) -> tuple[Policy, ...]:
        """The policies as far as they are right."""
        refuse_twins(self._reader, self._policies, key="name")
        for entry in self._policies:
            for kind in ("models", "providers"):
                refuse_overlap(self._reader, entry, one=f"allow_{kind}", other=f"deny_{kind}")
            self._check_providers(entry)
            self._check_weights(entry)
        return tuple(_policy(each.value) for each in self._policies if each.value)

    def check_named(self, entries: Iterable[Entry[msgspec.Struct]]) -> None:
        """The policies that these name are there."""
        for entry in entries:
            name = entry.raw.get("policy")
            if isinstance(name, str) and name and name not in self._names:
                otherwise = "add it under [[policies]], or drop this line"
                hint = _meant(name, self._names, otherwise=otherwise)
                message = f"there is no policy `{name}`"
                self._reader.note(Code.UNKNOWN_NAME, (*entry.path, "policy"), message=message, hint=hint)

    def _check_providers(self, entry: Entry[PolicyTable]) -> None:
        """A provider whose name has a slip in it would be allowed or denied in vain; a pattern may wait for its own."""
        for key in ("allow_providers", "deny_providers"):
            listed = entry.raw.get(key)
            for number, name in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(name, str) and not {"*", "?"} & set(name):
                    self._check_provider(name, (*entry.path, key, number))

    def _check_weights(self, entry: Entry[PolicyTable]) -> None:
        weights = entry.raw.get("weights")
        if not isinstance(weights, dict):
            return
        path = (*entry.path, "weights")
        if entry.raw.get("strategy") != Strategy.WEIGHTED.value:
            hint = f'add strategy = "{Strategy.WEIGHTED.value}", or drop the weights'
            message = "`weights` mean nothing to this strategy"
            self._reader.note(Code.CONFLICT, path, message=message, hint=hint, at_key=True)
        for name in weights:
            self._check_provider(name, (*path, name))

    def _check_provider(self, name: str, path: KeyPath) -> None:
        """At the key, which for an element of a list is the element."""
        if name not in self._providers:
            hint = _meant(name, self._providers, otherwise="add it under [[providers]], or drop it here")
            message = f"there is no provider `{name}`"
            self._reader.note(Code.UNKNOWN_NAME, path, message=message, hint=hint, at_key=True)


def _names(entries: Sequence[Entry[msgspec.Struct]]) -> tuple[str, ...]:
    return tuple(name for entry in entries if isinstance(name := entry.raw.get("name"), str))


def _meant(name: str, known: Iterable[str], *, otherwise: str) -> str:
    near = near_misses(name, known, limit=1)
    return f'did you mean "{near[0]}"?' if near else otherwise


def _policy(table: PolicyTable) -> Policy:
    return Policy(
        name=table.name,
        for_models=table.for_models,
        keywords=table.keywords,
        is_strict=table.strict,
        allow_models=table.allow_models,
        deny_models=table.deny_models,
        allow_providers=table.allow_providers,
        deny_providers=table.deny_providers,
        max_msat_per_call=None if table.max_msat_per_call is None else Msat(table.max_msat_per_call),
        max_output_msat_per_mtok=None
        if table.max_output_msat_per_mtok is None
        else Rate(table.max_output_msat_per_mtok),
        strategy=table.strategy,
        weights=table.weights,
        spread=table.spread,
        min_context=table.min_context,
        require=frozenset(table.require),
        regions=frozenset(table.regions),
        retentions=frozenset(table.retentions),
        quantisations=frozenset(table.quantisations),
    )
