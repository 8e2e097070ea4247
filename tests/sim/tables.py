"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; the first one to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    first, *others = widths
    shown = [
        "  ".join((line[0].ljust(first), *(cell.rjust(width) for cell, width in zip(line[1:], others, strict=True))))
        for line in lines
    ]
    return "\n".join((title, "", shown[0], "  ".join("-" * width for width in widths), *shown[1:]))
