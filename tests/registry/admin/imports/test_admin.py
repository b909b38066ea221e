"""Imports on the staff's screens: a file is uploaded, previewed by a worker, decided on, and what came of it stays."""

from __future__ import annotations

import csv
import gzip
import html
import io
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from common import clock
from common.csv import reader as csv_reader
from participants.models import AuditEntry, Participant
from registry.imports import upload_file, upload_jobs, uploads
from registry.imports.file_kinds import KINDS
from registry.imports.upload_queue import lock
from registry.models import Change, Conflict, Connection, ImportFile, ImportRun, Representation
from tests.registry.admin.pages import TODAY, home, party, represented
from tests.support.polling import wait_for
from tests.support.processes import Process, working

pytestmark = pytest.mark.django_db(transaction=True)

IMPORTS = "/admin/registry/importrun/"
WHY = "the yearly handover of AGR one"
State = ImportRun.State


@pytest.fixture
def kim() -> Client:
    return logged_in("kim", "CRO operator")


def logged_in(name: str, group: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def parties() -> None:
    party("AGR", "one.example")
    party("AGR", "two.example")


def lines(*rows: tuple[str, int, str, str]) -> bytes:
    """A file of representations: AGR, number of a connection, first and last day."""
    lines = ["agr,connection,start,end", *(f"{agr},{home(at)},{start},{end}" for agr, at, start, end in rows)]
    return "\n".join([*lines, ""]).encode()


def ones(*numbers: int, start: str = "2027-01-01", end: str = "") -> bytes:
    return lines(*(("one.example", number, start, end) for number in numbers))


def upload(client: Client, content: bytes, name: str = "handover.csv", **values: Any) -> Any:
    form = {"kind": "connections", "reason": WHY, "file": SimpleUploadedFile(name, content), **values}
    return client.post(f"{IMPORTS}add/", {key: value for key, value in form.items() if value is not None})


def uploaded(client: Client, content: bytes, name: str = "handover.csv", **values: Any) -> ImportRun:
    answer = upload(client, content, name, **values)
    assert answer.status_code == 302, text_of(answer)
    return ImportRun.objects.latest("pk")


def text_of(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def page(client: Client, run: ImportRun) -> str:
    answer = client.get(f"{IMPORTS}{run.pk}/change/")
    assert answer.status_code == 200
    return text_of(answer)


def work() -> None:
    """What a worker does with all that waits."""
    for _ in range(5):
        upload_jobs.wake()
        for pk in list(ImportRun.objects.filter(state=State.WAITING).values_list("pk", flat=True)):
            upload_jobs.run_upload(pk, now=clock.now(), stopping=lambda: False)


def previewed(client: Client, content: bytes, **values: Any) -> ImportRun:
    run = uploaded(client, content, **values)
    work()
    run.refresh_from_db()
    return run


def decide(client: Client, run: ImportRun, do: str, fingerprint: str | None = None) -> str:
    """Press a button on the page; gives what the page says then."""
    shown = run.fingerprint if fingerprint is None else fingerprint
    answer = client.post(f"{IMPORTS}{run.pk}/decide/", {"do": do, "fingerprint": shown}, follow=True)
    run.refresh_from_db()
    return text_of(answer)


def has_content(run: ImportRun) -> bool:
    return ImportFile.objects.filter(run=run, content__isnull=False).exists()


def test_an_upload_waits_for_a_worker_and_its_page_follows_it(kim: Client) -> None:
    run = uploaded(kim, ones(1, 2))

    assert (run.state, run.applies, run.actor, run.reason) == (State.WAITING, False, "kim", WHY)
    assert run.size == len(ones(1, 2))
    answer = kim.get(f"{IMPORTS}{run.pk}/change/")
    assert f'data-poll="{IMPORTS}{run.pk}/progress/"' in answer.content.decode()
    assert "Waits to be previewed" in text_of(answer)
    assert "Being previewed" not in text_of(answer)
    assert "A worker takes it up within seconds" in text_of(answer)
    work()
    progress = kim.get(f"{IMPORTS}{run.pk}/progress/").content.decode()
    assert "data-poll" not in progress
    assert "The preview is ready" in progress


def test_a_preview_changes_nothing_and_says_what_would_change(kim: Client) -> None:
    represented("two.example", 2)

    run = previewed(kim, ones(1, 2, start="2026-07-01"))

    assert run.state == State.PREVIEWED
    assert not Representation.objects.filter(agr__domain="one.example").exists()
    text = page(kim, run)
    assert "Nothing is imported yet" in text
    assert home(1) in text
    assert "Conflicts opened: 1" in text
    assert "Lines read: 2" in text
    assert f"one.example against two.example about {home(2)}" in text
    shown = kim.get(f"{IMPORTS}{run.pk}/change/").content.decode()
    there = Connection.objects.get(address=home(2))
    assert f'<a href="/admin/registry/connection/{there.pk}/change/">{home(2)}</a>' in shown
    assert f"<td>{home(1)}</td>" in shown
    one = party("AGR", "one.example")
    assert f'<a href="/admin/participants/participant/{one.pk}/change/">one.example</a>' in shown


def test_what_was_shown_is_applied_by_a_second_click(kim: Client) -> None:
    run = previewed(kim, ones(1, 2))

    said = decide(kim, run, "apply")
    assert (run.state, run.applies) == (State.WAITING, True)
    assert "It is applied as soon as a worker is free." in said
    work()
    run.refresh_from_db()

    assert run.state == State.APPLIED
    assert run.change == Change.objects.latest("pk")
    assert Representation.objects.filter(agr__domain="one.example").count() == 2
    said = page(kim, run)
    assert f"change {run.change_id}" in said
    assert "What it changed" in said
    assert home(2) in said
    assert re.search(r"Previewed 2\d{3}-.* Decided to apply 2\d{3}-.* Applied 2\d{3}-", said)
    assert not has_content(run)
    subject = f"import {run.pk} of handover.csv"
    assert list(AuditEntry.objects.filter(subject=subject).values_list("action", "actor", "reason")) == [
        ("apply import", "kim", WHY),
        ("upload import", "kim", WHY),
    ]


def test_the_same_file_again_has_nothing_to_change(kim: Client) -> None:
    run = previewed(kim, ones(1, 2))
    decide(kim, run, "apply")
    work()

    again = previewed(kim, ones(1, 2))

    assert again.state == State.UNCHANGED
    assert "All that the file states is registered already." in page(kim, again)
    assert not has_content(again)


def test_a_file_that_is_not_decided_yet_is_not_taken_twice(kim: Client) -> None:
    run = uploaded(kim, ones(1))

    text = text_of(upload(kim, ones(1)))

    assert f"uploaded already, as import {run.pk} by kim" in text
    assert ImportRun.objects.count() == 1


def test_what_is_discarded_is_gone(kim: Client) -> None:
    run = previewed(kim, ones(1))
    ended = run.finished_at

    assert "Discarded: nothing was imported" in decide(kim, run, "discard")

    assert run.state == State.DISCARDED
    assert re.search(r"Previewed 2\d{3}-.* Discarded 2\d{3}-", page(kim, run))
    assert run.finished_at == ended
    assert not has_content(run)
    assert not Representation.objects.exists()
    assert "the import has changed since you saw it" in decide(kim, run, "apply")
    assert run.state == State.DISCARDED


def test_an_apply_without_the_preview_s_fingerprint_does_nothing(kim: Client) -> None:
    run = previewed(kim, ones(1))

    assert "The preview was made again since you saw it" in decide(kim, run, "apply", "of-something-else")

    assert run.state == State.PREVIEWED


def test_C14_what_would_follow_by_the_time_of_applying_is_shown_first(kim: Client) -> None:
    run = previewed(kim, ones(1, start="2026-07-01"))
    decide(kim, run, "apply")
    represented("two.example", 1)

    work()
    run.refresh_from_db()

    assert (run.state, run.applies) == (State.PREVIEWED, False)
    assert not Representation.objects.filter(agr__domain="one.example").exists()
    text = page(kim, run)
    assert "The registry has changed since the preview that you approved" in text
    assert "Conflicts opened: 1" in text
    decide(kim, run, "apply")
    work()
    run.refresh_from_db()
    assert run.state == State.APPLIED
    conflict = Conflict.objects.get()
    shown = kim.get(f"{IMPORTS}{run.pk}/change/").content.decode()
    assert f'/admin/registry/conflict/{conflict.pk}/change/">conflict {conflict.pk}</a>' in shown


def test_C14_a_file_of_participants_too_is_shown_anew_where_something_else_would_follow(kim: Client) -> None:
    row = "role,domain,public_key,endpoint,standing,name\nAGR,one.example,,,suspended,\n"
    run = previewed(kim, row.encode(), name="who.csv", kind="participants")
    assert run.state == State.PREVIEWED
    decide(kim, run, "apply")
    Participant.objects.filter(domain="one.example").update(standing="barred")

    work()
    run.refresh_from_db()

    assert (run.state, run.applies) == (State.PREVIEWED, False)
    assert Participant.objects.get(domain="one.example").standing == "barred"
    decide(kim, run, "apply")
    work()
    assert Participant.objects.get(domain="one.example").standing == "suspended"


def test_bad_lines_keep_the_file_out_and_are_listed(kim: Client) -> None:
    content = (
        ones(1)
        + b"nobody.example,ean.871600000000000024,2027-01-01,\none.example,here,2027-01-01,2026-01-01\n"
    )

    run = previewed(kim, content)

    assert (run.state, run.bad_lines) == (State.REFUSED, 2)
    text = page(kim, run)
    assert "Correct the file, and upload it again." in text
    assert "Bad lines: 2 in all" in text
    assert "nobody.example" in text
    answer = kim.get(f"{IMPORTS}{run.pk}/rejects.csv")
    assert answer["Content-Disposition"] == f'attachment; filename="import-{run.pk}.rejects.csv"'
    rejects = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert {reject["line"] for reject in rejects} == {"3", "4"}
    assert list(rejects[0]) == ["line", "column", "rule", "value"]


def test_the_good_lines_are_taken_when_staff_say_so(kim: Client) -> None:
    run = previewed(kim, ones(1) + b"one.example,here,2027-01-01,\n")

    decide(kim, run, "skip")
    work()
    run.refresh_from_db()

    assert (run.state, run.skip_bad_lines, run.bad_lines) == (State.PREVIEWED, True, 1)
    assert "1 bad line is left out; it is listed below." in page(kim, run)
    decide(kim, run, "apply")
    work()
    run.refresh_from_db()
    assert run.state == State.APPLIED
    assert Representation.objects.count() == 1
    assert kim.get(f"{IMPORTS}{run.pk}/rejects.csv").status_code == 200


def test_a_file_that_has_shrunk_is_taken_when_staff_allow_it(
    kim: Client, stop_clock: Callable[[datetime], None]
) -> None:
    stop_clock(datetime(2026, 6, 1, 22, 30, tzinfo=UTC))  # in the market the next day has begun
    represented("one.example", *range(1, 11), last=None)

    run = previewed(kim, ones(1, start=str(TODAY)), full="on")

    assert run.state == State.REFUSED
    text = page(kim, run)
    assert "would end 9 of the 10" in text
    assert "Allow it, and preview again" in text
    assert "Take the good lines" not in text
    decide(kim, run, "allow")
    work()
    run.refresh_from_db()
    assert (run.state, run.allow_shrink) == (State.PREVIEWED, True)
    assert "9 representations end with today." in page(kim, run)


def test_what_came_of_one_is_said_of_one(kim: Client) -> None:
    run = previewed(kim, ones(1))
    refused = previewed(kim, b"agr,connection,start,end\none.example,here,,\n", name="bad.csv")

    assert run.state == State.PREVIEWED
    listed = text_of(kim.get(IMPORTS))
    assert "1 representation new" in listed
    assert "1 bad 2 faults on 1 line." in listed
    assert "Nothing was imported:" not in page(kim, refused)


def test_the_page_of_a_change_leads_to_its_import(kim: Client) -> None:
    run = previewed(kim, ones(1))
    decide(kim, run, "apply")
    work()
    run.refresh_from_db()

    shown = kim.get(f"/admin/registry/change/{run.change_id}/change/")

    link = f'<a href="{IMPORTS}{run.pk}/change/">Import {run.pk}: handover.csv</a> by kim'
    assert link in shown.content.decode()
    assert f"Reason: {WHY}" in text_of(shown)
    listed = text_of(kim.get("/admin/registry/change/"))
    assert f"handover.csv by kim {WHY}" in listed
    exported = kim.get("/admin/registry/change/export/")
    (row,) = csv.DictReader(io.StringIO(b"".join(exported.streaming_content).decode()))
    assert (row["File"], row["Reason"]) == ("handover.csv", WHY)


@pytest.mark.parametrize(
    ("stopped", "message", "advice"),
    [
        (
            "shrunk",
            "The file would end 9 of 10. --allow-shrink imports it all the same.",
            "run it with --allow",
        ),
        (
            "unreadable",
            "line 1: This is not UTF-8.",
            "Correct the file, or its name, and run the command again.",
        ),
        ("", "The database failed: gone.", "Run the command again: what was imported already"),
    ],
)
def test_what_a_command_s_run_advises(kim: Client, stopped: str, message: str, advice: str) -> None:
    state = State.REFUSED if stopped == "shrunk" else State.FAILED
    run = ImportRun.objects.create(
        kind="connections",
        state=state,
        file_name="conf.csv",
        actor="root",
        message=f"{message}\nNothing was imported.",
        summary={"stopped": stopped},
    )

    text = page(kim, run)

    assert advice in text
    assert "skip-bad-lines" not in text
    assert text.lower().count("nothing was imported") == 1


def test_what_is_wrong_with_the_upload_is_said_at_its_field(kim: Client) -> None:
    wrong = {
        "Choose a file.": {"file": None},
        "Say what the file is of.": {"kind": None},
        "Say why": {"reason": ""},
        "The file is empty.": {"content": b""},
        "names other columns than wanted": {"content": b"agr,connection\n"},
        "This is not UTF-8": {"content": b"agr,connection,start,end\xff\n"},
        "cannot be read to its end": {"content": gzip.compress(ones(1))[:-20]},
        "A line is longer than": {"content": gzip.compress(b"a" * (upload_file.LINE_AT_MOST + 100_000))},
        "Only with “Full file: what it does not name ends”": {"allow_shrink": "on"},
        "A file of this kind is never a full one": {"kind": "contracts", "full": "on"},
    }
    for words, said in wrong.items():
        content = said.pop("content", ones(1))
        answer = upload(kim, content, **said)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert words in text_of(answer), words
        if said.get("kind", "") is None:
            assert text_of(answer).index("What the file is of:") < text_of(answer).index(words)
    assert not ImportRun.objects.exists()


def test_a_packed_file_is_kept_as_it_came(kim: Client) -> None:
    packed = gzip.compress(ones(1))

    run = previewed(kim, packed, name="handover.csv.gz")

    assert (run.state, run.size, run.file_name) == (State.PREVIEWED, len(packed), "handover.csv.gz")


def test_a_file_over_the_limit_is_refused_before_it_is_read(kim: Client, settings: Any) -> None:
    settings.IMPORT_UPLOAD_MAX_BYTES = 10_000
    answer = upload(kim, ones(*range(5_000)))
    assert answer.status_code == 413
    assert "at most 10 kB are taken" in text_of(answer)

    answer = upload(kim, ones(*range(400)))
    assert answer.status_code == 200
    assert "at most" in text_of(answer)
    assert not ImportRun.objects.exists()


def test_what_unpacks_to_too_much_is_refused(kim: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_file, "UNPACKED_AT_MOST", 1 << 20)

    run = previewed(kim, gzip.compress(ones(*range(40_000))))

    assert run.state == State.FAILED
    assert "Unpacked, the file is larger than" in page(kim, run)


def test_no_row_is_taken_of_what_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_file, "UNPACKED_AT_MOST", 1 << 20)
    packed = upload_file.Upload(gzip.compress(ones(*range(40_000))))
    taken: list[object] = []

    with (
        pytest.raises(csv_reader.UnreadableFile, match="Unpacked, the file is larger than"),
        packed.rows(KINDS["connections"].columns, lambda read, of: None) as rows,
    ):
        taken.extend(rows)

    assert taken == []


def test_an_upload_needs_the_token_against_forgery(kim: Client) -> None:
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(User.objects.get(username="kim"))

    assert upload(forged, ones(1)).status_code == 403
    assert not ImportRun.objects.exists()
    run = previewed(kim, ones(1))
    decide(forged, run, "apply")
    assert run.state == State.PREVIEWED


def test_who_only_looks_sees_the_preview_and_no_button(kim: Client) -> None:
    run = previewed(kim, ones(1))
    auditor = logged_in("lee", "CRO auditor")

    text = page(auditor, run)

    assert "The preview is ready" in text
    assert "Discard" not in text
    assert auditor.post(f"{IMPORTS}{run.pk}/decide/", {"do": "discard"}).status_code == 403
    assert upload(auditor, ones(2)).status_code == 403
    assert auditor.get(f"{IMPORTS}add/").status_code == 403


def test_who_is_limited_sees_nothing_of_imports(kim: Client) -> None:
    run = previewed(kim, ones(1))
    limited = logged_in("pat", "CRO participant manager")

    for page in (IMPORTS, f"{IMPORTS}export/", f"{IMPORTS}{run.pk}/change/", f"{IMPORTS}{run.pk}/progress/"):
        assert limited.get(page).status_code == 403, page
    assert "Imports" not in text_of(limited.get("/admin/"))
    assert "Imports" in text_of(kim.get("/admin/"))


def test_the_list_is_filtered_searched_and_exported(kim: Client) -> None:
    run = previewed(kim, ones(1))
    bad = previewed(kim, b"agr,connection,start,end\none.example,here,,\n", name="bad.csv")

    assert (run.state, bad.state) == (State.PREVIEWED, State.REFUSED)
    assert "bad.csv" in text_of(kim.get(IMPORTS, {"state": "not imported"}))
    assert "handover.csv" not in text_of(kim.get(IMPORTS, {"state": "not imported"}))
    assert "handover.csv" in text_of(kim.get(IMPORTS, {"kind__exact": "connections", "state": "shown"}))
    assert "bad.csv" not in text_of(kim.get(IMPORTS, {"q": "hand"}))
    answer = kim.get(f"{IMPORTS}export/", {"q": str(bad.pk)})
    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert (row["File"], row["State"], row["Bad lines"]) == ("bad.csv", "refused", "1")
    dashboard = text_of(kim.get("/admin/"))
    assert "Imports to approve 1" in dashboard
    assert "Imports not applied in 7 days 1" in dashboard


def by_command(state: str, *, applies: bool, **values: Any) -> ImportRun:
    return ImportRun.objects.create(
        kind="connections", state=state, file_name="nightly.csv", actor="root", applies=applies, **values
    )


@pytest.mark.parametrize(
    ("state", "heading"),
    [(State.REFUSED, "refused"), (State.FAILED, "failed"), (State.INTERRUPTED, "interrupted")],
)
def test_a_dry_run_that_came_to_nothing_is_told_from_an_import(kim: Client, state: str, heading: str) -> None:
    dry = by_command(state, applies=False, full=True, message="The database failed.\nNothing was imported.")

    text = page(kim, dry)

    assert "Options Dry run; full file: what it does not name ends" in text
    assert f"Dry run: {heading}" in text
    assert "othing was imported" not in text
    assert f"Dry run: {heading}" in text_of(kim.get(IMPORTS))
    assert "Imports not applied in 7 days 0" in text_of(kim.get("/admin/"))
    assert "nightly.csv" not in text_of(kim.get(IMPORTS, {"state": "not imported"}))
    answer = kim.get(f"{IMPORTS}export/")
    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert row["Dry run"] in ("yes", "true", "True")
    real = by_command(state, applies=True)
    assert "Dry run" not in page(kim, real)
    assert "othing was imported" in page(kim, real)
    assert "Imports not applied in 7 days 1" in text_of(kim.get("/admin/"))


def test_an_upload_that_waits_says_what_is_before_it(kim: Client) -> None:
    first, second, third = (uploaded(kim, ones(number)) for number in (1, 2, 3))
    link = f'<a href="{IMPORTS}{first.pk}/change/">Import {first.pk}</a>'

    assert "A worker takes it up within seconds." in page(kim, first)
    assert f"Import {first.pk} is before this one." in page(kim, second)
    assert f"Import {first.pk} and 1 more are before this one." in page(kim, third)
    assert "no worker runs: see /health/ready" in page(kim, third)
    ImportRun.objects.filter(pk=first.pk).update(state=State.RUNNING)
    assert f"Import {first.pk} is being previewed; this one is next." in page(kim, second)
    assert (
        f"{link} is being previewed; 1 more is before this one."
        in kim.get(f"{IMPORTS}{third.pk}/progress/").content.decode()
    )
    assert "/health/ready" not in page(kim, third)
    by_command(State.RUNNING, applies=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE queueing_lock = %s", [lock(first.pk)]
        )
    ImportRun.objects.filter(pk=first.pk).update(state=State.PREVIEWED, fingerprint="seen")
    decide(kim, first, "apply", "seen")
    assert "Waits to be applied" in page(kim, first)
    assert f"Import {second.pk} and 1 more are before this one." in page(kim, first)
    assert "A worker takes it up within seconds." in page(kim, second)


@pytest.mark.parametrize("approved", [False, True], ids=["to be previewed", "to be applied"])
def test_an_upload_that_waits_can_be_discarded(kim: Client, approved: bool) -> None:
    run = uploaded(kim, ones(1))
    if approved:
        work()
        run.refresh_from_db()
        decide(kim, run, "apply")
    assert run.state == State.WAITING
    assert 'value="discard"' in kim.get(f"{IMPORTS}{run.pk}/change/").content.decode()
    assert "Discard" not in page(logged_in("lee", "CRO auditor"), run)

    assert "Discarded: nothing was imported" in decide(kim, run, "discard")

    work()
    run.refresh_from_db()
    assert run.state == State.DISCARDED
    assert not has_content(run)
    assert not Representation.objects.exists()
    assert "Import" not in page(kim, uploaded(kim, ones(2))).partition("A worker takes it up")[2]


def test_an_upload_that_is_under_way_cannot_be_discarded(kim: Client) -> None:
    run = uploaded(kim, ones(1))
    ImportRun.objects.filter(pk=run.pk).update(state=State.RUNNING)

    assert 'value="discard"' not in kim.get(f"{IMPORTS}{run.pk}/change/").content.decode()
    assert "the import has changed since you saw it" in decide(kim, run, "discard")
    assert run.state == State.RUNNING


def test_an_upload_that_nobody_decides_about_is_dropped(kim: Client) -> None:
    run, refused = previewed(kim, ones(1)), previewed(kim, b"agr,connection,start,end\none.example,x,,\n")

    assert uploads.delete_old_uploads(timezone.now() + timedelta(days=6)) == 0
    assert uploads.delete_old_uploads(timezone.now() + timedelta(days=8)) == 2

    run.refresh_from_db()
    refused.refresh_from_db()
    assert (run.state, refused.state) == (State.DISCARDED, State.REFUSED)
    assert "Nobody approved it within 7 days" in page(kim, run)
    assert not has_content(run)
    assert not has_content(refused)
    assert "Take the good lines" not in page(kim, refused)


def test_a_worker_that_died_is_taken_over_three_times(kim: Client) -> None:
    run = uploaded(kim, ones(1))
    for tries in (1, 2):
        ImportRun.objects.filter(pk=run.pk).update(state=State.RUNNING, tries=tries)
        upload_jobs.wake()
        run.refresh_from_db()
        assert run.state == State.WAITING
        assert "It starts again by itself." in page(kim, run)
    ImportRun.objects.filter(pk=run.pk).update(state=State.RUNNING, tries=3)
    upload_jobs.wake()
    run.refresh_from_db()
    assert run.state == State.INTERRUPTED
    assert "Preview again" in page(kim, run)
    decide(kim, run, "again")
    work()
    run.refresh_from_db()
    assert run.state == State.PREVIEWED


def reached(run: ImportRun, state: str, worker: Process) -> None:
    def there() -> bool:
        run.refresh_from_db()
        return run.state == state

    wait_for(f"{state}, not {run.state} {run.message}\n{worker.log}", there, 30)


def test_a_worker_previews_and_applies(kim: Client) -> None:
    run = uploaded(kim, ones(1, 2))
    with working() as worker:
        reached(run, State.PREVIEWED, worker)
        decide(kim, run, "apply")
        reached(run, State.APPLIED, worker)
        assert worker.stop() == 0
    assert Representation.objects.count() == 2


def test_until_idle_waits_for_uploads(kim: Client) -> None:
    run = uploaded(kim, ones(1, 2))
    with working("--until-idle") as worker:
        assert worker.process.wait(60) == 0, worker.log
    run.refresh_from_db()
    assert run.state == State.PREVIEWED


def test_a_worker_that_is_stopped_gives_the_import_up_and_another_takes_it(kim: Client) -> None:
    """The import waits for a lock of ours, in the middle of a statement, when its worker is told to stop."""
    run = previewed(kim, ones(1, 2))
    decide(kim, run, "apply")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE registry_representation IN SHARE MODE")
        with working() as worker:
            reached(run, State.RUNNING, worker)
            wait_for("its waiting for the lock", waits_for_a_lock, 30)
            worker.signal(signal.SIGTERM)
            assert worker.process.wait(10) == 0, worker.log
        run.refresh_from_db()
        assert (run.state, run.tries, run.applies) == (State.WAITING, 0, True)
        assert has_content(run)
        assert "consequences" in run.summary
        assert "It starts again by itself." in page(kim, run)
    with working() as worker:
        reached(run, State.APPLIED, worker)
    assert Representation.objects.count() == 2
    assert home(2) in page(kim, run)


def test_a_worker_that_is_killed_leaves_nothing_half_done_and_another_takes_it(kim: Client) -> None:
    run = previewed(kim, ones(1, 2))
    decide(kim, run, "apply")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE registry_representation IN SHARE MODE")
        with working() as worker:
            reached(run, State.RUNNING, worker)
            wait_for("its waiting for the lock", waits_for_a_lock, 30)
            worker.kill()
    assert not Representation.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_workers")
    with working() as worker, working() as other:
        reached(run, State.APPLIED, worker)
        # Each fetches from three queues, and hears signals before it does.
        wait_for("both workers fetching", lambda: fetching() == 6, 30)
        assert (worker.stop(), other.stop()) == (0, 0)
    assert Representation.objects.count() == 2
    assert Change.objects.count() == 1


def fetching() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        (workers,) = cursor.fetchone()
    return int(workers)


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_locks WHERE NOT granted AND relation = 'registry_representation'::regclass"
        )
        return bool(cursor.rowcount)
