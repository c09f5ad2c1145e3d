"""Django system checks of the project's settings."""
