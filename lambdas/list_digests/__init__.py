"""Lists the clients who get a digest, for the "List Digests" state."""
