"""A few words in which the examples say updates and read days."""

from __future__ import annotations

from tests.registry.model_days import Answer, Day, Line, Point, Run, Terms
from tests.registry.time_model import TimeModel
from tests.registry.world import Reply, World

Registry = TimeModel | World
Result = Answer | Reply


def agr_publishes(registry: Registry, agr: str, *lines: tuple[str, Day, Day | None]) -> Result:
    """An AGRPortfolioUpdate of (connection, first, last) lines, both days inclusive."""
    return registry.publish_representations(agr, [Line(*line) for line in lines])


def dso_publishes(registry: Registry, dso: str, *points: Point) -> Result:
    """A DSOPortfolioUpdate."""
    return registry.publish_congestion_points(dso, points)


def point(
    name: str,
    first: Day,
    last: Day | None,
    *lines: tuple[str, Day, Day | None],
    terms: Terms = Terms(),  # noqa: B008
) -> Point:
    """A congestion point of an update, with its (connection, first, last) lines."""
    return Point(name, first, last, tuple(Line(*line) for line in lines), terms)


def days(registry: Registry, *item: str) -> str:
    """What is registered of an item, such as `effective 0..4, contested 5..`.

    An item is (AGR, connection), (DSO, point), or (DSO, point, connection).
    """
    view = registry.view()
    if len(item) == 3:
        found = view.memberships.get((item[0], item[1], item[2]), ())
    elif item[1].startswith("point"):
        found = tuple(run._replace(what="") for run in merged(view.terms.get((item[0], item[1]), ())))
    else:
        found = view.representations.get((item[0], item[1]), ())
    return ", ".join(f"{run.what} {in_words(run)}".strip() for run in found)


def merged(found: tuple[Run, ...]) -> tuple[Run, ...]:
    """Runs that touch, as one."""
    joined: list[Run] = []
    for run in found:
        if joined and joined[-1].last is not None and joined[-1].last + 1 == run.first:
            joined[-1] = joined[-1]._replace(last=run.last)
        else:
            joined.append(run)
    return tuple(joined)


def in_words(run: Run) -> str:
    return f"{run.first}.." if run.last is None else f"{run.first}..{run.last}"


def conflicts(registry: Registry) -> list[str]:
    """The open conflicts, such as `home-1: agr-2 against agr-1, 0..`."""
    return sorted(
        f"{d.connection}: {d.claimant} against {d.holder}, {in_words(Run(d.first, d.last, None))}"
        for d in registry.view().conflicts
    )


def settle(registry: Registry, decision: str, at: Day | None = None) -> None:
    """Staff decide the only open conflict."""
    (model_conflict,) = registry.view().conflicts
    registry.settle(model_conflict, decision, at)


def reply_text(result: Result) -> str:
    """What the registry answers in words; of the model, the rules."""
    return (
        result.text if isinstance(result, Reply) else " ".join(sorted(result.rejected_for | result.warned_of))
    )
