"""Settings of the shop; the first five and two middlewares are the platform's."""

import os
from pathlib import Path

import qu_workflows

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    *qu_workflows.APPS,
    "accounts",
    "orders",
]
TASKS = {"default": {"BACKEND": "qu_workflows.tasks.backends.StepFunctionsBackend", "QUEUES": []}}
USE_ASYNC_TASKS = True
WORKFLOW_ENGINE = "worker"

WORKER_ADDRESS = os.environ.get("WORKER_ADDRESS", "127.0.0.1:8084")
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "of-the-tests-and-nothing-else"
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
AUTH_USER_MODEL = "accounts.User"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
MIDDLEWARE = [
    "qu_workflows.console.middleware.ConsolePolicies",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "shop.urls"
STATIC_URL = "static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
USE_TZ = True
