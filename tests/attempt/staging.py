"""A call as the beginning of a play."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.attempt.machine import Call, Command, Event, Open, Wake
from satisfice.attempt.pacing import RetryBudget
from tests.build import a_pacing
from tests.play import Play

__all__ = ["a_play"]


def a_play(
    offers: int = 3,
    *,
    max_attempts: int = 4,
    hedge_after: float | None = None,
    expires_at: float = 60.0,
    budget: RetryBudget | None = None,
    ready: Sequence[float] = (),
) -> Play[Event, Command]:
    """A call on its first attempt; the budget is endless, the first backoff half a second.

    If offers rest, it is for the play to say what it does first.
    """
    pacing = a_pacing(max_attempts=max_attempts, hedge_after=hedge_after)
    if budget is not None:
        pacing = pacing._replace(budget=budget)
    play = Play(Call(offers, pacing, expires_at=expires_at, ready=ready)).start()
    if ready:
        return play
    return play.expect(Open(0, rank=0), *(() if hedge_after is None or offers == 1 else (Wake(hedge_after),)))
