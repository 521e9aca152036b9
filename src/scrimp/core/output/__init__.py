"""Asking for less output: `max_tokens` and effort as replies of a kind need them."""

from scrimp.core.output.lever import Output

__all__ = ["Output"]
