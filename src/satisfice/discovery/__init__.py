"""Where offers are found."""
