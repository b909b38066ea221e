"""What came of an import in words, line by line, for the command line and logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from registry.consequences_kept import shown_again
from registry.consequences_shown import EFFECTS, Shown
from registry.import_run import ImportRun
from registry.runs import Running

REJECTS_SHOWN = 20

State = ImportRun.State

ENDS = {
    State.APPLIED: "Applied",
    State.UNCHANGED: "Nothing to change",
    State.DRY: "A dry run, which changes nothing: this is what would change",
}


def summary(running: Running, rejects_file: str) -> Iterator[str]:
    """A run that came to its end: what was read, what it changed or would, and where all that is on record."""
    run = running.run
    yield f"{ENDS[State(run.state)]}."
    yield f"Lines: {run.lines or 0:,}, bad: {run.bad_lines:,}"
    for words, count in run.summary["counts"]:
        yield f"{words[:1].upper()}{words[1:]}: {count:,}"
    yield from _consequences(run.summary)
    for warning in run.summary["warnings"]:
        yield f"Warning: {warning}"
    yield from where(running, rejects_file)


def rejects(running: Running) -> Iterator[str]:
    """The first of what is wrong with the file, and how much more there is."""
    found = running.rejects
    yield from (str(each).replace("\n", "\\n") for each in found.first[:REJECTS_SHOWN])
    if (more := found.count - REJECTS_SHOWN) > 0:
        yield f"and {more:,} more."


def where(running: Running, rejects_file: str) -> Iterator[str]:
    """Where what came of it is to be read: the file of rejects, the change, and the run's row in the admin."""
    if running.rejects_trouble:
        yield f"{running.rejects_trouble} The rejects are in the admin, with import {running.run.pk}."
    elif running.rejects:
        yield f"Rejects: {rejects_file}"
    if running.run.change_id is not None:
        yield f"Change: {running.run.change_id}"
    yield f"Import: {running.run.pk}"


def _consequences(said: dict[str, Any]) -> Iterator[str]:
    """What a dry run would do, one by one."""
    if "consequences" not in said:
        return
    yield from said["told"]
    shown = shown_again(said["consequences"])
    if not shown.nothing:
        yield from _told(shown)
    yield from (f"Warning: {warning}" for warning in shown.found.warnings)


def _told(shown: Shown) -> Iterator[str]:
    for what, count in shown.totals_in_words:
        yield f"{what}: {count}"
    for total in shown.totals:
        effects = zip(EFFECTS, total.numbers, strict=True)
        numbers = ", ".join(f"{word} {count}" for (_, word, _), count in effects if count != "0")
        yield f"{total.participant}, on so many connections: {numbers}"
    for dispute in shown.conflicts:
        yield f"Conflict {'opened' if dispute.opened else 'closed'}: {dispute.about}"
    if shown.conflicts_left_out:
        yield f"and {shown.conflicts_left_out} conflicts more."
    yield from shown.found.terms
    for row in shown.rows:
        place = f"{row.connection} in {row.congestion_point}" if row.congestion_point else row.connection
        effects_said = "; ".join(f"{word} {days}" for word, _, days in row.effects)
        yield f"{place}: {row.participant} {effects_said}"
    if shown.left_out:
        yield f"These are the first {shown.left_out}, by address."
