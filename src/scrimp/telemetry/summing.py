"""Several processes' metrics as one: every sample of the same name and labels is added up, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

__all__ = ["summed"]


def summed(texts: Iterable[bytes]) -> bytes:
    """Texts of `Exposition` that have the same metrics, as one; metrics are in the order of the first."""
    families: dict[str, dict[str, Decimal]] = {}
    for text in texts:
        samples: dict[str, Decimal] = {}
        head = ""
        for line in text.decode().splitlines():
            if line.startswith("# HELP "):
                head = line
            elif line.startswith("# TYPE "):
                samples = families.setdefault(f"{head}\n{line}\n", {})
            else:
                sample, _, value = line.rpartition(" ")
                samples[sample] = samples.get(sample, Decimal(0)) + Decimal(value)
    return "".join(
        head + "".join(f"{sample} {value:f}\n" for sample, value in samples.items())
        for head, samples in families.items()
    ).encode()
