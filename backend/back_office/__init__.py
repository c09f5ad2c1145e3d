"""The admin's pages of guard reports."""
