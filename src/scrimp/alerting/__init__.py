"""Alerts: somebody is told when a limit is nearly reached, refuses calls, when money is lost or runs away."""

from __future__ import annotations

from scrimp.alerting.alerts import Alerts
from scrimp.alerting.signing import verify
from scrimp.alerting.sinks import Command
from scrimp.alerting.webhook import Webhook

__all__ = ["Alerts", "Command", "Webhook", "verify"]
