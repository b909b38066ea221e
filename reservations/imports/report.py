"""Put the changes of a file of contracts into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common.csv.spreadsheets import near_duplicates
from reservations.contracts.profiles import WEEKDAYS
from reservations.contracts.versions import Comparison
from reservations.models import Contract
from uftp.protocol.reasons import named

MAX_STRETCHES = 4


def change_sentences(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield a line for each new contract, then for each changed contract."""
    for each in comparisons:
        if each.before is None:
            yield f"New: {_named(each)}: {each.after['state']}, {each.after['days']}"
    for each in comparisons:
        if each.before is not None and each.differs:
            yield f"Changed: {_named(each)}: {_differences(each)}"


def near_duplicate_warnings(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield a warning if new contracts have nearly the ContractID of another contract of their DSO."""
    new = [(each.wanted.dso.domain, each.wanted.contract_id) for each in comparisons if each.before is None]
    if not new:
        return
    recorded = Contract.objects.filter(dso__in={each.wanted.dso.pk for each in comparisons})
    known = [(each.wanted.dso.domain, each.wanted.contract_id) for each in comparisons]
    known += recorded.values_list("dso__domain", "contract_id")
    found = [f"{name} beside {other} of {dso}" for dso, name, other in near_duplicates(new, known)]
    if found:
        yield named("Nearly the same ContractID", found)


def _named(comparison: Comparison) -> str:
    wanted = comparison.wanted
    return f"{wanted.contract_id} of {wanted.dso.domain} with {wanted.agr.domain}"


def _differences(comparison: Comparison) -> str:
    """Return what differs, before and after. Of a profile, name the first stretches that differ."""
    return "; ".join(_difference(name, *values) for name, values in comparison.differences().items())


def _difference(name: str, before_text: str | None, after_text: str | None) -> str:
    before, after = (text.split(", ") if text else [] for text in (before_text, after_text))
    same = {each for each in before if each in after}
    sides = (
        _first_stretches([each for each in stretches if each not in same], name, bool(stretches))
        for stretches in (before, after)
    )
    return f"{name}: {' → '.join(sides)}{', the rest as it is' if same else ''}"


def _first_stretches(stretches: list[str], name: str, is_there: bool) -> str:
    """Return the first stretches of one part of a profile, or what applies if there are none."""
    if stretches and stretches != ["nothing"]:
        more = f" and {len(stretches) - MAX_STRETCHES:,} more" if len(stretches) > MAX_STRETCHES else ""
        return ", ".join(stretches[:MAX_STRETCHES]) + more
    if is_there:
        return "nothing reserved"
    return "as every day" if name in WEEKDAYS else "as its day of the week"
