import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from qu_workflows.records.models import AuditEntry, TaskRecord

ROW = b'<td class="field-task">sample_sum</td>'


@pytest.mark.django_db
def test_records_are_listed_found_and_shown_but_never_changed(admin_client: Client) -> None:
    TaskRecord.objects.create(
        id="one", task="sample_sum", status="FAILED", error="CardDeclined", subject_id=7, enqueued_at=timezone.now()
    )
    listing = reverse("admin:executions_taskrecord_changelist")
    page, deletion = (reverse(f"admin:executions_taskrecord_{kind}", args=["one"]) for kind in ("change", "delete"))

    for query in ("", "?q=one", "?q=7", "?q=carddeclined", "?status__exact=FAILED", "?task=sample_sum"):
        assert ROW in admin_client.get(listing + query).content
    assert ROW not in admin_client.get(f"{listing}?task=custom_processing").content
    assert ROW not in admin_client.get(f"{listing}?q=nothing").content
    assert b"CardDeclined" in admin_client.get(page).content
    assert admin_client.get(reverse("admin:executions_taskrecord_add")).status_code == 403
    assert admin_client.get(deletion).status_code == 403
    assert admin_client.post(page, {"status": "READY"}).status_code == 403


@pytest.mark.django_db
def test_the_audit_table_is_searched_and_never_changed(admin_client: Client) -> None:
    entry = AuditEntry.objects.create(actor="ana@host", action="redrive_execution", target="one", outcome="done")
    listing = reverse("admin:executions_auditentry_changelist")
    page = reverse("admin:executions_auditentry_change", args=[entry.pk])
    row = b'<td class="field-actor">ana@host</td>'

    for query in ("", "?q=one", f"?q={entry.batch}", "?q=ana", "?action__exact=redrive_execution"):
        assert row in admin_client.get(listing + query).content, query
    assert row not in admin_client.get(f"{listing}?q=another").content
    assert admin_client.get(page).status_code == 200
    assert admin_client.get(reverse("admin:executions_auditentry_add")).status_code == 403
    assert admin_client.post(page, {"actor": "ben"}).status_code == 403
    assert admin_client.get(reverse("admin:executions_auditentry_delete", args=[entry.pk])).status_code == 403
