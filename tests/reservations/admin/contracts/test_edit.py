"""Staff enter and change contracts with no JavaScript: every button sends the form, and the page comes back with it."""

from __future__ import annotations

import html
import re
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.test import Client

from participants.models import AuditEntry, Participant
from registry.market.market import set_market
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.stored_profiles import profiles_of
from reservations.deadlines import Deadline
from reservations.models import Contract, ContractVersion
from tests.reservations.conftest import At
from tests.reservations.dsl import POINT
from tests.reservations.form_data import Filled, member

ADD = "/admin/reservations/contract/add/"
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.fixture
def staff(client: Client, at: At, db: None) -> Client:
    """An operator, kim, with two DSOs and two registered AGRs."""
    for role, domains in (("DSO", ("net.example", "grid.example")), ("AGR", ("flex.example", "sun.example"))):
        for domain in domains:
            Participant.objects.create(role=role, domain=domain)
    client.force_login(member("kim"))
    return client


def entering(client: Client, contract_id: str = "C-1", **values: str) -> Filled:
    """The form of a new contract with everything but its profile."""
    terms = {
        "dso": "net.example",
        "agr": "flex.example",
        "contract_id": contract_id,
        "congestion_point": POINT,
        "first": "2026-03-01",
        "last": "2026-12-31",
        "deadline-kind": "days",
        "deadline-days": "1",
        "deadline-at": "10:00",
    }
    return Filled(client, ADD).write(**{**terms, **values})


def fill(form: Filled, start: str, end: str, watts: str, *days: str, on: str = "") -> Filled:
    """Fill in a range as a person does."""
    data: dict[str, Any] = {"from": start, "to": end, "power": watts, "for": list(days), "for_day": on}
    return form.write(**data).press("fill")


def edit(client: Client) -> Filled:
    return Filled(client, f"/admin/reservations/contract/{Contract.objects.get().pk}/edit/")


def stored() -> Profile:
    version = ContractVersion.objects.current().get()
    return profiles_of([version])[version.pk]


def entered(client: Client, *, state: str = "draft") -> None:
    """A contract with 1,000 W from 07:00 to 22:00."""
    form = fill(entering(client), "07:00", "22:00", "1000", "every")
    page = form.write(state=state, reason="signed").press("save")
    assert "Contract C-1 is entered." in page.text, page.text


def test_a_contract_is_entered_as_a_draft(staff: Client) -> None:
    form = fill(entering(staff), "07:00", "22:00", "1000", "every")
    assert form.rows("every") == [("29", "88", "1000")]
    assert "Every day: ISPs 29-88, 07:00–22:00, have 1,000 W. Not saved yet." in form.text
    assert not Contract.objects.exists()

    page = form.press("save")
    assert "Contract C-1 is entered." in page.text
    version = ContractVersion.objects.get()
    assert version.state == "draft"
    assert (version.period.lower, version.period.upper) == (date(2026, 3, 1), date(2027, 1, 1))
    assert version.deadline == Deadline(days=1, at=time(10))
    assert stored() == Profile((Stretch(29, 88, 1000),))
    assert AuditEntry.objects.get(action="add contract").actor == "kim"


def test_a_deadline_in_hours_and_days_without_an_end(staff: Client) -> None:
    form = entering(staff, **{"last": "", "deadline-kind": "hours", "deadline-hours": "36"})
    fill(form, "", "", "-500", "every").press("save")
    version = ContractVersion.objects.get()
    assert version.period.upper is None
    assert version.deadline == Deadline(hours=36)
    assert stored() == Profile((Stretch(1, 96, -500),))


def test_filling_in_splits_what_was_there(staff: Client) -> None:
    form = fill(entering(staff), "29", "88", "1000", "every")
    form = fill(form, "17:00", "20:00", "-250", "every")
    assert form.rows("every") == [("29", "68", "1000"), ("69", "80", "-250"), ("81", "88", "1000")]
    form = fill(form, "08:00", "24:00", "0", "every")
    assert form.rows("every") == [("29", "32", "1000")]


def test_a_check_names_all_that_is_wrong_and_saves_nothing(staff: Client) -> None:
    wrong = {"agr": "net.example", "contract_id": " C-1", "congestion_point": "feeder", "last": "2026-02-28"}
    form = fill(entering(staff, **wrong), "", "", "7", "every", on="2027-01-01")
    for button in ("check", "save"):
        page = form.press(button)
        for text in (
            "No AGR has the domain net.example",
            "&#x27; C-1&#x27; has U+0020 at character 1; a ContractID is printable ASCII",
            "&#x27;feeder&#x27; is not an entity address",
            "The last day, 2026-02-28, lies before the first, 2026-03-01.",
            "This day lies outside the contract",
        ):
            assert page.text.count(html.unescape(text)) == 1, (text, page.text)
    assert not Contract.objects.exists()


def test_a_check_that_finds_nothing_says_so_and_saves_nothing(staff: Client) -> None:
    form = fill(entering(staff), "", "", "7", "every").press("check")
    assert "Nothing is wrong. Not saved yet." in form.text
    assert "Nothing is reserved on any day" not in form.text
    assert not Contract.objects.exists()
    assert "Contract C-1 is entered." in form.press("save").text
    assert "Nothing changes: this is what the contract says." in edit(staff).press("check").text


@pytest.mark.parametrize("button", ["check", "save"])
def test_a_check_finds_what_saving_would_refuse(staff: Client, button: str) -> None:
    entered(staff)
    there = Contract.objects.get()
    page = entering(staff).write(state="in force").press(button)
    assert "have a contract of this ContractID already, recorded by kim" in page.text
    assert (
        f'<a href="/admin/reservations/contract/{there.pk}/change/">Look at' in page.answer.content.decode()
    )
    assert "Say why" not in page.text
    page = entering(staff, "C-2").write(state="in force").press(button)
    assert "Say why: a contract in force" in page.text
    assert Contract.objects.count() == 1

    opened = edit(staff)
    edit(staff).write(state="in force", reason="signed").press("save")
    page = opened.write(last="2026-11-30").press(button)
    assert "Meanwhile the contract was changed by kim" in page.text
    assert "Nothing is wrong." not in page.text
    assert "Say why" in page.press(button).text
    assert ContractVersion.objects.count() == 2


@pytest.mark.parametrize("button", ["check", "save"])
def test_everything_that_is_wrong_in_the_terms_is_said_at_once(staff: Client, button: str) -> None:
    wrong = {"dso": "x.example", "congestion_point": "feeder", "first": "2026-02-30", "last": "1899-01-01"}
    form = entering(staff, **wrong, **{"deadline-days": "x", "deadline-at": "25:00"})
    page = fill(form, "", "", "7", on="2400-01-01").write(state="in force").press(button)
    for text in (
        "No DSO has the domain x.example",
        "'feeder' is not an entity address",
        "This is not a date: write it as 2026-03-01.",
        "1899-01-01 is not a day from",
        "Give the days before, such as 1",
        "Give the time of day, such as 10:00.",
        "Say why: a contract in force",
    ):
        assert page.text.count(text) == 1, (text, page.text)
    assert "lies before the first" not in page.text, "which could not be read"


def test_a_contract_in_force_that_reserves_nothing_is_pointed_out(staff: Client) -> None:
    said = "Nothing is reserved on any day: every update is rejected"
    form = entering(staff).write(state="in force", reason="signed")
    assert said in form.press("check").text
    page = form.press("save")
    assert "Contract C-1 is entered." in page.text
    assert page.text.count(said) == 2, "once beside the success, once among what staff should notice"
    entered_draft = entering(staff, "C-2").press("save")
    assert entered_draft.text.count(said) == 1


def test_a_weekday_of_its_own_begins_with_what_every_day_has(staff: Client) -> None:
    form = fill(entering(staff), "07:00", "22:00", "1000", "every")
    form = fill(form, "07:00", "12:00", "2000", "6", "7")
    for day in ("6", "7"):
        assert form.rows(day) == [("29", "48", "2000"), ("49", "88", "1000")]
    assert form.rows("every") == [("29", "88", "1000")]
    form = fill(form, "", "", "300", "every")
    assert "Saturday, Sunday: as before, by a profile of their own." in form.text
    form.press("save")
    assert sorted(stored().weekdays) == [6, 7]


def test_a_single_day_begins_with_what_its_weekday_has(staff: Client) -> None:
    form = fill(entering(staff), "07:00", "22:00", "1000", "every")
    form = fill(form, "07:00", "22:00", "2000", "5")
    form = fill(form, "10:00", "11:00", "0", on="2026-12-25")
    assert form.rows("2026-12-25") == [("29", "40", "2000"), ("45", "88", "2000")]
    assert "2026-12-25 (Friday)" in form.text


def test_the_days_on_which_the_clock_changes_have_their_own_isps(staff: Client) -> None:
    form = fill(entering(staff), "02:00", "03:00", "100", on=str(AUTUMN))
    assert form.rows(str(AUTUMN)) == [("9", "16", "100")]
    assert "100 ISPs: the times from 02:00 to 03:00 come twice" in form.text
    assert "02:00 CEST–03:00" in form.text
    form = fill(form, "11", "14", "200", on=str(AUTUMN))
    assert "02:30 CEST–02:30 CET" in form.text
    form = fill(form, "01:00", "04:00", "50", on=str(SPRING))
    assert form.rows(str(SPRING)) == [("5", "12", "50")]
    assert "92 ISPs: the times from 02:00 to 03:00 do not come" in form.text
    form = fill(form, "93", "96", "50", on=str(SPRING))
    assert "there is no ISP 93: the day has ISPs 1 to 92" in form.text
    form.press("save")
    assert stored().days == {
        AUTUMN: (Stretch(9, 10, 100), Stretch(11, 14, 200), Stretch(15, 16, 100)),
        SPRING: (Stretch(5, 12, 50),),
    }


def test_what_one_kind_of_day_has_is_copied_by_the_clock(staff: Client) -> None:
    form = fill(entering(staff), "02:00", "04:00", "100", "every")
    form.write(**{"copy_from": "every", "for": ["1", "2"], "for_day": str(AUTUMN)})
    form = form.press("copy")
    assert form.rows("1") == form.rows("2") == [("9", "16", "100")]
    assert form.rows(str(AUTUMN)) == [("9", "20", "100")], "02:00 to 04:00 are three hours then"
    form.write(**{"copy_from": str(AUTUMN), "for": ["3"], "for_day": ""})
    assert form.press("copy").rows("3") == [("9", "16", "100")]


def test_of_an_hour_that_comes_twice_the_first_is_copied(staff: Client) -> None:
    form = fill(entering(staff), "9", "12", "100", on=str(AUTUMN))
    form = fill(form, "13", "16", "200", on=str(AUTUMN))
    form = form.write(**{"for": ["every"]}, for_day="", copy_from=str(AUTUMN)).press("copy")
    assert form.rows("every") == [("9", "12", "100")]


def test_kinds_of_day_that_differ_from_what_is_stored_say_so(staff: Client) -> None:
    entered(staff)
    assert "not saved yet" not in edit(staff).text
    form = fill(edit(staff), "", "", "5", "7")
    assert re.findall(r"(\w+) not saved yet", form.text) == ["Sunday"]
    assert "not saved yet" not in form.press("drop:7").text


def test_copying_to_itself_says_what_to_do(staff: Client) -> None:
    form = fill(entering(staff), "", "", "100", "every").write(**{"copy_from": "every", "for": ["every"]})
    assert "Every day is what is copied: choose other days above." in form.press("copy").text


def test_lines_and_columns_are_pasted(staff: Client) -> None:
    form = entering(staff).write(**{"paste": "1-20 1000\n07:00-22:00; -500\n95\t30\n", "for": ["every"]})
    form = form.press("paste")
    assert form.rows("every") == [("1", "20", "1000"), ("29", "88", "-500"), ("95", "95", "30")]
    column = "\r\n".join(["0"] * 28 + ["1500"] * 60 + ["0"] * 8)
    form = form.write(paste=column, **{"for": ["1"]}).press("paste")
    assert form.rows("1") == [("29", "88", "1500")]


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("1\n2\n3", "a column needs 96 values, one for each ISP of the day: these are 3"),
        ("1-20 1000\n20-30 5", "line 2: ISP 20 is named already, in line 1"),
        ("1-20 1.5", "line 1: “1-20 1.5” is not like 1-20 1000"),
        ("1-20 1,000", "line 1: “1-20 1,000” is not like 1-20 1000"),
        ("90-99 1", "line 1: there is no ISP 99: the day has ISPs 1 to 96"),
        ("20-1 1", "line 1: ISP 1 comes before ISP 20"),
        ("07:05-08:00 1", "line 1: no ISP begins at 07:05: each takes 15 minutes"),
        ("", "Paste lines such as 1-20 1000"),
        ("1-2 1000000000001", "at most 1000000000000 W either way"),
    ],
)
def test_what_cannot_be_pasted_is_kept_and_explained(staff: Client, pasted: str, said: str) -> None:
    form = fill(entering(staff), "", "", "7", "every")
    form = form.write(paste=pasted, **{"for": ["every"]}).press("paste")
    assert said in form.text
    assert form.fields("paste")[0].split() == pasted.split()
    assert form.rows("every") == [("1", "96", "7")]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"power": "1.5"}, "Give a whole number of watts"),
        ({"power": "1000000000001"}, "at most 1000000000000 W either way"),
        ({"from": "seven"}, "“seven” is neither a time, such as 07:00, nor the number of an ISP"),
        ({"from": "22:00", "to": "07:00"}, "Every day: it ends before it begins."),
        ({"from": "24:00"}, "no ISP of this day begins at 24:00"),
        ({"for": []}, "Choose at least one kind of day"),
        ({"for": [], "for_day": "2026-02-30"}, "This is not a date"),
    ],
)
def test_what_cannot_be_filled_in_is_kept_and_explained(
    staff: Client, said: dict[str, Any], answer: str
) -> None:
    form = entering(staff).write(**{"power": "5", "for": ["every"], **said}).press("fill")
    assert answer in form.text
    assert form.rows("every") == []
    for name in ("from", "to", "power", "for_day"):
        assert form.fields(name) == [said.get(name, "5" if name == "power" else "")]
    assert form.fields("contract_id") == ["C-1"]


def test_a_kind_of_day_can_have_nothing_reserved_and_lose_its_profile(staff: Client) -> None:
    form = fill(entering(staff), "07:00", "22:00", "1000", "every")
    form = form.write(**{"for": ["7"], "for_day": "2026-12-25"}).press("nothing")
    assert form.fields("part") == ["every", "7", "2026-12-25"]
    form.press("save")
    assert stored() == Profile((Stretch(29, 88, 1000),), {7: ()}, {date(2026, 12, 25): ()})
    form = edit(staff).press("drop:7")
    assert "Sunday has no profile of its own any more. Not saved yet." in form.text
    form.press("save")
    assert stored() == Profile((Stretch(29, 88, 1000),), {}, {date(2026, 12, 25): ()})


def test_nothing_is_reserved_in_the_range_that_is_typed(staff: Client) -> None:
    form = fill(entering(staff), "07:00", "22:00", "1000", "every")
    form = form.write(**{"from": "12:00", "to": "13:00"}).press("nothing")
    assert form.rows("every") == [("29", "48", "1000"), ("53", "88", "1000")]
    assert "Every day: ISPs 49-52, 12:00–13:00, have nothing reserved. Not saved yet." in form.text
    form = form.write(to="08:00").press("nothing")
    assert form.rows("every") == [("33", "48", "1000"), ("53", "88", "1000")]
    form = form.write(**{"from": "20:00", "for": ["7"]}).press("nothing")
    assert form.rows("7") == [("33", "48", "1000"), ("53", "80", "1000")]
    form = form.write(**{"from": "x"}).press("nothing")
    assert "“x” is neither a time" in form.text
    assert form.rows("7") == [("33", "48", "1000"), ("53", "80", "1000")]
    form = form.write(**{"from": ""}).press("nothing")
    assert form.rows("7") == []
    assert "Sunday has nothing reserved." in form.text


def test_stretches_are_added_by_hand_and_removed(staff: Client) -> None:
    form = entering(staff).press("add:every")
    assert form.rows("every") == [("", "", "")]
    form.type("every-first", "00:00").type("every-last", "05:00").type("every-watts", "10")
    form = form.press("add:every")
    assert form.rows("every") == [("1", "20", "10"), ("", "", "")]
    form.type("every-first", "96", 1).type("every-watts", "-4", 1)
    form = form.press("remove:every:0")
    assert form.rows("every") == [("96", "96", "-4")]
    assert "Every day: ISPs 1-20 are removed. Not saved yet." in form.text
    form.press("save")
    assert stored() == Profile((Stretch(96, 96, -4),))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("97", "97", "1"), "There is no ISP 97: the day has ISPs 1 to 96."),
        (("5", "4", "1"), "ISP 4 comes before ISP 5."),
        (("5", "6", "1.000"), "Give a whole number of watts, not “1.000”."),
        (("5", "6", ""), "Give a whole number of watts."),
        (("", "6", "1"), "Give an ISP, or a time such as 07:00."),
        (("30", "31", "1"), "ISPs 30 to 31 are named twice."),
        (("5", "6", "1000000000001"), "1000000000001 W: at most 1000000000000 W either way."),
    ],
)
def test_a_mistake_in_a_stretch_stands_beside_it(staff: Client, row: tuple[str, ...], said: str) -> None:
    form = fill(entering(staff), "29", "88", "1000", "every").press("add:every")
    for name, value in zip(("first", "last", "watts"), row, strict=True):
        form.type(f"every-{name}", value, 1)
    form = form.write(reason="typed by hand").press("save")
    (beside,) = re.findall(r'id="row-every-1">(.*?)</div>', form.answer.content.decode(), re.S)
    assert said in re.sub(r"&#x27;", "'", beside), beside
    assert form.rows("every") == [("29", "88", "1000"), row]
    assert form.fields("reason") == ["typed by hand"]
    assert not Contract.objects.exists()
    assert "first correct what is marked" in fill(form, "1", "2", "3", "every").text


def test_what_terms_lack_is_said_at_their_fields(staff: Client) -> None:
    form = Filled(staff, ADD).write(dso="nobody.example", **{"deadline-days": "x"}).press("save")
    for said in (
        "No DSO has the domain nobody.example: it must be registered first.",
        "Give the domain of the AGR.",
        "Give the ContractID",
        "Give the entity address of the congestion point.",
        "Give the first day.",
        "Give the days before, such as 1",
    ):
        assert said in form.text, said
    assert form.fields("dso") == ["nobody.example"]
    assert form.fields("deadline-days") == ["x"]


@pytest.mark.parametrize("typed", ["10:00+02:00", "10:00Z", "T10:00", "10", "24:00", "١٠:00"])
def test_a_deadline_is_at_a_time_of_day_in_the_markets_zone(staff: Client, typed: str) -> None:
    form = fill(entering(staff, **{"deadline-at": typed}), "", "", "5", "every").press("save")
    assert "Give the time of day, such as 10:00." in form.text
    assert form.fields("deadline-at") == [typed]
    assert not Contract.objects.exists()


def test_what_the_verb_refuses_is_said_at_its_field_or_kind_of_day(staff: Client) -> None:
    form = entering(staff, congestion_point="feeder-7", last="2026-02-01")
    form = fill(form, "", "", "1", on="2027-01-01").press("save")
    assert "'feeder-7' is not an entity address" in form.text
    assert "The last day, 2026-02-01, lies before the first, 2026-03-01." in form.text
    assert "This day lies outside the contract's days" in form.text
    assert not Contract.objects.exists()


def test_the_same_contract_is_not_entered_twice(staff: Client) -> None:
    entered(staff)
    form = fill(entering(staff), "", "", "1", "every").press("save")
    assert "have a contract of this ContractID already, recorded by kim" in form.text
    assert fill(entering(staff, agr="sun.example"), "", "", "1", "every").press("save").answer.redirect_chain


def test_changing_a_contract_in_force_needs_a_reason_and_makes_a_version(staff: Client) -> None:
    entered(staff, state="in force")
    form = fill(edit(staff), "07:00", "22:00", "2000", "every").press("save")
    assert "Say why" in form.text
    assert form.rows("every") == [("29", "88", "2000")]
    page = form.write(reason="They agreed on more.").press("save")
    assert "Contract C-1 is changed: this is version 2." in page.text
    assert [version.state for version in ContractVersion.objects.order_by("number")] == ["in force"] * 2
    assert "Every day: 29-88: 1,000 W → 29-88: 2,000 W" in page.text
    assert "They agreed on more." in page.text


def test_the_form_says_what_changes_on_days_that_are_past(staff: Client, at: At) -> None:
    at("2026-03-11T12:00:00+01:00")
    entered(staff, state="in force")
    said = (
        "Of those that are past, 10 days from 2026-03-01 to 2026-03-10 have no update that counts, and change with it."
        " Contracted there: 150 kWh at present, {} by what stands in this form."
    )
    assert said.format("150 kWh") in edit(staff).text
    form = fill(edit(staff), "07:00", "22:00", "-2000", "every")
    assert said.format("−300 kWh") in form.text
    form.write(first="2026-03-06")
    assert said.format("−150 kWh") in re.sub(r"(<[^>]+>\s*)+", " ", form.send_to(form.url + "preview/"))
    form.write(first="x")
    assert said.format("−300 kWh") in form.press("check").text

    at("2026-03-02T12:00:00+01:00")
    assert "1 day, 2026-03-01, has no update that counts, and changes with it." in edit(staff).text
    at("2026-03-01T12:00:00+01:00")
    assert "past" not in edit(staff).text
    assert "past" not in entering(staff).text


def test_a_draft_says_nothing_of_days_that_are_past(staff: Client, at: At) -> None:
    at("2026-03-11T12:00:00+01:00")
    entered(staff)
    assert "that are past" not in edit(staff).text


def test_saving_what_is_there_changes_nothing(staff: Client) -> None:
    entered(staff)
    form = edit(staff).press("save")
    assert "Nothing changes: this is what the contract says." in form.text
    assert ContractVersion.objects.count() == 1


def test_a_draft_is_put_in_force_by_its_form(staff: Client) -> None:
    entered(staff)
    edit(staff).write(state="in force", reason="signed").press("save")
    assert ContractVersion.objects.current().get().state == "in force"
    assert edit(staff).fields("state") == [], "what is in force stays so"


def test_the_second_of_two_is_told_and_may_save_over_it_knowingly(staff: Client) -> None:
    entered(staff, state="in force")
    first, second = edit(staff), edit(staff)
    first.write(last="2026-11-30", reason="shorter").press("save")
    second = fill(second, "", "", "7", "every").write(reason="more").press("save")
    assert "Meanwhile the contract was changed by kim" in second.text
    assert "Days: 2026-03-01 to 2026-12-31 → 2026-03-01 to 2026-11-30" in second.text
    assert second.rows("every") == [("1", "96", "7")]
    assert ContractVersion.objects.count() == 2
    page = second.press("save")
    assert "this is version 3" in page.text
    assert ContractVersion.objects.current().get().period.upper == date(2027, 1, 1)


def test_a_profile_of_many_stretches_is_edited_as_text(staff: Client) -> None:
    column = "\n".join(str(number) for number in range(1, 97))
    form = entering(staff).write(paste=column, **{"for": ["every"]}).press("paste")
    assert form.rows("every") == []
    assert form.fields("every-text")[0].splitlines()[:2] == ["1-1 1", "2-2 2"]
    form.type("every-text", form.fields("every-text")[0].replace("1-1 1\n", "1-1 x\n")).press("check")
    form = form.press("save")
    assert "Line 1: “1-1 x” is not like 1-20 1000" in form.text
    form.type("every-text", "1-40 5")
    form.press("save")
    assert stored() == Profile((Stretch(1, 40, 5),))
    assert edit(staff).rows("every") == [("1", "40", "5")]


def test_a_year_of_single_days_can_be_edited(staff: Client) -> None:
    entered(staff)
    days = {date(2026, month, day): (Stretch(1, 4, day),) for month in range(3, 13) for day in range(1, 29)}
    version = ContractVersion.objects.get()
    for day, stretches in days.items():
        version.profiles.create(
            day=day, stretches=[[each.first, each.last, each.watts] for each in stretches]
        )
    form = fill(edit(staff), "1", "2", "9", on="2026-12-24")
    page = form.press("save")
    assert "this is version 2" in page.text
    assert stored().days == {**days, date(2026, 12, 24): (Stretch(1, 2, 9), Stretch(3, 4, 24))}
    assert "21 more kinds of day" in page.text, "days that are alike are one, but where the clock changes"
    assert "All of them: 2026-03-05, 2026-04-05" in page.text


def test_more_kinds_of_day_than_a_form_holds_are_for_an_import(staff: Client) -> None:
    entered(staff)
    version = ContractVersion.objects.get()
    for number in range(500):
        version.profiles.create(day=date(2026, 3, 1) + timedelta(days=number), stretches=[[1, 4, 5]])
    url = f"/admin/reservations/contract/{version.contract_id}/edit/"
    answer = staff.get(url, follow=True)
    assert "501 kinds of day are too many to be changed here" in answer.content.decode()


def test_a_profile_of_another_isp_duration_is_shown_in_the_markets(staff: Client) -> None:
    entered(staff)
    set_market(isp_duration="PT1H", actor="kim")
    assert (
        "This version has ISPs of PT15M, and the market has PT1H"
        in Filled(staff, edit(staff).url.replace("edit", "change")).text
    )
    form = edit(staff)
    assert form.rows("every") == [("8", "22", "1000")]
    form.press("save")
    version = ContractVersion.objects.current().get()
    assert version.isp_minutes == 60
    assert stored() == Profile((Stretch(8, 22, 1000),))


def test_the_preview_draws_what_is_typed_and_marks_what_is_wrong(staff: Client) -> None:
    form = fill(entering(staff), "07:00", "22:00", "1000", "every").press("add:every")
    form.type("every-first", "1", 1).type("every-watts", "x", 1)
    shown = form.send_to(f"{ADD}preview/")
    assert 'data-becomes="drawn-every"' in shown
    assert "ISPs 29-88, 07:00–22:00: 1,000 W" in shown
    assert "Give a whole number of watts, not “x”." in shown
    assert "Some of the profile is not valid" in shown
    assert "<!DOCTYPE" not in shown
    assert not Contract.objects.exists()


def test_hostile_forms_do_no_harm(staff: Client) -> None:
    data = {
        "do": "remove:every:99999999999999999999",
        "part": ["every", "2026-13-45", "8", "x", "٣"],
        "every-first": "٣",
        "every-watts": "9" * 400,
        "for": ["every", "9", "0001-01-01"],
        "for_day": "9999-12-31",
        "power": "1",
        "first": "٢٠٢٦-01-01",
        "deadline-kind": "days",
        "deadline-days": "٣",
        "contract_id": "a\x00b",
    }
    for button in (
        data["do"],
        "fill",
        "copy",
        "paste",
        "nothing",
        "drop:every",
        "add:x",
        "check",
        "save",
        "\x00",
        f"remove:every:{'9' * 5000}",
        "remove:every:٠",
    ):
        answer = staff.post(ADD, {**data, "do": button})
        assert answer.status_code == 200, button
    assert staff.post(f"{ADD}preview/", data).status_code == 200
    assert not Contract.objects.exists()
