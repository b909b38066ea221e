"""Staff accounts: who may change them, what is recorded of it, and for whom a member of staff acts."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from guardian.shortcuts import assign_perm

from cro_project.login import two_factor
from cro_project.staff import accounts
from cro_project.staff.groups import AUDITOR, OPERATOR, PARTICIPANT_MANAGER
from participants.models import AuditEntry, Participant
from participants.scope import acted_for_by, seen_by
from tests.support.otp_app import Telephone

pytestmark = pytest.mark.django_db

LIST = "/admin/auth/user/"


@pytest.fixture
def kim(client: Client) -> User:
    """A superuser, who is logged in."""
    kim = User.objects.create_superuser("kim", password="right-kim")
    client.force_login(kim)
    return kim


@pytest.fixture
def agrs() -> list[Participant]:
    return [Participant.objects.create(role="AGR", domain=f"agr{n}.example") for n in range(3)]


def group(name: str) -> Group:
    return Group.objects.get(name=name)


def member(name: str, of: str) -> User:
    user = User.objects.create_user(name, password=f"right-{name}", is_staff=True)
    user.groups.add(group(of))
    return user


def page_of(user: User) -> str:
    return f"{LIST}{user.pk}/change/"


def account(*, reason: str = "starts on 1 July", **values: Any) -> dict[str, Any]:
    """What the form sends for an active account without rights."""
    return {"first_name": "", "last_name": "", "email": "", "is_active": "on", "reason": reason, **values}


def new(name: str, **values: Any) -> dict[str, Any]:
    return account(username=name, **values)


def errors(page: Any) -> str:
    assert page.status_code == 200, page
    return str([page.context["adminform"].form.errors, page.context["adminform"].form.non_field_errors()])


def latest() -> AuditEntry:
    return AuditEntry.objects.latest("id")


def test_a_superuser_makes_an_account_with_its_rights_in_one_step(
    kim: User, client: Client, agrs: list[Participant]
) -> None:
    answer = client.post(
        f"{LIST}add/",
        new(
            "lee",
            first_name="Lee",
            last_name="Ann",
            groups=[group(PARTICIPANT_MANAGER).pk],
            acts_for=[agrs[0].pk],
            sees=[agrs[0].pk, agrs[1].pk],
        ),
    )

    assert (answer.status_code, answer["Location"]) == (302, LIST)
    lee = User.objects.get(username="lee")
    assert (lee.is_staff, lee.is_superuser) == (True, False)
    assert acted_for_by(lee).ids == {agrs[0].pk}
    assert seen_by(lee).ids == {agrs[0].pk, agrs[1].pk}
    assert latest().action == "invited user"
    entry = AuditEntry.objects.get(action="added user")
    assert (entry.actor, entry.action, entry.subject, entry.reason) == (
        "kim",
        "added user",
        "user lee",
        "starts on 1 July",
    )
    assert entry.before is None
    assert entry.after == {
        "name": "Lee Ann",
        "active": True,
        "superuser": False,
        "groups": PARTICIPANT_MANAGER,
        "acts for": "AGR agr0.example",
        "sees": "AGR agr1.example",
    }
    assert entry.participants == []
    assert not lee.has_usable_password(), "lee chooses it: tests/cro_project/login/test_invitations.py"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"reason": " "}, "Say why"),
        ({"username": "kim"}, "already exists"),
    ],
)
def test_an_account_is_not_made_without_what_it_needs(
    kim: User, client: Client, given: dict[str, str], complaint: str
) -> None:
    page = client.post(f"{LIST}add/", {**new("lee"), **given})

    assert complaint in errors(page)
    assert not User.objects.filter(username="lee").exists()
    assert not AuditEntry.objects.exists()


def test_changed_rights_are_on_record_with_what_they_were(
    kim: User, client: Client, agrs: list[Participant]
) -> None:
    lee = member("lee", PARTICIPANT_MANAGER)
    assign_perm("participants.change_participant", lee, agrs[0])
    assign_perm("participants.view_participant", lee, agrs[1])

    client.post(
        page_of(lee),
        account(
            reason="looks after agr2 instead",
            groups=[group(PARTICIPANT_MANAGER).pk, group(AUDITOR).pk],
            acts_for=[agrs[2].pk],
            sees=[agrs[1].pk],
        ),
    )

    entry = latest()
    assert (entry.action, entry.subject, entry.reason) == (
        "changed user",
        "user lee",
        "looks after agr2 instead",
    )
    assert entry.before == {"groups": PARTICIPANT_MANAGER, "acts for": "AGR agr0.example"}
    assert entry.after == {"groups": f"{AUDITOR}, {PARTICIPANT_MANAGER}", "acts for": "AGR agr2.example"}
    assert entry.participants == []


def test_what_does_not_change_leaves_no_entry(kim: User, client: Client) -> None:
    lee = member("lee", OPERATOR)

    assert client.post(page_of(lee), account(groups=[group(OPERATOR).pk])).status_code == 302

    assert not AuditEntry.objects.exists()


def test_what_an_account_may_by_itself_is_shown_and_can_be_taken_away(kim: User, client: Client) -> None:
    lee = member("lee", OPERATOR)
    assert b"Further permissions" not in client.get(page_of(lee)).content
    one = Permission.objects.get(codename="view_market")
    lee.user_permissions.add(one, Permission.objects.get(codename="delete_group"))
    assert b"Can delete group" in client.get(page_of(lee)).content

    client.post(page_of(lee), account(groups=[group(OPERATOR).pk], further=[one.pk], reason="not needed"))

    assert list(lee.user_permissions.all()) == [one]
    assert latest().before == {"further permissions": "Can delete group, Can view market"}
    assert latest().after == {"further permissions": "Can view market"}


def test_rights_are_not_changed_without_a_reason(kim: User, client: Client) -> None:
    lee = member("lee", OPERATOR)

    assert "Say why" in errors(client.post(page_of(lee), account(reason="", groups=[])))
    with pytest.raises(ValidationError, match="Say why"):
        accounts.save(lee, groups=[], acts_for=[], sees=[], actor=kim, reason=" ")
    with pytest.raises(ValidationError, match="Say why"):
        accounts.set_password(lee, "another-1", actor=kim, reason="")
    assert list(lee.groups.all()) == [group(OPERATOR)]


def test_who_is_deactivated_is_out_at_once_and_stays_on_record(kim: User, client: Client) -> None:
    lee = member("lee", OPERATOR)
    browser = Client()
    browser.force_login(lee)
    gone = account(groups=[group(OPERATOR).pk], reason="has left")
    del gone["is_active"]

    client.post(page_of(lee), gone)

    assert browser.get("/admin/").status_code == 302
    assert latest().before == {"active": True}
    assert client.get(f"{LIST}{lee.pk}/delete/").status_code == 403
    client.post(page_of(lee), account(groups=[group(OPERATOR).pk], reason="is back"))
    assert browser.get("/admin/").status_code == 302


def test_nobody_shuts_themselves_or_everybody_out(kim: User, client: Client) -> None:
    lee = User.objects.create_superuser("lee", password="lee")

    assert "your own account" in errors(client.post(page_of(kim), account()))
    client.post(page_of(lee), account(is_superuser=""))
    assert not User.objects.get(pk=lee.pk).is_superuser
    kim.is_active = False
    with pytest.raises(ValidationError, match="Somebody must remain a superuser"):
        accounts.save(kim, groups=[], acts_for=[], sees=[], actor=lee, reason="why not")


def test_a_password_is_set_with_a_reason_and_never_recorded(kim: User, client: Client) -> None:
    lee = member("lee", OPERATOR)
    browser = Client()
    browser.force_login(lee)
    given = {"password1": "a-secret-one-1", "password2": "a-secret-one-1", "reason": "forgot it"}
    assert b"Set password" in client.get(page_of(lee)).content

    assert b"Say why" in client.post(f"{LIST}{lee.pk}/password/", {**given, "reason": ""}).content
    page = client.post(f"{LIST}{lee.pk}/password/", given, follow=True)

    assert b"The password of lee is set" in page.content
    entry = latest()
    assert (entry.actor, entry.action, entry.subject, entry.reason) == (
        "kim",
        "set password",
        "user lee",
        "forgot it",
    )
    assert (entry.before, entry.after) == (None, None)
    lee.refresh_from_db()
    assert lee.check_password("a-secret-one-1")
    assert browser.get("/admin/").status_code == 302


def test_a_superuser_resets_somebody_s_second_factor(
    kim: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lee, telephone = member("lee", OPERATOR), Telephone(monkeypatch)
    assert b"Reset second factor" not in client.get(page_of(lee)).content
    secret = two_factor.make_secret()
    telephone.secret = bytes.fromhex(secret)
    two_factor.enrol(lee, secret, telephone.code())
    assert b"Reset second factor" in client.get(page_of(lee)).content

    assert b"Say why" in client.post(f"{LIST}{lee.pk}/second_factor/", {"reason": " "}).content
    assert TOTPDevice.objects.exists()
    client.post(f"{LIST}{lee.pk}/second_factor/", {"reason": "lost the telephone"})

    assert not TOTPDevice.objects.exists()
    entry = latest()
    assert (entry.actor, entry.action, entry.subject, entry.reason) == (
        "kim",
        "reset second factor",
        "user lee",
        "lost the telephone",
    )
    assert (
        b"lee has no second factor"
        in client.post(f"{LIST}{lee.pk}/second_factor/", {"reason": "again"}).content
    )


def test_what_is_one_s_own_is_changed_where_the_password_is_asked_for(
    kim: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes to an open session of a superuser sets no password, and takes no second factor away."""
    telephone, secret = Telephone(monkeypatch), two_factor.make_secret()
    telephone.secret = bytes.fromhex(secret)
    app, _ = two_factor.enrol(kim, secret, telephone.code())
    client.force_login(kim)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = app.persistent_id
    session.save()
    given = {"password1": "a-secret-one-1", "password2": "a-secret-one-1", "reason": "it is mine"}

    for page, own in (("password", "/admin/password_change/"), ("second_factor", "/admin/two_factor/")):
        for answer in (
            client.get(f"{LIST}{kim.pk}/{page}/"),
            client.post(f"{LIST}{kim.pk}/{page}/", given),
        ):
            assert (answer.status_code, answer["Location"]) == (302, own)
    assert two_factor.enrolled_since(kim)
    kim.refresh_from_db()
    assert kim.check_password("right-kim")
    content = client.get(page_of(kim)).content
    assert b'"/admin/password_change/">Change password</a></li>' in content
    assert b"Set password" not in content
    assert b"Reset second factor" not in content
    client.post(
        "/admin/password_change/",
        {"old_password": "guess", "new_password1": "a-secret-one-1", "new_password2": "a-secret-one-1"},
    )
    kim.refresh_from_db()
    assert kim.check_password("right-kim")


@pytest.mark.parametrize("of", [OPERATOR, PARTICIPANT_MANAGER, AUDITOR])
def test_others_change_no_account(of: str, client: Client, agrs: list[Participant]) -> None:
    lee, ann = member("lee", of), User.objects.create_superuser("ann", password="ann")
    client.force_login(lee)
    looks = 200 if of == AUDITOR else 403

    assert client.get(LIST).status_code == looks
    for user in (ann, lee):
        assert client.get(page_of(user)).status_code == looks
        assert client.post(page_of(user), account(is_superuser="on")).status_code == 403
        for page in ("password", "second_factor"):
            assert client.get(f"{LIST}{user.pk}/{page}/").status_code == 403
            assert client.post(f"{LIST}{user.pk}/{page}/", {"reason": "mine"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.get("/admin/auth/group/add/").status_code == 403
    assert client.get("/admin/auth/group/").status_code == looks
    assert not User.objects.get(pk=lee.pk).is_superuser


def test_an_auditor_reads_an_account_and_no_hash_of_its_password(
    client: Client, agrs: list[Participant]
) -> None:
    lee = member("lee", PARTICIPANT_MANAGER)
    assign_perm("participants.change_participant", lee, agrs[0])
    client.force_login(member("aud", AUDITOR))

    page = client.get(page_of(lee)).content.decode()

    assert "AGR agr0.example" in page
    assert lee.password.split("$")[-1] not in page
    assert 'name="reason"' not in page


def test_the_list_says_who_may_do_what_for_whom(kim: User, client: Client, agrs: list[Participant]) -> None:
    lee = member("lee", PARTICIPANT_MANAGER)
    for agr in agrs:
        assign_perm("participants.change_participant", lee, agr)
    more = [Participant.objects.create(role="DSO", domain=f"dso{n}.example") for n in range(2)]
    assign_perm("participants.change_participant", lee, more[0])
    assign_perm("participants.view_participant", lee, more[1])
    member("ann", OPERATOR)
    member("ben", PARTICIPANT_MANAGER)

    rows = client.get(LIST).context["cl"].result_list

    admin = client.get(LIST).context["cl"].model_admin
    columns = {
        row.username: (admin.in_groups(row), admin.limited_to(row), admin.second_factor(row)) for row in rows
    }
    assert columns == {
        "ann": (OPERATOR, "every participant", "none"),
        "ben": (PARTICIPANT_MANAGER, "no participant", "none"),
        "kim": ("superuser", "every participant", "none"),
        "lee": (
            PARTICIPANT_MANAGER,
            "acts for AGR agr0.example, AGR agr1.example, AGR agr2.example and 1 more; sees DSO dso1.example",
            "none",
        ),
    }


def test_the_list_asks_no_more_of_the_database_for_more_accounts(
    kim: User, client: Client, agrs: list[Participant], django_assert_max_num_queries: Any
) -> None:
    client.get(LIST)
    for number in range(30):
        user = member(f"user{number}", PARTICIPANT_MANAGER)
        assign_perm("participants.change_participant", user, agrs[number % 3])
    with django_assert_max_num_queries(9):
        assert b"user29" in client.get(LIST).content


def test_accounts_are_found_by_their_second_factor(
    kim: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lee = member("lee", OPERATOR)
    TOTPDevice.objects.create(user=lee, name="app")

    def found(query: str) -> list[str]:
        return [user.username for user in client.get(f"{LIST}?{query}").context["cl"].result_list]

    assert found("second_factor=yes") == ["lee"]
    assert found("second_factor=no") == ["kim"]
    assert found("q=le") == ["lee"]


def test_groups_of_one_s_own_are_made_and_changed_with_a_reason(kim: User, client: Client) -> None:
    operators = group(OPERATOR)
    sees = operators.permissions.get(codename="view_conflict")
    assert client.post(f"/admin/auth/group/{operators.pk}/change/", {"permissions": []}).status_code == 403

    page = client.post("/admin/auth/group/add/", {"name": "Night shift", "permissions": [sees.pk]})
    assert "Say why" in errors(page)
    client.post(
        "/admin/auth/group/add/", {"name": "Night shift", "permissions": [sees.pk], "reason": "nights"}
    )

    entry = latest()
    assert (entry.action, entry.subject, entry.reason) == ("added group", "group Night shift", "nights")
    assert entry.after == {"permissions": "Can view conflict"}
    made = group("Night shift")
    client.post(f"/admin/auth/group/{made.pk}/change/", {"permissions": [], "reason": "no nights"})
    assert not made.permissions.exists()
    assert latest().before == {"permissions": "Can view conflict"}
    assert client.get(f"/admin/auth/group/{made.pk}/delete/").status_code == 403
    assert operators.permissions.exists()


def test_an_account_is_made_with_what_it_needs_to_look_at_something(
    kim: User, client: Client, agrs: list[Participant]
) -> None:
    assert "Choose a group" in errors(client.post(f"{LIST}add/", new("lee")))
    assert not User.objects.filter(username="lee").exists()

    made = client.post(f"{LIST}add/", new("lee", groups=[group(PARTICIPANT_MANAGER).pk]), follow=True)
    assert "The account lee finds nothing yet: choose its participants" in made.content.decode()

    lee = User.objects.get(username="lee")
    data = account(groups=[group(PARTICIPANT_MANAGER).pk], sees=[agrs[0].pk])
    assert "finds nothing yet" not in client.post(page_of(lee), data, follow=True).content.decode()
    of_all = client.post(f"{LIST}add/", new("ann", groups=[group(OPERATOR).pk]), follow=True)
    assert "finds nothing yet" not in of_all.content.decode()
    client.post(f"{LIST}add/", new("root", is_superuser="on"))
    assert User.objects.get(username="root").is_superuser


def test_an_auditor_who_manages_participants_acts_for_these_alone(
    kim: User, client: Client, agrs: list[Participant]
) -> None:
    both = member("both", AUDITOR)
    both.groups.add(group(PARTICIPANT_MANAGER))
    assign_perm("participants.change_participant", both, agrs[0])
    rows = client.get(LIST).context["cl"]
    assert "acts for AGR agr0.example; sees every participant" in [
        rows.model_admin.limited_to(row) for row in rows.result_list
    ]
    client.force_login(both, "django.contrib.auth.backends.ModelBackend")

    for agr, allowed in ((agrs[0], True), (agrs[1], False)):
        page = f"/admin/participants/participant/{agr.pk}/"
        assert client.get(f"{page}change/").status_code == 200
        answer = client.post(f"{page}standing/barred/", {"reason": "fraud", "expected": "authorized"})
        assert answer.status_code == (302 if allowed else 403)
        agr.refresh_from_db()
        assert (agr.standing == "barred") == allowed
