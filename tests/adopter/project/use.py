"""Enqueues the shop's tasks and prints what the console shows as JSON."""

import json
import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()

from accounts.models import User  # noqa: E402  after the set-up
from django.test import Client  # noqa: E402
from orders.tasks import count_words  # noqa: E402
from orders.workflows import ship_order  # noqa: E402

from qu_workflows.records.models import TaskRecord  # noqa: E402

counted = count_words.enqueue(text="one two three")
shipped = ship_order.enqueue(order_id=7, quantity=2)
refused = ship_order.enqueue(order_id=8, quantity=11)
open_statuses = ("READY", "SENT", "RUNNING")
until = time.monotonic() + 30
while TaskRecord.objects.filter(status__in=open_statuses).exists() and time.monotonic() < until:
    time.sleep(0.1)

client = Client()
client.force_login(User.objects.create_superuser("boss@example.com", "of-the-tests"))
pages = {
    path: client.get(path)
    for path in (
        "/console/",
        "/console/tasks/",
        f"/console/tasks/{shipped.id}/",
        f"/console/tasks/{refused.id}/",
        "/console/machines/",
        "/console/machines/ship_order/",
        "/console/dead-letters/",
        "/console/schedules/",
        "/console/audit/",
        "/admin/executions/taskrecord/",
    )
}
spanish = client.get("/console/", headers={"accept-language": "es"}).content.decode()
listed = client.get("/console/tasks.json").json()
records = {record.pk: record for record in TaskRecord.objects.all()}
print(  # noqa: T201  the script's output
    json.dumps(
        {
            "django": django.VERSION[:2],
            "counted": records[counted.id].result,
            "statuses": {path: page.status_code for path, page in pages.items()},
            "shipped": [records[shipped.id].status, records[shipped.id].result],
            "refused": [records[refused.id].status, records[refused.id].error],
            "graph": "Print Label" in pages[f"/console/tasks/{shipped.id}/"].content.decode(),
            "history": "TaskSucceeded" in client.get(f"/console/tasks/{shipped.id}/history.json").content.decode(),
            "listed": json.dumps(listed).count('"ship_order"') > 0,
            "spanish": "Tareas" in spanish,
        }
    )
)
