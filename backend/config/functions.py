"""Settings of the functions that need the database: models, templates and tasks, no web framework."""

from config.base import *  # noqa: F403  the shared settings are this module's own

TASK_SEND_IN_BACKGROUND = False  # once a function has answered, its threads stand still
