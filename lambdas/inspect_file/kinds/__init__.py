"""Detection of a file's type from its first bytes."""
