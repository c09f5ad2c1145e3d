"""Settings of the web process: the API, the back office, the management commands."""

from datetime import timedelta

from config.base import *  # noqa: F403  the shared settings are this module's own
from config.base import BASE_DIR, INSTALLED_APPS, PUBLIC_URL, SECRET_KEY, STAGE
from config.environment import read_bool, read_int, read_list, read_text
from qu_workflows.console.defaults import MASKED_KEYS

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "qu_workflows.dead_letters",
    "qu_workflows.schedules",
    "qu_workflows.console",
    "qu_workflows.worker",
    "back_office",
    "config",
    *INSTALLED_APPS,
]
MIDDLEWARE = [
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "qu_workflows.console.middleware.ConsolePolicies",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
WHITE_NOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
CSRF_FAILURE_VIEW = "qu_workflows.console.errors.csrf_failure"
LOGIN_URL = "admin:login"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "static/"
STATIC_ROOT = read_text("DJANGO_STATIC_ROOT") or BASE_DIR.parent / ".local" / "static"
# For Lambda, which has no other server for static files. They are collected when the package is built.
if read_bool("DJANGO_SERVE_STATIC"):
    MIDDLEWARE.insert(MIDDLEWARE.index("django.middleware.security.SecurityMiddleware") + 1, WHITE_NOISE)
# Of pages without a policy of their own: the admin, and the pages of the API's documentation. Pictures may be in S3.
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:", "https:"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}
CSRF_TRUSTED_ORIGINS = read_list("DJANGO_CSRF_TRUSTED_ORIGINS")
AUTHENTICATION_BACKENDS = ["core.throttling.ThrottledSignIn", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

if PUBLIC_URL.startswith("https://"):  # always in production, and on AWS for dev, too
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^livez/$"]  # requested on the same machine, without TLS
    SECURE_HSTS_SECONDS = 31_536_000
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

# The console reads logs of steps from CloudWatch Logs, or from this file of the local stack.
FUNCTIONS_LOG_FILE = read_text("FUNCTIONS_LOG_FILE")

# The console masks the values of these keys in payloads.
CONSOLE_MASKED_KEYS = read_list("CONSOLE_MASKED_KEYS", ",".join(MASKED_KEYS))

# Proxies in front of this process, each of which adds an address to X-Forwarded-For: the gateway, in production.
TRUSTED_PROXIES = read_int("TRUSTED_PROXIES", 1 if STAGE == "production" else 0)
UPLOADS_PER_MINUTE = read_int("UPLOADS_PER_MINUTE", 60)  # of one guard

# Limits of uploads: a larger one is refused before anything is stored.
UPLOAD_MAX_FILES = read_int("UPLOAD_MAX_FILES", 10)
UPLOAD_MAX_FILE_BYTES = read_int("UPLOAD_MAX_FILE_BYTES", 100 * 1024 * 1024)
UPLOAD_MAX_TOTAL_BYTES = read_int("UPLOAD_MAX_TOTAL_BYTES", 250 * 1024 * 1024)
FILE_UPLOAD_HANDLERS = [
    "reports.files.uploads.LimitedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FILES = UPLOAD_MAX_FILES + 1  # one more, so that the API can report the limit

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["core.permissions.BackOfficePermissions"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.rest.Pages",
    "DEFAULT_PARSER_CLASSES": ["core.parsers.BoundedJsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.rest.handle_exception",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "SIGNING_KEY": SECRET_KEY,
    "CHECK_REVOKE_TOKEN": True,  # a new password ends the tokens of the old one
}
SPECTACULAR_SETTINGS = {
    "TITLE": "QU Security API",
    "DESCRIPTION": "Guard reports from the mobile app, and the back office.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.rest.document_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
        "FileStateEnum": "reports.models.FileState",
        "ShiftStatusEnum": "core.models.ShiftStatus",
        "TaskStatusEnum": "qu_workflows.records.models.TaskStatus",
    },
}
# Allows keys of the installation, each of which acts for the guard that X-Guard-ID names.
API_KEYS_FOR_ALL_GUARDS = read_bool("API_KEYS_FOR_ALL_GUARDS")
API_DOCS = read_bool("API_DOCS", default=STAGE != "production")
