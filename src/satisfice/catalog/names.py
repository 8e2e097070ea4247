"""Names that callers may use for models besides the ids that providers list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from satisfice.catalog.patterns import compiled

__all__ = ["ANY", "Named", "canonical", "matching"]

ANY: Final = "*"
"""The id of an offer that stands for any model which the caller asks for."""

_MAKERS: Final = frozenset(
    (
        "anthropic",
        "cohere",
        "deepseek",
        "google",
        "meta-llama",
        "minimax",
        "mistralai",
        "moonshotai",
        "nvidia",
        "openai",
        "qwen",
        "x-ai",
        "z-ai",
    )
)
"""Who makes models, as marketplaces write it before a slash (https://openrouter.ai/models, 2026-11). What others put
there may be a model of their own with the same name, so it stays."""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One name of the operator's choosing: either for one model under several ids, or for a choice of models."""

    name: str
    aliases: tuple[str, ...] = ()
    """Ids under which providers list this same model."""
    any_of: tuple[str, ...] = ()
    """Models, by name or pattern (`*`, `?`), any of which will do."""
    policy: str | None = None
    """The policy for whoever asks by this name."""


def canonical(listed: str, aliases: Mapping[str, str]) -> str:
    """The model that a listed id means: what the operator says, else the id without its maker: `openai/gpt-4o`."""
    said = aliases.get(listed)
    if said is not None:
        return said
    maker, slash, bare = listed.partition("/")
    return aliases.get(bare, bare) if slash and bare and maker in _MAKERS else listed


def matching(patterns: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """The names that one of the patterns fits, each once, in the order of the patterns and then of the names."""
    known = tuple(names)
    found: dict[str, None] = {}
    for pattern in patterns:
        fits = compiled(pattern).match
        found |= dict.fromkeys(name for name in known if fits(name))
    return tuple(found)
