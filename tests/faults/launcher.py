"""Has a web or worker process kill itself, once, at a point of a message's way.

An app for `tests.faults.settings`: the processes are the real ones, and the production code knows nothing of it. The
variable FAULT_POINT names the point and FAULT_ONCE a file; the process that gets to remove the file ends with its whole
group, without a chance to do anything. With FAULT_MESSAGE, a MessageID, instead of the file, it ends each time it is at
that message. With FAULT_PAUSE instead, which names a file too, it only stops there, until it is told to continue.
"""

import functools
import importlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import AppConfig


@dataclass(frozen=True)
class Point:
    """Before or after a call of the function `name` of `module`."""

    module: str
    name: str
    after: bool = False


WEB_POINTS = {
    "receipt committed, before the wake-up": Point("uftp.wakeups.wakeups", "wake_inbox"),
    "receipt committed and woken, before the 200": Point("uftp.wakeups.wakeups", "wake_inbox", after=True),
}
WORKER_POINTS = {
    "message taken": Point("uftp.processing.drain", "_handle"),
    "facts and answer written, before the commit": Point("uftp.processing.drain", "_handle", after=True),
    "handling committed, before the wake-up": Point("uftp.tasks", "dispatch"),
    "posted, before the attempt is recorded": Point("uftp.delivery.deliver", "record"),
    "attempt recorded": Point("uftp.delivery.deliver", "record", after=True),
}
PASSING_POINTS = {
    "handling committed, before the wake-up": Point("uftp.tasks", "dispatch"),
    "posted, before the attempt is recorded": Point("uftp.delivery.deliver", "record"),
    "app told, before the commit": Point("uftp.delivery.attempts", "_report_to_handler", after=True),
    "attempt recorded": Point("uftp.delivery.deliver", "record", after=True),
}
IMPORT_POINTS = {
    "header read": Point("common.csv.reader", "_header", after=True),
    "import committed": Point("registry.imports.execution", "retried", after=True),
    "import at its end": Point("registry.management.imports", "execute", after=True),
}
POINTS = WEB_POINTS | WORKER_POINTS | PASSING_POINTS | IMPORT_POINTS


class FaultsConfig(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        point, end_at = os.environ.get("FAULT_POINT"), os.environ.get("FAULT_ONCE")
        message_id, pause = os.environ.get("FAULT_MESSAGE"), os.environ.get("FAULT_PAUSE")
        if point and end_at:
            install(POINTS[point], lambda *_: once(Path(end_at), end))
        elif point and message_id:
            install(POINTS[point], lambda message, *_: message.message_id == message_id and end())
        elif point and pause:
            install(POINTS[point], lambda *_: once(Path(pause), stop))


def install(point: Point, fault: Callable[..., Any]) -> None:
    """Have `fault` called with the arguments of the function that `point` names, before or after it."""
    module = importlib.import_module(point.module)
    original: Callable[..., Any] = getattr(module, point.name)

    @functools.wraps(original)
    def ending(*arguments: Any, **named: Any) -> Any:
        if not point.after:
            fault(*arguments)
        result = original(*arguments, **named)
        if point.after:
            fault(*arguments)
        return result

    setattr(module, point.name, ending)


def once(marker: Path, fault: Callable[[], None]) -> None:
    """Do `fault`, unless that was done before."""
    try:
        marker.unlink()
    except FileNotFoundError:
        return
    fault()


def end() -> None:
    """Kill the process group."""
    os.killpg(0, signal.SIGKILL)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
