"""What a process says beside its calls, warnings and scrimp's loggers, as lines of the same log."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from scrimp.telemetry.call_log import CallLog

__all__ = ["said_in"]

_LOGGER = "scrimp"


@contextmanager
def said_in(log: CallLog) -> Iterator[None]:
    """Within, whatever is warned of or logged by scrimp goes to `log` alone. For a whole process."""
    logger, handler, shown = logging.getLogger(_LOGGER), _Handler(log), warnings.showwarning
    propagate = logger.propagate

    def show(message: Warning | str, category: type[Warning], *_where: object, **_more: object) -> None:
        log.said("warning", category.__name__, str(message))

    logger.addHandler(handler)
    logger.propagate = False
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown
        logger.propagate = propagate
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, log: CallLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self._log.said(record.levelname.lower(), record.name, record.getMessage())
