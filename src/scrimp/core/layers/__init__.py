"""A prompt built in layers, from what changes slowest to what changes fastest, each with its own marker."""

from scrimp.core.layers.builder import Layers
from scrimp.core.layers.contents import Content
from scrimp.core.layers.slots import Pace

__all__ = ["Content", "Layers", "Pace"]
