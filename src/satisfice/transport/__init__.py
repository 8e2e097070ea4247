"""Connections out to upstreams."""
