"""Speed of scrimp beside named baselines: `make bench`, or `python -m benchmarks --help`."""
