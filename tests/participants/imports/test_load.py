"""Files of participants: what they add, change and end, and everything that is wrong with one, by its line."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from nacl.signing import SigningKey

from common.csv.importing import (
    ImportRefused,
    ImportRequest,
    ImportResult,
    Options,
    Shrunk,
    Step,
    import_file,
    no_report,
)
from common.csv.reader import Fault, Row, read_rows
from common.csv.rejects import Rejects
from common.previews import ConsequencesChanged
from common.retry import retried
from participants.admission import record_first_contact
from participants.imports.load import PARTICIPANT_COLUMNS, ParticipantImporter
from participants.key_changes import withdraw_key
from participants.keys import PREFIX
from participants.models import AuditEntry, Participant, PublicKey
from participants.registration import set_standing
from tests.participants.conftest import NOW, AddParticipant, key_text, raw_key

HEADER = ",".join(PARTICIPANT_COLUMNS)
URL = "https://uftp.agr.example/shapeshifter/api/v3/message"
LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.django_db


def read(*lines: str) -> list[Row | Fault]:
    return list(read_rows(io.BytesIO("\n".join([HEADER, *lines]).encode()), PARTICIPANT_COLUMNS))


def import_lines(
    *lines: str,
    reason: str = "all.csv\nwe moved",
    rejects: Rejects | None = None,
    step: Step = no_report,
    expected: str | None = None,
    **options: bool,
) -> ImportResult:
    """Import the lines; `reason` is the file's name and, below it, why; options by their names."""
    file_name, _, why = reason.partition("\n")
    request = ImportRequest(
        now=LATER,
        file_name=file_name,
        actor="kim",
        reason=why,
        options=Options(**options),
        rejects=Rejects() if rejects is None else rejects,
        step=step,
        expected=expected,
    )
    return import_file(ParticipantImporter, read(*lines), request)


def faults_of(*lines: str, reason: str = "all.csv") -> list[str]:
    """What is wrong with the lines, all of them."""
    with pytest.raises(ImportRefused) as refusal:
        import_lines(*lines, reason=reason)
    return [str(reject) for reject in refusal.value.rejects.first]


def stored() -> list[tuple[str, str, str, str, list[str]]]:
    """Each participant, with its keys that have not ended."""
    return [
        (
            str(row),
            row.endpoint,
            row.standing,
            row.name,
            sorted(key.text for key in row.keys.valid_at(LATER)),
        )
        for row in Participant.objects.order_by("pk")
    ]


def counts(imported: ImportResult) -> dict[str, int]:
    """What was counted, without what there is none of."""
    return {words: count for words, count in imported.counts.items() if count}


def test_participants_are_added_with_their_keys_and_stand_in_the_audit_trail() -> None:
    imported = import_lines(
        f"AGR,agr.example,{key_text(1)} {key_text(2)},{URL},,Größe & Söhne",
        f'DSO,grid.example,{key_text(3).removeprefix(PREFIX)},,known,"Grid, Inc."',
        "DSO,agr.example,,,,",
    )

    assert stored() == [
        ("AGR agr.example", URL, "authorized", "Größe & Söhne", sorted([key_text(1), key_text(2)])),
        ("DSO grid.example", "", "known", "Grid, Inc.", [key_text(3)]),
        ("DSO agr.example", "", "authorized", "", []),
    ]
    assert not PublicKey.objects.exclude(valid_from=None).exists(), "the first keys have no beginning"
    assert counts(imported) == {"new": 3, "keys added": 3}
    assert (imported.change, imported.lines, imported.warnings) == (None, 3, ())
    assert imported.sentences[0] == f"New: AGR agr.example: authorized, endpoint {URL}, 2 keys added"
    trail = AuditEntry.objects.filter(participants__contains=[Participant.objects.get(role="AGR").pk])
    assert [(entry.action, entry.subject) for entry in trail.order_by("pk")] == [
        ("added participant", "AGR agr.example"),
        ("added public key", f"AGR agr.example {key_text(1)}"),
        ("added public key", f"AGR agr.example {key_text(2)}"),
    ]
    assert {(entry.actor, entry.reason) for entry in trail} == {("kim", "all.csv\nwe moved")}
    assert AuditEntry.objects.count() == 6


def test_I4_the_same_file_of_participants_again_changes_nothing() -> None:
    lines = [f"AGR,agr.example,{key_text(1)} {key_text(2)},{URL},suspended,Agr", "DSO,grid.example,,,,"]
    import_lines(*lines)
    before = list(AuditEntry.objects.values()), list(PublicKey.objects.values()), stored()

    for full in (False, True):
        again = import_lines(*lines, full=full)
        assert counts(again) == {"unchanged": 2}
        assert again.sentences == ()
    assert (list(AuditEntry.objects.values()), list(PublicKey.objects.values()), stored()) == before


def test_what_a_line_leaves_empty_is_empty_but_for_the_standing_and_the_keys(
    add_participant: AddParticipant,
) -> None:
    add_participant(endpoint=URL, name="Agr", standing="known")

    imported = import_lines("AGR,agr.example,,,,")

    assert stored() == [("AGR agr.example", "", "known", "", [key_text(1)])]
    assert imported.sentences == (f"Changed: AGR agr.example: endpoint {URL} → empty, name Agr → empty",)
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.action, entry.before, entry.after) == (
        "changed participant",
        {"endpoint": URL, "name": "Agr"},
        {"endpoint": "", "name": ""},
    )


def test_what_the_file_has_no_column_for_stays(add_participant: AddParticipant) -> None:
    add_participant(placeholders=False)

    import_lines("AGR,agr.example,,,,Agr")

    assert Participant.objects.get().placeholders is False


def test_a_key_is_added_beside_the_others_from_the_import_on(add_participant: AddParticipant) -> None:
    add_participant()

    imported = import_lines(f"AGR,agr.example,{key_text(2)},,,")

    assert stored()[0][-1] == sorted([key_text(1), key_text(2)])
    assert PublicKey.objects.get(value=raw_key(2)).valid_from == LATER
    assert counts(imported) == {"changed": 1, "keys added": 1}


def test_a_key_that_will_begin_or_end_stays_as_it_is(add_participant: AddParticipant) -> None:
    participant = add_participant()
    PublicKey.objects.update(valid_until=LATER + timedelta(days=1))
    PublicKey.objects.create(participant=participant, text=key_text(2), valid_from=LATER + timedelta(days=1))

    imported = import_lines(f"AGR,agr.example,{key_text(1)} {key_text(2)},,,", full=True)

    assert counts(imported) == {"unchanged": 1}


def test_a_key_that_has_ended_is_valid_again_and_that_is_said(add_participant: AddParticipant) -> None:
    participant = add_participant()
    withdraw_key(participant.keys.get(), actor="kim", now=NOW, reason="lost")

    imported = import_lines(f"AGR,agr.example,{key_text(1)},,,")

    key = PublicKey.objects.get()
    assert (key.valid_from, key.valid_until) == (LATER, None)
    assert imported.warnings == ("1 key that had ended is valid again.",)
    assert imported.sentences == ("Changed: AGR agr.example: 1 key valid again",)
    assert AuditEntry.objects.filter(action="changed public key", reason__startswith="all.csv").count() == 1


def test_a_key_that_was_anothers_begins_with_the_import(add_participant: AddParticipant) -> None:
    withdraw_key(add_participant().keys.get(), actor="kim", now=NOW, reason="sold")

    import_lines(f"AGR,heir.example,{key_text(1)},,,")

    assert PublicKey.objects.get(participant__domain="heir.example").valid_from == LATER


def test_a_change_of_standing_needs_a_reason(add_participant: AddParticipant) -> None:
    add_participant()

    assert faults_of("AGR,agr.example,,,barred,", reason=" ") == [
        "line 2, column standing: reason: Say why: the change of standing from authorized to barred is recorded with "
        "its reason."
    ]
    assert counts(import_lines("AGR,agr.example,,,barred,", reason="all.csv")) == {"changed": 1}
    assert stored()[0][2] == "barred"


def test_I1_every_bad_line_of_a_file_of_participants_is_said_at_once_and_nothing_is_taken(
    add_participant: AddParticipant,
) -> None:
    add_participant()
    pair = SigningKey.generate()
    private = base64.b64encode(bytes(pair) + bytes(pair.verify_key)).decode()
    before = stored(), AuditEntry.objects.count()

    faults = faults_of(
        f"agr,Bad_Domain,{private},ftp://agr.example,fine,{'n' * 201}",
        "AGR,agr.example,,agr.example/message,,",
        "DSO,cro.example,,,,",
        "DSO,grid.example",
        f"DSO,grid.example,{key_text(1)},,,",
        f"AGR,a.example,{key_text(5)},,,",
        f"AGR,b.example,{key_text(6)} {key_text(5)} nonsense,,,",
        "AGR,c.example,,,,one",
        "AGR,c.example,,ftp://c.example,,two",
        "AGR,good.example,,,,",
        f"{private},AGR,shifted.example,,,",
        ",,,,,empty",
        "AGR,good.example,,,,",
    )

    assert private not in " ".join(faults)
    assert [(line.partition(": ")[0], line.partition(": ")[2].partition(": ")[0]) for line in faults] == [
        ("line 2, column role", "role"),
        ("line 2, column domain", "domain"),
        ("line 2, column public_key", "public key"),
        ("line 2, column endpoint", "endpoint"),
        ("line 2, column standing", "standing"),
        ("line 2, column name", "name"),
        ("line 3, column endpoint", "endpoint"),
        ("line 4, column domain", "domain"),
        ("line 5", "file"),
        ("line 6, column public_key", "public key"),
        ("line 7, column public_key", "public key"),
        ("line 8, column public_key", "public key"),
        ("line 8, column public_key", "public key"),
        ("line 9", "participant"),
        ("line 10", "participant"),
        ("line 10, column endpoint", "endpoint"),
        ("line 12, column role", "role"),
        ("line 12, column domain", "domain"),
        ("line 12, column public_key", "public key"),
        ("line 13, column role", "role"),
        ("line 13, column domain", "domain"),
    ]
    for words in (
        "line 2, column role: role: none of AGR, DSO: agr",
        "line 2, column standing: standing: none of known, authorized, suspended, barred: fine",
        "line 2, column public_key: public key: This is a private key: have its owner replace it, and give the public "
        "key.",
        "line 4, column domain: domain: cro.example is this CRO's own domain; give the participant's.",
        "line 5: file: 2 fields, where the header has 6.",
        "line 7, column public_key: public key: Line 8 names the same key; each role and domain has its own.",
        "line 9: participant: line 10 states other values for it; state it once: AGR c.example",
        "line 13, column domain: domain: is empty",
        "line 12, column role: role: none of AGR, DSO: …",
    ):
        assert words in faults
    assert (stored(), AuditEntry.objects.count()) == before


@pytest.mark.parametrize("inside", ["\t", "\v", "\x1b", "\x85", "\u2028"])
def test_I1_a_name_with_a_control_character_is_bad(inside: str) -> None:
    words = "This holds a line break or another control character; a name is one line of text."
    assert faults_of(f"AGR,agr.example,,,,Agr{inside}Inc", "DSO,grid.example,,,,\tGrid\x85") == [
        f"line 2, column name: name: {words}"
    ]
    assert stored() == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_I2_a_name_with_a_line_break_makes_its_lines_bad_and_no_other(end: str) -> None:
    rejects = Rejects()

    imported = import_lines(
        "AGR,one.example,,,,One",
        f'AGR,two.example,,,,"Two{end}lines"',
        "AGR,three.example,,,,Three",
        rejects=rejects,
        skip_bad_lines=True,
    )

    assert list(map(str, rejects.first)) == [
        "line 3: file: A quote is opened here and not closed on its line.",
        "line 4: file: A quote stands in a field that is not quoted; quote the field, and write the quote inside it "
        "twice.",
    ]
    assert [(who, name) for who, _, _, name, _ in stored()] == [
        ("AGR one.example", "One"),
        ("AGR three.example", "Three"),
    ]
    assert (imported.lines, rejects.lines) == (4, 2)


def test_I2_bad_lines_are_left_out_where_that_is_asked_for(add_participant: AddParticipant) -> None:
    add_participant(name="Agr")
    rejects = Rejects()

    imported = import_lines(
        "AGR,agr.example,,ftp://agr.example,barred,Other",
        f"DSO,grid.example,{key_text(2)},,,Grid",
        f"DSO,mesh.example,{key_text(1)},,,Mesh",
        rejects=rejects,
        skip_bad_lines=True,
    )

    assert stored() == [
        ("AGR agr.example", "", "authorized", "Agr", [key_text(1)]),
        ("DSO grid.example", "", "authorized", "Grid", [key_text(2)]),
    ]
    assert counts(imported) == {"new": 1, "keys added": 1}
    assert (imported.lines, rejects.lines, rejects.count) == (3, 2, 2)


def test_I3_a_full_file_suspends_whom_it_does_not_name_and_ends_the_keys_that_its_lines_leave_out(
    add_participant: AddParticipant,
) -> None:
    for number in range(1, 9):
        add_participant(domain=f"agr{number}.example", public_key=key_text(number))
    add_participant(domain="agr1.example", public_key=key_text(20))
    add_participant(domain="barred.example", public_key=key_text(10), standing="barred")
    named = [f"AGR,agr{number}.example,,,," for number in range(2, 8)]

    imported = import_lines(f"AGR,agr1.example,{key_text(20)},,,", *named, full=True)

    assert counts(imported) == {"changed": 1, "unchanged": 6, "suspended": 1, "keys ended": 1}
    assert imported.sentences == (
        "Changed: AGR agr1.example: 1 key ended",
        "Suspended: AGR agr8.example: the file does not name it",
    )
    found = {row[0]: row for row in stored()}
    assert found["AGR agr1.example"][-1] == [key_text(20)]
    assert found["AGR agr2.example"][2:] == ("authorized", "", [key_text(2)])
    assert found["AGR agr8.example"][2:] == ("suspended", "", [key_text(8)])
    assert found["AGR barred.example"][2:] == ("barred", "", [key_text(10)])


def test_I3_a_full_file_that_has_shrunk_is_stopped_unless_that_is_allowed(
    add_participant: AddParticipant,
) -> None:
    for number in range(1, 6):
        add_participant(domain=f"agr{number}.example", public_key=key_text(number))
    before = stored()
    lines = [f"AGR,agr{number}.example,,,," for number in (1, 2, 3)]

    with pytest.raises(Shrunk, match="would suspend 2 of the 5 known and authorized participants"):
        import_lines(*lines, full=True)
    assert stored() == before

    assert counts(import_lines(*lines, full=True, allow_shrink=True))["suspended"] == 2
    assert counts(import_lines(*lines, "AGR,agr4.example,,,authorized,", full=True))["changed"] == 1


def test_I3_a_full_file_with_bad_lines_ends_nothing(add_participant: AddParticipant) -> None:
    for number in range(1, 7):
        add_participant(domain=f"agr{number}.example", public_key=key_text(number))
    lines = [f"AGR,agr{number}.example,,,," for number in range(2, 6)]

    imported = import_lines(
        f"AGR,agr1.example,{key_text(20)},,,",
        *lines,
        "AGR",
        full=True,
        skip_bad_lines=True,
        allow_shrink=True,
    )

    assert counts(imported) == {"changed": 1, "unchanged": 4, "keys added": 1}
    assert imported.warnings == ("Lines are bad, so nothing that the file does not name was ended.",)


def test_what_was_shown_is_what_is_done(add_participant: AddParticipant) -> None:
    participant = add_participant()
    lines = ["AGR,agr.example,,,suspended,Agr", f"DSO,grid.example,{key_text(2)},,,"]
    with transaction.atomic():
        fingerprint = import_lines(*lines)
        transaction.set_rollback(True)
    assert len(stored()) == 1
    set_standing(participant, "known", actor="bob", reason="a new contract")

    with pytest.raises(ConsequencesChanged, match="The participants have changed"):
        import_lines(*lines, expected=fingerprint.fingerprint)
    assert len(stored()) == 1

    again = import_lines(*reversed(lines), expected=preview_fingerprint(*lines))
    assert counts(again) == {"new": 1, "changed": 1, "keys added": 1}


def preview_fingerprint(*lines: str) -> str:
    """The fingerprint of what the lines would do."""
    sid = transaction.savepoint()
    try:
        return import_lines(*lines).fingerprint
    finally:
        transaction.savepoint_rollback(sid)


def test_a_value_that_is_stored_is_not_checked_again(add_participant: AddParticipant) -> None:
    add_participant()
    Participant.objects.update(endpoint="ftp://agr.example")

    imported = import_lines("AGR,agr.example,,ftp://agr.example,suspended,")

    assert counts(imported) == {"changed": 1}


def test_a_thousand_participants_take_as_few_queries_as_ten() -> None:
    def queries(many: int, first: int) -> int:
        lines = [f"AGR,agr{number}.example,{key_text(number)},,,Agr" for number in range(first, first + many)]
        with CaptureQueriesContext(connection) as new:
            import_lines(*lines)
        with CaptureQueriesContext(connection) as same:
            assert counts(import_lines(*(line.replace("Agr", "Other") for line in lines))) == {
                "changed": many
            }
        return len(new) + len(same)

    assert queries(1000, 100) <= queries(10, 1) + 4


@pytest.mark.django_db(transaction=True)
def test_whom_a_first_message_records_meanwhile_is_changed_and_not_added_twice() -> None:
    """A stranger's first message is recorded between the reading and the writing."""
    recorded: list[str] = []

    def record(step: str) -> None:
        if step == "writing" and not recorded:
            recorded.append(step)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(record_first_contact, "AGR", "agr.example", raw_key(1), NOW).result()
                pool.submit(connections.close_all).result()

    imported = retried(lambda: import_lines("AGR,agr.example,,,authorized,Agr", step=record))

    assert recorded
    assert counts(imported) == {"changed": 1}
    assert stored() == [("AGR agr.example", "", "authorized", "Agr", [])]


def test_a_domain_in_capitals_is_refused_with_the_right_one() -> None:
    (fault,) = faults_of("DSO,Grid.example,,,,")
    assert fault == (
        "line 2, column domain: domain: 'Grid.example' is not a domain; give lower-case labels joined by dots:"
        " agr.example; write grid.example."
    )


def test_E1_an_odd_character_in_a_domain_is_named() -> None:
    (fault,) = faults_of("DSO,grid.example\u200b,,,,")
    assert fault.endswith("joined by dots: agr.example; it has U+200B at character 13.")


def test_near_duplicates_of_a_participant_are_pointed_at() -> None:
    import_lines("DSO,grid-7.example,,,,", "AGR,grid-07.example,,,,")
    assert import_lines("DSO,grid-07.example,,,,").warnings == (
        "Nearly the same domain: DSO grid-07.example beside grid-7.example",
    )
