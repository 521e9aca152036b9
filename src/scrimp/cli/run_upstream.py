"""What `scrimp run` sends to: a gateway that writes the same ledger counts its calls already."""

from __future__ import annotations

import http.client
import urllib.request

from scrimp.gateway.house import LEDGER_HEADER
from scrimp.gateway.settings import ANTHROPIC_URL
from scrimp.stores.ledger_mark import home_ledger_mark

__all__ = ["writes_our_ledger"]

_SECONDS = 1.0


def writes_our_ledger(base_url: str) -> bool:
    """Whether a gateway answers there that writes to this machine's ledger; False where nobody tells."""
    if base_url == ANTHROPIC_URL:
        return False
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # only this machine has the ledger
    try:
        with direct.open(f"{base_url}/healthz", timeout=_SECONDS) as answer:
            mark = answer.headers.get(LEDGER_HEADER)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return mark is not None and mark == home_ledger_mark()
