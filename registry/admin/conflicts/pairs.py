"""Group conflicts by kind, holder and claimant: those of one group can be settled together."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Min, QuerySet
from django.utils.html import format_html

from participants.admin_base.html import link
from participants.models import Participant
from registry.admin.conflicts.forms import DecisionForm, decision_in_words
from registry.models import Change, Conflict

MAX_PAIRS = 100


@dataclass(frozen=True)
class Pair:
    """Conflicts of one kind between the same two parties, how many of them are selected, and the first of these."""

    kind: str
    holder: Participant
    claimant: Participant
    number: int
    first: int

    @property
    def words(self) -> str:
        """Return the number and kind of the conflicts in words."""
        kind = Conflict.Kind(self.kind).label.lower()
        return f"{self.number:,} {kind} conflict{'' if self.number == 1 else 's'}"

    @property
    def title(self) -> str:
        """Return the title of the page that settles them."""
        return f"Settle {self.words}" + (" together" if self.number > 1 else "")

    @property
    def key(self) -> str:
        """Return how an address selects this pair."""
        return f"{self.kind}-{self.holder.pk}-{self.claimant.pk}"


def pairs_in(rows: QuerySet[Conflict]) -> list[Pair]:
    """Return the pairs of `rows`, most conflicts first, but at most MAX_PAIRS + 1."""
    counted = (
        rows.values("kind", "holder", "claimant")
        .annotate(number=Count("pk"), first=Min("pk"))
        .order_by("-number", "kind")
    )
    found = list(counted[: MAX_PAIRS + 1])
    parties = Participant.objects.in_bulk({row[side] for row in found for side in ("holder", "claimant")})
    return [
        Pair(row["kind"], parties[row["holder"]], parties[row["claimant"]], row["number"], row["first"])
        for row in found
    ]


def decision_message(change_id: int, pair: Pair, form: DecisionForm) -> str:
    """Return a message on what was decided about how many conflicts, with a link to the change."""
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
