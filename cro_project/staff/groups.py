"""The groups of staff, and what each may do. `participants.scope` says for which participants."""

from typing import Any

from django.apps import AppConfig, apps

OPERATOR = "CRO operator"
AUDITOR = "CRO auditor"
PARTICIPANT_MANAGER = "CRO participant manager"

OURS = ("participants", "uftp", "registry", "reservations")

SEES_EVERY, ACTS_FOR_EVERY = "participants.see_every_participant", "participants.act_for_every_participant"

FOR_PARTICIPANTS = {
    "participants.add_journalentry",
    "participants.change_contact",
    "participants.change_participant",
    "registry.adjust_period",
    "registry.change_revisionplace",
    "registry.settle_conflict",
    "reservations.change_contract",
    "reservations.record_outcome",
    "uftp.change_inboundmessage",
    "uftp.change_outboundmessage",
}
"""Permissions to act for a participant. Limited staff have them for the participants in their scope alone."""

FOR_THE_MARKET = {
    "participants.add_participant",
    "participants.change_mode",
    "registry.add_importrun",
    "registry.change_market",
    "registry.change_policy",
    "reservations.add_contract",
    "uftp.delete_unknownsender",
}
"""Permissions to do what concerns every participant."""

ON_STAFF = {"auth.view_group", "auth.view_user"}

GROUPS: dict[str, set[str]] = {
    OPERATOR: {SEES_EVERY, ACTS_FOR_EVERY} | FOR_PARTICIPANTS | FOR_THE_MARKET,
    AUDITOR: {SEES_EVERY} | ON_STAFF,
    PARTICIPANT_MANAGER: FOR_PARTICIPANTS,
}
"""The permissions of each group, besides those to view the tables of our apps."""

DESCRIPTIONS = {
    OPERATOR: "sees everything, and does everything except staff accounts.",
    AUDITOR: "sees everything, staff accounts included, and changes nothing.",
    PARTICIPANT_MANAGER: "sees the participants chosen below and acts for them, and for no others.",
}
"""What each group may do, in words for staff."""


def reset_groups(app_config: AppConfig, using: str, **signal: Any) -> None:
    """Create the groups, and set their permissions to those of GROUPS. Members stay.

    A receiver of the signal `post_migrate`, which comes once for each app. It acts on the signal of our last app,
    when all permissions exist.
    """
    if app_config.label != _last_of_ours():
        return
    known = signal.get("apps", apps)
    try:
        group, permission = known.get_model("auth", "Group"), known.get_model("auth", "Permission")
    except LookupError:
        return
    ids: dict[str, int] = {}
    for pk, app, codename in permission.objects.using(using).values_list(
        "pk", "content_type__app_label", "codename"
    ):
        ids[f"{app}.{codename}"] = pk
    to_view = {name for name in ids if name.split(".")[0] in OURS and name.split(".")[1].startswith("view_")}
    for name, further in GROUPS.items():
        row, _ = group.objects.using(using).get_or_create(name=name)
        row.permissions.set([ids[wanted] for wanted in to_view | further if wanted in ids])


def _last_of_ours() -> str:
    with_tables = [config.label for config in apps.get_app_configs() if config.models_module]
    return [label for label in with_tables if label in OURS][-1]
