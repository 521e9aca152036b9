"""Alerts from a configuration file: what can be said, and what is wrong said in one line."""

from __future__ import annotations

import msgspec
import pytest

from scrimp.alerting.settings import AlertSettings, CommandSettings, WebhookSettings, build
from scrimp.errors import InputError
from tests.patience import PATIENCE

from .receiver import receiving
from .samples import SECRET, crossing


def test_settings_make_ways_out_with_secrets_of_the_environment() -> None:
    with receiving() as receiver:
        settings = AlertSettings(
            log=False, webhooks=(WebhookSettings(url_env="HOOK", secret_env="SIGN", timeout=2.0),)
        )
        alerts = build(settings, {"HOOK": receiver.url, "SIGN": SECRET})
        alerts.crossed(crossing())
        assert alerts.flush(PATIENCE)
        assert receiver.got[0].headers["webhook-signature"].startswith("v1,")


def test_the_table_of_a_file_is_read_by_its_documented_keys() -> None:
    table = {
        "log": False,
        "kinds": ["budget_refused"],
        "webhook": [{"url": "https://host/x", "form": "slack", "attempts": 2}],
        "command": [{"argv": ["notify"]}],
    }
    settings = msgspec.convert(table, AlertSettings)
    assert settings.webhooks == (WebhookSettings(url="https://host/x", form="slack", attempts=2),)
    assert settings.commands == (CommandSettings(argv=("notify",)),)
    assert len(build(settings, {})._sinks) == 2


@pytest.mark.parametrize(
    ("webhook", "line"),
    [
        (WebhookSettings(url_env="HOOK"), "alerts.webhook.url_env: the environment variable HOOK is not set"),
        (WebhookSettings(), "alerts.webhook: give url or url_env, one of them"),
        (
            WebhookSettings(url="https://host/x", secret_env="SIGN"),
            "alerts.webhook.secret_env: the environment variable SIGN is not set",
        ),
    ],
)
def test_what_is_missing_is_named(webhook: WebhookSettings, line: str) -> None:
    with pytest.raises(InputError) as caught:
        build(AlertSettings(webhooks=(webhook,)), {})
    assert str(caught.value) == line
