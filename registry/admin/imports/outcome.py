"""The result of an import in words, and what staff can do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.admin_base.html import link, moment
from registry.admin.imports.page import change_link, message_in_words
from registry.imports.uploads import KEEP_UPLOADS_FOR
from registry.models.imports import SHRUNK, UNREADABLE, ImportRun

State = ImportRun.State

ENDING = {
    "representations ended": ("representation ends with today", "representations end with today"),
    "congestion points ended": ("congestion point ends with today", "congestion points end with today"),
    "memberships ended": (
        "connection of a congestion point ends with today",
        "connections of congestion points end with today",
    ),
    "suspended": ("participant is suspended", "participants are suspended"),
    "keys ended": ("key ends at once", "keys end at once"),
}
"""Labels of counts of what a full file ends, with the words for one and for several."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button or link for what staff can do next.

    Attributes:
        text: The text of the button.
        do: The value of `do` in the POST; empty for a link.
        url: The URL of the link.
        main: Whether it is the main button.
    """

    text: str
    do: str = ""
    url: str = ""
    main: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an import, as a notice.

    Attributes:
        tone: The CSS class of the notice: `ok`, `warn`, `bad` or empty.
        heading: The heading.
        texts: The sentences below it.
        actions: What staff can do next.
        warning: What to know before doing so.
    """

    tone: str
    heading: str
    texts: tuple[object, ...] = ()
    actions: tuple[Action, ...] = ()
    warning: str = ""


def outcome(run: ImportRun, *, may_approve: bool, has_file: bool) -> Outcome:
    """Return the result of an import.

    Args:
        run: The import.
        may_approve: Whether the viewer may approve uploads; if not, there is nothing to do next.
        has_file: Whether the uploaded file is still stored.
    """
    result = _outcome(run, has_file)
    return result if may_approve else replace(result, actions=())


def _outcome(run: ImportRun, has_file: bool) -> Outcome:
    match State(run.state):
        case State.WAITING | State.RUNNING:
            return _under_way(run, has_file)
        case State.PREVIEWED:
            return _awaiting_approval(run)
        case State.APPLIED:
            change = [format_html("It is {}.", change_link(run))] if run.change_id else []
            back = _reversed(run)
            heading = "Applied, and reversed" if back else "Applied"
            texts = (*change, *back, *_left_out(run))
            return Outcome("" if back else "ok", heading, texts, () if back else _reverse(run))
        case State.UNCHANGED:
            return Outcome(
                "ok",
                "Nothing to change",
                ("All that the file states is registered already.", *_left_out(run)),
            )
        case State.DRY:
            return Outcome("", "A dry run: nothing was changed", tuple(_left_out(run)))
        case State.DISCARDED:
            return Outcome("", "Discarded: nothing was imported", tuple(filter(None, [run.message])))
        case State.REFUSED:
            return _refused(run, has_file)
    return _failed(run, has_file)


def _reversed(run: ImportRun) -> list[SafeString]:
    """Return who reversed an import, when and why, with a link to the change; nothing if nobody did."""
    if run.change is None:
        return []
    return [
        format_html(
            "It was reversed by {}, {}, by {}: {}",
            link(each, f"change {each.pk}"),
            moment(each.moment),
            each.actor,
            each.reason,
        )
        for each in run.change.reversed_by.order_by("pk")
    ]


def _reverse(run: ImportRun) -> tuple[Action, ...]:
    """Return the link that reverses an import of days; other imports are taken back by importing what was before."""
    if run.change_id is None or run.kind not in (
        ImportRun.Kind.CONGESTION_POINTS,
        ImportRun.Kind.CONNECTIONS,
    ):
        return ()
    return (
        Action("Reverse this import", url=reverse("admin:registry_change_reverse", args=[run.change_id])),
    )


def _under_way(run: ImportRun, has_file: bool) -> Outcome:
    if not run.uploaded:
        return Outcome("", "Dry run: under way" if run.is_dry_run else "Under way")
    tone, texts = "warn" if run.message else "", tuple(filter(None, [run.message]))
    if run.state == State.WAITING:
        heading = "Waits to be applied" if run.applies else "Waits to be previewed"
        return Outcome(tone, heading, texts, (_DISCARD,) if has_file else ())
    return Outcome(tone, "Being applied" if run.applies else "The preview is being made", texts)


def _awaiting_approval(run: ImportRun) -> Outcome:
    until = moment((run.finished_at or run.created_at) + KEEP_UPLOADS_FOR)
    texts = (
        *filter(None, [run.message]),
        "Nothing is imported yet. Below is what would change; that, and nothing else, is done when you apply it.",
        *_left_out(run),
        format_html('<span class="quiet">Without a decision it is dropped at {}.</span>', until),
    )
    actions = (Action("Apply", "apply", main=True), _DISCARD)
    return Outcome("warn", "The preview is ready: decide", texts, actions, warning=" ".join(_ending(run)))


def _ending(run: ImportRun) -> Iterator[str]:
    """Yield a sentence for each kind of row that a full file would end."""
    for words, count in run.summary.get("counts", []):
        if run.full and words in ENDING and count:
            yield f"{count:,} {ENDING[words][count > 1]}."


def _refused(run: ImportRun, has_file: bool) -> Outcome:
    heading = "Dry run: refused" if run.is_dry_run else "Refused: nothing was imported"
    corrected = Action("Upload the corrected file", url=_upload_url(run), main=True)
    if run.summary.get("stopped") == SHRUNK:
        advice = (
            "If the file is not whole, upload the whole one. If it is, and so much is to end, allow it: you see first"
            " what would end."
        )
        more: tuple[Action, ...] = (Action("Allow it, and preview again", "allow"),)
        command = (
            "If the file is not whole, run the command with the whole one. If it is, and so much is to end, run it"
            " with --allow-shrink; with --dry-run besides, it shows what would end."
        )
    else:
        advice = "Correct the file, and upload it again."
        more = () if run.skip_bad_lines else (Action("Take the good lines, and preview again", "skip"),)
        command = "Correct the file and run the command again; with --skip-bad-lines it takes the good ones."
    if not run.uploaded:
        return Outcome("bad", heading, (message_in_words(run), command))
    if not has_file:
        return Outcome("bad", heading, (message_in_words(run),), (corrected,))
    return Outcome("bad", heading, (message_in_words(run), advice), (corrected, *more, _DISCARD))


def _failed(run: ImportRun, has_file: bool) -> Outcome:
    ended = "interrupted" if run.state == State.INTERRUPTED else "failed"
    heading = f"Dry run: {ended}" if run.is_dry_run else f"{ended.capitalize()}: nothing was imported"
    unreadable = run.summary.get("stopped") == UNREADABLE
    if not run.uploaded:
        note = "" if run.is_dry_run else ": what was imported already is found unchanged"
        repeat = f"Run the command again{note}."
        correct = "Correct the file, or its name, and run the command again."
        return Outcome("bad", heading, (message_in_words(run), correct if unreadable else repeat))
    upload_another = Action("Upload a file", url=_upload_url(run))
    if not has_file:
        return Outcome("bad", heading, (message_in_words(run),), (upload_another,))
    retry_first = (Action("Preview again", "again", main=True), upload_another)
    corrected = (Action("Upload the corrected file", url=_upload_url(run), main=True),)
    return Outcome(
        "bad", heading, (message_in_words(run),), (*(corrected if unreadable else retry_first), _DISCARD)
    )


_DISCARD = Action("Discard", "discard")


def _left_out(run: ImportRun) -> Iterator[str]:
    if run.bad_lines:
        if run.bad_lines == 1:
            yield "1 bad line is left out; it is listed below."
        else:
            yield f"{run.bad_lines:,} bad lines are left out; they are listed below."


def _upload_url(run: ImportRun) -> str:
    return f"{reverse('admin:registry_importrun_add')}?again={run.pk}"
