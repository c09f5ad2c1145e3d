"""Settings of functions with a database: models, templates and tasks, no web framework."""

from config.base import *  # noqa: F403  the shared settings are this module's own

TASK_SEND_IN_BACKGROUND = False  # threads are frozen after the response
