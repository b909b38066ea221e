"""The validation of XML: well-formed, without DOCTYPE, valid by the schema (docs/protocol-support.md, "Reading").

Two parsers read each document in pieces, side by side, and build no tree. expat checks XML and its namespaces,
refuses a DOCTYPE, and reports exact positions. libxml2 validates by the schema.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from lxml import etree

from common.identifiers import odd_character
from uftp.protocol.simple_types import SCHEMAS, form_of

ENVELOPE = "signed-message.xsd"
"""The file name of the schema of envelopes."""

PIECE_BYTES = 1 << 16
LONGEST_TAG = 500_000
"""Maximum length in bytes of a tag with its attributes, or of a comment. A parser stores it several times.

It holds for messages. In the envelope the Body is an attribute, so tags may be longer there.
"""

_LONGEST_MESSAGE = 300
_LONGEST_VALUE = 60
_NAMESPACE_SEPARATOR = " "
_UTF8 = frozenset({"utf-8", "utf8"})
_ASCII = frozenset({"us-ascii", "ascii"})
"""Names of encodings that a declaration may have, in lower case. ASCII is a part of UTF-8, so both are read alike."""

HARDENED: dict[str, Any] = {
    "encoding": "utf-8",
    "resolve_entities": "internal",
    "no_network": True,
    "load_dtd": False,
    "huge_tree": True,
    "remove_comments": True,
    "remove_pis": True,
    "remove_blank_text": True,
}
"""Options of lxml for documents without a DOCTYPE.

Without a DOCTYPE `huge_tree` is safe, and the predefined entities of XML are the only ones. They must be resolved:
libxml2 otherwise reports `&amp;` as `&#38;`, also to its own schema validator.
"""


class InvalidXML(Exception):
    """The document is not well-formed, has a DOCTYPE, or is not valid by the schema.

    The message is one line with the place and the fault.
    """


class _DiscardTarget:
    """A parser target that stores nothing."""

    def close(self) -> None:
        """Do nothing at the end of the document."""


class Root:
    """The root element of a document: its name, and its attributes without a namespace, verbatim."""

    __slots__ = ("attributes", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes


class _WellFormed:
    """An expat parser that refuses a DOCTYPE, other encodings and overlong tags, and stores the root element."""

    def __init__(self) -> None:
        self.root: Root | None = None
        self._fed = 0
        self._only_ascii = False
        self._parser = expat.ParserCreate("UTF-8", _NAMESPACE_SEPARATOR)
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._element

    def feed(self, piece: bytes, longest_tag: int) -> int:
        """Parse `piece`, and return how many bytes of an unfinished tag, text or comment are pending.

        Raises:
            InvalidXML: The document is not well-formed or not in the encoding that it declares, or more than
                `longest_tag` bytes are pending.
        """
        self._fed += len(piece)
        try:
            self._parser.Parse(piece, False)
        except expat.ExpatError as error:
            raise self._refusal(error) from None
        if self._only_ascii and not piece.isascii():
            raise InvalidXML("line 1: the encoding is declared as US-ASCII, but there are other characters")
        pending = self._fed - max(self._parser.CurrentByteIndex, 0)
        if pending > longest_tag:
            place = _place(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber)
            raise InvalidXML(f"{place}: a tag or comment of more than {longest_tag} bytes")
        return pending

    def close(self) -> Root:
        """End the document, and return its root element. Raises InvalidXML if it may not end here."""
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self._refusal(error) from None
        if self.root is None:
            raise InvalidXML("line 1, column 1: no element found")
        return self.root

    def _refusal(self, error: expat.ExpatError) -> InvalidXML:
        return InvalidXML(f"{_place(error.lineno, error.offset)}: {expat.ErrorString(error.code)}")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        name = "utf-8" if encoding is None else encoding.lower()
        self._only_ascii = name in _ASCII
        if encoding is not None and name not in _UTF8 | _ASCII:
            raise InvalidXML(f"line 1: the encoding must be UTF-8, not {_one_line(encoding, _LONGEST_VALUE)}")

    def _doctype(self, *_: object) -> None:
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber
        raise InvalidXML(f"{_place(line, column)}: a DOCTYPE is not allowed")

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        own = {key: value for key, value in attributes.items() if _NAMESPACE_SEPARATOR not in key}
        self.root = Root(name, own)
        self._parser.StartElementHandler = None


def read_root(content: bytes | memoryview) -> Root:
    """Return the root element of a document. The rest of the document is not read.

    Raises:
        InvalidXML: The document is not well-formed up to there.
    """
    document = _WellFormed()
    for _ in _pieces(content, document, len(content)):
        if document.root is not None:
            return document.root
    return document.close()


def well_formed(content: bytes | memoryview) -> Root:
    """Check a whole document without a schema, and return its root element.

    Raises:
        InvalidXML: The document is not well-formed, has a DOCTYPE, or has an overlong tag or comment.
    """
    document = _WellFormed()
    for _ in _pieces(content, document, LONGEST_TAG):
        pass
    return document.close()


def validate(content: bytes | memoryview, schema_file: str, *, longest_tag: int = LONGEST_TAG) -> Root:
    """Validate a whole document by our schema `schema_file`, and return its root element.

    Args:
        content: The document.
        schema_file: The file name of the schema.
        longest_tag: Maximum length in bytes of a tag or comment. One of up to twice this length may be let through.

    Raises:
        InvalidXML: The document is not valid.
    """
    document = _WellFormed()
    validator = _validator(schema_file)
    position = 0
    for piece in _pieces(content, document, longest_tag):
        for start in range(0, len(piece), PIECE_BYTES):
            complaint = _complaint(validator.feed, piece[start : start + PIECE_BYTES])
            if complaint is not None:
                raise InvalidXML(_located(complaint, memoryview(content), position + start, schema_file))
        position += len(piece)
    root = document.close()
    complaint = _complaint(validator.close)
    if complaint is not None:
        raise InvalidXML(
            _located(complaint, memoryview(content), max(position - PIECE_BYTES, 0), schema_file)
        )
    return root


def _pieces(content: bytes | memoryview, document: _WellFormed, longest_tag: int) -> Iterator[bytes]:
    """Yield `content` in pieces, each after `document` has parsed it.

    expat reads all of an unfinished tag or comment again with each piece. So the pieces grow with the pending bytes.
    """
    view = memoryview(content)
    head = view[:4].tobytes()
    if b"\0" in head or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidXML("line 1, column 1: the encoding must be UTF-8")
    start = pending = 0
    while start < len(view):
        piece = view[start : start + max(PIECE_BYTES, pending)].tobytes()
        pending = document.feed(piece, longest_tag)
        yield piece
        start += len(piece)


# Loaded on import, before there are threads: libxml2 cannot load a schema while another thread loads one or validates.
_SCHEMAS = {
    name: etree.XMLSchema(etree.parse(SCHEMAS / name))
    for name in (
        ENVELOPE,
        "uftp-3.xsd",
        "uftp-3-strict.xsd",
        "uftp-4.0.0.xsd",
        "uftp-4.0.0-strict.xsd",
    )
}


def _validator(schema_file: str) -> etree.XMLParser:
    target: Any = _DiscardTarget()
    return etree.XMLParser(target=target, schema=_SCHEMAS[schema_file], **HARDENED)


def _complaint(step: Callable[..., object], *arguments: bytes) -> str | None:
    """Run a step of a validator, and return libxml2's first complaint so far.

    With a parser target, an error of the schema raises no exception. So the error log is read.
    """
    try:
        step(*arguments)
    except etree.XMLSyntaxError as error:
        return str(error)
    log = step.__self__.feed_error_log  # type: ignore[attr-defined]
    return log[0].message if log else None


def _located(complaint: str, view: memoryview, start: int, schema_file: str) -> str:
    """Return `complaint` with its place.

    libxml2 does not report the place here. So the piece that begins at `start` is validated again, tag by tag.
    """
    validator = _validator(schema_file)
    for earlier in range(0, start, PIECE_BYTES):
        validator.feed(view[earlier : min(earlier + PIECE_BYTES, start)].tobytes())
    position = len(view)
    piece = view[start : start + PIECE_BYTES].tobytes()
    for tag in re.finditer(rb"[^>]*(?:>|\Z)", piece):
        found = _complaint(validator.feed, tag.group())
        if found is not None:
            complaint, position = found, start + tag.end()
            break
    return f"{_place(*_line_and_offset(view, position))}: {_plain(complaint, schema_file)}"


def _line_and_offset(view: memoryview, position: int) -> tuple[int, int]:
    """Return the line (from 1), and the offset in the line (from 0), of the tag that ends at `position`."""
    opening = 0
    for end in range(position, 0, -PIECE_BYTES):
        start = max(end - PIECE_BYTES, 0)
        found = view[start:end].tobytes().rfind(b"<")
        if found >= 0:
            opening = start + found
            break
    line, line_start = 1, 0
    for start in range(0, opening, PIECE_BYTES):
        piece = view[start : min(start + PIECE_BYTES, opening)].tobytes()
        line += piece.count(b"\n")
        line_start = max(line_start, start + piece.rfind(b"\n") + 1 if b"\n" in piece else 0)
    return line, opening - line_start


def _plain(complaint: str, schema_file: str) -> str:
    """Return libxml2's message without its own notation, with long values cut, and the form of a wrong value."""
    if found := re.match(r"Element '(.*)': No matching global declaration", complaint):
        return _unknown_root(found[1], schema_file)
    value = ""
    if found := re.search(_WRONG_VALUE, complaint, re.DOTALL):
        value = _wrong_value(found["attribute"], found["value"])
        complaint = complaint[: found.start("rest")]
    text = re.sub(r"\Aline \d+: b(['\"])(.*)\1 \(line \d+\)\Z", r"\2", complaint, flags=re.DOTALL)
    text = re.sub(r"\[facet '\w+'\] ", "", text)
    text = re.sub(r"'([^']*)(?:'|\Z)", lambda quoted: f"'{_one_line(quoted.group(1), _LONGEST_VALUE)}'", text)
    text = _one_line(text.replace("##other*", "…"), _LONGEST_MESSAGE)
    return f"{text} {value}" if value else text


def _wrong_value(attribute: str, value: str) -> str:
    """Return what `value` is not, and which character it must not have, or else the form that it must have."""
    what, form = form_of(attribute)
    odd = odd_character(value)
    more = f"It has {odd}." if odd else form
    return f"'{_one_line(value, _LONGEST_VALUE)}' is not {what}. {more}".rstrip()


_WRONG_VALUE = (
    r"attribute '(?P<attribute>[^']*)': (?P<rest>\[facet '\w+'\] The value '(?P<value>.*)' is not accepted by the"
    r" pattern .*)"
)
"""libxml2's complaint about a value that is not of the form that its type demands."""


def _unknown_root(name: str, schema_file: str) -> str:
    """Return why a document with the root element `name` is not what is expected: libxml2's `{namespace}name`."""
    namespace, _, local = name.rpartition("}")
    local = _one_line(local, _LONGEST_VALUE)
    if namespace:
        namespace = _one_line(namespace.removeprefix("{"), _LONGEST_VALUE)
        return (
            f"'{local}' is in the namespace '{namespace}', and UFTP has none: remove the declaration (xmlns)"
        )
    if schema_file == ENVELOPE:
        return (
            f"'{local}' is found where a SignedMessage is expected: sign it, and send it as the Body of one"
        )
    return f"'{local}' is not a message of UFTP"


def _one_line(text: str, longest: int) -> str:
    line = " ".join(text[: longest + 1].split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(text) <= longest else f"{line[:longest]}…"


def _place(line: int, column: int) -> str:
    return f"line {line}, column {column + 1}"
