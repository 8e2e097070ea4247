"""What the gateway costs beside nginx: measured together, on the same machine, in the same minutes."""
