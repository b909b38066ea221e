"""The forms of values in messages, in words for those who read why a message is invalid."""

from pathlib import Path

from lxml import etree

SCHEMAS = Path(__file__).parent / "schema"

TYPES = {
    "Version": ("a version number", "Three whole numbers with dots between them, such as 3.1.0."),
    "Domain": ("an Internet domain in lower case", "Lower-case labels joined by dots, such as agr.example."),
    "UUID": (
        "a UUID",
        "32 hexadecimal digits in groups of 8, 4, 4, 4 and 12, such as 2f1c0d5a-6f0e-4b3c-9a57-0c6f2d1e8b44.",
    ),
    "EntityAddress": (
        "an entity address",
        "Either ean. and 12 to 34 digits, such as ean.871685900012636543, or ea1., a month, a domain backwards, a "
        "colon and a name, such as ea1.2026-01.example.grid:feeder-7.",
    ),
    "TimeZone": ("the name of a time zone", "Continent/City as IANA lists it, such as Europe/Amsterdam."),
    "Day": ("a day of the calendar", "Year, month and day of a day that exists, such as 2026-07-01."),
    "Duration": ("a duration", "As ISO 8601 writes it, such as PT15M."),
    "Moment": (
        "a point in time",
        "Date, T, time and offset from UTC, such as 2026-07-01T12:00:00Z or 2026-07-01T14:00:00+02:00.",
    ),
    "boolean": ("true or false", "Either true or false."),
    "nonNegativeInteger": ("a whole number from 0 up", "Digits only, such as 17."),
    "positiveInteger": ("a whole number from 1 up", "Digits only, such as 1."),
    "integer": ("a whole number", "Digits, with a minus before them where it is negative."),
}
"""Simple type of a schema to its name and the form of its values, in words."""

_ATTRIBUTE = "{http://www.w3.org/2001/XMLSchema}attribute"
_TYPE_OF = {
    declared.get("name", ""): declared.get("type", "")
    for schema in sorted(SCHEMAS.glob("*.xsd"))
    for declared in etree.parse(schema).iter(_ATTRIBUTE)
}
"""Attribute to its simple type. An attribute has the same type wherever it stands."""


def form_of(attribute: str) -> tuple[str, str]:
    """Return what a value of `attribute` must be, and its form in a sentence, which may be empty."""
    return TYPES.get(_TYPE_OF.get(attribute, ""), ("an allowed value", ""))
