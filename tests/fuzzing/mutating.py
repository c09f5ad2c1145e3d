"""Mutates files to find faults in decoders: headers, lengths, ends, and splices."""

import random
from collections.abc import Callable, Sequence

# Numbers at which a decoder's arithmetic overflows.
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEAD_BYTES = 512  # where most headers are
_MOST_BYTES = 256 * 1024


def mutated(seed: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a seed with one to four mutations, determined by ``rng``."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        rng.choice(_WAYS)(data, others, rng)
    return bytes(data[:_MOST_BYTES])


def _flip(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    del others
    for _ in range(rng.randint(1, 8)):
        if data:
            data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _length(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    """Write a boundary value where a length, count or offset may be."""
    del others
    width = rng.choice((1, 2, 4, 8))
    at, number = _place(data, rng), rng.choice(_EDGES) & ((1 << 8 * width) - 1)
    data[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))


def _cut(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    del others
    del data[rng.randint(0, len(data)) :]


def _drop(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    del others
    at = _place(data, rng)
    del data[at : at + rng.randint(1, 64)]


def _repeat(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    del others
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.randint(1, 64)] * rng.randint(1, 50)


def _splice(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    """Continue with the rest of another file, or overwrite with a piece of it."""
    other = rng.choice(others)
    begin = rng.randint(0, len(other))
    if rng.random() < 0.3:
        at = rng.randint(0, len(data))
        data[at:] = other[begin:]
    else:
        piece = other[begin : begin + rng.randint(1, 128)]
        at = _place(data, rng)
        data[at : at + len(piece)] = piece


def _place(data: bytearray, rng: random.Random) -> int:
    """Return a position in the data, two times of three in its head."""
    length = len(data) if rng.random() < 1 / 3 else min(len(data), _HEAD_BYTES)
    return rng.randrange(length) if length else 0


_WAYS: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip,
    _flip,
    _length,
    _length,
    _cut,
    _drop,
    _repeat,
    _splice,
)
