"""How large a piece of code may be: the tail is bounded, since it's the tail that makes code hard to change."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.shape.source import Finding, Function, Source, functions

__all__ = ["deep_nesting", "long_file", "long_function", "many_parameters", "many_positions"]

_FILE_LINES = 500
_FUNCTION_LINES = 60
_PARAMETERS = 6
_POSITIONS = 2
_BLOCKS = 3

_Block = ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try | ast.TryStar | ast.Match
_Scope = Function | ast.ClassDef | ast.Lambda


def long_file(source: Source) -> Iterator[Finding]:
    """A file is at most 500 lines."""
    lines = source.text.count("\n")
    if lines > _FILE_LINES:
        yield Finding(source.path, f"{lines} lines, at most {_FILE_LINES}")


def long_function(source: Source) -> Iterator[Finding]:
    """A function is at most 60 lines, from `def` to its last, docstring and comments included."""
    for where, function in functions(source):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > _FUNCTION_LINES:
            yield Finding(where, f"{lines} lines, at most {_FUNCTION_LINES}")


def many_parameters(source: Source) -> Iterator[Finding]:
    """A function takes at most 6 parameters besides `self`."""
    for where, function in functions(source):
        count = len(_positions(function)) + len(function.args.kwonlyargs)
        if count > _PARAMETERS:
            yield Finding(where, f"{count} parameters, at most {_PARAMETERS}")


def many_positions(source: Source) -> Iterator[Finding]:
    """Parameters after the second are keyword-only, except where the language fixes the signature."""
    for where, function in functions(source):
        count = len(_positions(function))
        is_special = function.name.startswith("__") and function.name != "__init__"
        if count > _POSITIONS and not is_special:
            yield Finding(where, f"{count} positional parameters, at most {_POSITIONS}; make the others keyword-only")


def deep_nesting(source: Source) -> Iterator[Finding]:
    """Blocks nest at most 3 deep within a function; an `elif` stands beside its `if`, not within it."""
    for where, function in functions(source):
        depth = _depth(function.body)
        if depth > _BLOCKS:
            yield Finding(where, f"{depth} nested blocks, at most {_BLOCKS}")


def _positions(function: Function) -> list[str]:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _depth(nodes: list[ast.stmt]) -> int:
    return max(map(_depth_of, nodes), default=0)


def _depth_of(node: ast.AST) -> int:
    if isinstance(node, _Scope):
        return 0  # measured on its own
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        children.remove(node.orelse[0])
        return max(1 + max(map(_depth_of, children), default=0), _depth_of(node.orelse[0]))
    return isinstance(node, _Block) + max(map(_depth_of, children), default=0)
