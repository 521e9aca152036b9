"""What a gateway is told: one frozen struct a table of `scrimp.toml`. Read once at start, never changed.

`settings_loading.load` makes them from file, environment and flags, in that order, and says what is wrong.
No key is in here: `Loaded.upstream_keys` has those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scrimp.alerting.settings import AlertSettings
from scrimp.core.budget import Limit, Window
from scrimp.core.plan import Mode
from scrimp.gateway.cache_settings import FanoutSettings, WarmSettings
from scrimp.gateway.carry_settings import CarrySettings
from scrimp.gateway.context_settings import ContextSettings
from scrimp.gateway.lever_settings import RelocateSettings
from scrimp.gateway.loop_settings import LoopSettings
from scrimp.gateway.offload_settings import OffloadSettings
from scrimp.gateway.output_settings import OutputSettings
from scrimp.gateway.settings_fields import EnvName, FilePath, ScopeName, Size, UpstreamUrl, Usd, Zone, says
from scrimp.gateway.trim_settings import TrimSettings
from scrimp.telemetry.settings import TelemetrySettings

__all__ = [
    "ANTHROPIC",
    "ANTHROPIC_URL",
    "Auth",
    "Budget",
    "Limits",
    "Serve",
    "Settings",
    "Timeouts",
    "Upstream",
]

ANTHROPIC = "anthropic"
ANTHROPIC_URL = "https://api.anthropic.com"
"""The upstream that is there without being named."""

Auth = Literal["either", "keys", "passthrough"]
"""Who is let in: callers with a virtual key, callers with a key of their own that is passed on, or both."""

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Serve(msgspec.Struct, frozen=True, kw_only=True):
    """`[serve]`: where to listen, and what happens to calls."""

    host: Annotated[str, says("address to listen on; 0.0.0.0 is every network")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535), says("0 takes a free one")] = 8378
    workers: Annotated[int, Meta(ge=0, le=256), says("processes that serve; 0 is one for each processor")] = 1
    mode: Annotated[Mode, says("observe, safe or save; a virtual key may have its own")] = "safe"
    upstream: Annotated[str, says("for callers whose virtual key names none, or who have none")] = ANTHROPIC
    auth: Annotated[Auth, says("keys: virtual keys only; passthrough: callers' own only; either: both")] = (
        "either"
    )
    other_paths: Annotated[bool, says("pass on what else there is under /v1/")] = True
    capture: Annotated[bool, says("keep whole requests and answers, prompts included")] = False
    keep_days: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        says("days that single calls stay in the ledger; sums stay for good"),
    ] = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`[limits]`: how much is taken in at once."""

    body: Annotated[Size, says("longest body of a request")] = 32 * 2**20
    batch_body: Annotated[Size, says("longest body of a batch")] = 256 * 2**20
    buffered: Annotated[Size, says("bodies of all calls under way together; more are refused")] = 2**30
    headers: Annotated[Size, says("all headers of a request together")] = 64 * 2**10
    context: Annotated[
        Annotated[int, Meta(ge=1)] | None, says("most tokens of input of one call; longer ones are refused")
    ] = None
    concurrent: Annotated[int, Meta(ge=1), says("calls under way at once")] = 1024
    waiting: Annotated[int, Meta(ge=0), says("calls that wait for their turn; more are refused")] = 1024
    retries: Annotated[
        int, Meta(ge=0, le=10), says("tries again while no answer has begun, for callers that do not retry")
    ] = 2


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """`[timeouts]`, in seconds."""

    headers: Annotated[Seconds, says("seconds until a caller has sent its headers")] = 10.0
    request: Annotated[Seconds, says("until it has sent its body")] = 60.0
    turn: Annotated[Seconds, says("until a waiting call gets its turn")] = 10.0
    connect: Annotated[Seconds, says("until the upstream is connected")] = 10.0
    answer: Annotated[Seconds, says("until its answer begins; long answers may take minutes")] = 600.0
    silence: Annotated[Seconds, says("between two parts of an answer")] = 300.0
    drain: Annotated[Seconds, says("for calls under way when the gateway is told to stop")] = 30.0


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """`[upstream.NAME]`: where calls go, and where the key for callers with a virtual key comes from."""

    base_url: Annotated[UpstreamUrl, says("where the API answers, without /v1")]
    key_env: Annotated[EnvName | None, says("environment variable that holds its key")] = None
    key_file: Annotated[FilePath | None, says("file that holds its key")] = None
    key_header: Annotated[Literal["x-api-key", "authorization"], says("where its key is sent")] = "x-api-key"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """`[[budget]]`: a limit set when the gateway starts."""

    scope: Annotated[ScopeName, says("whose money: `organisation`, `team:core`, `user:*` (each by itself)")]
    amount: Annotated[Usd, says("US dollars")]
    window: Annotated[Window, says("day, month or total")] = "total"
    zone: Annotated[Zone, says("whose midnight begins days and months")] = "UTC"
    alert_at: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...], says("per cent at which to tell somebody")
    ] = (80,)

    def limit(self, now: float) -> Limit:
        """The limit, set at `now`."""
        return Limit(
            scope=self.scope,
            amount=self.amount,
            window=self.window,
            zone=self.zone,
            alert_at=self.alert_at,
            created_at=now,
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. The key of each table in the file stands beside it."""

    serve: Serve = Serve()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    upstreams: Mapping[str, Upstream] = msgspec.field(
        name="upstream", default_factory=lambda: {ANTHROPIC: Upstream(base_url=ANTHROPIC_URL)}
    )
    budgets: tuple[Budget, ...] = msgspec.field(name="budget", default=())
    fanout: FanoutSettings = FanoutSettings()
    warm: tuple[WarmSettings, ...] = ()
    loop: LoopSettings = LoopSettings()
    offload: OffloadSettings = OffloadSettings()
    relocate: RelocateSettings = RelocateSettings()
    trim: TrimSettings = TrimSettings()
    carry: CarrySettings = CarrySettings()
    context: ContextSettings = ContextSettings()
    output: OutputSettings = OutputSettings()
    alerts: AlertSettings = AlertSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether other machines may call."""
        return self.serve.host not in ("127.0.0.1", "::1", "localhost")
