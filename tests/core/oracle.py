"""The prompt cache told as plainly as the documents tell it: quadratic, no digests, no cleverness.

Written apart from the product to judge it. A prompt is a list of (text, tokens); a cache is a list of whole
prefixes that were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SECONDS = {"5m": 300, "1h": 3600}


@dataclass
class Written:
    prefix: list[str]
    ttl: str
    last_use: float
    readable: float


@dataclass
class Oracle:
    lookback: int
    minimum: int
    entries: list[Written] = field(default_factory=list)

    def call(
        self, blocks: list[tuple[str, int]], markers: dict[int, str], start: float, first_event: float
    ) -> dict[str, int]:
        texts = [text for text, _ in blocks]
        length = [sum(tokens for _, tokens in blocks[: i + 1]) for i in range(len(blocks))]
        total = length[-1]

        found = None
        for marked in sorted(markers, reverse=True):
            for position in range(marked, marked - self.lookback, -1):
                if position < 0 or found is not None:
                    continue
                entry = self._readable(texts[: position + 1], start)
                if entry is not None:
                    found = (position, entry)
            if found is not None:
                break

        read = 0
        deepest = -1
        if found is not None:
            deepest, entry = found
            read = length[deepest]
            entry.last_use = start

        to_write = [i for i in sorted(markers) if i > deepest and length[i] >= self.minimum]
        a = read
        b = max([a] + [length[i] for i in to_write if markers[i] == "1h"])
        c = max([b] + [length[i] for i in to_write])
        for i in to_write:
            self._write(texts[: i + 1], markers[i], start, first_event)
        return {"read": a, "write_1h": b - a, "write_5m": c - b, "plain": total - c}

    def _readable(self, prefix: list[str], now: float) -> Written | None:
        for entry in self.entries:
            alive = entry.readable <= now < entry.last_use + SECONDS[entry.ttl]
            if entry.prefix == prefix and alive:
                return entry
        return None

    def _write(self, prefix: list[str], ttl: str, start: float, first_event: float) -> None:
        for entry in self.entries:
            if entry.prefix == prefix and start < entry.last_use + SECONDS[entry.ttl]:
                # Written by a parallel call that has not begun to answer: one entry, readable from the first.
                entry.last_use = max(entry.last_use, start)
                entry.readable = min(entry.readable, first_event)
                entry.ttl = "1h" if "1h" in (entry.ttl, ttl) else "5m"
                return
        self.entries = [entry for entry in self.entries if entry.prefix != prefix]
        self.entries.append(Written(prefix, ttl, start, first_event))
