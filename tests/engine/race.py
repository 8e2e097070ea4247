"""Two attempts of which one runs into a bug in the instant in which the other is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from satisfice.ports import Answer, Endpoint, Headers, Sending, Sink

__all__ = ["Together"]


class Together:
    """In one instant, five seconds on, the first request runs into a bug and the second one is answered."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self._moment = asyncio.Event()
        asyncio.get_running_loop().call_later(5.0, self._moment.set)

    async def open(self, endpoint: Endpoint, sending: Sending) -> Answer:
        await self._moment.wait()
        if endpoint.provider == "acme":
            raise RuntimeError("a bug")
        return _AtOnce(lambda: self.log.append((endpoint.provider, "aborted")))

    async def aclose(self) -> None:
        pass


class _AtOnce:
    """An answer that is here already."""

    status = 200
    headers: Headers = ()

    def __init__(self, on_abort: Callable[[], None]) -> None:
        self._on_abort = on_abort

    async def read(self, limit: int) -> bytes:
        return b'{"choices":[{}]}'

    async def chunk(self) -> bytes:
        return b""

    async def pump(self, sink: Sink) -> bool:
        return False

    def flow(self, *, is_endless: bool = False) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self._on_abort()
