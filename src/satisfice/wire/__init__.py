"""The dialects: bytes of requests, answers and streams as values, without I/O."""
