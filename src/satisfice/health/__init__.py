"""How offers and providers have fared lately: circuit breakers, rests, and decaying statistics."""
