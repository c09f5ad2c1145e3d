"""Inspects PDFs, Office files, archives and markup for what would harm whoever opens them."""
