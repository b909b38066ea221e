"""The one rule of what an entity address looks like, for messages, files and contracts."""

import re

_DIGITS = 12, 34
_EA1 = r"ea1\.[0-9]{4}-[0-9]{2}\.[^\n\r]{1,244}:[^\n\r]{1,244}"

PATTERN = rf"ean\.[0-9]{{{_DIGITS[0]},{_DIGITS[1]}}}|{_EA1}"
"""The rule, as a regular expression that Python and XML Schema read alike.

The schema (schema/uftp-types.xsd) repeats it, because a schema is a file; a test compares the two.
"""

SQL = (
    f"({{0}} ~ '^ean\\.[0-9]+$' AND length({{0}}) BETWEEN {4 + _DIGITS[0]} AND {4 + _DIGITS[1]}"
    f" OR {{0}} ~ '^{_EA1.replace('{', '{{').replace('}', '}}')}$')"
)
"""The rule as a condition in SQL, to be formatted with the expression that it is about.

PostgreSQL takes twenty times as long for a number of repetitions as for a length.
"""

_PATTERN = re.compile(PATTERN)


def is_entity_address(text: str) -> bool:
    """Return whether the whole text has the form of an entity address."""
    return _PATTERN.fullmatch(text) is not None
