"""The trace that a client's request is part of, so that the spans of its calls are too."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["in_trace_of"]

_TRACE = b"traceparent"


def in_trace_of(headers: Mapping[bytes, bytes]) -> AbstractContextManager[None]:
    """What is done within belongs to the trace that the headers name ("Trace Context"), if they name one."""
    return _attached(headers) if _TRACE in headers else nullcontext()


@contextmanager
def _attached(headers: Mapping[bytes, bytes]) -> Iterator[None]:
    from opentelemetry import context, propagate  # noqa: PLC0415 - optional, and not quick to import

    said = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    token = context.attach(propagate.extract(said))
    try:
        yield
    finally:
        context.detach(token)
