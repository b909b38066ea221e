"""The door: XML is well-formed, harmless and schema-valid, or refused (docs/protocol-support.md, "Reading").

Two parsers read each document side by side, piece by piece, and build no tree: expat for what XML and its namespaces
demand, with exact positions and no DOCTYPE let through; libxml2 for the schema. Memory stays flat whatever comes.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.parsers import expat

from lxml import etree

PIECE_BYTES = 1 << 16
_LONGEST_MESSAGE = 300
_LONGEST_VALUE = 60
_NAMESPACE_SEPARATOR = " "

HARDENED: dict[str, Any] = {
    "encoding": "utf-8",
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": True,
    "remove_comments": True,
    "remove_pis": True,
    "remove_blank_text": True,
}
"""How lxml reads here. Only what has no DOCTYPE gets this far, so `huge_tree` lifts the size limits and no more."""


class InvalidXML(Exception):
    """Bytes that are no UFTP: not well-formed, with a DOCTYPE, or not schema-valid. One line: what, and where."""


class _Nothing:
    """A parser target that keeps nothing."""

    def close(self) -> None:
        """End of the document."""


class Root:
    """The root element of a document: its name, and its attributes of no namespace, verbatim."""

    __slots__ = ("attributes", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes


class _WellFormed:
    """expat with the guards up; keeps the root element."""

    def __init__(self) -> None:
        self.root: Root | None = None
        self._parser = expat.ParserCreate("UTF-8", _NAMESPACE_SEPARATOR)
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._element

    def feed(self, piece: bytes, last: bool = False) -> None:
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code) or "not well-formed"
            raise InvalidXML(f"{_place(error.lineno, error.offset)}: {what}") from None

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise InvalidXML(f"line 1: the encoding must be UTF-8, not {_one_line(encoding, _LONGEST_VALUE)}")

    def _doctype(self, *_: object) -> None:
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber
        raise InvalidXML(f"{_place(line, column)}: a DOCTYPE is not allowed")

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        own = {key: value for key, value in attributes.items() if _NAMESPACE_SEPARATOR not in key}
        self.root = Root(name, own)
        self._parser.StartElementHandler = None


def read_root(content: bytes | memoryview) -> Root:
    """The root element of a document, read no further than that. Raises InvalidXML."""
    document = _WellFormed()
    view = memoryview(content)
    for start in range(0, len(view), PIECE_BYTES):
        document.feed(view[start : start + PIECE_BYTES].tobytes())
        if document.root is not None:
            return document.root
    document.feed(b"", last=True)
    raise InvalidXML("line 1: no element")


def validate(content: bytes | memoryview, schema_file: str) -> Root:
    """The root element of a document that is valid by our schema `schema_file`. Raises InvalidXML."""
    document = _WellFormed()
    validator = _validator(schema_file)
    view = memoryview(content)
    for start in range(0, len(view), PIECE_BYTES):
        piece = view[start : start + PIECE_BYTES].tobytes()
        document.feed(piece)
        complaint = _feed(validator, piece)
        if complaint is not None:
            raise InvalidXML(_located(complaint, view, start, schema_file))
    document.feed(b"", last=True)
    complaint = _close(validator)
    if complaint is not None:
        raise InvalidXML(_located(complaint, view, max(len(view) - PIECE_BYTES, 0), schema_file))
    if document.root is None:
        raise InvalidXML("line 1: no element")
    return document.root


@cache
def _schema(schema_file: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(Path(__file__).parent / "schema" / schema_file))


def _validator(schema_file: str) -> etree.XMLParser:
    return etree.XMLParser(target=_Nothing(), schema=_schema(schema_file), **HARDENED)


def _feed(validator: etree.XMLParser, piece: bytes) -> str | None:
    """libxml2's first complaint about the document so far, if it has one. Schema errors do not raise in a target."""
    try:
        validator.feed(piece)
    except etree.XMLSyntaxError as error:
        return str(error)
    log = validator.feed_error_log
    return log[0].message if log else None


def _close(validator: etree.XMLParser) -> str | None:
    try:
        validator.close()
    except etree.XMLSyntaxError as error:
        return str(error)
    log = validator.feed_error_log
    return log[0].message if log else None


def _located(complaint: str, view: memoryview, start: int, schema_file: str) -> str:
    """`complaint` with the place it is about, which libxml2 does not tell: found by reading on from `start` by tags."""
    validator = _validator(schema_file)
    for earlier in range(0, start, PIECE_BYTES):
        _feed(validator, view[earlier : min(earlier + PIECE_BYTES, start)].tobytes())
    position = len(view)
    piece = view[start : start + PIECE_BYTES].tobytes()
    for tag in re.finditer(rb"[^>]*(?:>|\Z)", piece):
        found = _feed(validator, tag.group())
        if found is not None:
            complaint, position = found, start + tag.end()
            break
    before = view[:position].tobytes()
    opening = max(before.rfind(b"<"), 0)
    line = before.count(b"\n", 0, opening) + 1
    column = opening - before.rfind(b"\n", 0, opening) - 1
    return f"{_place(line, column)}: {_plain(complaint)}"


def _plain(complaint: str) -> str:
    """libxml2's words without its own notation, values cut short."""
    text = re.sub(r"\Aline \d+: b(['\"])(.*)\1 \(line \d+\)\Z", r"\2", complaint, flags=re.DOTALL)
    text = re.sub(r"\[facet '\w+'\] ", "", text)
    pattern = re.search(r"The value '(.*)' is not accepted by the pattern ", text, flags=re.DOTALL)
    if pattern:
        text = f"{text[: pattern.start()]}'{_one_line(pattern.group(1), _LONGEST_VALUE)}' is not valid."
    return _one_line(text.replace("##other*", "…"), _LONGEST_MESSAGE)


def _one_line(text: str, longest: int) -> str:
    line = " ".join(text[: longest + 1].split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(text) <= longest else f"{line[:longest]}…"


def _place(line: int, column: int) -> str:
    return f"line {line}, column {column + 1}"
