"""What may be found in a request that its bytes do not bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = ["Advisor", "Lifetime", "Seen", "ServerTool"]

Lifetime = Literal["", "5m", "1h"]
"""Of a marker; empty without one."""

_ALLOWED = 1_500
"""Tokens the provider adds to a prompt: the tool prompt is 804 at most ("Tool use", pricing), a format or
citations bring one as well; what opens and closes a prompt is a few tokens."""

_OBJECT = (dict, Mapping)


class ServerTool(msgspec.Struct, frozen=True):
    """A tool that the provider runs. `finds` are the most tokens it brings in all, None for no bound;
    a tool search brings definitions that the request holds anyway."""

    kind: str
    max_uses: int | None
    finds: int | None


class Advisor(msgspec.Struct, frozen=True):
    """Another model that is asked while the answer is made."""

    model: str
    max_uses: int | None
    max_tokens: int | None


class Seen(msgspec.Struct):
    """What was found.

    `chars` are characters of text, not all of them; `media` are bytes that are no text, `added` tokens that
    no byte stands for but those of images, `unseen` names what may be of any size. `images` counts images,
    `remote` those of them that may be others by the next request. `referenced` are the names of tools whose
    definitions stand once more where they are referred to, `inline` are tools that are defined among the
    messages. `ttl` is the longest lifetime of a marker. `compacts` is the prompt from which it is compacted,
    in tokens: 0 for a compaction on demand, None for none.
    """

    chars: int = 0
    media: int = 0
    added: int = 0
    unseen: list[str] = []
    images: int = 0
    remote: int = 0
    referenced: list[str] = []
    inline: list[Any] = []
    ttl: Lifetime = ""
    server_tools: list[ServerTool] = []
    advisors: list[Advisor] = []
    fallbacks: list[str | None] = []
    compacts: int | None = None

    def mark(self, value: Mapping[str, Any]) -> None:
        """Take in the marker of a block, if it has one."""
        control = value.get("cache_control")
        if control and self.ttl != "1h":
            long = isinstance(control, _OBJECT) and control.get("ttl") == "1h"
            self.ttl = "1h" if long else "5m"

    def more(self, found: Seen) -> None:
        """Take in what was found in blocks that follow."""
        self.chars += found.chars
        self.media += found.media
        self.added += found.added
        self.images += found.images
        self.remote += found.remote
        if found.unseen or found.referenced or found.inline:
            self.unseen += found.unseen
            self.referenced += found.referenced
            self.inline += found.inline
        if self.ttl != "1h" and found.ttl:
            self.ttl = found.ttl

    def beside_text(self, image: int) -> int:
        """Tokens beside the text's, less the bytes that are no text; `image` is the most an image has."""
        return _ALLOWED + self.added + self.images * image - self.media
