"""Named shapes of agent traffic, and what caching strategies pay for them: `python -m benchmarks.caching`."""
