"""Alerts over a signed webhook, and the other end, which believes only what was signed a moment ago.

    python examples/budgets/webhook.py

The limit, the calls and the receiver are all here, so that it needs no key and no network.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import anthropic

import scrimp
from scrimp.alerting import Webhook, verify
from scrimp.emulator import Emulator
from scrimp.errors import SignatureError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - yours: openssl rand -base64 24
taken: dict[str, str] = {}


class Receiver(BaseHTTPRequestHandler):
    """Takes alerts in."""

    def do_POST(self) -> None:
        """Answer 2xx, or the alert is sent again."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            alert = verify(dict(self.headers), body, SECRET)
        except SignatureError:
            self.send_response(401)
        else:
            taken[alert["id"]] = f"{alert['kind']}: {alert['text']}"  # by id: an alert may come twice
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever).start()

alerts = scrimp.Alerts(webhook=Webhook(f"http://127.0.0.1:{server.server_port}/", secret=SECRET), log=False)
with Emulator() as emulator:
    client = anthropic.Anthropic(
        base_url=emulator.url, api_key="emulated", middleware=[scrimp.Middleware(listeners=[alerts])]
    )
    for attempt in range(3):
        try:
            with scrimp.run("tenants", budget="0.000001"):
                client.messages.create(
                    model="claude-haiku-5-5", max_tokens=300, messages=[{"role": "user", "content": "Hello"}]
                )
        except scrimp.BudgetExceeded:
            print(f"call {attempt + 1} did not go out")

alerts.flush()
server.shutdown()
server.server_close()
print(*taken.values(), sep="\n")
