"""What goes wrong with something that is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from satisfice.core.errors import Break, Broken

__all__ = ["broken", "cancelled", "raised"]

_E = TypeVar("_E", bound=BaseException)


async def broken(doing: Awaitable[object]) -> Break:
    """How this breaks."""
    return (await raised(Broken, doing)).kind


async def raised(kind: type[_E], doing: Awaitable[object]) -> _E:
    """What this raises."""
    with pytest.raises(kind) as caught:
        await doing
    return caught.value


async def cancelled(doing: Awaitable[object]) -> None:
    """Begin to wait, then give up."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await doing
