"""Readable XML: one element a line, indented, with unchanged values.

It is for reading only: its bytes differ from the signed bytes. The beginning of a document is enough.
"""

from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

INDENT = "  "
WIDTH = 110

MAX_DEPTH = 50
"""Maximum nesting of elements. It is far above any message of UFTP."""

MAX_INDENTS = 12
MAX_GROWTH = 4
FREE_CHARACTERS = 10_000
"""Limits of the output: MAX_INDENTS indents, and MAX_GROWTH times the length of the input plus FREE_CHARACTERS."""


class NotPrintable(ValueError):
    """The bytes are not XML, have a DOCTYPE, or exceed a limit. The message says why."""


def pretty_print(beginning: bytes, *, complete: bool) -> str:
    """Return a document, or the beginning of one, as readable lines.

    Args:
        beginning: The document or its beginning.
        complete: Whether `beginning` is the complete document. If not, the output ends after its last complete tag.

    Raises:
        NotPrintable: The bytes are not XML, have a DOCTYPE, or exceed a limit.
    """
    printer = _Printer(room=MAX_GROWTH * len(beginning) + FREE_CHARACTERS)
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler = printer.start
    parser.EndElementHandler = printer.end
    parser.CharacterDataHandler = printer.text
    parser.CommentHandler = printer.comment
    parser.ProcessingInstructionHandler = printer.instruction
    parser.StartDoctypeDeclHandler = _refuse
    # Otherwise expat may report nothing after a very long value.
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)
    try:
        parser.Parse(beginning, complete)
    except expat.ExpatError as error:
        raise NotPrintable(str(error)) from None
    return printer.finish()


def _refuse(*declared: object) -> None:
    raise NotPrintable("it has a DOCTYPE")


@dataclass
class _Printer:
    """Collects lines of at most `room` characters in total.

    A start tag waits in `waiting`: its end depends on what follows it. `pending_text` waits in the same way.
    """

    room: int
    lines: list[str] = field(default_factory=list)
    depth: int = 0
    waiting: str | None = None
    pending_text: str = ""

    def start(self, name: str, attributes: list[str]) -> None:
        self._end_start_tag()
        if self.depth == MAX_DEPTH:
            raise NotPrintable(f"its elements are nested more than {MAX_DEPTH} deep")
        pairs = [
            f"{key}={quoteattr(value)}" for key, value in zip(attributes[::2], attributes[1::2], strict=True)
        ]
        self.waiting = self._tag(name, pairs)
        self.depth += 1

    def end(self, name: str) -> None:
        self.depth -= 1
        if self.waiting is None:
            self._write_text()
            self._add(f"</{name}>")
        elif self.pending_text.strip():
            self._append(f"{self.waiting}>{escape(self.pending_text)}</{name}>")
        else:
            self._append(f"{self.waiting}/>")
        self.waiting, self.pending_text = None, ""

    def text(self, text: str) -> None:
        self.pending_text += text

    def comment(self, text: str) -> None:
        self._end_start_tag()
        self._add(f"<!--{text}-->")

    def instruction(self, target: str, text: str) -> None:
        self._end_start_tag()
        self._add(f"<?{target} {text}?>")

    def finish(self) -> str:
        self._end_start_tag()
        return "\n".join(self.lines)

    def _tag(self, name: str, pairs: list[str]) -> str:
        margin = self._margin()
        tag = margin + " ".join([f"<{name}", *pairs])
        if len(tag) <= WIDTH or len(pairs) < 2:
            return tag
        return f"{margin}<{name}" + "".join(f"\n{margin}{INDENT * 2}{pair}" for pair in pairs)

    def _end_start_tag(self) -> None:
        if self.waiting is not None:
            self._append(f"{self.waiting}>")
            self.waiting = None
        self._write_text()

    def _write_text(self) -> None:
        if self.pending_text.strip():
            self._add(escape(self.pending_text.strip()))
        self.pending_text = ""

    def _add(self, line: str) -> None:
        self._append(self._margin() + line)

    def _margin(self) -> str:
        return INDENT * min(self.depth, MAX_INDENTS)

    def _append(self, line: str) -> None:
        self.room -= len(line) + 1
        if self.room < 0:
            raise NotPrintable("it would become too long")
        self.lines.append(line)
