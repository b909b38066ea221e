"""A small file of each kind that a command imports."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Model

from participants.models import Participant
from registry.models import CongestionPointConnection, Representation
from tests.support.eans import ean

POINT = "ean.871685900000000011"


@dataclass(frozen=True)
class Sample:
    """Good lines, and a bad one with what is wrong with it: (column, rule begins with, value).

    `made` is of what there is one of for each line; `last_day` names the column that holds one.
    """

    command: str
    kind: str
    columns: str
    lines: tuple[str, ...]
    bad: str
    wrong: tuple[str, str, str]
    made: type[Model]

    def text(self, *lines: str) -> str:
        return "\n".join([self.columns, *(lines or self.lines), ""])


PARTICIPANTS = Sample(
    "import_participants",
    "participants",
    "role,domain,public_key,endpoint,standing,name",
    tuple(f'AGR,agr{n}.example,,,known,"Power, {n}"' for n in range(10)),
    "AGR,bad.example,,,friendly,",
    ("standing", "", "friendly"),
    Participant,
)
CONGESTION_POINTS = Sample(
    "import_congestion_points",
    "congestion points",
    "dso,congestion_point,start,end,mutex_offers_supported,day_ahead_redispatch_by,intraday_redispatch_by,connection,"
    "connection_start,connection_end",
    tuple(f'grid.example,"{POINT}",2030-01-01,,true,AGR,,{ean(n)},2030-01-01,2030-12-31' for n in range(10)),
    f"grid.example,{POINT},2030-01-01,,true,AGR,,{ean(50)},2030-02-30,",
    ("connection_start", "day: not a day", "2030-02-30"),
    CongestionPointConnection,
)
CONNECTIONS = Sample(
    "import_connections",
    "connections",
    "agr,connection,start,end",
    tuple(f'agr.example,"{ean(n)}",2030-01-01,2030-12-31' for n in range(10)),
    f"agr.example,{ean(50)},2030-02-30,",
    ("start", "day: not a day", "2030-02-30"),
    Representation,
)
SAMPLES = (PARTICIPANTS, CONGESTION_POINTS, CONNECTIONS)
