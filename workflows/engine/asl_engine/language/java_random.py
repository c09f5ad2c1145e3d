"""The generator that a seed drives on AWS: java.util.Random.

https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Random.html
"""

_MULTIPLIER, _ADDEND, _MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1


def random_of_seed(seed: int) -> float:
    """Return what ``new Random(seed).nextDouble()`` does: 0 ≤ x < 1."""
    state = (seed ^ _MULTIPLIER) & _MASK
    high = _step(state)
    low = _step(high)
    return ((high >> 22 << 27) + (low >> 21)) / (1 << 53)


def _step(state: int) -> int:
    return (state * _MULTIPLIER + _ADDEND) & _MASK
