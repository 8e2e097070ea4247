"""Satisfice: a gateway that buys inference, always the cheapest that is good enough."""

__all__ = ["__version__"]

__version__ = "0.1.0"
