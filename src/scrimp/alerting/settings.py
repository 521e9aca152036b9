"""What a configuration file says of alerts, and the alerts made of it. Secrets are named, not written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from scrimp.alerting.alert import Kind
from scrimp.alerting.alerts import KINDS, Alerts, Rules
from scrimp.alerting.sinks import Command, Sink
from scrimp.alerting.webhook import Form, Webhook, webhook_url
from scrimp.core.money import PICODOLLARS, picodollars, usd
from scrimp.errors import InputError

__all__ = ["AlertSettings", "CommandSettings", "WebhookSettings", "build"]


def _says(what: str) -> Meta:
    return Meta(description=what)


def _address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no address")
    try:
        webhook_url(value)
    except InputError as error:
        raise ValueError(str(error)) from None
    return value


def _dollars(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("dollars stand in quotes, so that no digit is lost")
    return picodollars(value)


_Address = Annotated[
    str,
    Meta(extra={"read": _address, "expects": 'an address, such as "https://host/path"', "secret": True}),
]
_Dollars = Annotated[
    int, Meta(extra={"read": _dollars, "expects": 'dollars in quotes, such as "0.05"', "shows": usd})
]
_Variable = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        extra={"expects": "the name of an environment variable", "secret": True},
    ),
]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[[alerts.webhook]]`: an address that alerts are posted to."""

    url: Annotated[_Address | None, _says("where to; one of url and url_env")] = None
    url_env: Annotated[_Variable | None, _says("environment variable with the address")] = None
    secret_env: Annotated[_Variable | None, _says("environment variable with the secret that signs")] = None
    form: Annotated[Form, _says("json is the whole alert, slack its text alone")] = "auto"
    attempts: Annotated[int, Meta(ge=1, le=20), _says("how often an alert is tried")] = 5
    timeout: Annotated[_Seconds, _says("seconds for one attempt")] = 10.0


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[[alerts.command]]`: a program that is run for each alert, with the alert as JSON on its input."""

    argv: Annotated[
        Annotated[tuple[str, ...], Meta(min_length=1)], _says("the program and its arguments; no shell")
    ]
    timeout: Annotated[_Seconds, _says("seconds until it is killed")] = 10.0


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts]`: who is told of what. Without webhooks and commands alerts are logged."""

    log: Annotated[bool, _says("log alerts as warnings of scrimp.alerts")] = True
    kinds: Annotated[tuple[Kind, ...], _says("what is told")] = KINDS
    refused_every: Annotated[_Seconds, _says("seconds between two alerts of one limit's refusals")] = 300.0
    busts_every: Annotated[_Seconds, _says("seconds between two alerts of one kind of cache miss")] = 300.0
    bust_from: Annotated[_Dollars, _says("misses are told once they lost this much")] = PICODOLLARS // 100
    webhooks: tuple[WebhookSettings, ...] = msgspec.field(name="webhook", default=())
    commands: tuple[CommandSettings, ...] = msgspec.field(name="command", default=())


def build(settings: AlertSettings, env: Mapping[str, str]) -> Alerts:
    """The alerts that `settings` ask for, secrets from `env`. Raises InputError naming what is missing."""
    webhooks: list[Sink] = [_webhook(one, env) for one in settings.webhooks]
    commands: list[Sink] = [Command(one.argv, timeout=one.timeout) for one in settings.commands]
    rules = Rules(
        kinds=settings.kinds,
        refused_every=settings.refused_every,
        busts_every=settings.busts_every,
        bust_from=settings.bust_from,
    )
    return Alerts(*webhooks, *commands, log=settings.log, rules=rules)


def _webhook(settings: WebhookSettings, env: Mapping[str, str]) -> Webhook:
    if (settings.url is None) == (settings.url_env is None):
        raise InputError("alerts.webhook: give url or url_env, one of them")
    return Webhook(
        settings.url or _value("url_env", settings.url_env, env),
        secret=settings.secret_env and _value("secret_env", settings.secret_env, env),
        form=settings.form,
        attempts=settings.attempts,
        timeout=settings.timeout,
    )


def _value(field: str, name: str | None, env: Mapping[str, str]) -> str:
    value = env.get(name or "", "").strip()
    if not value:
        raise InputError(f"alerts.webhook.{field}: the environment variable {name} is not set")
    return value
