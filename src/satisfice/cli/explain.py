"""`satisfice explain`: the decision about a prompt that isn't sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from satisfice.catalog.model import AUTO
from satisfice.cli import options, render
from satisfice.cli.asking import Market, market
from satisfice.cli.exits import Failure
from satisfice.core.amounts import show_msat
from satisfice.core.errors import AllResting, CallerError, UnknownModel
from satisfice.routing.cost import Candidate
from satisfice.routing.policy import Asking
from satisfice.routing.select import Decision
from satisfice.server.showing import decision_as_json
from satisfice.wire.openai_chat import OpenAIChat

__all__ = ["explain"]


@click.command(
    epilog=options.examples(
        'satisfice explain "What is a satisficer?"', "satisfice explain --model gpt-4o --policy careful - < prompt.txt"
    )
)
@click.argument("prompt")
@click.option("-m", "--model", default=AUTO, show_default=True, metavar="MODEL", help="As a caller would ask for it.")
@click.option("--policy", metavar="NAME", help="As a caller would name it in the header `x-satisfice-policy`.")
@options.config
@options.from_demo
@options.as_json
@options.no_color
def explain(
    prompt: str, model: str, *, policy: str | None, config_file: Path | None, from_demo: bool, as_json: bool
) -> None:
    """Show which offers would get a prompt, without sending it.

    With each comes what the call is expected to cost; what doesn't qualify stands below, with the reason.

    PROMPT is the text, or - to read it from the standard input.
    """
    text = sys.stdin.read() if prompt == "-" else prompt
    decision = _decide(market(config_file, from_demo=from_demo), model, prompt=text, policy=policy)
    if as_json:
        render.json(decision_as_json(decision))
        return
    _tell(decision)
    render.next_step("satisfice demo" if from_demo else "satisfice serve", "to send it")


def _decide(found: Market, model: str, *, prompt: str, policy: str | None) -> Decision:
    """The decision about the plainest request that holds the prompt."""
    dialect = OpenAIChat()
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    request = dialect.parse(msgspec.json.encode(body))
    try:
        return found.gateway.decide(dialect, request, asking=Asking(policy=policy))
    except UnknownModel as error:
        if model == AUTO:
            raise Failure("`auto` is for offers whose price is known, and there is none.", hint=_NAME_ONE) from error
        raise Failure(error.message + _meant(error), hint=_NAME_ONE) from error
    except (CallerError, AllResting) as error:
        raise Failure(error.message + _meant(error), hint="satisfice check") from error


def _tell(decision: Decision) -> None:
    first = decision.expected.get(decision.candidates[0].offer.model)
    about = "" if first is None else f"about {first.input:,} tokens in and {first.output:,} out; "
    policies = ", ".join(decision.pool.applied.names)
    render.note(f"{decision.pool.asked}{f' by {policies}' * bool(policies)}: {about}tried in this order:")
    if decision.gave_way:
        render.note(f"{', '.join(decision.gave_way)} advised otherwise, and would have left none of the offers.")
    rows = [(f"{rank}", each.offer.id, *_costs(decision, each)) for rank, each in enumerate(decision.candidates, 1)]
    render.table((" RANK", "OFFER", " EXPECTED COST", " 8 OF 10 CALLS", " AT MOST"), rows)
    if decision.exclusions:
        render.data("")
        others = [(each.offer.id, each.reason.detail) for each in decision.exclusions[:_MOST]]
        render.table(("NOT FOR THIS CALL", "WHY"), others)
        if len(decision.exclusions) > _MOST:
            render.note(f"and {len(decision.exclusions) - _MOST:,} more")


_MOST: Final = 20


def _costs(decision: Decision, candidate: Candidate) -> tuple[str, str, str]:
    estimate = decision.estimate(candidate)
    if estimate is None:
        return "unknown", "", ""
    if not estimate.most:
        return "free", "", ""
    low, high = show_msat(estimate.low), show_msat(estimate.high)
    return show_msat(estimate.expected), f"{low} to {high}", show_msat(estimate.most)


def _meant(error: CallerError | AllResting) -> str:
    return f" {error.hint.partition('?')[0]}?" if "?" in error.hint else ""


_NAME_ONE: Final = "satisfice models"
