"""Offload: large tool results reduced to what matters of them, the rest within reach of one fetch."""
