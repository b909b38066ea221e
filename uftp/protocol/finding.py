"""Find a text in XML as people read it: in any case, whatever way the XML writes its characters."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable
from xml.parsers import expat

_MAX_NAME = 60
_NAMESPACE_SEPARATOR = " "
_LONGEST_REFERENCE = len("&#x10FFFF;")
_REFERENCE = re.compile(r"&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));", re.IGNORECASE)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def has_text(pieces: Iterable[bytes], text: str) -> bool:
    """Return whether XML in UTF-8, read in pieces, has a text: in a value, or as the XML itself is written.

    Case does not matter, for the letters of any language.
    """
    wanted = text.casefold()
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    overlap = len(wanted) * _LONGEST_REFERENCE
    before = ""
    for piece in pieces:
        read = before + decoder.decode(piece)
        if wanted in read.casefold() or ("&" in read and wanted in _resolved(read).casefold()):
            return True
        before = read[-overlap:]
    return False


def place_of_text(pieces: Iterable[bytes], text: str) -> str:
    """Return the first attribute or element of an XML document that has a text, such as `EntityAddress of Connection`.

    Return "" if no value has it: the text is a name, or stands across several values.
    """
    finder = _Finder(text.casefold())
    try:
        for piece in pieces:
            finder.parser.Parse(piece, False)
            if finder.place:
                break
    except expat.ExpatError:
        return ""
    return finder.place


class _Finder:
    """An expat parser that compares each value with a text. Without a DOCTYPE, XML has no entities of its own."""

    def __init__(self, wanted: str) -> None:
        self.place = ""
        self._wanted = wanted
        self._open: list[str] = []
        self._text: list[str] = []
        self.parser = expat.ParserCreate("UTF-8", _NAMESPACE_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._compare_text()
        self._open.append(_local(name))
        for attribute, value in attributes.items():
            if not self.place and self._wanted in value.casefold():
                self.place = f"{_local(attribute)} of {self._open[-1]}"

    def _end(self, name: str) -> None:
        self._compare_text()
        self._open.pop()

    def _characters(self, text: str) -> None:
        self._text.append(text)

    def _compare_text(self) -> None:
        if not self.place and self._wanted in "".join(self._text).casefold():
            self.place = f"text of {self._open[-1]}"
        self._text.clear()


def _local(name: str) -> str:
    return name.rpartition(_NAMESPACE_SEPARATOR)[2][:_MAX_NAME]


def _resolved(xml: str) -> str:
    """Return XML with its character references and predefined entities as characters."""
    return _REFERENCE.sub(_character, xml)


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name:
        return _NAMED.get(name, reference[0])
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(code) if code <= 0x10FFFF else reference[0]
