"""The console's views, one module for each section."""
