"""The form of identifiers at every door: messages, files, forms and commands (docs/rules.md E1).

An identifier is printable ASCII without white space at its ends. Each kind has a form of its own beside that.
"""

import re

MAX_SHOWN = 510
"""The longest identifier that is shown in full: an entity address has at most 501 characters."""

DOMAIN = r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}"
"""The form of a domain. The schema (uftp/protocol/schema/uftp-types.xsd) repeats it; a test compares the two."""

_DIGITS = 12, 34
_EA1 = r"ea1\.[0-9]{4}-[0-9]{2}\."

ENTITY_ADDRESS = rf"ean\.[0-9]{{{_DIGITS[0]},{_DIGITS[1]}}}|{_EA1}[ -~]{{1,244}}:[ -~]{{0,243}}[!-~]"
"""The form of an entity address: the specification's, held to printable ASCII without white space at its ends."""

SPECIFIED_ENTITY_ADDRESS = rf"ean\.[0-9]{{{_DIGITS[0]},{_DIGITS[1]}}}|{_EA1}[^\n\r]{{1,244}}:[^\n\r]{{1,244}}"
"""The form of an entity address in the specification's schema, which the schema of messages repeats.

A message with an address of this form only is valid, and is answered with `Rejected`.
"""

_EA1_SQL = ENTITY_ADDRESS.partition("|")[2].replace("{", "{{").replace("}", "}}")

ENTITY_ADDRESS_SQL = (
    f"({{0}} ~ '^ean\\.[0-9]+$' AND length({{0}}) BETWEEN {4 + _DIGITS[0]} AND {4 + _DIGITS[1]}"
    f" OR {{0}} ~ '^{_EA1_SQL}$')"
)
"""ENTITY_ADDRESS as a condition in SQL. Fill in the tested expression with `str.format`.

The number of digits is tested by length: in PostgreSQL, a number of repetitions takes twenty times as long.
"""

ODD_SQL = "{0} ~ '[^ -~]|^ | $'"
"""Whether a text has a character that an identifier must not have, as a condition in SQL."""

ODD_ADDRESS_SQL = f"(starts_with({{0}}, 'ea1.') AND {ODD_SQL})"
"""The same for a text of the form SPECIFIED_ENTITY_ADDRESS, in less time: of `ean.` follow digits only."""

_FIRST_SQL = "substring({0} from '[^ -~]')"
_CODE_SQL = f"upper(to_hex(ascii({_FIRST_SQL})))"
FOREIGN_CHARACTER_SQL = (
    f"'U+' || lpad({_CODE_SQL}, greatest(4, length({_CODE_SQL})), '0')"
    f" || ' at character ' || strpos({{0}}, {_FIRST_SQL})"
)
"""The first character that is not printable ASCII, as `odd_character` names it, in SQL; null where there is none."""

_ODD = re.compile(r"[^ -~]|\A | +\Z")
_ENTITY_ADDRESS = re.compile(ENTITY_ADDRESS)
_DOMAIN = re.compile(DOMAIN)


def is_entity_address(text: str) -> bool:
    """Return whether the whole text is an entity address."""
    return _ENTITY_ADDRESS.fullmatch(text) is not None


def is_domain(text: str) -> bool:
    """Return whether the whole text is a domain."""
    return _DOMAIN.fullmatch(text) is not None


def odd_character(text: str) -> str:
    """Return the first character that an identifier must not have, such as `U+200B at character 31`, or ""."""
    found = _ODD.search(text)
    return f"U+{ord(found[0][0]):04X} at character {found.start() + 1}" if found else ""


def visible(text: str) -> str:
    """Return the text with each character other than printable ASCII as `<U+200B>`; `…` stays, which shortens texts."""
    return re.sub(r"[^ -~…]", lambda character: f"<U+{ord(character[0]):04X}>", text)


def with_odd_character(text: str) -> str:
    """Return the text, visible and of at most MAX_SHOWN characters, with its first odd character named after it."""
    odd = odd_character(text)
    shown = visible(text[:MAX_SHOWN]) + ("…" if len(text) > MAX_SHOWN else "")
    return f"{shown} ({odd})" if odd else shown
