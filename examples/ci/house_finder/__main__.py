"""python -m house_finder "a house with a garden" """

from __future__ import annotations

import sys

import anthropic

from house_finder.agent import find

print(find(anthropic.Anthropic(), sys.argv[1]))
