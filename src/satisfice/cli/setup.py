"""Before serving: `satisfice check`, `satisfice config`, `satisfice init`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from satisfice.cli import options, render
from satisfice.cli.asking import ask
from satisfice.cli.exits import Exit, Failure
from satisfice.cli.plan import here
from satisfice.cli.sample import SCHEMA_FILE, sample
from satisfice.config.load import Loaded, find, places, read
from satisfice.config.manual import example, json_schema
from satisfice.config.problems import Severity, summary
from satisfice.config.problems import as_json as problem_as_json

__all__ = ["check", "config", "init"]


@click.command(epilog=options.examples("satisfice check", "satisfice check gateway.toml --json"))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@options.as_json
@options.no_color
def check(file: Path | None, *, as_json: bool) -> int:
    """Find all that is wrong in a configuration, offline.

    Exits with 0 if FILE can be used, with 3 if it can't. By default it's the file that `serve` would take.
    """
    chosen = file or _found()
    loaded = read(chosen, os.environ)
    code = Exit.CONFIG if loaded.config is None else Exit.DONE
    if as_json:
        render.json(_report(chosen, loaded))
        return code
    render.problems(loaded.problems, err=False)
    render.data(f"{chosen}: {summary(loaded.problems)}.")
    render.next_step(f"satisfice check {chosen}" if code else f"satisfice serve --config {chosen}")
    return code


@click.group()
@options.no_color
def config() -> None:
    """Print every setting explained, or the JSON Schema for editors."""


@config.command("example")
@options.no_color
def _example() -> None:
    """Print a configuration with every setting, explained and commented out."""
    render.data(example())


@config.command("schema")
@options.no_color
def _schema() -> None:
    """Print the JSON Schema of the configuration, by which editors complete and check it."""
    render.json(json_schema())


@click.command(epilog=options.examples("satisfice init", "satisfice init --output - | less"))
@click.option("-o", "--output", default="satisfice.toml", show_default=True, metavar="FILE", help="- for stdout.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@options.no_color
def init(output: str, *, force: bool) -> None:
    """Write a configuration for the keys and model servers found here.

    Keys stay where they are: the file only says in which variable.
    """
    target = Path(output)
    if output != "-" and target.exists() and not force:
        raise Failure(f"{target} is there already.", hint=f"satisfice check {target}\nsatisfice init --force")
    made = here(os.environ)
    found = asyncio.run(ask(made))
    text = sample(made, found.catalog, has_schema=target.with_name(SCHEMA_FILE).is_file())
    if output == "-":
        render.data(text.rstrip("\n"))
        return
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        raise Failure(
            f"{target} can't be written: {error.strerror or error}.", hint="satisfice init --output FILE"
        ) from error
    providers = [each.name for each in made.config.providers]
    providers += [
        each.name for each in made.maybe if any(offer.provider == each.name for offer in found.catalog.offers)
    ]
    render.note(f"Wrote {target}: {', '.join(providers) or 'no provider was found, so it has none yet'}.")
    render.next_step(f"satisfice serve --config {target}" if providers else f"satisfice check {target}")


def _found() -> Path:
    chosen = find(os.environ, Path())
    if chosen is None:
        looked = ", ".join(map(str, places(os.environ, Path())))
        raise Failure(f"There is no configuration to check. Looked for {looked}.", hint="satisfice init")
    return chosen


def _report(file: Path, loaded: Loaded) -> dict[str, object]:
    severities = [problem.severity for problem in loaded.problems]
    return {
        "file": str(file),
        "is_valid": loaded.config is not None,
        "errors": severities.count(Severity.ERROR),
        "warnings": severities.count(Severity.WARNING),
        "problems": [problem_as_json(problem) for problem in loaded.problems],
    }
