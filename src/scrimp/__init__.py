"""scrimp: the cost controller for Claude agents."""

__version__ = "0.1.0"

__all__ = ["__version__"]
