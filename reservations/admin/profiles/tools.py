"""The buttons of the profile's editor, by which many ISPs are filled in at once: each does its work on the form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.http import QueryDict

from reservations.admin.profiles.editor import (
    EVERY,
    WHOLE,
    Editor,
    Row,
    key_of,
    name_of,
    profile_of,
    read_lines,
)
from reservations.contracts import profiles
from reservations.contracts.profiles import Stretch, laid_out
from reservations.isps.clock_times import DayTimes, in_watts

TYPED = ("for_day", "from", "to", "power", "copy_from", "paste")


@dataclass
class Tools:
    """What is typed beside the buttons, what is wrong with it by field, and what a button brought about."""

    chosen: list[str] = field(default_factory=lambda: [EVERY])
    typed: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    done: str = ""

    @classmethod
    def of_form(cls, sent: QueryDict) -> Tools:
        chosen = [key for key in sent.getlist("for") if key_of(key)]
        return cls(chosen, {name: sent.get(name, "") for name in TYPED})

    def keys(self) -> list[str]:
        """The kinds of day that are chosen; says what is wrong where there are none."""
        keys = list(self.chosen)
        day = self.typed.get("for_day", "").strip()
        if day:
            if (key := key_of(day)) and len(key) == 10:
                keys.append(key)
            else:
                self.wrong["for_day"] = "This is no day of the calendar: write it as 2026-12-25."
        elif not keys:
            self.wrong["for_day"] = "Choose at least one kind of day, or give a single day."
        return [] if self.wrong else keys


def press(button: str, editor: Editor, sent: QueryDict) -> Tools:
    """Do what a button of the editor does to it: `fill`, `copy`, `paste`, `nothing`, `add:every`, `drop:1` …

    A name that is no button's does nothing. Where something is wrong, the editor stays as it is.
    """
    tools = Tools.of_form(sent)
    name, _, of = button.partition(":")
    if name in BUTTONS:
        keys = tools.keys()
        if not tools.wrong:
            BUTTONS[name](tools, editor, keys)
        if tools.done:
            tools.typed |= dict.fromkeys(("from", "to", "power", "paste"), "")
    elif name == "add" and of in editor.parts:
        editor.parts[of].rows.append(Row())
    elif name == "drop" and of in editor.parts and of != EVERY:
        del editor.parts[of]
        tools.done = f"{name_of(of)} has no profile of its own any more."
    elif name == "remove":
        _remove(tools, editor, of)
    editor.arrange()
    return tools


def _remove(tools: Tools, editor: Editor, of: str) -> None:
    key, _, number = of.partition(":")
    part = editor.parts.get(key)
    if part is None or number not in map(str, range(len(part.rows))):
        return
    row = part.rows.pop(int(number))
    for other in part.rows:
        other.wrong = {}
    editor.read(part)
    part.changed = True
    tools.done = f"{part.name}: ISPs {row.first}-{row.last} are removed." if not row.empty else ""


def _fill(tools: Tools, editor: Editor, keys: list[str]) -> None:
    """Reserve the same power in a range of ISPs, whatever stood there."""
    power = tools.typed["power"].strip()
    if not WHOLE.fullmatch(power):
        tools.wrong["power"] = "Give a whole number of watts, such as 1000 or -500; 0 reserves nothing."
        power = "0"
    _lay(tools, editor, keys, int(power))


def _lay(tools: Tools, editor: Editor, keys: list[str], power: int) -> None:
    """Reserve `power` in the range that is typed; the rest of the day stays as it is."""
    filled: dict[str, list[int]] = {}
    said = []
    for key in keys:
        times = editor.times(key)
        ends = {}
        for name, isp, otherwise in (
            ("from", times.first_isp, "1"),
            ("to", times.last_isp, str(times.count)),
        ):
            try:
                ends[name] = isp(tools.typed[name].strip() or otherwise)
            except ValueError as wrong:
                tools.wrong[name] = f"{name_of(key)}: {wrong}."
        watts = _present(tools, editor, key)
        if tools.wrong or watts is None:
            return
        if ends["from"] > ends["to"]:
            tools.wrong["to"] = f"{name_of(key)}: it ends before it begins."
            return
        watts[ends["from"] - 1 : ends["to"]] = [power] * (ends["to"] - ends["from"] + 1)
        filled[key] = watts
        said.append(
            f"{name_of(key)}: ISPs {ends['from']}-{ends['to']}, {times.span(ends['from'], ends['to'])}, "
            f"have {in_watts(power) if power else 'nothing reserved'}."
        )
    _take(tools, editor, filled, said)


def _copy(tools: Tools, editor: Editor, keys: list[str]) -> None:
    """Reserve what another kind of day has."""
    source = tools.typed["copy_from"]
    part = editor.parts.get(source)
    if part is None:
        tools.wrong["copy_from"] = "Choose from which kind of day to copy."
    elif not part.right:
        tools.wrong["copy_from"] = f"{part.name}: first correct what is marked there."
    else:
        there = laid_out(part.stretches, editor.times(source).count)
        copied = {
            key: _by_the_clock(there, editor.times(source), editor.times(key))
            for key in keys
            if key != source
        }
        if not copied:
            tools.wrong["copy_from"] = f"{part.name} is what is copied: choose other days above."
        _take(tools, editor, copied, [f"{name_of(key)} has what {part.name} has." for key in copied])


def _paste(tools: Tools, editor: Editor, keys: list[str]) -> None:
    """Reserve what the lines say, and nothing else."""
    pasted = {}
    try:
        for key in keys:
            times = editor.times(key)
            stretches = read_lines(tools.typed["paste"], times)
            profiles.check(profile_of({key: stretches}), editor.minutes, editor.time_zone)
            pasted[key] = laid_out(stretches, times.count)
    except ValueError as wrong:
        tools.wrong["paste"] = f"{name_of(key)}: {wrong}."
        return
    if not tools.typed["paste"].strip():
        tools.wrong["paste"] = "Paste lines such as 1-20 1000, or a column of watts."
        return
    _take(tools, editor, pasted, [f"{name_of(key)} has what you pasted." for key in pasted])


def _nothing(tools: Tools, editor: Editor, keys: list[str]) -> None:
    """Reserve nothing in the range that is typed; on the whole day where none is."""
    if tools.typed["from"].strip() or tools.typed["to"].strip():
        _lay(tools, editor, keys, 0)
        return
    emptied = {key: [0] * editor.times(key).count for key in keys}
    _take(tools, editor, emptied, [f"{name_of(key)} has nothing reserved." for key in emptied])


BUTTONS: dict[str, Callable[[Tools, Editor, list[str]], None]] = {
    "fill": _fill,
    "copy": _copy,
    "paste": _paste,
    "nothing": _nothing,
}
"""The buttons that change the kinds of day that are chosen."""


def _present(tools: Tools, editor: Editor, key: str) -> list[int] | None:
    """The watts of each ISP of the kind of day, by its own profile or by that of others that holds for it.

    None where what is typed there makes no sense; says so.
    """
    part = editor.parts.get(key)
    if part is not None:
        found: Sequence[int] = laid_out(part.stretches, editor.times(key).count)
        wrong = [part] if not part.right else []
    elif len(key) == 10:
        wrong = [each for each in editor.parts.values() if not each.right and each.day is None]
        found = editor.profile.watts_on(date.fromisoformat(key), editor.minutes, editor.time_zone)
    else:
        every = editor.parts[EVERY]
        wrong = [] if every.right else [every]
        found = laid_out(every.stretches, editor.times(key).count)
    if wrong:
        tools.wrong["for_day"] = f"{wrong[0].name}: first correct what is marked there."
        return None
    return list(found)


def _take(tools: Tools, editor: Editor, watts: dict[str, list[int]], said: list[str]) -> None:
    """Have the kinds of day reserve `watts`, unless they are more than may be; says what was done."""
    if tools.wrong:
        return
    stretches = {
        key: profiles.normal(Stretch(isp, isp, power) for isp, power in enumerate(found, start=1))
        for key, found in watts.items()
    }
    try:
        profiles.check(profile_of(stretches), editor.minutes, editor.time_zone)
    except profiles.ProfileError as wrong:
        tools.wrong["power"] = f"{wrong}."
        return
    for key, found in stretches.items():
        editor.put(key, found)
    own = [part.name for key, part in editor.parts.items() if key != EVERY and key not in watts]
    if EVERY in watts and own:
        said.append(
            f"{', '.join(own)}: as before, by a profile of {'its' if len(own) == 1 else 'their'} own."
        )
    tools.done = " ".join(said)


def _by_the_clock(watts: Sequence[int], there: DayTimes, here: DayTimes) -> list[int]:
    """`watts` of the ISPs `there` for those `here` at the same time of day; of a time that comes twice, the first."""
    if there.walls == here.walls:
        return list(watts)
    known = dict(reversed(list(zip(there.walls, watts, strict=True))))
    return [known.get(wall, 0) for wall in here.walls]
