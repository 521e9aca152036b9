"""What the API does to a history before the model reads it: clearing, compaction, and thinking that is bound.

    edits.py        `context_management` as values, and what is wrong with it
    clearing.py     tool results and thinking that give way to placeholders ("Context editing")
    compaction.py   summaries that stand for what was before them ("Compaction")
    binding.py      thinking that holds only where it was thought ("Extended thinking", preserved thinking)

Where the provider does not publish what happens, the choice is said beside the code.
"""
