"""Requests that are passed on as they are: token counts, models, and what else the upstream has."""

from __future__ import annotations

from time import monotonic

from scrimp.gateway.callers import Caller
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.messages import Ways
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.relay import Meter
from scrimp.gateway.upstream import UpstreamError

__all__ = ["passed_on"]


async def passed_on(
    inbound: Inbound, caller: Caller, body: bytes, ways: Ways, meter: Meter | None = None
) -> bool:
    """Relay a request and its answer; `meter` sees a good one.

    Returns whether it was one, and whole. Raises `RefusedError`, with a `ConnectError` as its cause where
    nothing was sent.
    """
    query = inbound.query.decode("latin-1")
    url = f"{caller.base_url}{inbound.path}" + (f"?{query}" if query else "")
    inbound.within(monotonic() + ways.answer_seconds, "no answer")
    try:
        lines = inbound.headers.onwards(caller.credential, plain=meter is not None)
        response = await ways.way.send(inbound.method, url, lines, body)
    except UpstreamError as error:
        said = f"scrimp: upstream {caller.upstream!r}: {error}"
        raise RefusedError(502, said, upstream=True) from error
    good = response.status < 400
    return await ways.relay.run(inbound, response, meter if good else None) and good
