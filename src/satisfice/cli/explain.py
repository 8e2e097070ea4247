"""`satisfice explain`: the decision about a prompt that isn't sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from satisfice.catalog.model import AUTO
from satisfice.catalog.offers import Catalog
from satisfice.cli import options, render
from satisfice.cli.asking import market
from satisfice.cli.exits import Failure
from satisfice.cli.market import offer_as_json
from satisfice.core.amounts import show_msat
from satisfice.core.errors import UnknownModel
from satisfice.routing.cost import Expected, expect
from satisfice.routing.select import Candidate, decide
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.request import Request

__all__ = ["explain"]


@click.command(
    epilog=options.examples(
        'satisfice explain "What is a satisficer?"', "satisfice explain --model gpt-4o - < prompt.txt"
    )
)
@click.argument("prompt")
@click.option("-m", "--model", default=AUTO, show_default=True, metavar="MODEL", help="As a caller would ask for it.")
@options.config
@options.from_demo
@options.as_json
@options.no_color
def explain(prompt: str, model: str, *, config_file: Path | None, from_demo: bool, as_json: bool) -> None:
    """Show which offers would get a prompt, without sending it.

    With each comes what the call is expected to cost.

    PROMPT is the text, or - to read it from the standard input.
    """
    text = sys.stdin.read() if prompt == "-" else prompt
    catalog = market(config_file, from_demo=from_demo).catalog
    request = _request(model, text)
    candidates = _decide(request, catalog)
    expected = expect(request)
    if as_json:
        render.json(_as_json(model, expected, candidates=candidates))
        return
    render.note(f"{model}: about {expected.input:,} tokens in and {expected.output:,} out; tried in this order:")
    rows = [
        (f"{rank}", each.offer.id, "unknown" if each.cost is None else show_msat(each.cost) if each.cost else "free")
        for rank, each in enumerate(candidates, 1)
    ]
    render.table((" RANK", "OFFER", " EXPECTED COST"), rows)
    render.next_step("satisfice demo" if from_demo else "satisfice serve", "to send it")


def _request(model: str, prompt: str) -> Request:
    """The plainest request that holds the prompt."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    return OpenAIChat().parse(msgspec.json.encode(body))


def _decide(request: Request, catalog: Catalog) -> Sequence[Candidate]:
    try:
        return decide(request, catalog)
    except UnknownModel as error:
        if request.model == AUTO:
            raise Failure("`auto` is for offers whose price is known, and there is none.", hint=_NAME_ONE) from error
        meant = f" {error.hint.partition('?')[0]}?" if "?" in error.hint else ""
        raise Failure(error.message + meant, hint=_NAME_ONE) from error


_NAME_ONE: Final = "satisfice models"


def _as_json(model: str, expected: Expected, *, candidates: Sequence[Candidate]) -> dict[str, object]:
    return {
        "model": model,
        "expected": {"input_tokens": expected.input, "output_tokens": expected.output},
        "candidates": [
            {"rank": rank, "expected_cost_msat": each.cost, "offer": offer_as_json(each.offer)}
            for rank, each in enumerate(candidates, 1)
        ],
    }
