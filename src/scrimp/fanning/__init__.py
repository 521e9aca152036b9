"""Many requests at once that write what they share once.

    answers = await scrimp.fanout(client, [{"model": …, "max_tokens": …, "messages": …}, …], limit=16)

`requests.py` reads the requests, `board.py` keeps the score, `sending.py` sends one of them, and two short
drivers, `threads.py` and `tasks.py`, move them along. When each goes is decided in `core.fanout`.
"""

from __future__ import annotations

from scrimp.fanning.fanout import fanout

__all__ = ["fanout"]
