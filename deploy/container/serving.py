"""Settings of gunicorn in the container: https://gunicorn.org/reference/settings/."""

import os

bind = f"{os.environ.get('GUNICORN_HOST', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"  # noqa: S104  a container's own
# A Lambda instance has one request at a time, and Fargate scales by tasks: one process holds the connections.
workers = 1
threads = int(os.environ.get("GUNICORN_THREADS", "4"))
preload_app = True  # Django is loaded before the adapter's first check
worker_tmp_dir = "/tmp"  # noqa: S108  the only writable folder on Lambda
control_socket_disable = True  # it needs a home folder
timeout = 60
keepalive = 5  # longer than the adapter's 4 s, so that gunicorn does not close first
accesslog = None  # API Gateway logs the requests
errorlog = "-"
