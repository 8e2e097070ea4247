"""What every other package stands on: amounts, time, errors and secrets."""
