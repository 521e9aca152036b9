"""Webhooks over real HTTP: signed, retried, bounded, and nobody waits for them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import scrimp
from scrimp.alerting import Alerts, Webhook, verify
from scrimp.alerting.outbox import Outbox
from scrimp.errors import InputError, SignatureError
from tests.patience import PATIENCE

from .receiver import receiving
from .samples import NOON, SECRET, an_alert, crossing


def outbox(**how: float) -> Outbox:
    return Outbox(first_pause=0.01, **how)  # type: ignore[arg-type]  # a number each


def test_an_alert_arrives_as_json_with_a_signature_that_fits() -> None:
    before = int(time.time())
    with receiving() as receiver:
        alerts = Alerts(webhook=Webhook(receiver.url, secret=SECRET), log=False, clock=lambda: NOON)
        alerts.crossed(crossing())
        assert alerts.flush(PATIENCE)
        (got,) = receiver.got
    name, stamp = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    # By the Standard Webhooks specification, worked out here.
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + got.body, hashlib.sha256).digest()
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert got.headers["content-type"] == "application/json"
    assert before <= int(stamp) <= time.time()
    alert = verify(got.headers, got.body, SECRET)
    assert (alert["id"], alert["kind"], alert["budget"]["spent_usd"]) == (name, "budget_fraction", "4.1")


def test_the_example_of_the_specification_verifies() -> None:
    headers = {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= "
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(headers, b'{"test": 2432232314}', SECRET, now=1614265330) == {"test": 2432232314}


@pytest.mark.parametrize("late", [-301, 301])
def test_what_was_captured_cannot_be_sent_again_later(late: int) -> None:
    body, headers = b"{}", {"webhook-id": "a", "webhook-timestamp": str(int(NOON))}
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.new(key, b"a." + str(int(NOON)).encode() + b"." + body, hashlib.sha256).digest()
    headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    assert verify(headers, body, SECRET, now=NOON + 299) == {}
    with pytest.raises(SignatureError, match="300 seconds away"):
        verify(headers, body, SECRET, now=NOON + late)
    with pytest.raises(SignatureError, match="does not fit"):
        verify(headers, b"[]", SECRET, now=NOON)
    with pytest.raises(SignatureError, match="does not fit"):
        verify({**headers, "webhook-timestamp": str(int(NOON) + 1)}, body, SECRET, now=NOON)
    with pytest.raises(SignatureError, match="can be read"):
        verify({}, body, SECRET)


def test_a_server_that_fails_is_tried_again_with_pauses_that_grow() -> None:
    with receiving(statuses=[500, 503, 200]) as receiver:
        way = Webhook(receiver.url, secret=SECRET)
        box = Outbox(first_pause=0.1)
        box.post(way, an_alert())
        assert box.flush(PATIENCE)
        first, second, third = receiver.got
    assert first.headers["webhook-id"] == third.headers["webhook-id"]
    assert first.body == third.body
    assert second.at - first.at >= 0.05  # half of the pause at least, and what the machine adds
    assert third.at - second.at >= 0.1


def test_it_gives_up_after_so_many_attempts_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(statuses=[500]) as receiver:
        box = outbox()
        box.post(Webhook(f"{receiver.url}/T0KEN", attempts=3), an_alert())
        assert box.flush(PATIENCE)
        assert len(receiver.got) == 3
    (entry,) = caplog.records
    assert (entry.name, entry.levelno) == ("scrimp.alerts", logging.ERROR)
    assert entry.message == "an alert did not reach webhook http://127.0.0.1 after 3 attempts: answered 500"


@pytest.mark.parametrize(("status", "tried"), [(400, 1), (404, 1), (302, 1), (429, 2), (408, 2), (204, 1)])
def test_only_what_may_pass_is_tried_again(status: int, tried: int) -> None:
    with receiving(statuses=[status], headers={"location": "http://127.0.0.1:9/"}) as receiver:
        box = outbox()
        box.post(Webhook(receiver.url, attempts=2), an_alert())
        assert box.flush(PATIENCE)
        assert len(receiver.got) == tried


def test_the_server_says_when_to_come_back() -> None:
    with receiving(statuses=[429, 200], headers={"retry-after": "1"}) as receiver:
        box = outbox()
        box.post(Webhook(receiver.url), an_alert())
        assert box.flush(PATIENCE)
        first, second = receiver.got
    assert second.at - first.at >= 1.0


def test_nobody_listening_is_no_failure_of_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    box = outbox()
    box.post(Webhook("http://127.0.0.1:9/x", attempts=2), an_alert())
    assert box.flush(PATIENCE)
    assert caplog.messages == [
        "an alert did not reach webhook http://127.0.0.1 after 2 attempts: not reached: Connection refused"
    ]


def test_a_slow_server_holds_nobody_up() -> None:
    with receiving() as receiver:
        receiver.gate.clear()
        alerts = Alerts(webhook=Webhook(receiver.url, timeout=2 * PATIENCE), log=False)
        for percent in range(1, 101):
            alerts.crossed(crossing(percent=percent))
        assert not alerts.flush(0.05)
        assert len(receiver.got) <= 1
        receiver.gate.set()
        assert alerts.flush(PATIENCE)
        assert len(receiver.got) == 100


def test_a_server_that_drips_its_answer_is_left_in_time(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(drip=0.2) as receiver:
        box = outbox()
        box.post(Webhook(receiver.url, timeout=0.3, attempts=1), an_alert())
        assert box.flush(PATIENCE)  # all of it would take a quarter of an hour
    assert caplog.messages[0].endswith("after 1 attempt: not reached: TimeoutError")


def test_the_queue_is_bounded_and_what_was_dropped_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with receiving() as receiver:
        receiver.gate.clear()
        box = outbox(most=3)
        way = Webhook(receiver.url)
        box.post(way, an_alert())
        receiver.wait_for(1)  # the first is on its way, and no longer waits
        for percent in range(1, 11):
            box.post(way, an_alert(percent))
        assert box.dropped == 7
        receiver.gate.set()
        assert box.flush(PATIENCE)
        box.post(way, an_alert(99))
        assert box.flush(PATIENCE)
        assert [got.json["budget"]["percent"] for got in receiver.got] == [80, 1, 2, 3, 99]
    assert caplog.messages == [
        "alerts are dropped: 3 wait to be delivered already",
        "7 alerts were dropped; there is room again",
    ]


def test_an_alert_that_has_to_wait_does_not_hold_up_the_next() -> None:
    with receiving(statuses=[500]) as broken, receiving() as fine:
        broken.gate.clear()
        box = Outbox(first_pause=0.4)
        box.post(Webhook(broken.url, attempts=2), an_alert())
        broken.wait_for(1)
        box.post(Webhook(fine.url), an_alert())
        broken.gate.set()
        assert box.flush(PATIENCE)
        first, second = broken.got
        assert first.at < fine.got[0].at < second.at


def test_there_is_no_thread_while_nothing_waits() -> None:
    with receiving() as receiver:
        alerts = Alerts(webhook=receiver.url, log=False)
        alerts.crossed(crossing())
        assert alerts.flush(PATIENCE)
        alive = [thread for thread in threading.enumerate() if thread.name == "scrimp-alerts"]
        for thread in alive:  # done, and about to end
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in alive)
        alerts.crossed(crossing(percent=100))
        assert alerts.flush(PATIENCE)
        assert len(receiver.got) == 2


SCRIPT = """
import sys, time
from scrimp import Alerts
from scrimp.alerting import Webhook, outbox
outbox.EXIT_SECONDS = float(sys.argv[2])
from tests.alerting.samples import crossing
alerts = Alerts(webhook=Webhook(sys.argv[1], timeout=300), log=False)
for percent in range(1, 6):
    alerts.crossed(crossing(percent=percent))
print(time.time())
"""


def run_to_its_end(url: str, seconds: float) -> tuple[float, str]:
    """Seconds that a program takes to end after its last line, and what it says."""
    project = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, str(seconds)],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
        timeout=2 * PATIENCE,
    )
    return time.time() - float(done.stdout), done.stderr


def test_what_waits_at_the_end_of_the_program_is_sent() -> None:
    with receiving(delay=0.05) as receiver:
        _, said = run_to_its_end(receiver.url, PATIENCE)
        assert sorted(got.json["budget"]["percent"] for got in receiver.got) == [1, 2, 3, 4, 5]
    assert said == ""


def test_a_server_that_never_answers_does_not_keep_the_program_alive() -> None:
    with receiving() as receiver:
        receiver.gate.clear()
        took, said = run_to_its_end(receiver.url, 0.5)
    assert 0.5 <= took < PATIENCE  # each of them may take five minutes
    assert said == "the program ended: 5 alerts were not delivered\n"


def test_slack_gets_its_text_and_nothing_that_pings() -> None:
    with receiving() as receiver:
        alerts = Alerts(webhook=Webhook(receiver.url, form="slack"), log=False)
        alerts.crossed(crossing(user="<!channel> & co"))
        assert alerts.flush(PATIENCE)
        (got,) = receiver.got
    assert list(got.json) == ["text"]
    assert "user:&lt;!channel&gt; &amp; co has spent $4.10 of $5.00" in got.json["text"]


def test_slack_is_known_by_its_address() -> None:
    assert Webhook("https://hooks.slack.com/services/T/B/x")._slack
    assert not Webhook("https://hooks.slack.com.example.org/services/T/B/x")._slack


@pytest.mark.parametrize(
    "address", ["", "hooks.slack.com/x", "ftp://host/x", "http://", "https://u:p@host/x", "https://host:x/"]
)
def test_an_address_that_cannot_be_used_is_one_line_that_does_not_repeat_it(address: str) -> None:
    with pytest.raises(InputError) as caught:
        scrimp.Alerts(webhook=address)
    assert str(caught.value).startswith("the webhook's address")
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("secret", ["short", "whsec_c2hvcnQ=", "whsec_not base64 at all!"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(InputError, match="secret of a webhook"):
        Webhook("https://host/x", secret=secret)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    made = subprocess.run(
        ["openssl", *asked.split(), "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the handshake is meant to fail
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    box = outbox()
    box.post(Webhook(f"https://localhost:{server.server_port}/", secret=SECRET), an_alert())
    assert box.flush(PATIENCE)
    thread.join(PATIENCE)
    server.server_close()
    assert len(caplog.messages) == 1
    assert "after 1 attempt: not reached:" in caplog.messages[0]


def test_the_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "localhost")
        box = outbox()
        box.post(Webhook("http://alerts.example.org/x?y=1"), an_alert())
        box.post(Webhook("https://alerts.example.org/x", attempts=1), an_alert())
        box.post(Webhook("http://localhost:9/", attempts=1), an_alert())
        assert box.flush(PATIENCE)
        asked = [got.path for got in proxy.got]
    assert asked == ["http://alerts.example.org/x?y=1", "CONNECT alerts.example.org:443"]


FORK = """
import os, sys
from scrimp import Alerts
from tests.alerting.samples import crossing
alerts = Alerts(webhook=sys.argv[1], log=False)
alerts.crossed(crossing(percent=1))
child = os.fork()
alerts.crossed(crossing(percent=2 if child else 3))
alerts.crossed(crossing(percent=1))  # was told before the fork
assert alerts.flush(60)
if child:
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_tells_its_own_and_nothing_twice() -> None:
    with receiving(delay=0.05) as receiver:
        subprocess.run(
            [sys.executable, "-c", FORK, receiver.url],
            cwd=Path(__file__).parents[2],
            check=True,
            timeout=2 * PATIENCE,
        )
        assert sorted(got.json["budget"]["percent"] for got in receiver.got) == [1, 2, 3]
