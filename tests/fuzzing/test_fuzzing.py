"""A short, fixed run of ``make fuzz``."""

import random

import pytest

from tests.fuzzing import trying
from tests.fuzzing.mutating import mutated
from tests.fuzzing.seeds import SEEDS
from tests.fuzzing.trying import try_file
from workflows.errors import DecoderCrashed, UnreadableImage

FILES_OF_A_KIND = 6


def chance(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311  a repeatable sequence


@pytest.fixture(scope="module")
def seeds() -> dict[str, bytes]:
    return {name: make() for name, make in SEEDS.items()}


def test_a_mutation_can_be_repeated(seeds: dict[str, bytes]) -> None:
    first, second = (mutated(seeds["jpeg"], list(seeds.values()), chance(7)) for _ in range(2))

    assert first == second != seeds["jpeg"]


@pytest.mark.parametrize("kind", SEEDS)
def test_a_broken_file_gets_a_verdict_and_breaks_no_function(kind: str, seeds: dict[str, bytes]) -> None:
    rng = chance(kind)

    for _ in range(FILES_OF_A_KIND):
        data = mutated(seeds[kind], list(seeds.values()), rng)
        assert try_file(data).fault == "", data.hex()


@pytest.mark.parametrize(
    ("raised", "fault"),
    [
        (KeyError("width"), "KeyError"),
        (DecoderCrashed("k", "crashed its decoder (IndexError).", "Save it again."), "IndexError"),
        (UnreadableImage("k", "", ""), "without a reason"),
    ],
)
def test_a_fault_is_reported(monkeypatch: pytest.MonkeyPatch, raised: Exception, fault: str) -> None:
    def fail(*_: object) -> str:
        raise raised

    monkeypatch.setattr(trying, "inspect_file", fail)

    assert fault in try_file(b"x").fault
