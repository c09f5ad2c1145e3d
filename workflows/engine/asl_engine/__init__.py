"""The Amazon States Language in one process: core, store, runner and AWS's API.

The names below are public; each is imported at its first use, so that one does not load all others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asl_engine.adapters.functions import FunctionPerformer
    from asl_engine.adapters.performer import Performer, TaskCall, TaskError
    from asl_engine.clock import Clock, SkippingClock, SystemClock
    from asl_engine.core.redrivability import RedriveStatus, redrivability
    from asl_engine.definition import load
    from asl_engine.definition.diagnostics import DefinitionRefused
    from asl_engine.errors import EngineError
    from asl_engine.hosted import HostedEngine
    from asl_engine.in_process import Result, run
    from asl_engine.runner import Runner
    from asl_engine.store import Store
    from asl_engine.store.memory import MemoryStore
    from asl_engine.store.records import ExecutionRecord
    from asl_engine.store.sqlite import SqliteStore, StoreInUse

__all__ = [
    "Clock",
    "DefinitionRefused",
    "EngineError",
    "ExecutionRecord",
    "FunctionPerformer",
    "HostedEngine",
    "MemoryStore",
    "Performer",
    "RedriveStatus",
    "Result",
    "Runner",
    "SkippingClock",
    "SqliteStore",
    "Store",
    "StoreInUse",
    "SystemClock",
    "TaskCall",
    "TaskError",
    "load",
    "redrivability",
    "run",
]

_HOMES = {
    "asl_engine.adapters.functions": ("FunctionPerformer",),
    "asl_engine.adapters.performer": ("Performer", "TaskCall", "TaskError"),
    "asl_engine.clock": ("Clock", "SkippingClock", "SystemClock"),
    "asl_engine.core.redrivability": ("RedriveStatus", "redrivability"),
    "asl_engine.definition": ("load",),
    "asl_engine.definition.diagnostics": ("DefinitionRefused",),
    "asl_engine.errors": ("EngineError",),
    "asl_engine.hosted": ("HostedEngine",),
    "asl_engine.in_process": ("Result", "run"),
    "asl_engine.runner": ("Runner",),
    "asl_engine.store": ("Store",),
    "asl_engine.store.records": ("ExecutionRecord",),
    "asl_engine.store.memory": ("MemoryStore",),
    "asl_engine.store.sqlite": ("SqliteStore", "StoreInUse"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
