"""Betas that have become part of the API, as the bundled facts list them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

__all__ = ["no_op_betas"]


@cache
def no_op_betas() -> Mapping[str, str]:
    """Header value → why it switches nothing on, read once."""
    table = tomllib.loads(resources.files(__package__).joinpath("betas.toml").read_text(encoding="utf-8"))
    return {name: str(beta["why"]) for name, beta in table["no_op"].items()}
