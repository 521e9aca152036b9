"""What a miss cost: tokens paid in full or written again, against what reading them would have cost."""

from __future__ import annotations

from scrimp.core.diagnose_memory import Call
from scrimp.facts.prices import Rates
from scrimp.wire.response import Usage

__all__ = ["foreseen_loss", "loss", "loss_of"]


def loss(call: Call, usage: Usage, promised: int) -> int:
    """Picodollars lost by one billed call that should have read `promised` tokens, at its day's rates."""
    rates = call.model.rates(
        call.day,
        prompt_tokens=usage.total_input,
        batch=usage.service_tier == "batch",
        fast=usage.speed == "fast",
        geo=usage.inference_geo,
    )
    return loss_of(usage, promised - usage.cache_read_input_tokens, rates)


def loss_of(usage: Usage, missed: int, rates: Rates) -> int:
    """Picodollars paid for `missed` tokens beyond their price as a read.

    They follow what was read, so they are the first of what was written: 1h writes come before 5m writes, and
    plain input last ("Prompt caching", mixing TTLs).
    """
    hour = min(missed, usage.write_1h)
    five = min(missed - hour, usage.write_5m)
    plain = min(missed - hour - five, usage.input_tokens)
    return (
        hour * (rates.write_1h - rates.read)
        + five * (rates.write_5m - rates.read)
        + plain * (rates.input - rates.read)
    )


def foreseen_loss(call: Call, read: int, promised: int) -> int:
    """Picodollars that will be lost if `read` of `promised` tokens are read and the rest is written anew."""
    rates = call.model.rates(call.day, prompt_tokens=call.total)
    ttls = {marker.ttl for marker in call.prompt.markers}
    paid = rates.write_5m if ttls == {"5m"} else rates.write_1h if ttls else rates.input
    return (promised - read) * (paid - rates.read)
