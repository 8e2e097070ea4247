"""Every exception to the rules of shape, by rule and place, with its reason. This list may only shrink."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ALLOWED"]

ALLOWED: Mapping[str, Mapping[str, str]] = {
    "mirror": {
        "ports.py": "protocols only: mypy and the contract tests check them by their adapters",
        "tests/test_shape.py": "tests the shape of the code, not a module",
    },
}
