"""Say what a waiting upload waits for: the uploads before it in the queue of the worker."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.models.imports import ImportRun
from uftp.wakeups import long_jobs

State = ImportRun.State

NO_WORKER_HINT = "If this does not change, no worker runs: see /health/ready."


def lock(run_id: int) -> str:
    """Return the lock name of the wake-up for an upload: one job waits for each."""
    return f"import {run_id}"


def uploads_before(run: ImportRun) -> tuple[list[ImportRun], list[ImportRun]]:
    """Return the uploads before a waiting one: those under way, and those that wait, in the order of execution."""
    others = ImportRun.objects.filter(uploaded=True, state__in=(State.WAITING, State.RUNNING))
    under_way: list[ImportRun] = []
    waiting = [run]
    for other in others.exclude(pk=run.pk).only("pk", "state", "applies").order_by("pk"):
        (under_way if other.state == State.RUNNING else waiting).append(other)
    places = {name: place for place, name in enumerate(long_jobs.queued_locks())}
    waiting.sort(key=lambda each: (places.get(lock(each.pk), len(places)), each.pk))
    return under_way, waiting[: waiting.index(run)]


def waiting_reason(run: ImportRun) -> str:
    """Return what a waiting upload waits for, in words."""
    under_way, waiting = uploads_before(run)
    if under_way:
        at_work = format_html_join(", ", "{} is being {}", ((_link(each), _done(each)) for each in under_way))
        more = f"{len(waiting)} more {_is_or_are(waiting)} before this one" if waiting else "this one is next"
        return format_html("{}; {}.", at_work, more)
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        words = "{}{} {} before this one. A worker takes them up in turn. {}"
        return format_html(words, _link(waiting[0]), more, _is_or_are(waiting), NO_WORKER_HINT)
    return f"A worker takes it up within seconds. {NO_WORKER_HINT}"


def _done(run: ImportRun) -> str:
    return "applied" if run.applies else "previewed"


def _is_or_are(runs: list[ImportRun]) -> str:
    return "is" if len(runs) == 1 else "are"


def _link(run: ImportRun) -> SafeString:
    page = reverse("admin:registry_importrun_change", args=[run.pk])
    return format_html('<a href="{}">Import {}</a>', page, run.pk)
