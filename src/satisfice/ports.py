"""Every seam of the system on one page: the protocols that I/O must fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from satisfice.core.secrets import Secret

if TYPE_CHECKING:
    from satisfice.catalog.listing import Listing, Quotes

__all__ = [
    "Answer",
    "Downstream",
    "Endpoint",
    "Headers",
    "OfferSource",
    "QuoteSource",
    "Sending",
    "Sink",
    "Timeouts",
    "Transport",
]

Headers = Sequence[tuple[bytes, bytes]]
"""Field names in lower case and their values, in order."""

Sink = Callable[[bytes], bool]
"""Takes the next piece of a body; false means: no more for now."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a provider may take, in seconds."""

    connect: float = 5.0
    """Until the connection stands, name look-up, proxy and TLS included."""
    first_byte: float = 300.0
    """From the request being sent until the head is here and, in streams, the first real output."""
    idle: float = 60.0
    """Between two pieces of an answer."""
    total: float = 600.0
    """The whole call, all its attempts included; a stream that has begun may go on as long as it does."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a provider is reached."""

    provider: str
    url: str
    """Base address without a trailing slash, such as `https://api.openai.com/v1`."""
    key: Secret | None = None
    """Sent as `Authorization: Bearer …`."""
    timeouts: Timeouts = Timeouts()
    proxy: Secret | None = None
    """`http://`, `socks5://` or `socks5h://` address, which may hold a password; None means the environment's."""
    ca_file: str | None = None
    """Certificates to trust besides the system's."""


class Sending(msgspec.Struct, frozen=True, gc=False):
    """One request to an upstream."""

    path: str
    """Appended to the endpoint's address, such as `/chat/completions`."""
    body: bytes
    """Empty for a GET."""
    headers: Headers = ()
    """Fields to hand on besides those the transport sets itself."""
    expires_at: float = float("inf")
    """When the whole call is to be over, on the injected clock."""
    method: str = "POST"


class Answer(Protocol):
    """An upstream's answer whose head is here and whose body is coming.

    Every method but `abort` and `close` may raise `Broken`.
    """

    @property
    def status(self) -> int:
        """The status code, 200 to 599."""
        ...

    @property
    def headers(self) -> Headers:
        """The fields of the head."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body, or `Broken(TOO_LARGE)` if it is over so many bytes."""
        ...

    async def chunk(self) -> bytes:
        """What has come since the last call, or the next piece; empty at the end of the body."""
        ...

    async def pump(self, sink: Sink) -> bool:
        """Call the sink with each piece in the instant it comes: true when it wants no more, false at the body's end.

        This is the relay of a stream: it costs no task, future or turn of the
        loop per piece. While nothing pumps, pieces wait here, and beyond a
        high-water mark the upstream has to wait too.
        """
        ...

    def flow(self, *, is_endless: bool = False) -> None:
        """The first output is here: from now on the idle timeout counts, not the first-byte timeout.

        `is_endless`: it may take longer in all than a call may, as long as it goes on. Where the caller has stopped
        reading it doesn't.
        """
        ...

    def close(self) -> None:
        """Nothing more is wanted: keep the connection if the body's end is here or at hand, else drop it."""
        ...

    def abort(self) -> None:
        """Drop the connection at once, so that the upstream stops working. Harmless after the end."""
        ...


class Transport(Protocol):
    """Sends one request upstream and returns as soon as the answer's head is here."""

    async def open(self, endpoint: Endpoint, sending: Sending) -> Answer:
        """The answer, whatever its status, or `Broken`. Cancelling it drops the connection."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class Downstream(Protocol):
    """Who asked us, and takes the answer. Nothing behind this port knows which server is in front."""

    def start(self, status: int, headers: Headers) -> None:
        """Set the head; it goes out with the first bytes of the body."""
        ...

    def write(self, data: bytes) -> bool:
        """Hand bytes on at once; false when the caller reads too slowly: `drain` before more."""
        ...

    def end(self, data: bytes = b"") -> None:
        """The last bytes and the end of the body, together."""
        ...

    async def drain(self) -> None:
        """Wait until what was written is on its way."""
        ...

    async def left(self) -> None:
        """Return when the caller has gone."""
        ...


class OfferSource(Protocol):
    """Where offers of one provider come from."""

    @property
    def name(self) -> str:
        """The provider's."""
        ...

    @property
    def period(self) -> float:
        """Seconds from one look to the next."""
        ...

    async def fetch(self) -> Listing:
        """All the offers of now, or `Broken`."""
        ...


class QuoteSource(Protocol):
    """Where fresher prices come from than providers list."""

    @property
    def name(self) -> str:
        """The feed's."""
        ...

    @property
    def period(self) -> float:
        """Seconds from one look to the next."""
        ...

    async def fetch(self) -> Quotes:
        """All the quotes of now, or `Broken`."""
        ...
