"""Tables of settings that switch levers on."""

from __future__ import annotations

from typing import Annotated

import msgspec

from scrimp.gateway.settings_fields import says

__all__ = ["RelocateSettings"]


class RelocateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[relocate]`: system text that changes from request to request goes behind what stays."""

    enabled: Annotated[bool, says("for callers in mode save")] = False
