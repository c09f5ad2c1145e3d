"""Django in a container."""
