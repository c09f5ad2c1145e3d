"""The functions: which there are, what each needs, and the zip that is built of it."""
