"""What there is to say of a request that ended with an error status."""

from __future__ import annotations

from scrimp.gateway.inbound import Inbound
from scrimp.gateway.refusals import error_type
from scrimp.telemetry.failures import Failure

__all__ = ["failure_of"]


def failure_of(inbound: Inbound, route: str, *, at: float, duration: float) -> Failure:
    """The failure that this answered request is; `route` is one of a fixed few names."""
    status, refusal = inbound.status, inbound.refusal
    own = inbound.upstream is None if refusal is None else not refusal.upstream
    request_id = next((value for name, value in inbound.head if name.lower() == b"request-id"), None)
    return Failure(
        at=at,
        route=route,
        method=inbound.method if inbound.method.isalpha() else "other",
        status=status,
        error=error_type(status),
        whose="gateway" if own else "upstream",
        duration=duration,
        request_id=None if request_id is None else request_id.decode("latin-1"),
        key=inbound.key,
        upstream=inbound.upstream,
    )
