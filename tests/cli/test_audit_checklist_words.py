"""Who can follow what an audit advises."""

from __future__ import annotations

import pytest

from scrimp.cli.audit_checklist_words import ONLY, followed_in
from scrimp.core.audit.cards import CARDS, Card
from tests.cli.audit_sample import sample_finding

BOTH = ("claude-code", "code")


@pytest.mark.parametrize(
    ("setting", "who"),
    [
        ("export ENABLE_PROMPT_CACHING_1H=1", ("claude-code",)),
        ("claude  # a new session, in place of claude --resume", ("claude-code",)),
        ("scrimp run --budget 2 -- claude", ("claude-code",)),
        ('client.messages.create(..., output_config={"effort": "medium"})', ("code",)),
        ("export CLAUDE_CODE_EFFORT_LEVEL=medium\nclient.messages.create(...)", BOTH),
        ("results = scrimp.fanout(client, requests)\n[fanout]\nenabled = true", BOTH),
        ("0 * * * * first-agent && (second-agent & wait)", BOTH),
        ("", ()),
    ],
)
def test_lines_to_copy_tell_whom_advice_is_for(setting: str, who: tuple[str, ...]) -> None:
    assert followed_in(sample_finding(setting=setting)) == who


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.lever)
def test_what_claude_code_cannot_do_has_no_line_for_it(card: Card) -> None:
    finding = sample_finding(setting=card.setting, change=card.change)
    if "Claude Code itself cannot" in finding.change:
        assert ONLY[followed_in(finding)] == "your own code only"
    if "the variable" in finding.change and finding.setting:
        assert followed_in(finding) == BOTH
