"""Inspects PDFs, Office files, archives and markup for active content."""
