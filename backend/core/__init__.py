"""People, places, shifts and API keys."""
