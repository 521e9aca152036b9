"""A prefix written before it is needed, once for everybody who needs it, and kept alive while that pays.

    scrimp.warm(client, request)                        # or: await scrimp.warm(async_client, request)
    with scrimp.Warmer(client, request, gaps=odds) as warmer:
        ...                                             # repeated before it expires, as long as it pays

What is sent is made in `core.warmup`, when to repeat it is decided in `core.keepalive`, and who of many sends
it in `stores.leases`.
"""

from __future__ import annotations

from scrimp.warming.keeper import Warmer
from scrimp.warming.warm import warm
from scrimp.warming.warmth import Warmth

__all__ = ["Warmer", "Warmth", "warm"]
