"""The engine's errors and public names."""

import pickle

import pytest

import asl_engine
from asl_engine.adapters.performer import TaskError
from asl_engine.errors import (
    ApiError,
    EngineError,
    ExecutionDoesNotExist,
    ExecutionStalled,
    ExpressionMalformed,
    RunnerStopped,
    StateFailed,
)
from asl_engine.store.sqlite import StoreInUse, StoreTooNew

ERRORS = [
    ApiError("ValidationException", "too long"),
    ExecutionDoesNotExist("arn:execution"),
    ExecutionStalled("arn:execution", ["Watch"]),
    ExpressionMalformed("$.[", 2, "a name was expected"),
    RunnerStopped("it was closed"),
    StateFailed("Broken", "because", location="Output", headed=True),
    StoreInUse("engine.sqlite3"),
    StoreTooNew("engine.sqlite3", 3, 2),
    TaskError("Broken", "because", "submit"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_has_where_and_problem_and_can_be_pickled(error: EngineError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes

    assert (type(copy), str(copy), copy.__dict__) == (type(error), str(error), error.__dict__)
    assert str(error.where or "") in str(error)
    assert str(error.problem) in str(error)


def test_an_error_ends_with_its_remedy() -> None:
    error = StoreInUse("engine.sqlite3")

    assert str(error) == f"engine.sqlite3: another process uses this file. {error.remedy}"


def test_every_public_name_exists() -> None:
    assert [name for name in asl_engine.__all__ if getattr(asl_engine, name).__name__ != name] == []
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = asl_engine.no_such_name
