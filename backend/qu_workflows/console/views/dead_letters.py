"""Dead letters: messages that started no execution. Actions are previewed first."""

from collections.abc import Callable, Sequence

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from qu_workflows.console.access import Right, action, actor_of, page
from qu_workflows.console.pages import dead_letters as pages
from qu_workflows.console.responses import Page
from qu_workflows.dead_letters import queries, services
from qu_workflows.executions.queries import attempts_of, find_record
from qu_workflows.protocol.refusals import OperationRefused


@page
def dead_letter_list(request: HttpRequest) -> Page:
    """Show the messages in the queue, by reason and task."""
    data = pages.page_of(queries.snapshot(), request.GET)
    context = {
        "before": max(0, data.start - pages.ROWS),
        "last": min(data.start + pages.ROWS, data.count),
        "per_second": services.DEFAULT_PER_SECOND,
        "max_per_second": services.MAX_PER_SECOND,
    }
    return Page(template="console/dead_letters.html", title=_("Dead letters"), data=data, context=context)


@page
def dead_letter(request: HttpRequest, message_id: str) -> Page:  # noqa: ARG001  one page for all
    """Show one message, and the execution that it would start."""
    seen = queries.snapshot()
    letter = seen.value.find(message_id) if seen.value else None
    if letter is None:
        if seen.unanswered:
            raise Http404(_("The queue could not be read. %(why)s") % {"why": seen.unanswered})
        raise Http404(
            _("Message %(id)s is not among the first %(most)s. It may have been moved or purged: manage.py dlq show")
            % {"id": message_id[:80], "most": queries.MOST_SHOWN}
        )
    record = find_record(letter.task_id) if letter.record_status and letter.task_id else None
    context = {"record": record, "attempts": attempts_of(record) if record else [], "seen": seen}
    return Page(template="console/dead_letter.html", title=_("Dead letter"), data=pages.masked(letter), context=context)


@action(Right.REDRIVE)
def redrive(request: HttpRequest) -> Page | HttpResponseBase:
    """Preview the messages to move back; with ``confirm``, move them."""
    seen = queries.snapshot()
    choice = pages.choice_of(seen, request.POST)
    if not choice.ids and not choice.is_everything:
        return _nothing_ticked(request)
    if "confirm" in request.POST:
        return _done(request, lambda: _move(choice, actor_of(request)))
    chosen = choice.among(seen)
    moved = [letter for letter in chosen if letter.is_accepted]
    context = {
        "choice": choice,
        "moved": pages.counts_of(moved),
        "left": pages.counts_of(letter for letter in chosen if not letter.is_accepted),
        "ids": [] if choice.is_everything else [letter.message_id for letter in moved],
        "max_per_second": services.MAX_PER_SECOND,
        "gone": len(choice.ids) - len(chosen) if choice.ids else 0,
        "seen": seen,
        "rows": pages.rows_of(moved),
    }
    title, data = _("Redrive dead letters"), {"count": len(moved), "everything": choice.is_everything}
    return Page(template="console/dead_letters_redrive.html", title=title, data=data, context=context)


@action(Right.PURGE)
def purge(request: HttpRequest) -> Page | HttpResponseBase:
    """Preview the messages to delete; with their number as ``count``, save and delete them."""
    seen = queries.snapshot()
    choice = pages.choice_of(seen, request.POST)
    if not choice.ids:
        return _nothing_ticked(request)
    typed = request.POST.get("count", "").strip()
    if "confirm" in request.POST and typed == str(len(choice.ids)):
        return _done(
            request, lambda: pages.purged_sentences(*services.purge_within_request(choice.ids, actor_of(request)))
        )
    chosen = choice.among(seen)
    context = {
        "counts": pages.counts_of(chosen),
        "ids": choice.ids,
        "wrong": "confirm" in request.POST,
        "rows": pages.rows_of(chosen),
    }
    title, data = _("Purge dead letters"), {"count": len(choice.ids)}
    return Page(template="console/dead_letters_purge.html", title=title, data=data, context=context)


def _nothing_ticked(request: HttpRequest) -> HttpResponseBase:
    messages.warning(request, _("Nothing was selected, and nothing was changed."))
    return redirect("console:dead_letters")


def _move(choice: pages.Choice, actor: str) -> list[str]:
    selection = queries.Selection(ids=choice.ids)
    wanted = services.DeadLetterRedrive(selection=selection, actor=actor, per_second=choice.per_second)
    return pages.moved_sentences(services.redrive_within_request(wanted), services.redrive_command(wanted))


def _done(request: HttpRequest, act: Callable[[], Sequence[str]]) -> HttpResponseBase:
    """Run an action and show its result; more than one sentence is a warning."""
    try:
        sentences = act()
    except OperationRefused as refused:
        messages.error(request, str(refused))
    else:
        (messages.warning if len(sentences) > 1 else messages.success)(request, " ".join(sentences))
    return redirect("console:dead_letters")
