"""The expressions of entity addresses that indexes hold, so that a part of an address finds it."""

from __future__ import annotations

from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Lower, Right

INDEXED_END = 5
"""How many characters from the end of an address are indexed.

They are few, so that many addresses share an entry: the index stays small, and a registration stays cheap. Addresses
with the same end are compared as a whole.
"""


def indexed_end(path: str = "address") -> Right:
    """Return the last characters of an address."""
    return Right(F(path), INDEXED_END)


def local_part(path: str = "address") -> Func:
    """Return what follows the first colon of an address, in lower case; nothing for an EAN."""
    return Lower(Func(F(path), Value(":"), Value(2), function="SPLIT_PART", output_field=TextField()))


def has_capitals(path: str = "address") -> Q:
    """Return the condition that an address is not all in lower case."""
    return ~Q(**{path: Lower(F(path))})
