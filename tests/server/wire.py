"""A caller's connection without a socket: the protocol is fed bytes, what it writes is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from uvicorn.server import ServerState

from satisfice.server.protocol import CallerProtocol
from tests.build import a_body
from tests.engine.stage import WHOLE, Stage
from tests.engine.virtual_time import VirtualLoop
from tests.server.front import an_app, config_for, replies_in, request

if TYPE_CHECKING:
    from satisfice.server.app import App
    from satisfice.transport.script import Script
    from tests.server.front import Reply

__all__ = ["ASKING", "CHAT", "LOOKING", "STREAMING", "WAITING", "Wire", "a_virtual_stage", "a_wire"]

CHAT: Final = "/v1/chat/completions"
ASKING: Final = request("POST", CHAT, body=a_body())
STREAMING: Final = request("POST", CHAT, body=a_body(stream=True))
LOOKING: Final = request("GET", "/health")
WAITING: Final = [("Expect", "100-continue")]
"""With these fields a request takes the way of ASGI."""


def a_virtual_stage(*scripts: Script) -> Stage:
    """A gateway before one provider, on the loop's own clock."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return Stage({"acme": scripts or WHOLE}, loop.clock)


def a_wire(stage: Stage, *, token: str | None = None, timeout_keep_alive: float = 75) -> Wire:
    """A connection to this gateway."""
    return Wire(an_app(stage.gateway, token=token), timeout_keep_alive=timeout_keep_alive)


class Wire:
    """One connection, on a loop in virtual time."""

    def __init__(self, app: App, *, timeout_keep_alive: float = 75) -> None:
        """It stands."""
        config = config_for(app, timeout_keep_alive=timeout_keep_alive)
        config.load()
        self.state = ServerState()
        self.protocol = CallerProtocol(config=config, server_state=self.state, app_state={})
        self.transport = _Transport(self.protocol)
        self.protocol.connection_made(self.transport)

    async def feed(self, *reads: bytes) -> None:
        """These bytes come, one read after the other; then all that can happen happens."""
        for data in reads:
            if not self.is_closed:
                self.protocol.data_received(data)
        await self.quiet()

    async def quiet(self) -> None:
        """Until all wait for something: in virtual time no moment passes before."""
        await asyncio.sleep(1e-6)

    async def lose(self, error: Exception | None = None) -> None:
        """The caller goes."""
        self.transport.lose(error)
        await self.quiet()

    @property
    def written(self) -> bytes:
        """All bytes that went out."""
        return b"".join(self.transport.pieces)

    @property
    def replies(self) -> list[Reply]:
        """All answers that went out."""
        return replies_in(self.written)

    @property
    def is_closed(self) -> bool:
        """Our side has closed it."""
        return self.transport.is_closing()


class _Transport(asyncio.Transport):
    def __init__(self, protocol: CallerProtocol) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8402)})
        self.pieces: list[bytes] = []
        self.has_room = True
        self._protocol = protocol
        self._is_closing = False
        self._is_lost = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._is_closing, "written after the close"
        self.pieces.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        self.has_room = False

    def resume_reading(self) -> None:
        self.has_room = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self.lose, None)

    def lose(self, error: Exception | None) -> None:
        self._is_closing = True
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(error)
