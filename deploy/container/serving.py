"""Settings of gunicorn in the container: https://gunicorn.org/reference/settings/ has each setting."""

import os

bind = f"{os.environ.get('GUNICORN_HOST', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"  # noqa: S104  a container's own
# An instance of Lambda has one request at a time, and Fargate more tasks: no second process to hold connections.
workers = 1
threads = int(os.environ.get("GUNICORN_THREADS", "4"))
preload_app = True  # Lambda's start is over once the adapter is answered: Django is loaded by then
worker_tmp_dir = "/tmp"  # noqa: S108  the one folder of Lambda that can be written to
control_socket_disable = True  # it would be made in the home folder, which there is none of
timeout = 60
keepalive = 5  # longer than the adapter keeps an idle connection (4 s): gunicorn is not the one that hangs up
accesslog = None  # API Gateway has the requests
errorlog = "-"
