"""Between whom conflicts are: those of one kind with one holder and one claimant are settled together."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, QuerySet
from django.utils.html import format_html

from participants.admin_base.html import link
from participants.models import Participant
from registry.admin.conflicts.forms import DecisionForm, decision_in_words
from registry.models import Change, Conflict

PAIRS_SHOWN = 100


@dataclass(frozen=True)
class Pair:
    """Conflicts of one kind between the same two, and how many of them are chosen."""

    kind: str
    holder: Participant
    claimant: Participant
    number: int

    @property
    def words(self) -> str:
        kind = Conflict.Kind(self.kind).label.lower()
        return f"{self.number:,} {kind} conflict{'' if self.number == 1 else 's'}"

    @property
    def title(self) -> str:
        """What the page that settles them is called."""
        return f"Settle {self.words}" + (" together" if self.number > 1 else "")

    @property
    def key(self) -> str:
        return f"{self.kind}-{self.holder.pk}-{self.claimant.pk}"


def pairs_in(rows: QuerySet[Conflict]) -> list[Pair]:
    """Between whom `rows` are, most conflicts first; PAIRS_SHOWN and one more at most."""
    counted = (
        rows.values("kind", "holder", "claimant").annotate(number=Count("pk")).order_by("-number", "kind")
    )
    found = list(counted[: PAIRS_SHOWN + 1])
    parties = Participant.objects.in_bulk({row[side] for row in found for side in ("holder", "claimant")})
    return [
        Pair(row["kind"], parties[row["holder"]], parties[row["claimant"]], row["number"]) for row in found
    ]


def settled_in_words(change_id: int, pair: Pair, form: DecisionForm) -> str:
    """What was decided about how many conflicts, with a link to the change."""
    change = Change.objects.get(pk=change_id)
    number = Conflict.objects.filter(closed_by=change).exclude(decision="").count()
    decided = decision_in_words(form.cleaned_data["decision"], pair.holder, pair.claimant, form.day)
    return format_html(
        "{} {}: {}. {}",
        f"{number:,}",
        "conflict is settled" if number == 1 else "conflicts are settled",
        decided,
        link(change, "See what changed"),
    )
