"""What the search box of every page finds among contracts and reservation updates."""

from __future__ import annotations

from participants.admin_base.html import moment
from participants.admin_base.search import Finder
from reservations.models import Contract, ReservationUpdate


def _contract(row: Contract) -> tuple[str, str]:
    return row.contract_id, f"{row.dso.domain} with {row.agr.domain}"


def _update(row: ReservationUpdate) -> tuple[str, str]:
    return str(row), f"under {row.contract.contract_id}, received {moment(row.received_at)}"


FINDERS = (Finder(4, Contract, _contract), Finder(6, ReservationUpdate, _update))
