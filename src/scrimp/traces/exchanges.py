"""Recorded calls: one line of JSON is one exchange, request and response and what was billed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from scrimp.errors import InputError
from scrimp.wire.response import Usage, read_usage

__all__ = ["Exchange", "in_time_order", "read_exchange"]


class Exchange(msgspec.Struct, frozen=True):
    """One recorded call.

    `at` is when the request started, epoch seconds; where only the end was recorded it is that, and where
    nothing was, `timed` is False and calls are taken to be one second apart. `ended_at` is when the response
    was over, where that was recorded. `workspace` is the provider and source whose prompt cache the call
    shared. `partial` says what of the request was not recorded.
    """

    run: str
    seq: int
    at: float
    timed: bool
    provider: str
    source: str
    kind: str
    model: str
    body: Mapping[str, Any]
    response: Any
    status: int
    usage: Usage | None
    partial: str | None
    redactions: int
    where: str
    ended_at: float | None = None

    @property
    def workspace(self) -> str:
        """Whose cache it was: one per provider and source."""
        return f"{self.provider} {self.source}"


def read_exchange(line: Mapping[str, Any], where: str, folder: str) -> Exchange:
    """One line as an `Exchange`; raises `InputError` naming what is missing.

    `folder` names the source where the line itself does not.
    """
    request = line.get("request")
    body = request.get("body") if isinstance(request, Mapping) else None
    if body is None and isinstance(request, Mapping):
        body = {}  # a GET, or a body that was not recorded: an exchange all the same, though no Messages call
    if not isinstance(body, Mapping):
        raise InputError(f"{where}: request.body is not an object")
    response = line.get("response")
    response = response if isinstance(response, Mapping) else {}
    source = line.get("source")
    usage = line.get("usage")
    at = _time(line.get("started_at")) or _time(line.get("ended_at"))
    return Exchange(
        run=str(line.get("run") or where),
        seq=int(line.get("seq") or 0),
        at=at or 0.0,
        timed=at is not None,
        provider=str(line.get("provider") or "anthropic"),
        source=str(source["repo"]) if isinstance(source, Mapping) and source.get("repo") else folder,
        kind=str(line.get("kind") or "messages"),
        model=_model(body, request, response.get("body")),
        body=body,
        response=response.get("body"),
        status=int(response.get("status") or 200),
        usage=read_usage(usage) if isinstance(usage, Mapping) and usage else None,
        partial=line.get("partial_request") or None,
        redactions=len(line.get("redactions") or ()),
        where=where,
        ended_at=_time(line.get("ended_at")),
    )


def in_time_order(exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
    """Calls of one workspace as they happened: timed ones by time, the others a second apart as recorded."""
    clock = 0.0
    ordered = []
    for number, exchange in enumerate(exchanges):
        clock = exchange.at if exchange.timed else clock + 1.0
        found = exchange if exchange.timed else msgspec.structs.replace(exchange, at=clock)
        ordered.append((found.at, number, found))
    ordered.sort(key=lambda item: item[:2])
    return (exchange for _, _, exchange in ordered)


def _model(body: Mapping[str, Any], request: Any, response: Any) -> str:
    """The model asked for: in the body, in a Bedrock or Vertex URL, else the one that answered."""
    named = body.get("model")
    if isinstance(named, str) and named:
        return named
    url = str(request.get("url") or "")
    for marker in ("/model/", "/models/"):
        if marker in url:
            return unquote(url.split(marker, 1)[1].split("/", 1)[0].split(":rawPredict", 1)[0])
    answered = response.get("model") if isinstance(response, Mapping) else None
    return answered if isinstance(answered, str) else ""


def _time(value: Any) -> float | None:
    """Epoch seconds of an ISO 8601 or HTTP date; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
