"""The documentation: pages, and what renders and builds them."""
