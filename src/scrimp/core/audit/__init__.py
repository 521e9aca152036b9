"""The audit: where the tokens of recorded calls went, and what to change, in dollars."""
