"""Alerts over HTTP: one POST each, signed, with TLS verified, within a bounded time."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - names of hosts need it; a thread may be too late to import it
import http.client
import io
import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from typing import Any, Literal, cast
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from scrimp.alerting.alert import Alert
from scrimp.alerting.signing import key_of, signed
from scrimp.alerting.sinks import LOOK_UP, DeliveryError, Left
from scrimp.errors import InputError

__all__ = ["Form", "Webhook", "webhook_url"]

Form = Literal["auto", "json", "slack"]

_SLACK = "hooks.slack.com"
_PORTS = {"http": 80, "https": 443}
_CONNECT_SECONDS = 5.0
_AGAIN = frozenset({408, 425, 429})


class Webhook:
    """Posts alerts to an address as JSON; `secret` signs them (see `signing`).

    `form` `json` sends the whole alert, `slack` only its text, as Slack's incoming webhooks and those that
    copy them want it, without anything that would ping people; `auto` takes that for Slack's own addresses.
    What fails for the moment (no connection, 408, 425, 429, 5xx) is tried `attempts` times. Redirects are not
    followed. The proxies of the environment are respected.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        form: Form = "auto",
        attempts: int = 5,
        timeout: float = 10.0,
    ) -> None:
        self._url = webhook_url(url)
        self._key = None if secret is None else key_of(secret)
        self._slack = form == "slack" or (form == "auto" and self._url.hostname == _SLACK)
        self._timeout = timeout
        self.attempts = attempts

    @property
    def name(self) -> str:
        """Where it goes, without path: that may be all the secret there is."""
        return f"webhook {self._url.scheme}://{self._url.hostname}"

    def send(self, alert: Alert, left: Left) -> None:
        """See `Sink`."""
        body = _slack_text(alert.text) if self._slack else alert.json()
        ends_at = time.monotonic() + self._timeout
        try:
            answer = self._post(
                body, self._headers(alert, body), lambda: min(ends_at - time.monotonic(), left())
            )
        except (OSError, http.client.HTTPException) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            final = isinstance(error, ssl.SSLCertVerificationError)
            raise DeliveryError(f"not reached: {why}", again=not final) from None
        if not 200 <= answer.status < 300:
            again = answer.status >= 500 or answer.status in _AGAIN
            raise DeliveryError(f"answered {answer.status}", again=again, after=_retry_after(answer))

    def _headers(self, alert: Alert, body: bytes) -> dict[str, str]:
        now = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "scrimp-alerts/1",
            "webhook-id": alert.id,
            "webhook-timestamp": str(now),
        }
        if self._key is not None:
            headers["webhook-signature"] = signed(self._key, alert.id, now, body)
        return headers

    def _post(self, body: bytes, headers: dict[str, str], left: Left) -> http.client.HTTPResponse:
        connection, target = _connection(self._url, max(min(left(), _CONNECT_SECONDS), LOOK_UP))
        # The connection only ever calls it.
        connection.response_class = partial(_timed_response, left)  # type: ignore[assignment]
        try:
            connection.request("POST", target, body, headers)
            return connection.getresponse()
        finally:
            connection.close()


def webhook_url(text: str) -> SplitResult:
    """The parts of an address to post to. Raises InputError, without repeating what may be secret."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InputError("the webhook's address cannot be read: write it as https://host/path") from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise InputError("the webhook's address cannot be used: write it as https://host/path")
    if parts.username or parts.password:
        raise InputError("the webhook's address has a password in it: sign with a secret instead")
    return parts


def _timed_response(left: Left, sock: socket.socket, **how: Any) -> http.client.HTTPResponse:
    timed = cast(socket.socket, _Timed(sock, left))  # all a response asks of a socket is `makefile`
    return http.client.HTTPResponse(timed, **how)


class _Timed:
    """A socket whose answer has to be there in time, however slowly its bytes come."""

    def __init__(self, sock: socket.socket, left: Left) -> None:
        self._sock = sock
        self._left = left

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What an HTTP response reads from."""
        return io.BufferedReader(_Stream(self._sock, self._left))


class _Stream(io.RawIOBase):
    def __init__(self, sock: socket.socket, left: Left) -> None:
        super().__init__()
        self._sock = sock
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while (left := self._left()) > 0:
            self._sock.settimeout(min(left, LOOK_UP))
            with suppress(TimeoutError):
                return self._sock.recv_into(buffer)
        raise TimeoutError("timed out")


def _connection(url: SplitResult, seconds: float) -> tuple[http.client.HTTPConnection, str]:
    """A connection to a host, through the environment's proxy where there is one, and what to ask for."""
    host, port = str(url.hostname), url.port or _PORTS[url.scheme]
    path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
    proxy = None if proxy_bypass(host) else getproxies().get(url.scheme)
    via = urlsplit(proxy if not proxy or "://" in proxy else f"http://{proxy}")
    at, at_port = (str(via.hostname), via.port or _PORTS["http"]) if via.hostname else (host, port)
    if url.scheme == "http":
        target = f"http://{url.netloc}{path}" if via.hostname else path
        return http.client.HTTPConnection(at, at_port, timeout=seconds), target
    secure = http.client.HTTPSConnection(at, at_port, timeout=seconds, context=ssl.create_default_context())
    if via.hostname:
        secure.set_tunnel(host, port)
    return secure, path


def _slack_text(text: str) -> bytes:
    """Slack reads `<…>` as links and pings; its documentation names the three characters to escape."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return msgspec.json.encode({"text": safe})


def _retry_after(answer: http.client.HTTPResponse) -> float | None:
    told = (answer.headers.get("retry-after") or "").strip()
    return float(told) if told.isascii() and told.isdigit() else None
