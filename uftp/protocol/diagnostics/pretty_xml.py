"""Readable XML: one element a line, indented, with unchanged values.

It is for reading only: its bytes differ from the signed bytes. The beginning of a document is enough.
"""

from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

INDENT = "  "
WIDTH = 110

DEEPEST = 50
"""Maximum nesting of elements. It is far above any message of UFTP."""

MOST_INDENTS = 12
MOST_TIMES = 4
FREE = 10_000
"""Limits of the output: at most MOST_INDENTS indents, and a length of MOST_TIMES the input plus FREE characters."""


class NotLaidOut(ValueError):
    """The bytes are not XML, have a DOCTYPE, or exceed a limit. The message says why."""


def lay_out(beginning: bytes, *, whole: bool) -> str:
    """Return a document, or the beginning of one, as readable lines.

    Args:
        beginning: The document or its beginning.
        whole: Whether `beginning` is the complete document. If not, the output ends after its last complete tag.

    Raises:
        NotLaidOut: The bytes are not XML, have a DOCTYPE, or exceed a limit.
    """
    layout = _Layout(room=MOST_TIMES * len(beginning) + FREE)
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler = layout.start
    parser.EndElementHandler = layout.end
    parser.CharacterDataHandler = layout.text
    parser.CommentHandler = layout.comment
    parser.ProcessingInstructionHandler = layout.instruction
    parser.StartDoctypeDeclHandler = _refuse
    # Otherwise expat may report nothing after a very long value.
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)
    try:
        parser.Parse(beginning, whole)
    except expat.ExpatError as error:
        raise NotLaidOut(str(error)) from None
    return layout.finish()


def _refuse(*declared: object) -> None:
    raise NotLaidOut("it has a DOCTYPE")


@dataclass
class _Layout:
    """Collects lines of at most `room` characters in total.

    A start tag waits in `waiting`: its end depends on what follows it. `said` is text that waits in the same way.
    """

    room: int
    lines: list[str] = field(default_factory=list)
    depth: int = 0
    waiting: str | None = None
    said: str = ""

    def start(self, name: str, attributes: list[str]) -> None:
        self._end_start_tag()
        if self.depth == DEEPEST:
            raise NotLaidOut(f"its elements are nested more than {DEEPEST} deep")
        pairs = [
            f"{key}={quoteattr(value)}" for key, value in zip(attributes[::2], attributes[1::2], strict=True)
        ]
        self.waiting = self._tag(name, pairs)
        self.depth += 1

    def end(self, name: str) -> None:
        self.depth -= 1
        if self.waiting is None:
            self._say()
            self._add(f"</{name}>")
        elif self.said.strip():
            self._keep(f"{self.waiting}>{escape(self.said)}</{name}>")
        else:
            self._keep(f"{self.waiting}/>")
        self.waiting, self.said = None, ""

    def text(self, text: str) -> None:
        self.said += text

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
            self._keep(f"{self.waiting}>")
            self.waiting = None
        self._say()

    def _say(self) -> None:
        if self.said.strip():
            self._add(escape(self.said.strip()))
        self.said = ""

    def _add(self, line: str) -> None:
        self._keep(self._margin() + line)

    def _margin(self) -> str:
        return INDENT * min(self.depth, MOST_INDENTS)

    def _keep(self, line: str) -> None:
        self.room -= len(line) + 1
        if self.room < 0:
            raise NotLaidOut("it would become too long")
        self.lines.append(line)
