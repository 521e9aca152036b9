"""What every door into scrimp shares: the desk of a call, and the office behind all desks."""

from __future__ import annotations

from scrimp.office.call_desk import CallDesk
from scrimp.office.listening import Listener
from scrimp.office.office import ORGANISATION_HEADER, Office
from scrimp.office.reading import Reading
from scrimp.office.remembering import Remembering

__all__ = ["ORGANISATION_HEADER", "CallDesk", "Listener", "Office", "Reading", "Remembering"]
