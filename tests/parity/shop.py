"""A gateway as an operator sets it up: from the text of a configuration, before scripted providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from satisfice.catalog.offers import Offer
from satisfice.config.load import load
from satisfice.core.clock import ManualClock
from satisfice.engine.assembly import gateway_for, memory_for
from satisfice.routing.policy import Asking
from satisfice.transport.scenario import Scenario, ScriptedProvider
from satisfice.transport.script import Script
from satisfice.transport.scripted import ScriptedTransport
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body
from tests.engine.stage import Caller

__all__ = ["Shop", "complaints", "provider"]


class Shop:
    """A gateway from its configuration; who isn't given a script can't be reached."""

    def __init__(
        self,
        text: str,
        scripts: Mapping[str, Script | Sequence[Script]],
        clock: ManualClock,
        *,
        lists: Mapping[str, Sequence[Offer]] | None = None,
    ) -> None:
        """`lists`: what providers say that they have; who isn't named says that it has nothing."""
        loaded = load(text, file="satisfice.toml", env={}, base=Path())
        assert loaded.config is not None, loaded.problems
        self.clock = clock
        self.transport = ScriptedTransport(_scenario(scripts, lists or {}), clock)
        self.gateway = gateway_for(loaded.config, self.transport, clock=clock, memory=memory_for(loaded.config, clock))

    @property
    def tried(self) -> list[str]:
        """The providers that were asked for an answer, in order."""
        return [sent.provider for sent in self.transport.sent if sent.sending.path == OpenAIChat.path]

    @property
    def ids(self) -> list[str]:
        """The offers of its catalog."""
        return [offer.id for offer in self.gateway.catalog.offers]

    async def ask(self, model: str = "small") -> Caller:
        """Ask for a model."""
        caller = Caller()
        await self.gateway.answer(OpenAIChat(), a_body(model), asking=Asking(), headers=(), downstream=caller)
        return caller


def provider(
    name: str, *models: str, settings: str = "", rates: tuple[int, int] = (10**6, 2 * 10**6), fee: int = 0
) -> str:
    """The table of a provider, with the models that are fixed, all at these rates and with this fee."""
    lines = ["[[providers]]", f'name = "{name}"', f'url = "https://{name}.example/v1"', settings]
    for model in models:
        lines += ["[[providers.models]]", f'id = "{model}"']
        lines += [f"input_msat_per_mtok = {rates[0]}", f"output_msat_per_mtok = {rates[1]}"]
        lines.append(f"base_fee_msat = {fee}")
    return "\n".join([*lines, ""])


def complaints(text: str) -> list[tuple[int, str, str]]:
    """What is wrong with a configuration: the line, the kind, and the key or value that it is about."""
    problems = load(text, file="satisfice.toml", env={}, base=Path()).problems
    return [
        (each.line, each.code.label, each.source_line[each.column - 1 : each.column - 1 + each.length])
        for each in problems
    ]


def _scenario(scripts: Mapping[str, Script | Sequence[Script]], lists: Mapping[str, Sequence[Offer]]) -> Scenario:
    return Scenario(
        tuple(
            ScriptedProvider(
                name, (played,) if isinstance(played, Script) else tuple(played), offers=tuple(lists.get(name, ()))
            )
            for name, played in scripts.items()
        )
    )
