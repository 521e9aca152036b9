"""Carrying less: what old content costs to keep, what it costs to let go, and when letting go pays."""
