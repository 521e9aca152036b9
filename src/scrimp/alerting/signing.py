"""Signatures of webhooks, as the Standard Webhooks specification has them, and how to check one.

    alert = scrimp.alerting.verify(request.headers, request.body, secret)

Signed is `id.timestamp.body` with HMAC-SHA256: a body cannot be changed, a captured delivery cannot be sent
again once its time has passed, and within that time its id shows that it came before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from scrimp.errors import InputError, SignatureError

__all__ = ["SHORTEST_SECRET", "TOLERANCE", "key_of", "signed", "verify"]

TOLERANCE = 300.0
"""Seconds that a delivery may be old, or ahead of the receiver's clock."""

SHORTEST_SECRET = 16
"""Bytes; the specification asks for 24 to 64 random ones."""

_PREFIX = "whsec_"


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> dict[str, Any]:
    """Return the alert that came in a request, once its signature and its time are found good.

    `body` are the bytes as they came. Raises SignatureError where the request is not to be trusted. To be
    safe against the same delivery sent twice within `tolerance` seconds, remember the `id` of each alert.
    """
    key = key_of(secret)
    given = {name.lower(): value for name, value in headers.items()}
    try:
        name, stamp, signatures = (given[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
        at = int(stamp)
    except (KeyError, ValueError):
        raise SignatureError(
            "the request has no webhook-id, -timestamp and -signature that can be read"
        ) from None
    if abs((time.time() if now is None else now) - at) > tolerance:
        raise SignatureError(f"the request is more than {tolerance:g} seconds away from this clock")
    expected = signed(key, name, at, body).encode()
    if not any(hmac.compare_digest(one.encode(), expected) for one in signatures.split()):
        raise SignatureError("the signature does not fit this body and secret")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise SignatureError("the body is signed but is no alert") from None


def signed(key: bytes, name: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature` for a body sent at a time, in seconds."""
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def key_of(secret: str) -> bytes:
    """The bytes of a secret: those of `whsec_` in base64, or of any other text itself.

    Raises InputError for one that is too short or is no base64.
    """
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise InputError("the secret of a webhook that begins with whsec_ goes on in base64") from None
    else:
        key = secret.encode()
    if len(key) < SHORTEST_SECRET:
        raise InputError(f"the secret of a webhook is too short: it needs {SHORTEST_SECRET} bytes or more")
    return key
