"""Settings: where they stand in the file, what they mean, what is wrong with them."""
