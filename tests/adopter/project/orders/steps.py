"""The steps of the workflow ``ship_order``."""

from collections.abc import Callable, Mapping
from typing import Any


class OutOfStock(Exception):
    """There is nothing left to ship."""


def reserve_stock(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Reserve what was ordered. Raises OutOfStock."""
    if event["quantity"] > 10:
        raise OutOfStock(f"order {event['order_id']}")
    return {"order_id": event["order_id"], "reserved": event["quantity"]}


def print_label(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return the label of what was reserved."""
    return {"label": f"order {event['order_id']}, {event['reserved']} pieces"}


def write_payload(key: str, _data: bytes) -> None:
    """Refuse a payload that is too large to travel inline: the shop has none."""
    raise ValueError(key)


HANDLERS: Mapping[str, Callable[[dict[str, Any], Any], Any]] = {
    "reserve_stock": reserve_stock,
    "print_label": print_label,
}
