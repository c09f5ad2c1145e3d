"""Definitions of the workflows, with the stepfunctions SDK. Only workflows.render imports them."""
