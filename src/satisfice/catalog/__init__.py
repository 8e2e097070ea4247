"""What can be bought: models, and offers of them at a price."""
