"""What each lever of the checklist is: its title, what it risks, and the exact change to make."""

from __future__ import annotations

import msgspec

from scrimp.core.audit.checklist_model import Basis

__all__ = ["CARDS", "Card"]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One lever. `bold` says that it changes what the model reads or which model answers."""

    lever: str
    title: str
    basis: Basis
    risk: str
    change: str
    setting: str = ""
    bold: bool = False
    assumes: str = ""


_NONE = "None: the model reads the same prompt."

_ALL = (
    Card(
        lever="caching",
        title="Markers and lifetimes as scrimp places them",
        basis="replayed",
        risk=_NONE,
        change="Put scrimp in front of the client; for Claude Code: scrimp run -- claude",
        setting="client = anthropic.Anthropic(middleware=[scrimp.Middleware()])",
    ),
    Card(
        lever="ttl-5m",
        title="Every cache write for five minutes",
        basis="replayed",
        risk=_NONE,
        change='Set the variable for Claude Code; in code write {"type": "ephemeral"} without a ttl.',
        setting="export FORCE_PROMPT_CACHING_5M=1",
    ),
    Card(
        lever="ttl-1h",
        title="Every cache write for an hour",
        basis="replayed",
        risk=_NONE,
        change='Set the variable for Claude Code; in code write {"type": "ephemeral", "ttl": "1h"}.',
        setting="export ENABLE_PROMPT_CACHING_1H=1",
    ),
    Card(
        lever="one-route",
        title="All calls of a run to one provider, whose cache they then find",
        basis="replayed",
        risk=_NONE,
        change="Take the provider by run, not call by call: give a router a session key, or one upstream.",
        setting="[upstream.anthropic]",
    ),
    Card(
        lever="keep-alive",
        title="One ping keeps what a call has cached alive",
        basis="replayed",
        risk=_NONE,
        change="Keep the prefix alive where a return within two lifetimes is likely: before each ping "
        "scrimp.Warmer asks whether it pays.",
        setting="with scrimp.Warmer(client, request, gaps=middleware.gaps(request, label)) as warmer: ...",
    ),
    Card(
        lever="warm-up",
        title="Warm-up before the first call",
        basis="told",
        risk=_NONE,
        change="None for the bill: a warm-up pays the write that the first call would pay. It shortens the "
        "wait for the first token, and spares writes where several calls start at once (see fan-out).",
    ),
    Card(
        lever="fan-out",
        title="Of calls that would write one prefix at once, one goes first",
        basis="replayed",
        risk=_NONE + " The others wait for the first one's answer to begin.",
        change="Send fan-outs through scrimp.fanout, or through the gateway, where [fanout] is on.",
        setting="results = scrimp.fanout(client, requests)",
    ),
    Card(
        lever="grouping",
        title="Runs that share a prefix start together, once an hour",
        basis="told",
        risk="Runs begin up to an hour later.",
        change="Start scheduled runs that share tools and system at the same minute, the first one alone.",
        assumes="that these runs can wait is your claim: no recording shows it",
    ),
    Card(
        lever="clear",
        title="Old tool results cleared by the API, at its own thresholds",
        basis="replayed",
        bold=True,
        risk="What was cleared is gone for the model: it may ask again.",
        change="Let the API clear old tool results beyond 100,000 tokens, all but the last three.",
        setting='client.beta.messages.create(..., betas=["context-management-2025-06-27"], '
        'context_management={"edits": [{"type": "clear_tool_uses_20250919"}]})',
    ),
    Card(
        lever="clear-early",
        title="Old tool results cleared by the API early, and many at a time",
        basis="replayed",
        bold=True,
        risk="What was cleared is gone for the model: it may ask again.",
        change="Let the API clear old tool results beyond 50,000 tokens, never fewer than 20,000 at once.",
        setting='context_management={"edits": [{"type": "clear_tool_uses_20250919", '
        '"trigger": {"type": "input_tokens", "value": 50000}, '
        '"clear_at_least": {"type": "input_tokens", "value": 20000}}]}',
    ),
    Card(
        lever="compact",
        title="History compacted by the API when it is long",
        basis="replayed",
        bold=True,
        risk="What the summary leaves out is gone for the model: decisions, paths and rules among it.",
        change="Let the API compact beyond 150,000 tokens; send the compaction block back with the history.",
        setting='client.beta.messages.create(..., betas=["compact-2026-01-12"], '
        'context_management={"edits": [{"type": "compact_20260112"}]})',
        assumes="a summary of 4,000 tokens, written on the agent's own cached prefix",
    ),
    Card(
        lever="trim",
        title="Only the last six tool calls kept, trimmed by the client at every step",
        basis="replayed",
        bold=True,
        risk="Every trim rewrites the cache from there on, and models whose thinking is bound refuse it.",
        change="Trim rarely and much at a time, and only where the API cannot clear or compact.",
    ),
    Card(
        lever="offload",
        title="Large tool results kept outside the context, with a handle",
        basis="estimated",
        bold=True,
        risk="The model has to ask for what the excerpt leaves out.",
        change="Cut results of more than 8,000 tokens to an excerpt of 2,000 and let a tool fetch the rest.",
        assumes="half of the results that were cut are asked for again in full",
    ),
    Card(
        lever="successor",
        title="The newest model of the same family in place of older ones",
        basis="replayed",
        bold=True,
        risk="Answers differ; a newer model is not better at every task. Try it on your own cases first.",
        change="Name the newest model; for Claude Code by variable.",
    ),
    Card(
        lever="small-model",
        title="A small model for many short, easy runs",
        basis="estimated",
        bold=True,
        risk="Answers may be worse: quality is not judged here. Compare on your own cases before switching.",
        change="Give these runs the small model; for Claude Code's sub-agents by variable.",
        assumes="that the small model needs as many steps and as many words",
    ),
    Card(
        lever="batch",
        title="Message Batches for runs of one call",
        basis="told",
        risk="Answers come within 24 hours, most within one.",
        change="Send calls that nobody waits for through client.messages.batches.create.",
        setting="client.messages.batches.create(requests=[...])",
        assumes="that nobody waits for these runs is your claim: no recording shows it",
    ),
    Card(
        lever="effort",
        title="Less effort: for each tenth of the output spared",
        basis="told",
        bold=True,
        risk="Less thinking can mean worse answers and more steps.",
        change="Set a lower effort for easy work and compare; keep it the same within a conversation.",
        setting="export CLAUDE_CODE_EFFORT_LEVEL=medium",
        assumes="a tenth is no forecast: what an effort does to answers depends on the work",
    ),
    Card(
        lever="unused-tools",
        title="Tools that are sent with every request and never used",
        basis="estimated",
        bold=True,
        risk="A tool that was not needed so far may be needed later.",
        change="Leave the tools named here out, or load them on demand (defer_loading with tool search).",
        setting='{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}',
        assumes="lengths of single tools are estimated between billed totals",
    ),
    Card(
        lever="tool-cache",
        title="Identical tool calls answered twice with the same result",
        basis="estimated",
        bold=True,
        risk="A tool whose answer can change must not be remembered.",
        change="Remember results inside a session by tool and arguments, and answer a repeat with one line "
        'that says so ("unchanged since step 4").',
        assumes="a repeat is answered in a line of its own",
    ),
    Card(
        lever="loop-guard",
        title="The same tool call three times and more in a row",
        basis="estimated",
        bold=True,
        risk="Polling on purpose looks the same.",
        change="Stop a run, or tell the model, at the third identical call in a row.",
        assumes="a guard would have stopped at the third call",
    ),
    Card(
        lever="parallel-tools",
        title="Look-ups that ran one after the other though independent",
        basis="estimated",
        bold=True,
        risk="None for the result; a model that is told to ask together may ask for more than it needs.",
        change="Tell the model to make independent look-ups in one turn, and run them together; leave "
        "disable_parallel_tool_use unset.",
        setting='system += "Make independent tool calls in one turn."',
        assumes="two look-ups in a row are independent where the second asks for nothing the first one found",
    ),
    Card(
        lever="fan-out-cost",
        title="Sub-agents that cost more than the same steps would have in the main conversation",
        basis="estimated",
        bold=True,
        risk="Sub-agents keep the main context small and work side by side: money is not all they are for.",
        change="Let the main agent make short look-ups itself; give sub-agents work of many steps.",
        assumes="the main conversation would have needed the same steps and kept what they brought",
    ),
    Card(
        lever="runaway",
        title="A budget for runs: what a few spent far beyond their peers",
        basis="measured",
        bold=True,
        risk="A run that is stopped has not finished its work.",
        change="Cap a run at several times what is typical: scrimp refuses the call that would go beyond.",
        assumes="what was spent beyond the cap was not worth it",
    ),
    Card(
        lever="fees",
        title="Fees beside tokens: web searches, fast mode, regional endpoints",
        basis="measured",
        bold=True,
        risk="Slower answers without fast mode; other places of processing without a regional endpoint.",
        change="Limit max_uses of web search, leave speed at standard, use the global endpoint if allowed.",
        setting='{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}',
    ),
    Card(
        lever="early-stop",
        title="Streams closed once the answer is complete",
        basis="told",
        bold=True,
        risk="What comes after is lost.",
        change="Ask for the answer alone, and set stop_sequences after its end.",
        setting='client.messages.create(..., stop_sequences=["</answer>"])',
    ),
)
CARDS = {card.lever: card for card in _ALL}
"""Every lever's card by its id."""
