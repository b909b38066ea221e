"""Do what the CRO's staff do in the demo, with `manage.py` in the environment of the running CRO."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from django.conf import settings
from django.core.management import call_command

from common import clock
from demo.participants import Cro, NotReceivedError, Participant
from registry.market import policies
from registry.market.market import market, today_at
from reservations.models import UpdateState
from uftp.models import InboundMessage, OutboundMessage


class NoCroError(Exception):
    """No CRO is running. The text says what to do."""


@dataclass(frozen=True)
class Market:
    """The terms of the market: its time zone, ISP duration and day, and how much a DSO gets to know."""

    time_zone: str
    isp_duration: str
    today: date
    counts_only: bool


def default_url() -> str:
    """Return the URL of the CRO that `make run` starts."""
    return f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"


def find_cro(url: str) -> Cro:
    """Return the CRO at `url`, once it is ready for messages. Raises NoCroError."""
    ready = url.rstrip("/") + "/health/ready"
    try:
        answer = requests.get(ready, timeout=10)
    except requests.RequestException:
        raise NoCroError(
            f"No CRO answers at {url}. Start one with `make run` and try again. "
            "One that listens on another port: make demo PORT=8001"
        ) from None
    if answer.status_code != 200:
        raise NoCroError(
            f"The CRO is not ready: {ready} says {answer.status_code} {answer.text.strip()[:300]}"
        )
    return Cro.at(url, settings.CRO_DOMAIN, command("public_key"))


def command(name: str, *arguments: str) -> str:
    """Print and run `manage.py name arguments`, and return its output."""
    print(f"  manage.py {' '.join((name, *arguments))}")
    printed = StringIO()
    call_command(name, *arguments, stdout=printed, stderr=StringIO())
    return printed.getvalue().strip()


def register(participant: Participant) -> None:
    """Register `participant` at the CRO, with its key and endpoint of this run."""
    command(
        "add_participant",
        *("--role", participant.role),
        *("--domain", participant.domain),
        *("--public-key", participant.public_key, "--replace-keys"),
        *("--endpoint", participant.endpoint),
        *("--standing", "authorized"),
    )


def look_up_market() -> Market:
    row = market()
    counts_only = policies.in_force()["disclosure"] == policies.COUNTS
    return Market(row.time_zone, row.isp_duration, today_at(clock.now(), row.time_zone), counts_only)


def test_connectivity(participant: Participant) -> OutboundMessage:
    """Let the CRO send `participant` a TestMessage, and return the message."""
    printed = command("send_test_message", "--role", participant.role, "--domain", participant.domain)
    return OutboundMessage.objects.get(message_id__in=printed.split())


def wait_for_test_response(
    participant: Participant, conversation_id: str, within: float = 20.0
) -> InboundMessage:
    """Return the TestMessageResponse that the CRO received in that conversation. Raises NotReceivedError."""
    deadline = time.monotonic() + within
    received = InboundMessage.objects.filter(
        sender__role=participant.role,
        sender__domain=participant.domain,
        message_type="TestMessageResponse",
        conversation_id=conversation_id,
    )
    while time.monotonic() < deadline:
        if message := received.first():
            return message
        time.sleep(0.1)
    raise NotReceivedError(
        f"the CRO expected a TestMessageResponse from {participant.domain} in conversation {conversation_id}"
    )


def import_contract(lines: Sequence[Mapping[str, object]]) -> None:
    """Print `lines` (values by column), and import them at the CRO as a file of a contract."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "contracts.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, lines[0])
            writer.writeheader()
            writer.writerows(lines)
        for line in [*path.read_text().splitlines(), *command("import_contracts", str(path)).splitlines()]:
            print(f"        {line}")


def settlement(contract_id: str, day: date) -> list[dict[str, str]]:
    """Return the settlement of a contract on `day`: the lines of the export, by column."""
    days = ("--from", str(day), "--to", str(day))
    return list(csv.DictReader(StringIO(command("export_reservations", *days, "--contract", contract_id))))


def wait_for_state(message_id: str, state: str, within: float = 20.0) -> None:
    """Wait until the DSO's update with that MessageID is in `state`. Raises NotReceivedError."""
    deadline = time.monotonic() + within
    states = UpdateState.objects.current().filter(update__message__message_id=message_id)
    while time.monotonic() < deadline:
        if states.filter(state=state).exists():
            return
        time.sleep(0.1)
    raise NotReceivedError(
        f"the CRO's reservation update {message_id} was expected to be {state}, and is "
        f"{', '.join(states.values_list('state', flat=True)) or 'not there'}"
    )
