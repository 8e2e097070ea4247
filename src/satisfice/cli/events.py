"""What a running gateway has to tell its operator, as values: nothing of a prompt or an answer, and no secret."""

from __future__ import annotations

from typing import Literal

import msgspec

from satisfice.config.problems import Problem, as_json
from satisfice.core.amounts import Msat
from satisfice.engine.attempt import Job
from satisfice.engine.driver import Seen

__all__ = [
    "Called",
    "Event",
    "FailedAttempt",
    "Flaw",
    "Logged",
    "Looked",
    "NotReloaded",
    "Provider",
    "Ready",
    "Reloaded",
    "Stopped",
    "Stopping",
    "called",
    "flaw",
]


class _Told(msgspec.Struct, frozen=True, tag_field="event"):
    time_ms: int
    """Milliseconds since 1970."""


class Ready(_Told, frozen=True, tag="ready"):
    """Calls are taken from now on."""

    url: str
    """Where the gateway is; the API is at `/v1` below."""
    version: str
    config: str | None
    """The file, if there is one."""
    needs_token: bool
    """Callers have to send the access token."""
    is_demo: bool = False


class Provider(_Told, frozen=True, tag="provider"):
    """What is known of a provider now."""

    provider: str
    where: str
    """Where it was found: the variable with its key, or its address on this machine; empty if the file names it."""
    models: int
    is_free: bool
    failure: str | None = None
    """Why its list of models could not be had."""


class Looked(_Told, frozen=True, tag="looked"):
    """All providers have been asked once."""

    models: int
    providers: int
    silent: tuple[str, ...]
    """Providers that have not answered yet."""
    absent: tuple[str, ...]
    """What was looked for and not found: variables, and addresses on this machine."""


class FailedAttempt(msgspec.Struct, frozen=True):
    """An attempt that came to nothing."""

    provider: str
    why: str


class Called(_Told, frozen=True, gc=False, tag="call"):
    """A call is over."""

    request_id: str
    model: str
    """As the caller asked for it."""
    outcome: Literal["answered", "refused", "failed", "cut", "left"]
    """Answered in full; the caller's own mistake, said by a provider; by nobody; not to its end; the caller left."""
    provider: str | None
    """Who answered."""
    seconds: float
    cost_msat: Msat | None
    input_tokens: int | None
    output_tokens: int | None
    failures: tuple[FailedAttempt, ...]
    """In order."""
    code: str | None
    """Of the error that the caller was told."""


class Flaw(msgspec.Struct, frozen=True):
    """A problem of the file, as `satisfice check --json` prints it."""

    file: str
    line: int
    """From 1; 0 if it's the file as a whole."""
    column: int
    length: int
    severity: str
    code: str
    message: str
    hint: str
    source_line: str
    """Without secrets."""


class Reloaded(_Told, frozen=True, tag="reloaded"):
    """The file was read again, and new calls go by it."""

    config: str
    open_calls: int
    """Calls that go on as they began."""
    needs_restart: tuple[str, ...]
    """What the file says otherwise now, and what a running gateway can't change."""
    problems: tuple[Flaw, ...]
    """Warnings."""


class NotReloaded(_Told, frozen=True, tag="not_reloaded"):
    """What was in force stays in force."""

    config: str | None
    """None: there is no file."""
    reason: str
    problems: tuple[Flaw, ...]


class Logged(_Told, frozen=True, tag="log"):
    """Something that a part of the program had to say."""

    level: str
    message: str
    traceback: str | None = None
    """Only if SATISFICE_DEBUG is set."""


class Stopping(_Told, frozen=True, tag="stopping"):
    """No new calls are taken."""

    open_calls: int
    seconds: float
    """How long they may go on."""


class Stopped(_Told, frozen=True, tag="stopped"):
    """All is over."""

    cut_calls: int
    """Calls that were not over in time."""


Event = Ready | Provider | Looked | Called | Reloaded | NotReloaded | Logged | Stopping | Stopped


def called(job: Job, seen: Seen, *, now: float, unix_ms: int) -> Called:
    """What there is to tell of a call; `now` is on the clock that it was started by."""
    usage = seen.usage
    return Called(
        time_ms=unix_ms,
        request_id=job.request_id,
        model=job.request.model,
        outcome=_outcome(seen),
        provider=seen.provider,
        seconds=round(now - job.started, 4),
        cost_msat=seen.cost,
        input_tokens=None if usage is None else usage.input,
        output_tokens=None if usage is None else usage.output,
        # Not what the upstream said of it: that may quote the prompt.
        failures=tuple(
            FailedAttempt(provider, outcome.detail) for provider, outcome in seen.failures if not outcome.is_denied
        )
        if seen.failures
        else (),
        code=None if seen.error is None else seen.error.code,
    )


def flaw(problem: Problem) -> Flaw:
    """What there is to tell of a problem."""
    return msgspec.convert(as_json(problem), Flaw)


def _outcome(seen: Seen) -> Literal["answered", "refused", "failed", "cut", "left"]:
    if seen.error is not None:
        return "failed"
    if seen.has_left:
        return "left"
    if seen.offer is None:
        return "refused"
    return "answered" if seen.is_complete else "cut"
