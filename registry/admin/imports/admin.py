"""The screens of imports: the list, and the page of an import, which updates itself while the import is under way."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.text import Truncator

from common.csv import writer as csv_writer
from common.csv.rejects import HEADER, Rejects
from participants.admin_base.filters import DayRangeFilter
from participants.admin_base.html import moment, one_per_line
from participants.admin_base.pages import CHANGE, Page, may_read
from participants.admin_base.scalable import ScalableAdmin
from participants.admin_base.scoped import ScopedAdmin
from registry.admin.imports import outcome as import_outcome
from registry.admin.imports import page as import_page
from registry.admin.imports import upload
from registry.admin.imports.filters import StateFilter
from registry.imports import uploads
from registry.models.imports import ImportFile, ImportRun

POLL_EVERY = 1000
"""Milliseconds between two updates of the page of an import that is under way."""

MAX_RESULT_LENGTH = 120
"""How many characters of the result the list shows."""


def import_view(model_admin: ScopedAdmin, request: HttpRequest, run: ImportRun) -> HttpResponse:
    """Return the page of an import."""
    return model_admin.page(
        request,
        "admin/registry/import.html",
        f"Import {run.pk}: {run.file_name}",
        facts=import_page.facts(run),
        **model_admin.page_context(request, run),
        **_progress_context(model_admin, request, run),
    )


def progress_view(model_admin: ScopedAdmin, request: HttpRequest, run: ImportRun) -> HttpResponse:
    """Return the part of the page that shows the progress and the result."""
    return TemplateResponse(
        request, "admin/registry/import_progress.html", _progress_context(model_admin, request, run)
    )


def rejects_view(model_admin: ScopedAdmin, request: HttpRequest, run: ImportRun) -> HttpResponseBase:
    """Return all rejects of the file as CSV."""
    packed = (
        ImportFile.objects.filter(run=run, rejects__isnull=False).values_list("rejects", flat=True).first()
    )
    if packed is None:
        raise Http404
    return csv_writer.csv_response(f"import-{run.pk}.rejects.csv", HEADER, _rejects(bytes(packed)))


def _progress_context(model_admin: ScopedAdmin, request: HttpRequest, run: ImportRun) -> dict[str, Any]:
    """Return the context of the part of the page that shows the progress and the result."""
    under_way = run.state in import_page.RUNNING_STATES
    may_approve = model_admin.has_add_permission(request)
    has_file = may_approve and uploads.has_its_file(run)
    rejects = run.summary.get("first_rejects") or []
    return {
        "run": run,
        "badge": import_page.state_badge(run),
        "steps": import_page.steps(run),
        "progress": import_page.progress(run),
        "outcome": import_outcome.outcome(run, may_approve=may_approve, has_file=has_file),
        "figures": import_page.figures(run),
        "warnings": run.summary.get("warnings") or [],
        "sentences": run.summary.get("told") or [],
        "consequences": None if under_way else import_page.consequences_of(run),
        "rejects": rejects,
        "bad_lines": f"{run.bad_lines:,}",
        "more_rejects": len(rejects) >= Rejects.max_in_memory,
        "rejects_url": model_admin.url_to("rejects_csv", run.pk) if rejects else "",
        "decide": model_admin.url_to("decide", run.pk),
        "poll": model_admin.url_to("progress", run.pk) if under_way else "",
        "poll_every": POLL_EVERY,
    }


@admin.register(ImportRun)
class ImportRunAdmin(ScalableAdmin):
    """The screens of imports.

    Staff who see every participant see them. Staff who act for every participant upload and approve files.
    """

    list_display = (
        "number",
        "file_name",
        "kind",
        "who",
        "created",
        "state_badge",
        "lines_read",
        "outcome",
    )
    export_display = (
        ("Number", "pk"),
        ("Kind", "kind"),
        ("File", "file_name"),
        ("Size in bytes", "size"),
        ("SHA-256", "content_hash"),
        ("Uploaded", "uploaded"),
        ("Dry run", lambda run: run.is_dry_run),
        ("Full", "full"),
        ("Shrinking allowed", "allow_shrink"),
        ("Bad lines skipped", "skip_bad_lines"),
        ("Who", "actor"),
        "reason",
        ("Created", "created_at"),
        ("Started", "started_at"),
        ("Finished", "finished_at"),
        ("State", "state"),
        ("Lines", "lines"),
        ("Bad lines", "bad_lines"),
        ("Result", import_page.result_in_words),
        ("Change", "change_id"),
    )
    list_filter = ("kind", StateFilter, ("created_at", DayRangeFilter))
    search_fields = ("pk__exact", "file_name__startswith", "actor__exact", "content_hash__exact")
    search_help_text = (
        "An import's number, the beginning of a file's name, who started it, or the file's SHA-256"
    )
    change_list_template = "admin/registry/imports.html"
    pages = (
        Page("<path:object_id>/progress/", "progress", progress_view),
        Page("<path:object_id>/rejects.csv", "rejects_csv", rejects_view),
        *upload.PAGES,
        Page(CHANGE, "change", import_view, may=may_read),
    )
    actions = None

    def in_scope(self, request: HttpRequest, rows: QuerySet[ImportRun]) -> QuerySet[ImportRun]:
        """Return all imports or none: a file may be about any participant."""
        return rows if self.seen(request).everyone else rows.none()

    def has_view_permission(self, request: HttpRequest, obj: ImportRun | None = None) -> bool:
        return bool(super().has_view_permission(request, obj)) and self.seen(request).everyone

    def has_change_permission(self, request: HttpRequest, obj: ImportRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ImportRun | None = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.display(description="number")
    def number(self, run: ImportRun) -> str:
        return str(run.pk)

    @admin.display(description="who")
    def who(self, run: ImportRun) -> str:
        return run.actor

    @admin.display(description="when")
    def created(self, run: ImportRun) -> str:
        return moment(run.created_at)

    @admin.display(description="state")
    def state_badge(self, run: ImportRun) -> str:
        return import_page.state_badge(run)

    @admin.display(description="lines")
    def lines_read(self, run: ImportRun) -> str:
        read = [] if run.lines is None else [f"{run.lines:,}"]
        return one_per_line([*read, *([f"{run.bad_lines:,} bad"] if run.bad_lines else [])])

    @admin.display(description="what came of it")
    def outcome(self, run: ImportRun) -> str:
        result = Truncator(import_page.result_in_words(run)).chars(MAX_RESULT_LENGTH)
        return format_html("{} ({})", result, import_page.change_link(run)) if run.change_id else result


def _rejects(packed: bytes) -> Iterator[list[str]]:
    with gzip.open(io.BytesIO(packed), "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        yield from rows
