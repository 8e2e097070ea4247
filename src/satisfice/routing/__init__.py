"""Which offers qualify for a call, and in what order."""
