"""The examples of docs/prompt-layers.md run, one after the other, against the emulator."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import anthropic

from scrimp.emulator import Emulator

PAGE = (Path(__file__).parents[1] / "docs" / "prompt-layers.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run_and_do_what_the_page_says() -> None:
    with (
        Emulator(["Six euros."]) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="k") as client,
    ):
        names: dict[str, Any] = {"client": client}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            for example in EXAMPLES:
                exec(compile(example, "docs/prompt-layers.md", "exec"), names)  # noqa: S102 - our own page
        sent = emulator.requests[0].body
    assert names["answer"].content[0].text == "Six euros."
    assert sent["system"][-1]["text"] == "Ada rides in Berlin."
    assert sent["messages"][-1]["content"][-1] == {"type": "text", "text": "It is 14:03."}
    assert printed.getvalue().startswith("timestamp at system.0, byte ")
    assert "changed in 2 of 2 requests" in printed.getvalue()
    assert len(EXAMPLES) == 3
