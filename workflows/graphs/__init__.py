"""The graphs of the workflows, written with the stepfunctions SDK; only workflows.render imports them."""
