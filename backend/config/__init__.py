"""The Django project: settings, URLs and checks."""
