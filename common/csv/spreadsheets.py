"""What spreadsheets do to values when they open and save a CSV file, and what to do about it.

The regular expressions mean the same in Python and in PostgreSQL. They are for values that are not valid as they are.
"""

import re
from collections.abc import Iterable, Iterator

NUMBER = r"^[0-9]+([.,][0-9]+)?[eE]\+[0-9]+$"
"""A long number, such as `8,71686E+17`."""

DAY = (
    r"^([0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}|[0-9]{4}[/.][0-9]{1,2}[/.][0-9]{1,2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} [0-9:]+|[0-9]{5})$"
)
"""A day in the form of a country, such as `1-1-2026`, with a time of day, or as a count of days."""

BOOLEAN = (
    "^(waar|onwaar|wahr|falsch|vrai|faux|vero|falso|verdadero|verdadeiro|prawda|fałsz|sand|falsk|sant|usant|sann|tosi"
    "|epätosi)$"
)
"""`true` or `false` in the language of the spreadsheet, in lower case."""

NUMBER_HINT = (
    "a spreadsheet has rewritten this number, and its last digits are lost; make the file again from its source, and"
    " let the spreadsheet import this column as text"
)
DAY_HINT = "a spreadsheet has rewritten it; format the column as text, or as YYYY-MM-DD"
BOOLEAN_HINT = (
    "a spreadsheet has written it in its own language; write true or false, and format the column as text"
)


def number_hint(text: str) -> str:
    """Return NUMBER_HINT if a spreadsheet has rewritten a long number to this text; else an empty text."""
    return NUMBER_HINT if re.search(NUMBER, text) else ""


def hint(text: str) -> str:
    """Return what a spreadsheet has done to this text, which is no valid number or day, and what to do; or nothing."""
    return number_hint(text) or (DAY_HINT if re.search(DAY, text) else "")


def same_but_for_zeros_and_case(text: str) -> str:
    """Return the text in lower case and without leading zeros, which spreadsheets remove from numbers."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text.lower())


def near_duplicates(
    new: Iterable[tuple[str, str]], known: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """Yield the new names that differ from another name only in leading zeros or case.

    Args:
        new: The new names, each with the group in which it must be unique.
        known: All names that may be like them, with their groups; it may contain the new names too.

    Yields:
        The group, the new name, and the first other name that is like it.
    """
    new = sorted(set(new))
    alike: dict[tuple[str, str], list[str]] = {}
    for group, name in sorted({*known, *new}):
        alike.setdefault((group, same_but_for_zeros_and_case(name)), []).append(name)
    for group, name in new:
        others = alike[group, same_but_for_zeros_and_case(name)]
        other = next((other for other in others if other != name), None)
        if other is not None:
            yield group, name, other
