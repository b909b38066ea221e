"""Describe the machine and the software of a run, without the name of the machine and without paths."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import psutil
from django.conf import settings
from lxml import etree

from benchmarks.databases import Databases
from cro_project.config.environment import EMBEDDED

POSTGRESQL = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "shared_buffers",
    "work_mem",
    "maintenance_work_mem",
    "max_wal_size",
    "checkpoint_timeout",
    "jit",
    "max_parallel_workers_per_gather",
)


def description(databases: Databases) -> list[tuple[str, str]]:
    """Return the description, as (name, value)."""
    whose = "the embedded one" if settings.DATABASES["default"]["ENGINE"] == EMBEDDED else "of DATABASE_URL"
    packages = ("django", "psycopg", "granian", "procrastinate", "shapeshifter-uftp", "uvicorn")
    libraries = [f"{name} {version(name)}" for name in packages]
    libraries.append(f"libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}")
    return [
        ("processor", f"{_processor()}, {len(os.sched_getaffinity(0))} cores"),
        ("memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        ("disk", _disk()),
        ("system", f"{_system()}, {platform.system()} {platform.release().partition('-')[0]}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("PostgreSQL", f"{databases.setting('server_version')}, {whose}"),
        ("its settings", ", ".join(f"{name} {databases.setting(name)}" for name in POSTGRESQL)),
        ("libraries", ", ".join(libraries)),
    ]


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "an unnamed system"


def _disk() -> str:
    """Return the kind of device and of file system that the project's folder is on."""
    device = settings.BASE_DIR.stat().st_dev
    place = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    queue = next((folder / "queue" for folder in (place, place.parent) if (folder / "queue").is_dir()), None)
    kind = "unknown kind"
    if queue is not None:
        driver = (queue.parent / "device" / "driver").resolve().name
        if driver.startswith(("virtio", "xen")):
            kind = "of a virtual machine"
        else:
            kind = "rotating" if (queue / "rotational").read_text().strip() == "1" else "solid-state"
    file_system = max(
        (
            part
            for part in psutil.disk_partitions(all=True)
            if settings.BASE_DIR.is_relative_to(part.mountpoint)
        ),
        key=lambda part: len(part.mountpoint),
    ).fstype
    return f"{kind}, {file_system}"
