"""Texts for the faults that a validator finds in a message, and how to correct them."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from common.identifiers import odd_character
from uftp.protocol.simple_types import TYPES

LONGEST = 80

MALFORMED = (
    ("a DOCTYPE is not allowed", "The message has a DOCTYPE.", "Remove it: UFTP does not use it."),
    (
        "the encoding must be UTF-8",
        "The message is not written in UTF-8.",
        'Write it in UTF-8. Its first line has encoding="UTF-8" or no encoding.',
    ),
    (
        "mismatched tag",
        "An element is closed by the end tag of another one.",
        "Close each element with its own name. Close the element that was opened last first.",
    ),
    (
        "not well-formed",
        "A character is at a place where XML does not allow it.",
        "Often it is a < or & inside a value. Write &lt; or &amp;. Or a value has no quotes around it.",
    ),
    ("no element found", "The message ends before its last element is closed.", "Send the complete message."),
    ("unclosed token", "The message ends in the middle of a tag.", "Send the complete message."),
    ("duplicate attribute", "An element has the same attribute twice.", "Give each attribute once."),
    (
        "undefined entity",
        "An entity such as &eacute; is not defined in XML.",
        "Write the character itself, in UTF-8.",
    ),
    (
        "a tag or comment of more than",
        "An element with its attributes, or a comment, is longer than this CRO reads.",
        "Shorten it: a tag may be about 500,000 bytes long.",
    ),
    ("unbound prefix", "A prefix before a colon is not declared.", "Declare it, or remove it."),
    (
        "junk after document element",
        "There is something after the last end tag of the message.",
        "End the message there.",
    ),
)
"""The beginning of a parser's complaint, its meaning, and the correction."""


class FaultText(NamedTuple):
    """Sentences about a fault, and about how to correct it. `right` may be empty."""

    wrong: str
    right: str


def malformed(complaint: str) -> FaultText:
    """Return the texts for a document that is not well-formed, or not allowed."""
    for beginning, wrong, right in MALFORMED:
        if complaint.startswith(beginning):
            return FaultText(wrong, right)
    return FaultText(f"This is not XML: {complaint}.", "")


def fault_text(reason: str, element: Any, declared: Any, messages: Iterable[str]) -> tuple[FaultText, str]:
    """Return the texts for a complaint of xmlschema, and the name of the attribute that it is about, or "".

    Args:
        reason: The complaint.
        element: The element that it is about.
        declared: The declaration of the element. If the schema does not allow it there, the declaration of the
            element around it. None if there is none.
        messages: The names of all messages.
    """
    tag = _name(element.tag)
    if found := re.match(r"attribute ([^\s=]+)=", reason):
        return _value(found[1], element.get(found[1]) or "", declared), found[1]
    if found := re.fullmatch(r"missing required attribute '(.*)'", reason):
        return _missing(found[1], tag, element, declared), found[1]
    if found := re.fullmatch(r"attribute '(.*)' not allowed", reason):
        return _unknown(found[1], tag, declared), found[1]
    if reason.startswith("Unexpected child"):
        return _misplaced(tag, _name(element.getparent().tag), declared), ""
    if "is not an element of the schema" in reason:
        return _no_message(element, messages), ""
    if reason.startswith("character data"):
        text = next(filter(str.strip, [element.text or "", *(child.tail or "" for child in element)]), "")
        return (
            FaultText(
                f"Inside {tag} there is text: {_cut(text.strip())!r}.", "Remove it: values are attributes."
            ),
            "",
        )
    if "is not complete" in reason:
        return FaultText(f"{tag} lacks a required element.", _of_these(_children(declared))), ""
    return FaultText(f"{_cut(reason, 200)}.", ""), ""


def _value(name: str, value: str, declared: Any) -> FaultText:
    its_type = declared.attributes[name].type if declared is not None else None
    listed = getattr(its_type, "enumeration", None)
    if listed:
        right = f"Exactly one of {_listed(listed)}."
        return FaultText(f"{name} is {_cut(value)!r}, which is not an allowed value.", right)
    what, right = TYPES.get(_name(getattr(its_type, "name", None) or ""), ("an allowed value", ""))
    if not value.strip():
        return FaultText(f"{name} is empty.", right)
    odd = odd_character(value)
    return FaultText(f"{name} is {_cut(value)!r}, which is not {what}.{odd and f' It has {odd}.'}", right)


def _missing(name: str, tag: str, element: Any, declared: Any) -> FaultText:
    own = declared.attributes if declared is not None else {}
    _, right = TYPES.get(_name(getattr(getattr(own.get(name), "type", None), "name", None) or ""), ("", ""))
    alike = get_close_matches(name, [given for given in element.attrib if given not in own], 1)
    if alike:
        right = f"Perhaps {_cut(alike[0])} is a misspelling of it: names must match exactly. {right}"
    return FaultText(f"{tag} lacks the attribute {name}.", right.strip())


def _unknown(name: str, tag: str, declared: Any) -> FaultText:
    known = [str(known) for known in declared.attributes if known] if declared is not None else []
    return FaultText(f"{tag} has no attribute {_cut(name)}.", _perhaps(name, known) + _of_these(known))


def _misplaced(tag: str, parent: str, declared: Any) -> FaultText:
    known = _children(declared)
    if tag in known:
        return FaultText(f"{tag} does not belong at this place in {parent}.", _of_these(known))
    return FaultText(f"{parent} has no element {_cut(tag)}.", _perhaps(tag, known) + _of_these(known))


def _no_message(element: Any, messages: Iterable[str]) -> FaultText:
    name = str(element.tag)
    if name.startswith("{"):
        namespace = name[1:].partition("}")[0]
        return FaultText(
            f"The message is in the namespace {_cut(namespace)!r}.",
            "Messages of UFTP have no namespace: remove its declaration (xmlns).",
        )
    return FaultText(f"{_cut(name)} is not a message of UFTP.", _perhaps(name, list(messages)))


def allowed_children(declared: Any) -> list[Any]:
    """Return the declarations of the child elements that the declaration `declared` allows."""
    content: Any = getattr(getattr(declared, "type", None), "content", None)
    elements = content.iter_elements() if hasattr(content, "iter_elements") else ()
    return [each for each in elements if each.name]


def _children(declared: Any) -> list[str]:
    return list(dict.fromkeys(_name(each.name) for each in allowed_children(declared)))


def _perhaps(name: str, known: list[str]) -> str:
    alike = get_close_matches(name, known, 1)
    return f"Perhaps {alike[0]} is meant. " if alike else ""


def _of_these(known: Iterable[str]) -> str:
    known = sorted(known)
    return f"It can have {_listed(known)}." if known else "It can have none."


def _listed(values: Iterable[object]) -> str:
    *most, last = [str(value) for value in values]
    return f"{', '.join(most)} and {last}" if most else last


def _name(tag: str) -> str:
    return str(tag).rpartition("}")[2]


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
