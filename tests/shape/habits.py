"""What we don't write, where no linter can be told so exactly."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tests.shape.source import Finding, Source, functions

__all__ = ["broad_except", "catch_all_parameter", "module_state", "unexplained_waiver", "wrong_all"]

_BROAD = {"Exception", "BaseException"}
_MUTABLE_CALLS = {"bytearray", "defaultdict", "deque", "dict", "list", "set", "Counter", "OrderedDict"}
_MUTABLE_NODES = ast.Dict | ast.DictComp | ast.List | ast.ListComp | ast.Set | ast.SetComp
# Annotated so, the type checker refuses to change the value.
_READ_ONLY = re.compile(r"(?<!Mutable)\b(Mapping|Sequence|Set|Collection|Iterable)\[")
_WAIVER = re.compile(r"# (noqa|type: ignore|pragma: no)\b")
_EXPLAINED = re.compile(r"# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]|pragma: no \w+)[ (#-]+\w.+")


def wrong_all(source: Source) -> Iterator[Finding]:
    """`__all__` is what the module defines in public; a package may re-export. Its order is ruff's business."""
    exported = next((names for name, names in _assignments(source.tree) if name == "__all__"), None)
    if exported is None:
        is_bare_package = source.path.endswith("__init__.py") and not any(_public_names(source.tree))
        if not is_bare_package:
            yield Finding(source.path, "no __all__")
        return
    listed = {ast.literal_eval(name) for name in getattr(exported, "elts", ())}
    defined = set(_public_names(source.tree))
    for name in sorted(defined - listed):
        yield Finding(f"{source.path}::{name}", "public but not in __all__: list it, or let it start with `_`")
    if not source.path.endswith("__init__.py"):
        for name in sorted(listed - defined):
            yield Finding(f"{source.path}::{name}", "in __all__ but not defined here")


def module_state(source: Source) -> Iterator[Finding]:
    """Nothing at module level can change: a second gateway in the same process must not see the first."""
    for statement in source.tree.body:
        annotation = ast.unparse(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""
        for name, value in _assigned_by(statement):
            if name != "__all__" and _is_mutable(value) and not _READ_ONLY.search(annotation):
                yield Finding(f"{source.path}::{name}", "mutable: use a tuple or frozenset, or annotate it as Mapping")


def broad_except(source: Source) -> Iterator[Finding]:
    """`except Exception` swallows our own faults too; only cleaning up and raising again is harmless."""
    for where, scope in ((source.path, source.tree), *functions(source)):
        if any(map(_swallows_all, _own_nodes(scope))):
            yield Finding(where, "catches every exception")


def catch_all_parameter(source: Source) -> Iterator[Finding]:
    """A signature says what it takes: no `**kwargs`."""
    for where, function in functions(source):
        if function.args.kwarg is not None:
            yield Finding(where, f"takes **{function.args.kwarg.arg}")


def unexplained_waiver(source: Source) -> Iterator[Finding]:
    """A comment that silences a checker names the rule and the reason: `# noqa: S311 - jitter, no keys`."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and _WAIVER.search(token.string) and not _EXPLAINED.search(token.string):
            yield Finding(f"{source.path}: {token.line.strip()}", "silences a checker without saying which and why")


def _assignments(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in module.body:
        yield from _assigned_by(statement)


def _assigned_by(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match statement:
        case ast.Assign(targets, value):
            for target in targets:
                yield from ((name.id, value) for name in ast.walk(target) if isinstance(name, ast.Name))
        case ast.AnnAssign(ast.Name(name), _, ast.expr() as value):
            yield name, value


def _public_names(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        match statement:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names = [name]
            case _:
                names = [name for name, _ in _assigned_by(statement)]
        yield from (name for name in names if not name.startswith("_"))


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.Call(ast.Name(name)) | ast.Call(ast.Attribute(_, name)):
            return name in _MUTABLE_CALLS
        case _:
            return isinstance(value, _MUTABLE_NODES)


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


def _swallows_all(node: ast.AST) -> bool:
    match node:
        case ast.ExceptHandler(body=[*_, ast.Raise(exc=None)]):
            return False
        case ast.ExceptHandler(type=caught):
            return caught is None or _is_broad(caught)
        case ast.Call(func=ast.Name("suppress") | ast.Attribute(attr="suppress"), args=caught):
            return any(map(_is_broad, caught))
        case _:
            return False


def _is_broad(caught: ast.expr) -> bool:
    return any(isinstance(name, ast.Name) and name.id in _BROAD for name in ast.walk(caught))
