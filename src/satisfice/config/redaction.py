"""The lines of a file of settings without its secrets, fit to be shown beside a problem.

What is hidden is decided the safe way round: a text is shown only where it is
known to be harmless, so a secret under a misspelt key stays hidden too. A mask
is filled up with blanks, so that everything else keeps its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from satisfice.config.spans import Extent, KeyPath, Spans

__all__ = ["MASK", "redact", "redact_broken"]

MASK: Final = '"…"'
"""What is shown for a secret."""


def redact(spans: Spans, document: object, *, hides: Callable[[KeyPath, object], bool]) -> list[str]:
    """The lines without comments, and with a mask for each value that is to be hidden."""
    hidden = [(spans.values[path], MASK) for path, value in _leaves(document) if hides(path, value)]
    return _lines(_blot(spans.text, [*hidden, *((extent, "") for extent in spans.comments)]))


def redact_broken(text: str, harmless: AbstractSet[str]) -> list[str]:
    """The lines of a text that isn't TOML: tables, keys, and what follows harmless keys, but no word like a secret."""
    return [_redact_line(line, harmless) for line in _lines(text)]


# With an equals sign, or as YAML and JSON have it; not the colon of an address or a drive.
_KEY: Final = re.compile(r"([A-Za-z0-9_-]+)(?:[\"']?[ \t]*=|[\"'][ \t]*:|[ \t]*:(?=\s))")
_HEADER: Final = re.compile(r"\s*\[{1,2}[\w. -]*\]{0,2}")
_LIKE_A_SECRET: Final = re.compile(r"(?=[^\s\"']{16}|(?=[^\s\"']{7})[^\s\"']*\d)[^\s\"']+")


def _redact_line(line: str, harmless: AbstractSet[str]) -> str:
    line = line.partition(" #")[0]
    header = _HEADER.match(line)
    at = header.end() if header else 0
    shown = line[:at]
    for key in _KEY.finditer(line, at):
        shown += _without_secrets(line[at : key.start()]) + key[0]
        at = key.end()
        if key[1] not in harmless:
            return f"{shown} …"
    return shown + _without_secrets(line[at:]).rstrip()


def _without_secrets(text: str) -> str:
    return _LIKE_A_SECRET.sub(lambda word: "…".ljust(len(word[0])), text)


def _leaves(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every value that isn't a table or a list."""
    match value:
        case dict():
            for name, each in value.items():
                yield from _leaves(each, (*path, name))
        case list():
            for number, each in enumerate(value):
                yield from _leaves(each, (*path, number))
        case _:
            yield path, value


def _blot(text: str, pieces: Iterable[tuple[Extent, str]]) -> str:
    """Put other words over some pieces and blanks over the rest of each, keeping the ends of lines."""
    done, at = [], 0
    for (start, stop), words in sorted(pieces):
        rest = re.sub(r"[^\n]", " ", text[start:stop])
        done += [text[at:start], words, rest[len(words) :]]
        at = stop
    return "".join([*done, text[at:]])


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n")]
