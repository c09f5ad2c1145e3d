"""A definition: what is wrong with it, all at once, and what it compiles to."""
