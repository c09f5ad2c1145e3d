import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from executions.models import TaskRecord

ROW = b'<td class="field-task">sample_sum</td>'


@pytest.mark.django_db
def test_records_are_listed_found_and_shown_but_never_changed(admin_client: Client) -> None:
    TaskRecord.objects.create(
        id="one", task="sample_sum", status="FAILED", error="CardDeclined", report_id=7, enqueued_at=timezone.now()
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
