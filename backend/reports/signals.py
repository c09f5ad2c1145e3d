"""Signals of guard reports."""

from django.dispatch import Signal

# Sent by ``create_report`` inside its transaction with ``report``; a receiver's exception undoes the report.
report_created = Signal()
