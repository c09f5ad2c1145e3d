"""Every timer of every execution, in one heap: a waiting execution costs an entry, and no thread."""

from heapq import heapify, heappop, heappush

type Timer = tuple[int, int, str, int, int]  # at_ms, order, execution's ARN, branch, token

_FEW = 1000


class Timers:
    """The timers set and not yet due. Used by the engine's thread alone."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = 0
        self._dropped: dict[str, int] = {}  # ARN -> timers set before this one are dead

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, at_ms: int, arn: str, branch_id: int, token: int) -> None:
        """Set a timer. One that is not wanted any more may stay: its token shows that."""
        self._order += 1
        heappush(self._heap, (at_ms, self._order, arn, branch_id, token))

    def drop(self, arn: str) -> None:
        """Forget the timers of an execution that has closed."""
        self._dropped[arn] = self._order
        if len(self._dropped) > max(_FEW, len(self._heap) // 2):
            self._heap = [timer for timer in self._heap if self._alive(timer)]
            heapify(self._heap)
            self._dropped.clear()

    def _alive(self, timer: Timer) -> bool:
        return timer[1] > self._dropped.get(timer[2], 0)

    def next_ms(self) -> int | None:
        """Return when the next timer is due, or None."""
        while self._heap and not self._alive(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_ms: int, limit: int) -> list[Timer]:
        """Take out up to ``limit`` timers whose time has come, the earliest first."""
        found: list[Timer] = []
        while len(found) < limit and (at_ms := self.next_ms()) is not None and at_ms <= now_ms:
            found.append(heappop(self._heap))
        return found
