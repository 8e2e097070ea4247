"""Runs machines against the world and owns what runs."""
