"""A parsed source file, and what a rule finds in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Finding", "Function", "Rule", "Source", "functions", "read", "sources"]

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """One Python file: its path below the root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module


class Finding(NamedTuple):
    """A rule broken: `path` or `path::qualified.name`, which stays when lines move, and what was found there."""

    where: str
    what: str


Rule = Callable[[Source], Iterable[Finding]]


def read(path: str, text: str) -> Source:
    """Parse one file's text."""
    return Source(path, text, ast.parse(text, path))


def sources(*folders: str) -> Iterator[Source]:
    """Every Python file below these folders of the project."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield read(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


def functions(source: Source) -> Iterator[tuple[str, Function]]:
    """Every function and method, nested ones too, with where it stands: `path::Class.method`."""
    yield from _functions_below(source.tree, f"{source.path}::")


def _functions_below(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                yield prefix + name, child
                yield from _functions_below(child, f"{prefix}{name}.")
            case ast.ClassDef(name):
                yield from _functions_below(child, f"{prefix}{name}.")
            case _:
                yield from _functions_below(child, prefix)
