"""What each lever of the checklist is: its title, what it risks, and the exact change to make."""

from __future__ import annotations

import msgspec

from scrimp.core.audit.checklist_model import Basis

__all__ = ["CARDS", "Card"]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One lever. `bold` says that it changes what the model reads or which model answers.

    `setting` are lines to copy, a shell line first where there is one; `loses` says why it does not pay where
    it does not.
    """

    lever: str
    title: str
    basis: Basis
    risk: str
    change: str
    setting: str = ""
    bold: bool = False
    assumes: str = ""
    loses: str = "it would not have been cheaper here"


_ELSEWHERE = "Claude Code itself cannot: there type /compact, or let it compact earlier."
_NONE = "None: the model reads the same prompt."

_ALL = (
    Card(
        lever="caching",
        title="Markers and lifetimes as scrimp places them",
        basis="replayed",
        risk=_NONE,
        change="Put scrimp in front of the client: start Claude Code through it, or add one line of code.",
        setting="scrimp run -- claude\nclient = anthropic.Anthropic(middleware=[scrimp.Middleware()])",
        loses="the markers that were sent are as good here",
    ),
    Card(
        lever="ttl-5m",
        title="Every cache write for five minutes",
        basis="replayed",
        risk=_NONE,
        change="Set the variable for Claude Code; in code leave ttl out of cache_control.",
        setting='export FORCE_PROMPT_CACHING_5M=1\n"cache_control": {"type": "ephemeral"}',
        loses="what would have expired costs more than an hour's dearer writes",
    ),
    Card(
        lever="ttl-1h",
        title="Every cache write for an hour",
        basis="replayed",
        risk=_NONE,
        change="Set the variable for Claude Code; in code ask for the hour in cache_control.",
        setting='export ENABLE_PROMPT_CACHING_1H=1\n"cache_control": {"type": "ephemeral", "ttl": "1h"}',
        loses="its dearer writes cost more than the writes they spare",
    ),
    Card(
        lever="one-route",
        title="All calls of a run to one provider, whose cache they then find",
        basis="replayed",
        risk=_NONE,
        change="Take the provider by run, not call by call: one upstream of the gateway, or one provider "
        "named to the router (the line in code is OpenRouter's).",
        setting='[upstream.anthropic]\nbase_url = "https://api.anthropic.com"\n'
        'extra_body={"provider": {"order": ["anthropic"], "allow_fallbacks": False}}',
        loses="the calls that went elsewhere cost no more there",
    ),
    Card(
        lever="keep-alive",
        title="One ping keeps what a call has cached alive",
        basis="replayed",
        risk=_NONE,
        change="Keep the prefix alive where a return within two lifetimes is likely: before each ping "
        "scrimp.Warmer asks whether it pays. Claude Code itself cannot: there an hour's lifetime helps.",
        setting="with scrimp.Warmer(client, request, gaps=middleware.gaps(request, label)) as warmer: ...",
        loses="its pings cost more than the writes they spare",
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
        setting="results = scrimp.fanout(client, requests)\n[fanout]\nenabled = true",
        loses="no write was spared by waiting",
    ),
    Card(
        lever="grouping",
        title="Runs that share a prefix start together, once an hour",
        basis="told",
        risk="Runs begin up to an hour later.",
        change="Start scheduled runs that share tools and system together, the first one alone.",
        assumes="that these runs can wait is your claim: no recording shows it",
        setting="0 * * * * first-agent && (second-agent & third-agent & wait)",
        loses="what they share was in the cache anyway, or is too short",
    ),
    Card(
        lever="carry",
        title="Old results cleared, or history summed up, when that pays: scrimp's Carry",
        basis="replayed",
        bold=True,
        risk="What was cleared or summed up is gone for the model: it may ask again.",
        change="Let scrimp decide it at each call, by prices, the state of the cache and how long such runs "
        "last: in code as a lever, for any client through the gateway in mode save.",
        setting="client = anthropic.Anthropic(middleware=[scrimp.Middleware(levers=[scrimp.Carry()])])\n"
        '[serve]\nmode = "save"\n[carry]\nenabled = true',
        assumes="a summary of 4,000 tokens, written on the agent's own cached prefix",
        loses="no conversation here is long enough to pay for what it would rewrite",
    ),
    Card(
        lever="clear",
        title="Old tool results cleared by the API, at its own thresholds",
        basis="replayed",
        bold=True,
        risk="What was cleared is gone for the model: it may ask again.",
        change="Let the API clear old tool results beyond 100,000 tokens, all but the last three; "
        + _ELSEWHERE,
        setting='client.beta.messages.create(..., betas=["context-management-2025-06-27"], '
        'context_management={"edits": [{"type": "clear_tool_uses_20250919"}]})',
        loses="beyond the threshold every step clears anew, and what follows is written again each time",
    ),
    Card(
        lever="clear-early",
        title="Old tool results cleared by the API early, and many at a time",
        basis="replayed",
        bold=True,
        risk="What was cleared is gone for the model: it may ask again.",
        change="Let the API clear old tool results beyond 50,000 tokens, never fewer than 20,000 at once; "
        + _ELSEWHERE,
        setting='client.beta.messages.create(..., betas=["context-management-2025-06-27"], '
        'context_management={"edits": [{"type": "clear_tool_uses_20250919", '
        '"trigger": {"type": "input_tokens", "value": 50000}, '
        '"clear_at_least": {"type": "input_tokens", "value": 20000}}]})',
        loses="what is written and fetched again costs more than shorter prompts spare",
    ),
    Card(
        lever="compact",
        title="History compacted by the API when it is long",
        basis="replayed",
        bold=True,
        risk="What the summary leaves out is gone for the model: decisions, paths and rules among it.",
        change="Let the API compact beyond 150,000 tokens and send its compaction block back with the "
        "history; Claude Code compacts by itself, within the window that the variable names.",
        setting="export CLAUDE_CODE_AUTO_COMPACT_WINDOW=150000\n"
        'client.beta.messages.create(..., betas=["compact-2026-01-12"], '
        'context_management={"edits": [{"type": "compact_20260112"}]})',
        assumes="a summary of 4,000 tokens, written on the agent's own cached prefix",
        loses="summaries, and what is fetched again, cost more than shorter prompts spare",
    ),
    Card(
        lever="trim",
        title="Only the last six tool calls kept, trimmed by the client at every step",
        basis="replayed",
        bold=True,
        risk="Every trim rewrites the cache from there on, and models whose thinking is bound refuse it.",
        change="Trim rarely and much at a time, at the same places again and again, and only where the API "
        "cannot clear or compact.",
        setting='messages = scrimp.trim(messages, model="claude-haiku-4-5", trigger=100_000, keep=50_000)',
        loses="every step trims anew, and what follows is written again each time",
    ),
    Card(
        lever="offload",
        title="Large tool results kept outside the context, with a handle",
        basis="estimated",
        bold=True,
        risk="The model has to ask for what the excerpt leaves out.",
        change="Cut results of more than 8,000 tokens to an excerpt of 2,000 and let a tool fetch the rest: "
        "scrimp.Offload does both, through the gateway too; Claude Code takes the most characters of a "
        "command's output and the most tokens of an MCP tool's.",
        assumes="half of the results that were cut are asked for again in full",
        setting="export BASH_MAX_OUTPUT_LENGTH=8000\nexport MAX_MCP_OUTPUT_TOKENS=8000\n"
        "client = anthropic.Anthropic(middleware=[scrimp.Middleware(levers=[scrimp.Offload(over=8_000)])])",
    ),
    Card(
        lever="successor",
        title="The newest model of the same family in place of older ones",
        basis="replayed",
        bold=True,
        risk="Answers differ; a newer model is not better at every task. Try it on your own cases first.",
        change="Name the newest model: for Claude Code by the variables, in code as model.",
        loses="its tokens would have cost more",
    ),
    Card(
        lever="small-model",
        title="A small model for many short, easy runs",
        basis="estimated",
        bold=True,
        risk="Answers may be worse: quality is not judged here. Compare on your own cases before switching.",
        change="Give these runs the small model: Claude Code's sub-agents by the variable, in code as model.",
        assumes="that the small model needs as many steps and as many words",
        loses="its cache takes longer prompts only, which costs more than its prices spare",
    ),
    Card(
        lever="batch",
        title="Message Batches for runs of one call",
        basis="told",
        risk="Answers come within 24 hours, most within one.",
        change="Send calls that nobody waits for through client.messages.batches.create.",
        setting='client.messages.batches.create(requests=[{"custom_id": "1", "params": request}])',
        assumes="that nobody waits for these runs is your claim: no recording shows it",
        loses="a cache that is only best effort costs more than half the price spares",
    ),
    Card(
        lever="effort",
        title="Less effort: for each tenth of the output spared",
        basis="told",
        bold=True,
        risk="Less thinking can mean worse answers and more steps.",
        change="Set a lower effort for easy work and compare; keep it the same within a conversation.",
        setting="export CLAUDE_CODE_EFFORT_LEVEL=medium\n"
        'client.messages.create(..., output_config={"effort": "medium"})',
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
        setting="key = (name, json.dumps(arguments, sort_keys=True))\n"
        'content = "unchanged" if answered.get(key) == result else result\n'
        "answered[key] = result",
    ),
    Card(
        lever="loop-guard",
        title="The same tool call three times and more in a row",
        basis="estimated",
        bold=True,
        risk="Polling on purpose looks the same.",
        change="Stop a run, or tell the model, at the third identical call in a row.",
        assumes="a guard would have stopped at the third call",
        setting='if asked[-3:] == [call] * 3:\n    raise RuntimeError("the same tool call three times")',
    ),
    Card(
        lever="parallel-tools",
        title="Look-ups that ran one after the other though independent",
        basis="estimated",
        bold=True,
        risk="None for the result; a model that is told to ask together may ask for more than it needs.",
        change="Tell the model to make independent look-ups in one turn, and run them together; leave "
        "disable_parallel_tool_use unset.",
        setting='echo "Make independent tool calls in one turn." >> CLAUDE.md\n'
        'system += "Make independent tool calls in one turn."',
        assumes="two look-ups in a row are independent where the second asks for nothing the first one found",
        loses="no look-up seems to have been independent of the one before",
    ),
    Card(
        lever="fan-out-cost",
        title="Sub-agents that cost more than the same steps would have in the main conversation",
        basis="estimated",
        bold=True,
        risk="Sub-agents keep the main context small and work side by side: money is not all they are for.",
        change="Let the main agent make short look-ups itself; give sub-agents work of many steps.",
        assumes="the main conversation would have needed the same steps and kept what they brought",
        setting='echo "Look small things up yourself; sub-agents are for work of many steps." >> CLAUDE.md',
        loses="sub-agents cost less than the same steps in the main conversation would have",
    ),
    Card(
        lever="runaway",
        title="A budget for runs: what a few spent far beyond their peers",
        basis="measured",
        bold=True,
        risk="A run that is stopped has not finished its work.",
        change="Cap a run at several times what is typical: scrimp refuses the call that would go beyond.",
        assumes="what was spent beyond the cap was not worth it",
        setting='with scrimp.run("nightly", budget="2.00"): ...',
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
        setting='client.messages.create(..., stop_sequences=["</answer>"])\n'
        'text = scrimp.until(stream, stop_when=lambda text: "</answer>" in text)',
    ),
)
CARDS = {card.lever: card for card in _ALL}
"""Every lever's card by its id."""
