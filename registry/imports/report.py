"""Put the result of an import into lines of text, for the command line and logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from registry.imports.runs import Running
from registry.models.imports import ImportRun
from registry.previews.effects import conflicts_of
from registry.previews.presentation import RenderedConsequences
from registry.previews.serialization import from_json

MAX_REJECTS = 20

State = ImportRun.State

CONTESTABLE_KINDS = (ImportRun.Kind.CONNECTIONS, ImportRun.Kind.CONGESTION_POINTS)
"""The kinds of files whose days may be contested."""

EFFECT_WORDS = (
    "gains days",
    "loses days",
    "has days contested",
    "has days refused",
    "no longer claims days",
)
"""The effects on days, in the order of `registry.previews.presentation.EFFECTS`."""

ENDS = {
    State.APPLIED: "Applied",
    State.UNCHANGED: "Nothing to change",
    State.DRY: "A dry run, which changes nothing: this is what would change",
}


def database_error(error: Exception) -> str:
    """Return an error of the database as one sentence. Its text may have several lines."""
    reason = " ".join(str(error).split())
    return f"The database failed: {reason}{'' if reason.endswith(('.', '?', '!')) else '.'}"


def no_summary(running: Running, reason: str) -> str:
    """Return one sentence on a finished run whose summary cannot be written."""
    run = running.run
    end = {State.APPLIED: "Imported", State.DRY: "A dry run, which changed nothing"}.get(
        State(run.state), ENDS[State(run.state)]
    )
    return f"{end}, as run {run.pk}; the summary could not be written: {reason}"


def summary(running: Running, rejects_file: str) -> Iterator[str]:
    """Yield the summary of a finished run: what was read, what it changes, and where it is recorded."""
    run = running.run
    yield f"{ENDS[State(run.state)]}."
    yield from _details(run.summary)
    yield f"Lines: {run.lines or 0:,}, bad: {run.bad_lines:,}"
    for words, count in run.summary["counts"]:
        yield f"{words[:1].upper()}{words[1:]}: {count:,}"
    yield from _totals(run)
    for warning in run.summary["warnings"]:
        yield f"Warning: {warning}"
    yield from locations(running, rejects_file)


def rejects(running: Running) -> Iterator[str]:
    """Yield the first rejects, and how many more there are."""
    found = running.rejects
    yield from (str(each).replace("\n", "\\n") for each in found.first[:MAX_REJECTS])
    if (more := found.count - MAX_REJECTS) > 0:
        yield f"and {more:,} more."


def locations(running: Running, rejects_file: str) -> Iterator[str]:
    """Yield where the result is: the file of rejects, the change, and the number of the import in the admin."""
    if running.rejects_trouble:
        yield f"{running.rejects_trouble} The rejects are in the admin, with import {running.run.pk}."
    elif running.rejects:
        yield f"Rejects: {rejects_file}"
    if running.run.change_id is not None:
        yield f"Change: {running.run.change_id}"
    yield f"Import: {running.run.pk}"


def _totals(run: ImportRun) -> Iterator[str]:
    """Yield how many connections and conflicts the change of the registry is about."""
    if "consequences" in run.summary:
        consequences = from_json(run.summary["consequences"])
        if not consequences.is_empty:
            yield from (f"{label}: {count}" for label, count in consequences.totals_in_words)
        yield from (f"Warning: {warning}" for warning in consequences.consequences.warnings)
    elif run.change_id is not None and run.kind in CONTESTABLE_KINDS:
        opened, closed = conflicts_of(run.change_id)
        yield f"Conflicts closed: {closed:,}"
        yield f"Conflicts opened: {opened:,}{'; manage.py list_conflicts --open lists them' if opened else ''}"


def _details(summary: dict[str, Any]) -> Iterator[str]:
    """Yield the changes of a dry run, one by one."""
    if "consequences" in summary:
        yield from summary["told"]
        yield from _effect_lines(from_json(summary["consequences"]))


def _effect_lines(consequences: RenderedConsequences) -> Iterator[str]:
    for row in consequences.rows:
        place = f"{row.connection} in {row.congestion_point}" if row.congestion_point else row.connection
        effects = "; ".join(f"{word} {days}" for word, _, days in row.effects)
        yield f"{place}: {row.participant} {effects}"
    if (claims := consequences.consequences.claims) > len(consequences.rows):
        yield f"The first {len(consequences.rows)} of {claims:,}, by address."
    yield from consequences.consequences.terms
    for conflict in consequences.conflicts:
        yield f"Conflict {'opened' if conflict.opened else 'closed'}: {conflict.about}"
    if consequences.conflicts_left_out:
        yield f"and {consequences.conflicts_left_out} conflicts more."
    for total in consequences.totals:
        counts = zip(EFFECT_WORDS, total.numbers, strict=True)
        yield f"{total.participant}: {', '.join(_counted(word, count) for word, count in counts if count != '0')}"


def _counted(word: str, count: str) -> str:
    return f"{word} on {count} {'connection' if count == '1' else 'connections'}"
