"""What a caller wants, whatever dialect it was said in, and what every dialect can do."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, Protocol

import msgspec

from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import GatewayError
from satisfice.wire.body import Body

__all__ = ["Ability", "Dialect", "Frame", "FrameKind", "Reading", "Request"]


class Ability(Enum):
    """What a call may need that not every offer can do; the value is its name in configuration and reasons."""

    TOOLS = "tools"
    """Function calling."""
    VISION = "vision"
    """Images in the prompt."""
    JSON_SCHEMA = "json_schema"
    """Answers bound to a schema."""
    REASONING = "reasoning"
    """Thinking before it answers, as far as the caller asks for it."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """What a caller wants."""

    model: str
    """As the caller wrote it."""
    stream: bool
    wants_usage: bool
    """In streams: the caller asked for the usage."""
    max_output: int | None
    """The most output tokens that the caller wants for one choice."""
    choices: int
    """How many answers to the one prompt."""
    body: Body
    needs: frozenset[Ability] = frozenset()
    """What not every offer can do."""
    effort: str | None = None
    """How hard it is to think, as the caller put it."""
    session: str | None = None
    """What the caller calls the conversation, so that caches can be kept warm for it (`prompt_cache_key`)."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a whole answer, or the usage event of a stream, says of itself."""

    usage: Usage | None = None
    """None: not said."""
    error_status: int | None = None
    """It is an error in spite of its status 200; this is the status it should have had."""
    body: bytes = b""
    """The error, as a body of the dialect; empty if it is none."""
    charged: Msat | None = None
    """What the provider says it took; None: it didn't."""


class FrameKind(Enum):
    """What an event of a stream is to us."""

    PREAMBLE = auto()
    """Nothing a reader would see: a role, an empty delta. It does not commit."""
    OUTPUT = auto()
    """Real output."""
    USAGE = auto()
    """Usage and nothing else."""
    ERROR = auto()
    """The upstream gives up."""
    TERMINATOR = auto()
    """The dialect's own end of a stream."""


class Frame(NamedTuple):
    """One event of a stream, as the dialect reads it."""

    kind: FrameKind
    reading: Reading | None = None
    """What an error says, and the usage, which may come with output too; None: nothing is said."""
    is_final: bool = False
    """The model has said that it is done (a finish reason is here)."""


class Dialect(Protocol):
    """A wire format."""

    name: str
    """Its name in configuration, logs and errors."""
    path: str
    """Appended to a provider's address."""
    markers: tuple[bytes, bytes]
    """An event without either of these is neither usage nor terminator; chosen to be found fast."""

    def parse(self, raw: bytes) -> Request:
        """The request in a body, or `BadRequest`."""
        ...

    def prepare(self, request: Request, model: str) -> bytes:
        """The body for an upstream that calls the model so, asking for usage in any case."""
        ...

    def messages(self, request: Request) -> list[msgspec.Raw]:
        """The conversation so far, message by message, each as the bytes it came as."""
        ...

    def last_words(self, request: Request) -> str:
        """The text of the last message of the user; empty if there is none."""
        ...

    def read(self, answer: bytes) -> Reading:
        """What a whole answer says of itself; `Broken(MALFORMED)` if it is no answer of this dialect."""
        ...

    def classify(self, event: bytes, data: bytes) -> Frame:
        """What this event of a stream is; `Broken(MALFORMED)` if it is none of this dialect."""
        ...

    def with_cost(self, data: bytes, cost: Msat) -> bytes:
        """The data of a usage event with the cost among the fields of the usage object."""
        ...

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """The body of an error answer."""
        ...

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        """The event that ends a stream with an error."""
        ...
