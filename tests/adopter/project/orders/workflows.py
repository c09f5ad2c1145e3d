"""The shop's workflows."""

from typing import Any

from qu_workflows.tasks.authoring import step, workflow


class OutOfStock(Exception):
    """There is nothing left to ship."""


@step(permanent=(OutOfStock,))
def reserve_stock(order_id: int, quantity: int) -> dict[str, Any]:
    """Reserve the ordered pieces. Raises OutOfStock."""
    if quantity > 10:
        raise OutOfStock(f"order {order_id}")
    return {"order_id": order_id, "reserved": quantity}


@step
def print_label(order_id: int, reserved: int) -> dict[str, Any]:
    """Return the label of the reserved pieces."""
    return {"label": f"order {order_id}, {reserved} pieces"}


ship_order = workflow("ship_order", reserve_stock, print_label)
