"""What scrimp's exit status means: one table for every command.

| status | name | when |
|---|---|---|
| 0 | `OK` | done, and every check asked for held |
| 1 | `BROKEN_PROMISE` | it ran, but a check or a promise did not hold |
| 2 | `USAGE` | the command line itself is wrong: unknown command or option, a value that is not allowed |
| 3 | `INPUT` | input that cannot be used: a file, line or field, named in the message |
| 4 | `SYSTEM` | the system refused: a file or folder that cannot be read or written |
| 70 | `INTERNAL` | a fault in scrimp itself (`EX_SOFTWARE`); `SCRIMP_DEBUG=1` shows the traceback |
| 130 | `INTERRUPTED` | stopped with Ctrl-C, as a shell reports it |
| 141 | `READER_GONE` | whoever read the output went away (`head -1`), as a shell reports it |
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Exit status of the `scrimp` command; see the table at the top of the module."""

    OK = 0
    BROKEN_PROMISE = 1
    USAGE = 2
    INPUT = 3
    SYSTEM = 4
    INTERNAL = 70
    INTERRUPTED = 130
    READER_GONE = 141
