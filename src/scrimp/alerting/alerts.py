"""`scrimp.Alerts`: a listener that tells somebody.

client = anthropic.Anthropic(middleware=[scrimp.Middleware(listeners=[scrimp.Alerts(webhook="https://…")])])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from scrimp.alerting.alert import Alert, Kind, bust, fraction, outlying, refused
from scrimp.alerting.outbox import EXIT_SECONDS, Outbox
from scrimp.alerting.sinks import Command, Sink, log_alert
from scrimp.alerting.throttle import Throttle
from scrimp.alerting.watching import Outliers
from scrimp.alerting.webhook import Webhook
from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.money import PICODOLLARS
from scrimp.core.record import Record, Tags

__all__ = ["KINDS", "Alerts", "Rules"]

KINDS: tuple[Kind, ...] = ("budget_fraction", "budget_refused", "outlier", "cache_bust")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, and how often.

    Of each limit, member and window the first refusal is told at once, further ones every `refused_every`
    seconds with their number. Cache misses of one cause and kind of agent are told together, at most every
    `busts_every` seconds, once they lost `bust_from` picodollars.
    """

    kinds: tuple[Kind, ...] = KINDS
    refused_every: float = 300.0
    busts_every: float = 300.0
    bust_from: int = PICODOLLARS // 100


class Alerts:
    """Tells of limits that fill up or refuse calls, of users and runs far above their peers, and of busts.

    `webhook` is an address or a `Webhook`, `command` a list of program and arguments or a `Command`; `sinks`
    are further ways out. With `log`, alerts are warnings of the logger `scrimp.alerts` too. Nobody who
    reports something waits: webhooks and commands are served by a thread of their own. At the end of the
    program what waits is delivered, within 5 seconds.
    """

    def __init__(
        self,
        *sinks: Sink,
        webhook: str | Webhook | None = None,
        command: Sequence[str] | Command | None = None,
        log: bool = True,
        rules: Rules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules or Rules()
        self._sinks = [*sinks]
        if webhook is not None:
            self._sinks.append(webhook if isinstance(webhook, Webhook) else Webhook(webhook))
        if command is not None:
            self._sinks.append(command if isinstance(command, Command) else Command(command))
        self._log = log
        self._clock = clock
        self._outbox = Outbox()
        self._crossings = Throttle(float("inf"))
        self._refusals = Throttle(self._rules.refused_every)
        self._busts = Throttle(self._rules.busts_every, at_least=self._rules.bust_from)
        self._outliers = Outliers() if "outlier" in self._rules.kinds else None

    def crossed(self, crossing: Crossing) -> None:
        """A limit's spending reached one of its fractions: told once for each window and member."""
        limit = crossing.limit
        key = (limit.id, limit.amount, crossing.scope, crossing.percent, crossing.resets_at)
        now = self._clock()
        if "budget_fraction" in self._rules.kinds and self._crossings.admit(key, now):
            self._tell(fraction(crossing, now))

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        """A limit did not let a call go out."""
        if "budget_refused" not in self._rules.kinds:
            return
        key = (refusal.limit.id, refusal.limit.amount, refusal.scope, refusal.resets_at)
        now = self._clock()
        since = self._refusals.admit(key, now)
        if since is not None:
            self._tell(refused(refusal, tags, since.events, now))

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        """A prefix was not read: told where that is a bust that nobody asked for."""
        # Those of a conversation that was told of already add up here.
        if not diagnosis.unwanted or "cache_bust" not in self._rules.kinds:
            return
        now = self._clock()
        since = self._busts.admit((diagnosis.cause, tags.label), now, diagnosis.lost)
        if since is not None:
            self._tell(bust(diagnosis, tags, count=since.events, lost=since.amount, now=now))

    def recorded(self, record: Record) -> None:
        """A call was written down: its user or run may stand out now."""
        if self._outliers is None:
            return
        for scope, outlier in self._outliers.add(record):
            self._tell(outlying(scope, outlier, record.tags, self._clock()))

    @property
    def dropped(self) -> int:
        """Alerts that were dropped because too many waited."""
        return self._outbox.dropped

    def flush(self, timeout: float = EXIT_SECONDS) -> bool:
        """Wait until everything told so far is delivered or given up; False if that takes longer."""
        return self._outbox.flush(timeout)

    def _tell(self, alert: Alert) -> None:
        if self._log:
            log_alert(alert)
        for sink in self._sinks:
            self._outbox.post(sink, alert)
