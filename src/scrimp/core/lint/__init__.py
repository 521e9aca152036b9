"""Cost bugs in source code, found by its syntax tree alone: nothing of it is imported or run."""
