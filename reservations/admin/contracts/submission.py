"""Check what staff typed into the form of a contract, and put each problem at its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.html import format_html

from registry.changes import Source
from registry.market.market import market
from registry.queries.change_sources import source_in_words
from reservations.admin.contracts.forms import FIELD_OF_PROBLEM, ContractForm, SavingForm, add_problems
from reservations.admin.contracts.texts import differences
from reservations.admin.profiles.editor import Editor
from reservations.admin.profiles.tools import Tools
from reservations.contracts.profiles import Profile, converted
from reservations.contracts.stored_profiles import profiles_of
from reservations.contracts.terms import Problem, Terms, problems, problems_of_id, terms_of
from reservations.contracts.versions import ContractInput, compare, problems_of_reason
from reservations.isps import calendar
from reservations.models import Contract, ContractVersion

MEANWHILE = (
    "Nothing is saved. Look at what differs; press Save once more to record what stands here in its place, or leave"
    " this page to keep it."
)
NO_CHANGE = "Nothing changes: this is what the contract says."


@dataclass
class SubmittedContract:
    """The forms of a contract as posted, or as they begin.

    `errors` are problems of no field. `changed_meanwhile` is set where another member of staff changed the contract
    since the form was opened: a sentence, and the differences. `checked`: staff pressed Check, and the contract can be
    recorded.
    """

    form: ContractForm
    saving_form: SavingForm
    editor: Editor
    tools: Tools
    errors: list[str]
    changed_meanwhile: tuple[str, list[tuple[str, str, str]]] | None = None
    checked: bool = False

    @property
    def wrong(self) -> bool:
        """Return whether anything in the forms or in the profile is wrong."""
        return bool(
            self.form.errors
            or self.saving_form.errors
            or self.errors
            or self.tools.wrong
            or not self.editor.right
        )

    @property
    def reserves_nothing(self) -> bool:
        """Return whether no kind of day has any power."""
        return not any(part.stretches for part in self.editor.parts.values())

    def terms(self, version: ContractVersion) -> Terms:
        """Return the terms in the form; where they are not valid, those of `version` with the profile in the form."""
        profile, minutes = self.editor.profile, self.editor.minutes
        if self.form.is_valid():
            return self.form.terms(profile, minutes)
        return replace(terms_of(version, profile), isp_minutes=minutes)

    def source(self, actor: str) -> Source:
        """Return the source of a change by `actor`, a member of staff, with the reason typed; only after validation."""
        return Source.of_staff(actor, self.saving_form.cleaned_data.get("reason", ""))

    def check(self, contract: Contract | None, actor: str) -> None:
        """Add every problem that recording this by `actor` would meet, as far as the form is valid; write nothing."""
        self.form.full_clean()
        self.saving_form.full_clean()
        source = self.source(actor)
        values, saving = self.form.cleaned_data, self.saving_form.cleaned_data
        unread = self.form.errors.keys() | self.saving_form.errors.keys()
        terms = self.form.terms(self.editor.profile, self.editor.minutes)
        dso, agr = (contract.dso, contract.agr) if contract else (values.get("dso"), values.get("agr"))
        contract_id = contract.contract_id if contract else values.get("contract_id")
        differs = True
        if dso and agr and contract_id is not None:
            wanted = ContractInput(
                dso=dso,
                agr=agr,
                contract_id=contract_id,
                terms=terms,
                state=self.saving_form.chosen,
                expected=saving.get("expected"),
            )
            (comparison,) = compare([wanted], source, lock=False)
            found, differs = list(comparison.problems), comparison.differs
        else:
            found = [
                *(problems_of_id(contract_id) if contract_id is not None else ()),
                *problems(terms, market()),
                *problems_of_reason(source, self.saving_form.chosen, None),
            ]
        self.add_problems(
            contract, [each for each in found if FIELD_OF_PROBLEM.get(each.field, each.field) not in unread]
        )
        if not (differs or self.wrong or self.changed_meanwhile):
            self.errors = [NO_CHANGE]

    def add_problems(self, contract: Contract | None, found: Iterable[Problem]) -> None:
        """Add each problem at its place; where the contract was changed meanwhile, show that first."""
        now, expected = current_of(contract), self.saving_form.cleaned_data.get("expected")
        if contract and now and expected is not None and now.number != expected:
            self.changed_meanwhile = _changed_meanwhile(contract, expected, now)
            self.saving_form = self.saving_form.about(now)
            self.saving_form.full_clean()
            found = [each for each in found if each.field]
        elif contract is None:
            found = [self._linked(each) for each in found]
        self.errors = add_problems(found, self.form, self.saving_form, editor=self.editor)

    def _linked(self, problem: Problem) -> Problem:
        """Return the problem that such a contract exists with a link to it; every other problem unchanged."""
        values = self.form.cleaned_data
        if problem.field != "contract_id" or not {"dso", "agr", "contract_id"} <= values.keys():
            return problem
        existing = Contract.objects.filter(
            dso=values["dso"], agr=values["agr"], contract_id=values["contract_id"]
        )
        contract = existing.first()
        if contract is None:
            return problem
        url = reverse("admin:reservations_contract_change", args=[contract.pk])
        text = format_html('{} <a href="{}">Look at contract {}</a>', problem.text, url, contract.contract_id)
        return replace(problem, text=text)


def market_frame() -> tuple[int, str]:
    """Return the minutes of the market's ISPs, and its time zone."""
    frame = market()
    minutes = calendar.minutes_of(frame.isp_duration)
    assert minutes is not None
    return minutes, frame.time_zone


def stored(version: ContractVersion | None) -> Editor:
    """Return an editor with the profile of `version` in the market's ISPs; an empty one without a version."""
    minutes, zone = market_frame()
    if version is None:
        return Editor.of(Profile(), minutes, zone)
    profile = profiles_of([version])[version.pk]
    return Editor.of(converted(profile, version.isp_minutes, minutes), minutes, zone)


def current_of(contract: Contract | None) -> ContractVersion | None:
    """Return the current version of `contract`, read anew."""
    return contract.versions.current().first() if contract else None


def _changed_meanwhile(
    contract: Contract, expected: int, now: ContractVersion
) -> tuple[str, list[tuple[str, str, str]]]:
    """Return who changed the contract since version `expected`, and the differences."""
    earlier = contract.versions.filter(number=expected).first()
    profiles = profiles_of([version for version in (earlier, now) if version])
    before = (earlier, profiles[earlier.pk]) if earlier else None
    by = source_in_words(now.recorded_by)
    sentence = f"Meanwhile the contract was changed {by}, and is in version {now.number}. {MEANWHILE}"
    return sentence, differences(before, (now, profiles[now.pk]))
