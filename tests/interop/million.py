"""A million connections in one update and back in one query: seconds, and memory of the CRO's processes.

Run by hand, from the project's folder: `python -m tests.interop.million`. It ends with an error where a
figure is over its limit. The receiving side is a plain HTTP server, so that nothing but the CRO is measured.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING
from uuid import uuid4
from zoneinfo import ZoneInfo

import django
import psutil
from nacl.bindings import crypto_sign_keypair, crypto_sign_open

from demo.participants import Cro
from tests.interop import raw

if TYPE_CHECKING:
    from tests.interop.running import RunningCro

MEGABYTE = 1_000_000
WAIT_AT_MOST = 900.0


@dataclass
class Sink:
    """An AGR that keeps every POST as it comes and reads it when asked."""

    cro: Cro
    role: str = "AGR"
    domain: str = "million.example"
    public_key: str = field(init=False)
    private_key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        public, private = crypto_sign_keypair()
        self.public_key = "cs1." + b64encode(public).decode()
        self.private_key = b64encode(private).decode()
        self._posted: Queue[tuple[float, bytes]] = Queue()
        posted = self._posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.put((time.monotonic(), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}/"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def receive(self) -> tuple[float, bytes]:
        """The next message: the monotonic second in which its POST was complete, and its verified XML."""
        arrived, body = self._posted.get(timeout=WAIT_AT_MOST)
        sealed = re.search(rb'Body="([^"]*)"', body)
        assert sealed is not None, body[:200]
        return arrived, bytes(crypto_sign_open(b64decode(sealed[1]), b64decode(self.cro.public_key)))


@dataclass
class Table:
    """The figures, printed as they come, and whether each is within its limit."""

    too_much: list[str] = field(default_factory=list)

    def row(self, what: str, figure: float, limit: float, unit: str) -> None:
        if figure > limit:
            self.too_much.append(what)
        print(f"{what:<62} {figure:>9.1f} {unit:<3} (at most {limit:g})", flush=True)


def update(sender: Sink, connections: Iterable[str], start: date) -> str:
    lines = "".join(f'<Connection EntityAddress="{c}" StartPeriod="{start}"/>' for c in connections)
    return message("AGRPortfolioUpdate", sender, "", lines)


def message(name: str, sender: Sink, attributes: str, content: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} Version="3.1.0" SenderDomain="{sender.domain}" '
        f'RecipientDomain="{sender.cro.domain}" TimeStamp="{datetime.now(UTC).isoformat()}" '
        f'MessageID="{uuid4()}" ConversationID="{uuid4()}" TimeZone="Europe/Amsterdam" {attributes}>'
        f"{content}</{name}>"
    )


def exchange(sender: Sink, xml: str) -> tuple[float, float, bytes]:
    """POST `xml`; returns the seconds to its 200 and those to the whole answer, and the answer."""
    envelope = raw.envelope(sender.domain, sender.role, raw.seal(sender, xml))
    began = time.monotonic()
    posted = raw.post_envelope(sender, envelope, timeout=WAIT_AT_MOST)
    acknowledged = time.monotonic()
    assert posted.status_code == 200, f"{posted.status_code} {posted.text}"
    arrived, answer = sender.receive()
    assert b'Result="Accepted"' in answer[:2000], answer[:2000]
    reference = re.search(r'MessageID="([^"]*)"', xml[:1000])
    assert reference is not None
    assert reference[1].encode() in answer[:2000], answer[:2000]
    return acknowledged - began, arrived - began, answer


def peak_memory(root: int) -> int:
    """The most resident memory of each process in the tree under `root`, added up, in bytes."""
    processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    peaks = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{p.pid}/status").read_text()) for p in processes]
    return sum(int(peak[1]) * 1024 for peak in peaks if peak)


def measure(cro: RunningCro, number: int, table: Table) -> None:
    sender = Sink(cro.known_as)
    cro.register(sender)
    today = datetime.now(UTC).astimezone(ZoneInfo("Europe/Amsterdam")).date()
    connections = [f"ean.87168590{n:010}" for n in range(number)]

    xml = update(sender, connections, today)
    print(f"{number:,} connections, {len(xml) / MEGABYTE:.0f} MB of XML")
    acknowledged, answered, answer = exchange(sender, xml)
    assert b"RejectionReason" not in answer, answer[:2000]
    table.row("update of new connections: POST answered", acknowledged, 30, "s")
    table.row("update of new connections: applied and answered", answered, 180, "s")

    query = message("AGRPortfolioQuery", sender, f'Period="{today}"')
    acknowledged, answered, answer = exchange(sender, query)
    returned = [a.decode() for a in re.findall(rb'EntityAddress="(ean[^"]*)"', answer)]
    assert len(returned) == number, f"{len(returned)} connections returned"
    assert set(returned) == set(connections), "connections returned that are not the ones sent"
    table.row(f"query: all {number:,} received", answered, 60, "s")

    acknowledged, answered, answer = exchange(sender, update(sender, connections, today))
    assert b"RejectionReason" not in answer, answer[:2000]
    table.row("the same update again: POST answered", acknowledged, 30, "s")
    table.row("the same update again: applied and answered", answered, 30, "s")

    for name, process in cro.processes.items():
        table.row(
            f"{name}: peak memory of its processes, added up",
            peak_memory(process.process.pid) / MEGABYTE,
            1500,
            "MB",
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000_000)
    number = parser.parse_args().connections
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from cro_project import environment
    from tests.interop.running import RunningCro, fresh_database

    environment.reach_database()
    table = Table()
    with fresh_database() as database:
        cro = RunningCro(database, UFTP_MAX_MESSAGE_BYTES="400000000")
        try:
            measure(cro, number, table)
        except BaseException:
            print(cro.logged_since({}), file=sys.stderr)
            raise
        finally:
            cro.stop()
    if table.too_much:
        print(f"Over the limit: {'; '.join(table.too_much)}", file=sys.stderr)
    return bool(table.too_much)


if __name__ == "__main__":
    sys.exit(main())
