"""A transport whose upstreams answer every request by one script."""

from __future__ import annotations

import msgspec

from satisfice.core.clock import ManualClock
from satisfice.ports import Answer, Endpoint, Sending
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending, ScriptedTransport, instant

__all__ = ["Answers", "an_answer"]


class Answers:
    """Fills the port `Transport`, and keeps what it was asked."""

    def __init__(self, script: Script, *, provider: str = "acme") -> None:
        self._clock = ManualClock()
        self._played = ScriptedTransport({provider: script}, self._clock, sleep=instant(self._clock))
        self.asked: list[tuple[Endpoint, Sending]] = []

    @property
    def sent(self) -> list[Sending]:
        """The requests."""
        return [sending for _, sending in self.asked]

    @property
    def endings(self) -> list[Ending]:
        """How each answer ended."""
        return [answer.ending for answer in self._played.answers]

    async def open(self, endpoint: Endpoint, sending: Sending) -> Answer:
        self.asked.append((endpoint, sending))
        # A scripted provider has a list of models of its own; the script is what it does with a POST.
        return await self._played.open(endpoint, msgspec.structs.replace(sending, method="POST"))

    async def aclose(self) -> None:
        await self._played.aclose()


def an_answer(body: str | bytes, headers: dict[str, str] | None = None) -> Script:
    """Status 200 with this body."""
    return Script().head(200, headers or {}).raw(body if isinstance(body, bytes) else body.encode())
