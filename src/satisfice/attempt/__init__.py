"""One call as a machine: which attempts to open, when to wait, when to commit."""
