"""The dead letters: messages that started nothing, why, and what to do with them. An act is shown before it is done."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qu_workflows.console.access import Right, action, actor_of, page
from qu_workflows.console.pages import dead_letters as letters
from qu_workflows.console.responses import Page
from qu_workflows.dead_letters import queries
from qu_workflows.dead_letters.queries import Selection
from qu_workflows.dead_letters.services import (
    DEFAULT_PER_SECOND,
    MAX_PER_SECOND,
    DeadLetterRedrive,
    DeadLetterResult,
    purge_within_request,
    redrive_command,
    redrive_within_request,
)
from qu_workflows.executions.queries import attempts_of, find_record
from qu_workflows.protocol.refusals import OperationRefused


@page
def dead_letter_list(request: HttpRequest) -> Page:
    """Show what is in the queue, by reason and task."""
    data = letters.listed(queries.snapshot(), request.GET)
    context = {
        "most": queries.MOST_SHOWN,
        "before": max(0, data.start - letters.ROWS),
        "last": min(data.start + letters.ROWS, data.count),
        "per_second": DEFAULT_PER_SECOND,
        "max_per_second": MAX_PER_SECOND,
    }
    return Page(template="console/dead_letters.html", title=_("Dead letters"), data=data, context=context)


@page
def dead_letter(request: HttpRequest, message_id: str) -> Page:  # noqa: ARG001  one page for all
    """Show one message whole, and the execution that it would start."""
    look = queries.snapshot()
    letter = look.value.find(message_id) if look.value else None
    if letter is None:
        if look.unanswered:
            raise Http404(_("It is not known whether there is such a message. %(why)s") % {"why": look.unanswered})
        raise Http404(
            _("No message %(id)s is among the first %(most)s. It may have been moved or purged: manage.py dlq show")
            % {"id": message_id[:80], "most": queries.MOST_SHOWN}
        )
    data = letters.whole(letter)
    record = find_record(letter.task_id) if letter.record_status and letter.task_id else None
    context = {"record": record, "attempts": attempts_of(record) if record else [], "look": look}
    return Page(template="console/dead_letter.html", title=_("Dead letter"), data=data, context=context)


@action(Right.REDRIVE)
def redrive(request: HttpRequest) -> Page | HttpResponseBase:
    """Say what would be moved back; with ``confirm``, move it."""
    look = queries.snapshot()
    choice = letters.choice_of(look, request.POST)
    if not choice.ids and not choice.is_everything:
        messages.warning(request, _("Nothing was ticked, so nothing was done."))
        return redirect("console:dead_letters")
    if "confirm" in request.POST:
        _move(request, choice)
        return redirect("console:dead_letters")
    chosen = letters.letters_of(look, choice)
    moved = [letter for letter in chosen if letter.is_accepted]
    context = {
        "choice": choice,
        "moved": letters.counts_of(moved),
        "left": letters.counts_of([letter for letter in chosen if not letter.is_accepted]),
        "ids": [] if choice.is_everything else [letter.message_id for letter in moved],
        "max_per_second": MAX_PER_SECOND,
        "gone": len(choice.ids) - len(chosen) if choice.ids else 0,
        "look": look,
        "rows": [letters.row_of(letter) for letter in moved[: letters.ROWS]],
    }
    data = {"count": len(moved), "everything": choice.is_everything}
    return Page(
        template="console/dead_letters_redrive.html", title=_("Redrive dead letters"), data=data, context=context
    )


@action(Right.PURGE)
def purge(request: HttpRequest) -> Page | HttpResponseBase:
    """Say what would be deleted; with its number typed, save it and delete it."""
    look = queries.snapshot()
    choice = letters.choice_of(look, request.POST)
    if not choice.ids:
        messages.warning(request, _("Nothing was ticked, so nothing was done."))
        return redirect("console:dead_letters")
    typed = request.POST.get("count", "").strip()
    if "confirm" in request.POST and typed == str(len(choice.ids)):
        _delete(request, choice)
        return redirect("console:dead_letters")
    chosen = letters.letters_of(look, choice)
    context = {
        "counts": letters.counts_of(chosen),
        "ids": choice.ids,
        "wrong": "confirm" in request.POST,
        "rows": [letters.row_of(letter) for letter in chosen[: letters.ROWS]],
    }
    data = {"count": len(choice.ids)}
    return Page(template="console/dead_letters_purge.html", title=_("Purge dead letters"), data=data, context=context)


def _move(request: HttpRequest, choice: letters.Choice) -> None:
    try:
        order = DeadLetterRedrive(
            selection=Selection(ids=choice.ids), actor=actor_of(request), per_second=choice.per_second
        )
        moved = redrive_within_request(order)
    except OperationRefused as refused:
        messages.error(request, str(refused))
        return
    said = ngettext(
        "%(count)s message was moved to the task queue.",
        "%(count)s messages were moved to the task queue.",
        moved.count,
    ) % {"count": f"{moved.count:,}"}
    ends = [*_ends(moved), *([_left(order)] if moved.was_stopped else [])]
    (messages.warning if ends else messages.success)(request, " ".join([said, *ends]))


def _left(order: DeadLetterRedrive) -> str:
    return _("The time was up: the rest are dead letters as before. Do it again, or use %(command)s") % {
        "command": redrive_command(order)
    }


def _ends(moved: DeadLetterResult) -> list[str]:
    ends = []
    if moved.left:
        ends.append(_("%(count)s stay, since the dispatcher would refuse them.") % {"count": moved.left.total()})
    if moved.in_both:
        ends.append(
            _("%(count)s are in both queues, since they could not be deleted; each starts one execution.")
            % {"count": len(moved.in_both)}
        )
    if moved.missing:
        ends.append(
            _("%(count)s were not there any more, or are received by somebody else.") % {"count": moved.missing}
        )
    ends += [f"{message_id}: {said}." for message_id, said in list(moved.failed.items())[:5]]
    return [*ends, *([f"{moved.error.rstrip('.')}."] if moved.error else [])]


def _delete(request: HttpRequest, choice: letters.Choice) -> None:
    try:
        purged, place = purge_within_request(choice.ids, actor_of(request))
    except OperationRefused as refused:
        messages.error(request, str(refused))
        return
    said = ngettext(
        "%(count)s message was deleted; it is saved in %(place)s.",
        "%(count)s messages were deleted; they are saved in %(place)s.",
        purged.count,
    ) % {"count": f"{purged.count:,}", "place": place}
    ends = _ends_of_purge(purged)
    (messages.warning if ends else messages.success)(request, " ".join([said, *ends]))


def _ends_of_purge(purged: DeadLetterResult) -> list[str]:
    ends = [f"{message_id}: {said}." for message_id, said in list(purged.failed.items())[:5]]
    if purged.missing:
        ends.append(
            _("%(count)s were not there any more, or are received by somebody else.") % {"count": purged.missing}
        )
    if purged.error and not purged.failed:
        ends.append(f"{purged.error.rstrip('.')}.")
    if purged.was_stopped:
        ends.append(_("The time was up: the rest are dead letters as before. Purge them again."))
    return ends


def _missing(count: int) -> str:
    return _("%(count)s were not there any more, or are received by somebody else.") % {"count": count}
