"""An answer that was read to its end before the client sees any of it."""

from __future__ import annotations

from scrimp.gateway.upstream import BrokenOffError, UpstreamAnswer

__all__ = ["WholeAnswer", "read_whole"]


class WholeAnswer(UpstreamAnswer):
    """Stands for an answer whose `content` was taken; with `broken`, it ended before it was over."""

    def __init__(self, answer: UpstreamAnswer, content: bytes, broken: BrokenOffError | None) -> None:
        self.status = answer.status  # no `super`: the connection serves another request by now
        self.named = answer.named
        self.head = answer.head
        self.raw_headers = answer.raw_headers
        self._rest = content
        self._broken = broken
        self.content = content

    def is_over(self) -> bool:
        """Whether all of it was taken, to an end that is one."""
        return not self._rest and self._broken is None

    def at_hand(self) -> bytes:
        """All that is left."""
        rest, self._rest = self._rest, b""
        return rest

    async def part(self) -> bytes:
        """All that is left. Raises `BrokenOffError` when what came before it was taken."""
        if not self._rest and self._broken is not None:
            raise self._broken
        return self.at_hand()

    def close(self) -> None:
        """There is nothing to close any more."""


async def read_whole(answer: UpstreamAnswer) -> WholeAnswer:
    """All of an answer, or as much of it as comes."""
    parts: list[bytes] = []
    broken = None
    try:
        while part := await answer.part():
            parts.append(part)
    except BrokenOffError as error:
        broken = error
    finally:
        answer.close()
    return WholeAnswer(answer, b"".join(parts), broken)
