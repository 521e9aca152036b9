"""An agent that finds houses: one loop on the official SDK, two tools."""

from house_finder.agent import find, request

__all__ = ["find", "request"]
