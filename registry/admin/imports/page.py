"""The parts of an import's page in words: its facts, progress, steps, counts and consequences."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.csv.importing import MAX_ENDED_SHARE
from common.display import PLACEHOLDER
from participants.admin_base.extensions import badge
from participants.admin_base.html import moment
from participants.scope import EVERYONE
from registry.imports import upload_queue
from registry.models.imports import ImportRun
from registry.previews.effects import of_change
from registry.previews.presentation import RenderedConsequences, render_for, with_links
from registry.previews.serialization import from_json

State = ImportRun.State

TONES = {
    State.PREVIEWED: "warn",
    State.APPLIED: "ok",
    State.UNCHANGED: "ok",
    State.REFUSED: "bad",
    State.FAILED: "bad",
    State.INTERRUPTED: "bad",
}
RUNNING_STATES = (State.WAITING, State.RUNNING)
UNSUCCESSFUL_STATES = (State.REFUSED, State.FAILED, State.INTERRUPTED)

PHASES = {
    "reading": "Reading the file",
    "checking": "Checking its lines",
    "comparing": "Comparing with what is there",
    "writing": "Writing what differs",
}
OPTIONS = {
    "full": "full file: what it does not name ends",
    "allow_shrink": f"more than {MAX_ENDED_SHARE * 100:.0f}\N{NO-BREAK SPACE}% may end",
    "skip_bad_lines": "bad lines are left out",
}

_SHOWN_ELSEWHERE = re.compile(r"Nothing was imported\.$|^Nothing was imported: |--allow-shrink [^.]*\.")
_PLURAL = re.compile(r"^(representation|membership|congestion point|contract|key)s\b")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an upload.

    Attributes:
        title: The name of the step.
        state: `done`, `now`, `wrong`, or empty for a later step.
        detail: The moment of the step, in words.
    """

    title: str
    state: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What an import is doing, and how many percent are done; None if unknown."""

    text: str
    percent: int | None


def state_badge(run: ImportRun) -> SafeString:
    """Return the state of an import as a badge."""
    state = State(run.state)
    if state == State.WAITING and run.applies:
        return badge("", "Waits to be applied")
    if run.is_dry_run and state != State.DRY:
        return badge(TONES.get(state, ""), f"Dry run: {state.label.lower()}")
    return badge(TONES.get(state, ""), state.label)


def counts_in_words(run: ImportRun) -> str:
    """Return the counts that are not zero, such as `3 new, 2 changed`."""
    return ", ".join(_counted(words, count) for words, count in run.summary.get("counts", []) if count)


def _counted(words: str, count: int) -> str:
    """Return a text such as `1 connection changed` or `2 connections changed`."""
    return "1 " + _PLURAL.sub(r"\1", words) if count == 1 else f"{count:,} {words}"


def result_in_words(run: ImportRun) -> str:
    """Return the result of an import in one line."""
    return message_in_words(run) or counts_in_words(run) or PLACEHOLDER


def message_in_words(run: ImportRun) -> str:
    """Return the message of an import as sentences, without the state and without advice for commands."""
    text = _SHOWN_ELSEWHERE.sub("", run.message).strip()
    ended = not text or text[-1] in ".?!"
    return f"{text[:1].upper()}{text[1:]}{'' if ended else '.'}"


def change_link(run: ImportRun) -> SafeString:
    """Return a link to the change of the registry."""
    page = reverse("admin:registry_change_change", args=[run.change_id])
    return format_html('<a href="{}">change {}</a>', page, run.change_id)


def options_in_words(run: ImportRun) -> str:
    """Return the options of an import in words."""
    chosen = ["dry run"] if run.is_dry_run else []
    chosen += [words for name, words in OPTIONS.items() if getattr(run, name)]
    return "; ".join(chosen).capitalize() or PLACEHOLDER


def facts(run: ImportRun) -> list[tuple[str, object]]:
    """Return the terms and texts about an import that do not depend on its result."""
    rows: list[tuple[str, object]] = [
        ("Kind", run.get_kind_display()),
        ("File", run.file_name),
        ("Size", size_in_words(run.size) if run.size is not None else PLACEHOLDER),
        ("Options", options_in_words(run)),
        ("Started by", run.actor if not run.uploaded else f"{run.actor}, who uploaded it"),
        ("At", moment(run.created_at)),
        ("Reason", run.reason or PLACEHOLDER),
    ]
    if run.content_hash:
        rows.append(("SHA-256", format_html("<code>{}</code>", run.content_hash)))
    return rows


def figures(run: ImportRun) -> list[tuple[str, str]]:
    """Return the counts of an import and its duration, as far as known."""
    rows = [("Lines read", f"{run.lines:,}")] if run.lines is not None else []
    if run.bad_lines:
        rows.append(("Bad lines", f"{run.bad_lines:,}"))
    rows += [
        (f"{words[:1].upper()}{words[1:]}", f"{count:,}") for words, count in run.summary.get("counts", [])
    ]
    if (took := duration(run)) is not None:
        rows.append(("Took", in_seconds(took)))
    return rows


def duration(run: ImportRun) -> timedelta | None:
    """Return how long an import took. Return None if it has not started or is under way."""
    if run.started_at is None or run.finished_at is None or run.state in RUNNING_STATES:
        return None
    return max(run.finished_at - run.started_at, timedelta())


def in_seconds(took: timedelta) -> str:
    """Return a duration in words: `0.4 s`, `12 s`, `3 min 20 s`."""
    seconds = took.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def size_in_words(size: int) -> str:
    """Return a size in words: `512 bytes`, `1.4 kB`, `25 MB`."""
    if size < 1_000:
        return f"{size} bytes"
    number, unit = (size / 1_000, "kB") if size < 1_000_000 else (size / 1_000_000, "MB")
    return f"{f'{number:,.1f}'.removesuffix('.0')} {unit}"


def progress(run: ImportRun) -> Progress | None:
    """Return the progress of an import that waits or is under way; None in other states."""
    if run.state == State.WAITING:
        return Progress(upload_queue.waiting_reason(run), None)
    if run.state != State.RUNNING:
        return None
    phase, _, detail = run.step.partition(" ")
    if phase == "writing" and not run.applies:
        return Progress("Working out the consequences", None)
    percent = int(detail[:-1]) if detail.endswith("%") and detail[:-1].isdigit() else None
    text = PHASES.get(phase, phase.capitalize() or "It begins")
    return Progress(text if percent is not None or not detail else f"{text}: {detail}", percent)


def steps(run: ImportRun) -> list[Step]:
    """Return the steps of an upload, in order. The import of a command has one step, so return none."""
    if not run.uploaded:
        return []
    done, now, wrong = "done", "now", "wrong"
    uploaded = Step("Uploaded", done, moment(run.created_at))
    at = moment(run.finished_at) if run.finished_at else ""
    state = State(run.state)
    if state == State.DISCARDED:
        return [uploaded, *_before_discarding(run, at), Step("Discarded", done, _when(run, "discarded_at"))]
    if run.applies:
        before = [uploaded, *_approved(run)]
        if state in RUNNING_STATES:
            return [*before, Step("Waits to be applied" if state == State.WAITING else "Being applied", now)]
        last = Step("Applied", done, at) if state == State.APPLIED else Step("Nothing changed", done, at)
        return [*before, last if state not in UNSUCCESSFUL_STATES else Step("Not applied", wrong, at)]
    coming = [Step("Your decision"), Step("Applied")]
    if state in RUNNING_STATES:
        previewed = Step("Waits to be previewed" if state == State.WAITING else "Being previewed", now)
        return [uploaded, previewed, *coming]
    if state in UNSUCCESSFUL_STATES:
        return [uploaded, Step("No preview", wrong, at), *coming]
    if state == State.PREVIEWED:
        return [uploaded, Step("Previewed", done, at), Step("Your decision", now), Step("Applied")]
    return [uploaded, Step("Previewed", done, at), Step("Nothing to change", done)]


def _approved(run: ImportRun) -> list[Step]:
    return [
        Step("Previewed", "done", _when(run, "previewed_at")),
        Step("Decided to apply", "done", _when(run, "decided_at")),
    ]


def _before_discarding(run: ImportRun, at: str) -> list[Step]:
    """Return the steps of a discarded upload before that; `at` is when the last one ended, in words."""
    if run.applies:
        return [*_approved(run), *([Step("Not applied", "wrong", at)] if at else [])]
    if "consequences" in run.summary:
        return [Step("Previewed", "done", at)]
    return [Step("No preview", "wrong", at)] if at else []


def _when(run: ImportRun, step: str) -> str:
    at = run.summary.get(step)
    return moment(datetime.fromisoformat(at)) if at else ""


def consequences_of(run: ImportRun) -> RenderedConsequences | None:
    """Return the consequences of an import for days and conflicts; None if there are none.

    For a large change, return the consequences that the preview stored, with the conflicts of the change.
    """
    stored = run.summary.get("consequences")
    if run.state == State.UNCHANGED:
        return None
    if run.change_id is not None:
        found = render_for(of_change(run.change_id), EVERYONE)
        if found.consequences.large and stored:
            found = replace(from_json(stored), conflicts=found.conflicts)
    elif stored:
        found = from_json(stored)
    else:
        return None
    return None if found.is_empty and run.summary.get("told") else with_links(found)
