"""The console samples of docs/cli.md: each is a command and what it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGE", "Sample", "sample", "samples"]

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text("utf-8")

_BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^\$ (.*)\n", re.MULTILINE)


class Sample(NamedTuple):
    """A command, what it prints on both streams, and the `satisfice.toml` that was shown before."""

    command: str
    output: str
    config: str | None


def samples() -> Iterator[Sample]:
    """All of them, in order."""
    config = None
    for kind, text in _BLOCK.findall(PAGE):
        if kind == "toml":
            config = text
            continue
        _, *parts = _PROMPT.split(text)
        for command, output in zip(parts[::2], parts[1::2], strict=True):
            yield Sample(command, output, config)


def sample(command: str) -> Sample:
    """The one of this command."""
    [found] = [each for each in samples() if each.command == command]
    return found
