"""What an agent will cost before it exists: made-up runs, billed by the same cache and prices as real ones.

workload.py   what is asked: steps, tokens, models, caching, runs a day
terms.py      what tokens cost and what the cache allows: published, or as someone stated them
synthetic.py  the requests of a made-up run, as prompts with lengths
simulate.py   runs through the cache, until each is billed like the one before it
amounts.py    sums of calls, tokens and money
estimate.py   run, day and month, over models and batches, and what other settings would cost
offered.py    which names can be priced on a day
remarks.py    what the reader should know about the workload
unused.py     settings that change nothing beside the others
classics/     worked examples that are told everywhere, recomputed
"""
