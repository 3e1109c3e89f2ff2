"""How trials run: the order of things, the work, and who does it."""
