"""Stores of documents and executions: in one SQLite file or in memory.

Documents are state machines, versions, aliases, activities, tags, definitions and Map Runs; an execution has
branches and a history. Every method of a store may be called from any thread. A page continues ``after`` the
last item of the page before.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # SQLite is imported by those who use it
    from asl_engine.store.memory import MemoryStore
    from asl_engine.store.sqlite import SqliteStore

type Store = MemoryStore | SqliteStore
