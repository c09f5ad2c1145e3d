"""One at a time, across processes: who takes a turn in a transaction keeps it until that ends."""

import hashlib

from django.db import connection


def take_turn(name: str) -> None:
    """Wait until no other transaction has the turn of this name, and hold it to the end of the caller's own.

    A process that dies gives its turn back with its connection. Outside of a transaction it holds nothing.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    if connection.vendor != "postgresql":  # SQLite, for a first look, has one writer at a time anyway
        return
    key = int.from_bytes(hashlib.sha256(f"the turn of {name}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
