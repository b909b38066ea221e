"""The explanation of an invalid message, for staff: the place of each fault, the fault, and how to correct it.

The message endpoint stops at the first fault (uftp/protocol/validation.py). An explanation has the first FAULTS of
them. It comes from another validator and may take seconds, so it is made when staff open the page.
"""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.parsers import expat

import xmlschema
from lxml import etree
from xmlschema.validators.exceptions import XMLSchemaValidationError

from uftp.protocol.diagnostics import validator_messages
from uftp.protocol.diagnostics.pretty_xml import MAX_DEPTH
from uftp.protocol.simple_types import SCHEMAS
from uftp.protocol.validation import HARDENED, InvalidXML, well_formed

logger = logging.getLogger(__name__)

FAULTS = 20
MAX_BYTES = 1_000_000
SECONDS = 2.0
"""Maximum time in seconds. The part of the message that is not validated by then is left out."""

MAX_ELEMENTS = 15_000
MAX_ATTRIBUTES = 100
MAX_VALUE_LENGTH = 20_000
"""Limits far above any message of UFTP. Beyond them a validator in Python needs too long."""

EXCERPT_BEFORE, EXCERPT_AFTER = 80, 320
"""Maximum number of characters of a line that an excerpt has before and after the fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a message.

    Attributes:
        line: The line in the message, from 1.
        column: The column in the line, from 1.
        path: The path of the element or attribute.
        wrong: The fault, in sentences.
        right: How to correct it, in sentences. May be empty.
        excerpt: The line of the message. A long one is cut.
    """

    line: int
    column: int
    path: str
    wrong: str
    right: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The first faults of a message, in their order there.

    `note` is a sentence about the parts that were not explained. It is empty if all were.
    """

    faults: tuple[Fault, ...]
    note: str = ""


class _TooLarge(Exception):
    """The document is too large or too deeply nested to be explained. The message says why."""


def explain(content: bytes, schema_file: str, *, seconds: float = SECONDS) -> Explanation:
    """Return the faults of `content` by our schema `schema_file`. `content` may be any bytes.

    Args:
        content: The inner XML.
        schema_file: The file name of the schema.
        seconds: The maximum time.
    """
    if len(content) > MAX_BYTES:
        return Explanation((), "Only messages of up to 1 MB are explained.")
    try:
        well_formed(content)
    except InvalidXML as wrong:
        return Explanation((_malformed(content, str(wrong)),), "The message cannot be read after this place.")
    try:
        _survey(content)
        root = etree.fromstring(content, etree.XMLParser(**HARDENED))
    except (_TooLarge, etree.XMLSyntaxError) as too_large:
        return Explanation((), f"This message is not explained: {too_large}.")
    return _by_schema(content, root, schema_file, time.monotonic() + seconds)


def _by_schema(content: bytes, root: etree._Element, schema_file: str, deadline: float) -> Explanation:
    schema, note = _schema(schema_file), ""

    def skip(*_: object) -> bool:
        nonlocal note
        if time.monotonic() > deadline:
            note = "The rest of the message was not checked, because that takes too long."
        return bool(note)

    located: list[tuple[etree._Element, str, validator_messages.FaultText]] = []
    try:
        for error in schema.iter_errors(root, validation_hook=skip):
            if len(located) == FAULTS:
                note = f"There are more faults. These are the first {FAULTS}."
                break
            located.append(_locate_and_explain(schema, error))
    except Exception:
        logger.exception("A message could not be explained to its end.")
        note = "The rest of the message could not be explained because of an internal error, which is in the log."
    offsets = _offsets(content, root, [element for element, _, _ in located])
    found = [
        Fault(*_line_and_column(content, offset), path, texts.wrong, texts.right, _excerpt(content, offset))
        for offset, (_, path, texts) in zip(offsets, located, strict=True)
    ]
    return Explanation(tuple(sorted(found, key=lambda fault: (fault.line, fault.column))), note)


@cache
def _schema(schema_file: str) -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(str(SCHEMAS / schema_file), allow="local", defuse="always")


def _locate_and_explain(
    schema: xmlschema.XMLSchema10, error: XMLSchemaValidationError
) -> tuple[etree._Element, str, validator_messages.FaultText]:
    """Return the element that `error` is about, the path of the element or its attribute, and the texts."""
    element: Any = error.elem
    declared = _declared(schema, element)
    index = getattr(error, "index", None)
    children = list(element)
    if index is not None and index < len(children):
        element = children[index]
    texts, attribute = validator_messages.fault_text(error.reason or "", element, declared, schema.elements)
    path = element.getroottree().getpath(element)
    return element, f"{path}/@{attribute}" if attribute else path, texts


def _declared(schema: xmlschema.XMLSchema10, element: etree._Element) -> Any:
    """Return the declaration of an element in the schema, or None.

    It is found by the names of the elements around it.
    """
    parent = element.getparent()
    if parent is None:
        return schema.elements.get(str(element.tag))
    outer = _declared(schema, parent)
    return next(
        (inner for inner in validator_messages.allowed_children(outer) if inner.name == element.tag), None
    )


def _survey(content: bytes) -> None:
    """Raise _TooLarge for a document beyond the limits above."""
    depth = elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH:
            raise _TooLarge(f"its elements are nested more than {MAX_DEPTH} deep")
        if elements > MAX_ELEMENTS:
            raise _TooLarge(f"it has more than {MAX_ELEMENTS:,} elements")
        if len(attributes) > MAX_ATTRIBUTES:
            raise _TooLarge(f"an element has more than {MAX_ATTRIBUTES} attributes")
        if any(len(value) > MAX_VALUE_LENGTH for value in attributes.values()):
            raise _TooLarge(f"a value is longer than {MAX_VALUE_LENGTH:,} characters")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(content, True)


def _offsets(content: bytes, root: etree._Element, wanted: list[etree._Element]) -> Iterator[int]:
    """Return the offset in bytes of the start tag of each wanted element."""
    numbers = {element: number for number, element in enumerate(root.iter())}
    starts: list[int] = []
    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = lambda *_: starts.append(parser.CurrentByteIndex)
    parser.Parse(content, True)
    return (starts[numbers[element]] for element in wanted)


def _line_and_column(content: bytes, offset: int) -> tuple[int, int]:
    line_start = content.rfind(b"\n", 0, offset) + 1
    column = len(content[line_start:offset].decode(errors="replace")) + 1
    return content.count(b"\n", 0, offset) + 1, column


def _excerpt(content: bytes, offset: int) -> str:
    """Return the line of the byte at `offset`. A long line is cut on both sides."""
    start = content.rfind(b"\n", 0, offset) + 1
    end = content.find(b"\n", offset)
    before = content[start:offset].decode(errors="replace").lstrip()
    after = content[offset : end if end >= 0 else len(content)].decode(errors="replace").rstrip()
    if len(before) > EXCERPT_BEFORE:
        before = f"…{before[-EXCERPT_BEFORE:]}"
    if len(after) > EXCERPT_AFTER:
        after = f"{after[:EXCERPT_AFTER]}…"
    return before + after


def _malformed(content: bytes, complaint: str) -> Fault:
    """Return the fault because of which `content` cannot be parsed. `complaint` comes from the validation."""
    found = re.fullmatch(r"line (\d+)(?:, column (\d+))?: (.*)", complaint)
    if found is None:
        return Fault(1, 1, "", *validator_messages.malformed(complaint), "")
    line, column = int(found[1]), int(found[2] or 1)
    start = 0
    for _ in range(line - 1):
        start = content.find(b"\n", start) + 1
    return Fault(
        line,
        column,
        "",
        *validator_messages.malformed(found[3]),
        _excerpt(content, min(start + column - 1, max(len(content) - 1, 0))),
    )
