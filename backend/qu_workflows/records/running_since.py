"""Since when an execution runs: what its time limit counts from."""

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest

from qu_workflows.records.models import AuditAction, AuditEntry, AuditOutcome


def running_since() -> Greatest:
    """Return, to annotate task records with, the time of their last redrive in the audit table, or else of their start.

    A redrive keeps the start and sets the execution's time limit back to 0; of one made past this project, as in
    the console, nothing is known.
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    redrives = AuditEntry.objects.filter(
        target=OuterRef("pk"), action=AuditAction.REDRIVE_EXECUTION, outcome=AuditOutcome.DONE
    )
    begun = Coalesce("started_at", "enqueued_at")
    last_redrive = Subquery(redrives.order_by("-at").values("at")[:1])
    return Greatest(begun, Coalesce(last_redrive, begun))
