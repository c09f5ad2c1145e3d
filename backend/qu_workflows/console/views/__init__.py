"""The console's views, one module for each section: thin, over services."""
