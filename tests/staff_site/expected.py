"""Whom each page of the console is for: an expectation for every URL that the admin site registers.

A page that is added to the console needs a line here; until then `test_permissions` fails and names it.
"""

from dataclasses import dataclass, field

OK, DENIED, ABSENT, LOG_IN = "ok", "denied", "absent", "log in"

AUDITOR, LIMITED, OPERATOR, SUPERUSER = "auditor", "limited", "operator", "superuser"
OWN, SEEN, STRANGER = "own", "seen", "stranger"


@dataclass(frozen=True)
class Kind:
    """What each member of staff gets; where a page is about a row, by whose row it is."""

    auditor: str = OK
    operator: str = OK
    superuser: str = OK
    limited: str | dict[str, str] = OK
    anonymous: str = LOG_IN

    def outcome(self, who: str, whose: str) -> str:
        expected = getattr(self, who)
        return expected if isinstance(expected, str) else str(expected[whose])


KINDS = {
    # Lists and searches: everybody gets one, of their participants.
    "list": Kind(),
    # Looking at a row.
    "row": Kind(limited={OWN: OK, SEEN: OK, STRANGER: ABSENT}),
    # Changing a row, or doing something with it.
    "act": Kind(auditor=DENIED, limited={OWN: OK, SEEN: DENIED, STRANGER: ABSENT}),
    # The same about rows that are searched for: a row out of scope is one that is not found.
    "act on found": Kind(auditor=DENIED, limited={OWN: OK, SEEN: DENIED, STRANGER: OK}),
    # What is no participant's: looking at it.
    "market": Kind(),
    # What may be about any participant: for those who look at all of them.
    "of all": Kind(limited=DENIED),
    # What is no participant's: deciding it.
    "decide": Kind(auditor=DENIED, limited=DENIED),
    # Staff accounts and groups.
    "staff": Kind(operator=DENIED, limited=DENIED),
    "superuser": Kind(auditor=DENIED, operator=DENIED, limited=DENIED),
    # What comes from messages and verbs alone.
    "nobody": Kind(auditor=DENIED, operator=DENIED, superuser=DENIED, limited=DENIED),
    # One's own account, and pages that hold nothing.
    "everybody": Kind(),
    "public": Kind(anonymous=OK),
    # The further steps of a log-in, without a first one.
    "step": Kind(auditor=LOG_IN, operator=LOG_IN, superuser=LOG_IN, limited=LOG_IN),
    "nothing": Kind(auditor=ABSENT, operator=ABSENT, superuser=ABSENT, limited=ABSENT),
}

BY_TABLE = {
    "of participants": {
        "changelist": "list",
        "export": "list",
        "change": "row",
        "history": "row",
        "add": "nobody",
        "delete": "nobody",
    },
    "of the market": {
        "changelist": "market",
        "export": "market",
        "change": "market",
        "history": "market",
        "add": "nobody",
        "delete": "nobody",
    },
    "of all participants": {
        "changelist": "of all",
        "export": "of all",
        "change": "of all",
        "history": "of all",
        "delete": "nobody",
    },
    "of all participants with nothing to add": {
        "changelist": "of all",
        "export": "of all",
        "change": "of all",
        "history": "of all",
        "add": "nobody",
        "delete": "nobody",
    },
    "of staff": {
        "changelist": "staff",
        "export": "staff",
        "change": "staff",
        "history": "staff",
        "add": "superuser",
        "delete": "nobody",
    },
}
"""What the pages are for that Django gives every table, by whose the table is."""

TABLES = {
    "participants_auditentry": "of participants",
    "participants_mode": "of the market",
    "participants_participant": "of participants",
    "uftp_circuitbreaker": "of participants",
    "uftp_deliveryattempt": "of participants",
    "uftp_inboundmessage": "of participants",
    "uftp_messagesearch": "of participants",
    "uftp_outboundmessage": "of participants",
    "uftp_refusal": "of participants",
    "uftp_sender": "of participants",
    "uftp_unknownsender": "of all participants with nothing to add",
    "registry_change": "of participants",
    "registry_conflict": "of participants",
    "registry_congestionpoint": "of participants",
    "registry_congestionpointconnection": "of participants",
    "registry_congestionpointterms": "of participants",
    "registry_connection": "of participants",
    "registry_importrun": "of all participants",
    "registry_notice": "of participants",
    "registry_market": "of the market",
    "registry_policy": "of the market",
    "registry_policysetting": "of the market",
    "registry_representation": "of participants",
    "registry_revisionplace": "of participants",
    "reservations_contract": "of participants",
    "reservations_reservationupdate": "of participants",
    "auth_group": "of staff",
    "auth_user": "of staff",
}


@dataclass(frozen=True)
class Page:
    """A page of our own: its kind, the table of the row it is about, and what else stands in its URL.

    An argument in braces is a row of the party by its name in `Party.rows`.
    """

    kind: str
    table: str = ""
    arguments: dict[str, object] = field(default_factory=dict)
    post: str = ""
    """The kind of what a POST does, where looking at the page is another."""
    in_query: str = ""
    """The parameter that names the row, where the path does not."""
    row: str = ""
    """Which of the party's rows it is about, where that is not the one by the name of the table."""
    key: str = "object_id"
    """What the path calls the row."""


PAGES = {
    "app_list": Page("everybody", arguments={"app_label": "registry"}),
    "autocomplete": Page("nobody"),
    "index": Page("everybody"),
    "invitation": Page("public", arguments={"token": "no-such-token"}),
    "invitation_accept": Page("public"),
    "jsi18n": Page("everybody"),
    "login": Page("public"),
    "login_code": Page("step"),
    "login_set_up": Page("step"),
    "logout": Page("public"),
    "password_change": Page("everybody"),
    "search": Page("everybody"),
    "this_cro": Page("everybody"),
    "password_change_done": Page("everybody"),
    "two_factor": Page("everybody"),
    "two_factor_codes": Page("everybody"),
    "two_factor_renew_codes": Page("everybody"),
    "two_factor_set_up": Page("everybody"),
    "two_factor_turn_off": Page("everybody"),
    "view_on_site": Page("nothing", arguments={"content_type_id": 1, "object_id": 1}),
    "participants_mode_switch": Page("decide", arguments={"value": "closed"}),
    "participants_participant_add": Page("decide"),
    "participants_participant_contact": Page("act", "participants_participant", {"number": "{contact}"}),
    "participants_participant_contact_add": Page("act", "participants_participant"),
    "participants_participant_follow_ups": Page("list"),
    "participants_participant_journal": Page("row", "participants_participant", post="act"),
    "participants_participant_journal_file": Page(
        "row", "participants_participant", {"number": "{file_participants_participant}"}
    ),
    "participants_participant_journal_follow_up": Page("act", "participants_participant"),
    "participants_participant_journal_remove": Page(
        "act", "participants_participant", {"number": "{journal_participants_participant}"}
    ),
    "registry_conflict_journal": Page("row", "registry_conflict", post="act"),
    "registry_conflict_journal_file": Page(
        "row", "registry_conflict", {"number": "{file_registry_conflict}"}
    ),
    "registry_conflict_journal_follow_up": Page("act", "registry_conflict"),
    "registry_conflict_journal_remove": Page(
        "act", "registry_conflict", {"number": "{journal_registry_conflict}"}
    ),
    "reservations_contract_journal": Page("row", "reservations_contract", post="act"),
    "reservations_contract_journal_file": Page(
        "row", "reservations_contract", {"number": "{file_reservations_contract}"}
    ),
    "reservations_contract_journal_follow_up": Page("act", "reservations_contract"),
    "reservations_contract_journal_remove": Page(
        "act", "reservations_contract", {"number": "{journal_reservations_contract}"}
    ),
    "participants_participant_delivery_settings": Page("act", "participants_participant"),
    "participants_participant_key": Page("act", "participants_participant", {"key_id": "{key}"}),
    "participants_participant_rotate": Page("act", "participants_participant"),
    "participants_participant_rotate_preview": Page("act", "participants_participant"),
    "participants_participant_standing": Page("act", "participants_participant", {"standing": "barred"}),
    "participants_participant_test_message": Page("row", "participants_participant", post="act"),
    "participants_participant_test_message_result": Page(
        "row", "participants_participant", {"test_id": "{test}"}
    ),
    "participants_participant_test_message_steps": Page(
        "row", "participants_participant", {"test_id": "{test}"}
    ),
    "registry_change_reverse": Page("act", "registry_change", row="decided"),
    "registry_change_reverse_preview": Page("act", "registry_change", row="decided"),
    "registry_conflict_preview": Page("act", "registry_conflict"),
    "registry_conflict_groups": Page("list"),
    "registry_conflict_settle": Page("row", "registry_conflict", post="act", in_query="like"),
    "registry_conflict_settle_preview": Page("act on found", "registry_conflict", in_query="like"),
    "registry_congestionpoint_aggregators_csv": Page("row", "registry_congestionpoint"),
    "registry_congestionpoint_connections_csv": Page("row", "registry_congestionpoint"),
    "registry_congestionpoint_suggest": Page("list"),
    "registry_congestionpointconnection_adjust": Page("act", "registry_congestionpointconnection"),
    "registry_congestionpointconnection_adjust_preview": Page("act", "registry_congestionpointconnection"),
    "registry_congestionpointterms_adjust": Page("act", "registry_congestionpointterms"),
    "registry_congestionpointterms_adjust_preview": Page("act", "registry_congestionpointterms"),
    "registry_connection_suggest": Page("list"),
    "registry_importrun_add": Page("decide"),
    "registry_importrun_progress": Page("of all", "registry_importrun"),
    "registry_importrun_decide": Page("decide", "registry_importrun"),
    "registry_importrun_rejects_csv": Page("of all", "registry_importrun"),
    "registry_notice_told": Page("act", "registry_notice"),
    "registry_representation_adjust": Page("act", "registry_representation"),
    "registry_representation_adjust_preview": Page("act", "registry_representation"),
    "uftp_circuitbreaker_resume": Page("act", "uftp_circuitbreaker"),
    "uftp_inboundmessage_process_again": Page("act", "uftp_inboundmessage"),
    "uftp_inboundmessage_xml": Page("row", "uftp_inboundmessage"),
    "uftp_messagesearch_progress": Page("row", "uftp_messagesearch"),
    "uftp_messagesearch_start": Page("list"),
    "uftp_outboundmessage_send_again": Page("act", "uftp_outboundmessage"),
    "uftp_outboundmessage_unverified": Page("act", "participants_participant", in_query="participant"),
    "uftp_outboundmessage_xml": Page("row", "uftp_outboundmessage"),
    "uftp_refusal_xml": Page("row", "uftp_refusal"),
    "uftp_unknownsender_clear": Page("decide"),
    "reservations_contract_add": Page("decide"),
    "reservations_contract_add_preview": Page("decide"),
    "reservations_contract_back_to_draft": Page("act", "reservations_contract"),
    "reservations_contract_day": Page("row", "reservations_contract", {"day": "2030-07-01"}, key="pk"),
    "reservations_contract_edit": Page("act", "reservations_contract"),
    "reservations_contract_edit_preview": Page("act", "reservations_contract"),
    "reservations_contract_end": Page("act", "reservations_contract"),
    "reservations_contract_end_preview": Page("act", "reservations_contract"),
    "reservations_contract_month": Page("row", "reservations_contract", {"month": "2030-07"}, key="pk"),
    "reservations_contract_overview": Page("list"),
    "reservations_contract_put_in_force": Page("act", "reservations_contract"),
    "reservations_contract_settlement": Page("list"),
    "reservations_contract_version": Page("row", "reservations_contract", {"number": 1}),
    "reservations_reservationupdate_outcome": Page("act", "reservations_reservationupdate"),
    "auth_user_invitation": Page("superuser", "auth_user"),
    "auth_user_password_change": Page("superuser", "auth_user", key="id"),
    "auth_user_second_factor": Page("superuser", "auth_user"),
}
"""The other pages."""
