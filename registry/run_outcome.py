"""What came of an import, and what there is to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html

from participants.admin_html import moment
from registry.import_run import ImportRun
from registry.run_page import change_link
from registry.uploads import KEPT, SHRUNK

State = ImportRun.State

_SAID_ELSEWHERE = re.compile(r"Nothing was imported\.$|^Nothing was imported: |--allow-shrink [^.]*\.")


@dataclass(frozen=True, slots=True)
class Way:
    """Something that staff can do: what is sent as `do`, or a URL to go to; and what the button says."""

    text: str
    do: str = ""
    url: str = ""
    main: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an import stands: in the tone of a notice, a heading, what it says, and what there is to do."""

    tone: str
    heading: str
    says: tuple[object, ...] = ()
    ways: tuple[Way, ...] = ()


def outcome(run: ImportRun, *, may_decide: bool, has_file: bool) -> Outcome:
    """How the import stands; ways on for whom `may_decide`, as far as the upload `has_file`."""
    told = _told(run, has_file)
    return told if may_decide else Outcome(told.tone, told.heading, told.says)


def _told(run: ImportRun, has_file: bool) -> Outcome:
    match State(run.state):
        case State.WAITING | State.RUNNING:
            if not run.uploaded:
                return Outcome("", "Under way")
            heading = "Being applied" if run.applies else "The preview is being made"
            return Outcome("warn" if run.message else "", heading, tuple(filter(None, [run.message])))
        case State.SHOWN:
            return _to_decide(run)
        case State.APPLIED:
            said = [format_html("It is {}.", change_link(run))] if run.change_id else []
            return Outcome("ok", "Applied", (*said, *_left_out(run)))
        case State.UNCHANGED:
            return Outcome(
                "ok", "Nothing to change", ("All that the file says is on record already.", *_left_out(run))
            )
        case State.DRY:
            return Outcome("", "A dry run: nothing was changed", tuple(_left_out(run)))
        case State.DISCARDED:
            return Outcome("", "Discarded: nothing was imported", tuple(filter(None, [run.message])))
        case State.REFUSED:
            return _refused(run, has_file)
    return _failed(run, has_file)


def _to_decide(run: ImportRun) -> Outcome:
    until = moment((run.finished_at or run.created_at) + KEPT)
    says = (
        *filter(None, [run.message]),
        "Nothing is imported yet. Below is what would change; that, and nothing else, is done when you apply it.",
        *_left_out(run),
        format_html('<span class="quiet">Without a decision it is dropped at {}.</span>', until),
    )
    return Outcome("warn", "The preview is ready: decide", says, (Way("Apply", "apply", main=True), _DISCARD))


def _refused(run: ImportRun, has_file: bool) -> Outcome:
    corrected = Way("Upload the corrected file", url=_upload_url(run))
    if run.summary.get("stopped") == SHRUNK:
        says: tuple[object, ...] = (
            _why(run),
            "If the file is not whole, upload the whole one. If it is, and so much is to end, allow it: you see first"
            " what would end.",
        )
        ways: tuple[Way, ...] = (Way("Allow it, and preview again", "allow", main=True), corrected, _DISCARD)
        command = "Run the command with the whole file, or with --allow-shrink."
    else:
        says = (f"{_why(run)[:1].upper()}{_why(run)[1:]}", "Correct the file, and upload it again.")
        good = Way("Take the good lines, and preview again", "skip")
        ways = (corrected, _DISCARD) if run.skip_bad_lines else (corrected, good, _DISCARD)
        command = "Correct the file and run the command again; with --skip-bad-lines it takes the good ones."
    if not run.uploaded:
        return Outcome("bad", "Refused: nothing was imported", (run.message, command))
    if not has_file:
        return Outcome("bad", "Refused: nothing was imported", says[:1], (corrected,))
    return Outcome("bad", "Refused: nothing was imported", says, ways)


def _failed(run: ImportRun, has_file: bool) -> Outcome:
    heading = "Interrupted" if run.state == State.INTERRUPTED else "Failed"
    if not run.uploaded:
        says = (run.message, "Run the command again: what was imported already is found unchanged.")
        return Outcome("bad", f"{heading}: nothing was imported", says)
    anew = Way("Upload a file", url=_upload_url(run))
    ways = (Way("Preview again", "again", main=True), anew, _DISCARD) if has_file else (anew,)
    return Outcome("bad", f"{heading}: nothing was imported", (_why(run),), ways)


_DISCARD = Way("Discard", "discard")


def _why(run: ImportRun) -> str:
    """Why nothing was imported, without what the page says elsewhere, and without what only a command can do."""
    return _SAID_ELSEWHERE.sub("", run.message).strip()


def _left_out(run: ImportRun) -> Iterator[str]:
    if run.bad_lines:
        several = "line is" if run.bad_lines == 1 else "lines are"
        yield f"{run.bad_lines:,} bad {several} left out; they are listed below."


def _upload_url(run: ImportRun) -> str:
    return f"{reverse('admin:registry_importrun_add')}?again={run.pk}"
