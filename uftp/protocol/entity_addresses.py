"""The format of an entity address, in messages, files and contracts."""

import re

_DIGITS = 12, 34
_EA1 = r"ea1\.[0-9]{4}-[0-9]{2}\.[^\n\r]{1,244}:[^\n\r]{1,244}"

PATTERN = rf"ean\.[0-9]{{{_DIGITS[0]},{_DIGITS[1]}}}|{_EA1}"
"""The format as a regular expression. It means the same in Python and in XML Schema.

The schema (schema/uftp-types.xsd) repeats it, because a schema is a file. A test compares the two.
"""

SQL = (
    f"({{0}} ~ '^ean\\.[0-9]+$' AND length({{0}}) BETWEEN {4 + _DIGITS[0]} AND {4 + _DIGITS[1]}"
    f" OR {{0}} ~ '^{_EA1.replace('{', '{{').replace('}', '}}')}$')"
)
"""The format as a condition in SQL. Fill in the tested expression with `str.format`.

The number of digits is tested by length: in PostgreSQL, a number of repetitions takes twenty times as long.
"""

_PATTERN = re.compile(PATTERN)


def is_entity_address(text: str) -> bool:
    """Return whether the whole text is an entity address."""
    return _PATTERN.fullmatch(text) is not None
