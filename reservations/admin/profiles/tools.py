"""Fill in many ISPs of the profile's editor at once: each tool is a button of the form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.http import QueryDict

from reservations.admin.profiles.editor import (
    EVERY_DAY,
    INTEGER,
    Editor,
    Row,
    day_of,
    key_of,
    name_of,
    read_isps,
    read_lines,
)
from reservations.contracts.profiles import from_watts, watts_per_isp
from reservations.isps.clock_times import DayTimes, in_watts

FIELDS = ("for_day", "from", "to", "power", "copy_from", "paste")
CLEARED = ("from", "to", "power", "paste")
"""The fields that a tool empties once it has done its work."""

RANGE_FIELDS = {"first": "from", "last": "to"}

Filled = dict[str, tuple[Sequence[int], str]]
"""By kind of day: its watts, one for each ISP, and a sentence that says what it has."""


@dataclass
class Tools:
    """What is typed beside the buttons, what is wrong with it by field, and a message of what a tool has done."""

    chosen: list[str] = field(default_factory=lambda: [EVERY_DAY])
    typed: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    message: str = ""

    def keys(self) -> list[str]:
        """Return the kinds of day that are chosen; raise ValidationError where there are none."""
        day = self.typed["for_day"].strip()
        if day and not (key_of(day) and day_of(day)):
            raise ValidationError({"for_day": "This is not a date: write it as 2026-12-25."})
        keys = [*self.chosen, *([day] if day else [])]
        if not keys:
            raise ValidationError({"for_day": "Choose at least one kind of day, or give a single day."})
        return keys


def run_tool(button: str, editor: Editor, sent: QueryDict) -> Tools:
    """Do what a button does to the editor: `fill`, `copy`, `paste`, `nothing`, `add:every`, `drop:1`, `remove:1:0`.

    Any other name does nothing. Where something is wrong, the editor stays as it is.
    """
    chosen = [key for key in sent.getlist("for") if key_of(key)]
    tools = Tools(chosen, {name: sent.get(name, "") for name in FIELDS})
    name, _, key = button.partition(":")
    if name in TOOLS:
        try:
            tools.message = _apply(editor, TOOLS[name](tools, editor, tools.keys()), name)
            tools.typed |= dict.fromkeys(CLEARED, "")
        except ValidationError as error:
            tools.wrong = {name: texts[0] for name, texts in error.message_dict.items()}
    elif name == "add" and key in editor.parts:
        editor.parts[key].rows.append(Row())
    elif name == "drop" and key in editor.parts and key != EVERY_DAY:
        del editor.parts[key]
        tools.message = f"{name_of(key)} has no profile of its own any more."
    elif name == "remove":
        tools.message = _remove(editor, *key.partition(":")[::2])
    editor.arrange()
    return tools


def _apply(editor: Editor, filled: Filled, name: str) -> str:
    """Have the kinds of day reserve what a tool filled in, unless they may not; return what was done."""
    stretches = {key: from_watts(watts) for key, (watts, _) in filled.items()}
    for key, found in stretches.items():
        for fault in editor.faults(key, found):
            raise ValidationError({"paste" if name == "paste" else "power": f"{name_of(key)}: {fault}."})
    for key, found in stretches.items():
        editor.put(key, found)
    sentences = [sentence for _, sentence in filled.values()]
    own = [part.name for key, part in editor.parts.items() if key != EVERY_DAY and key not in filled]
    if EVERY_DAY in filled and own:
        sentences.append(
            f"{', '.join(own)}: as before, by a profile of {'its' if len(own) == 1 else 'their'} own."
        )
    return " ".join(sentences)


def _remove(editor: Editor, key: str, number: str) -> str:
    part = editor.parts.get(key)
    if part is None or number not in map(str, range(len(part.rows))):
        return ""
    row = part.rows.pop(int(number))
    editor.read(part)
    return "" if row.empty else f"{part.name}: ISPs {row.first}-{row.last} are removed."


def _fill(tools: Tools, editor: Editor, keys: list[str]) -> Filled:
    """Reserve the same power in a range of ISPs, whatever stood there."""
    return _fill_range(tools, editor, keys, tools.typed["power"].strip())


def _fill_range(tools: Tools, editor: Editor, keys: list[str], power: str) -> Filled:
    """Reserve `power` in the range that is typed; the rest of the day stays as it is."""
    wrong: dict[str, str] = {}
    if not INTEGER.fullmatch(power):
        wrong["power"] = "Give a whole number of watts, such as 1000 or -500; 0 reserves nothing."
    filled: Filled = {}
    for key in keys:
        times = editor.times(key)
        begin, end = tools.typed["from"].strip() or "1", tools.typed["to"].strip() or str(times.count)
        mistakes: dict[str, str] = {}
        first, last = read_isps(begin, end, times, mistakes)
        if first > last > 0:
            mistakes["last"] = "it ends before it begins"
        wrong |= {RANGE_FIELDS[name]: f"{name_of(key)}: {text}." for name, text in mistakes.items()}
        if wrong:
            raise ValidationError(wrong)
        watts = _current_watts(editor, key)
        watts[first - 1 : last] = [int(power)] * (last - first + 1)
        now = in_watts(int(power)) if int(power) else "nothing reserved"
        filled[key] = watts, f"{name_of(key)}: ISPs {first}-{last}, {times.span(first, last)}, have {now}."
    return filled


def _copy(tools: Tools, editor: Editor, keys: list[str]) -> Filled:
    """Reserve what another kind of day has."""
    source = tools.typed["copy_from"]
    part = editor.parts.get(source)
    if part is None:
        raise ValidationError({"copy_from": "Choose from which kind of day to copy."})
    if not part.right:
        raise ValidationError({"copy_from": f"{part.name}: first correct what is marked there."})
    times = editor.times(source)
    watts = watts_per_isp(part.stretches, times.count)
    filled: Filled = {
        key: (_by_the_clock(watts, times, editor.times(key)), f"{name_of(key)} has what {part.name} has.")
        for key in keys
        if key != source
    }
    if not filled:
        raise ValidationError({"copy_from": f"{part.name} is what is copied: choose other days above."})
    return filled


def _paste(tools: Tools, editor: Editor, keys: list[str]) -> Filled:
    """Reserve what the lines say, and nothing else."""
    filled: Filled = {}
    for key in keys:
        times = editor.times(key)
        try:
            watts = watts_per_isp(read_lines(tools.typed["paste"], times), times.count)
        except ValueError as error:
            raise ValidationError({"paste": f"{name_of(key)}: {error}."}) from None
        filled[key] = watts, f"{name_of(key)} has what you pasted."
    if not tools.typed["paste"].strip():
        raise ValidationError({"paste": "Paste lines such as 1-20 1000, or a column of watts."})
    return filled


def _nothing(tools: Tools, editor: Editor, keys: list[str]) -> Filled:
    """Reserve nothing in the range that is typed; on the whole day where none is."""
    if tools.typed["from"].strip() or tools.typed["to"].strip():
        return _fill_range(tools, editor, keys, "0")
    return {key: ([0] * editor.times(key).count, f"{name_of(key)} has nothing reserved.") for key in keys}


TOOLS: dict[str, Callable[[Tools, Editor, list[str]], Filled]] = {
    "fill": _fill,
    "copy": _copy,
    "paste": _paste,
    "nothing": _nothing,
}
"""The tools that fill in the kinds of day that are chosen."""


def _current_watts(editor: Editor, key: str) -> list[int]:
    """Return the watts of each ISP of a kind of day, by its own profile or by the one that holds for it."""
    day = day_of(key)
    part = next(
        editor.parts[each]
        for each in (key, str(day.isoweekday()) if day else "", EVERY_DAY)
        if each in editor.parts
    )
    if not part.right:
        raise ValidationError({"for_day": f"{part.name}: first correct what is marked there."})
    if day:
        return list(editor.profile.watts_on(day, editor.minutes, editor.time_zone))
    return watts_per_isp(part.stretches, editor.times(key).count)


def _by_the_clock(watts: Sequence[int], there: DayTimes, here: DayTimes) -> list[int]:
    """Return `watts` of the ISPs `there` for those `here` at the same time; of a time that comes twice, the first."""
    if there.clock_minutes == here.clock_minutes:
        return list(watts)
    known = dict(reversed(list(zip(there.clock_minutes, watts, strict=True))))
    return [known.get(wall, 0) for wall in here.clock_minutes]
