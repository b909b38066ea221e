"""The groups of staff: what each may do. For whom, `participants.scope` says."""

from typing import Any

from django.apps import AppConfig, apps

OPERATOR = "CRO operator"
AUDITOR = "CRO auditor"
PARTICIPANT_MANAGER = "CRO participant manager"

OURS = ("participants", "uftp", "registry", "reservations")

SEES_EVERY, ACTS_FOR_EVERY = "participants.see_every_participant", "participants.act_for_every_participant"

FOR_PARTICIPANTS = {
    "participants.change_participant",
    "registry.adjust_period",
    "registry.change_revisionplace",
    "registry.settle_conflict",
    "reservations.change_contract",
    "reservations.record_outcome",
    "uftp.change_inboundmessage",
    "uftp.change_outboundmessage",
}
"""What is done for a participant: by those who are limited to some, for these alone."""

FOR_THE_MARKET = {
    "participants.add_participant",
    "participants.change_mode",
    "registry.add_importrun",
    "registry.change_market",
    "registry.change_policy",
    "reservations.add_contract",
}
"""What concerns every participant."""

ON_STAFF = {"auth.view_group", "auth.view_user"}

GROUPS: dict[str, set[str]] = {
    OPERATOR: {SEES_EVERY, ACTS_FOR_EVERY} | FOR_PARTICIPANTS | FOR_THE_MARKET,
    AUDITOR: {SEES_EVERY} | ON_STAFF,
    PARTICIPANT_MANAGER: FOR_PARTICIPANTS,
}
"""What each group may do besides looking at every table of ours."""

DESCRIPTIONS = {
    OPERATOR: "looks at everything, and decides everything but staff accounts.",
    AUDITOR: "looks at everything, staff accounts included, and changes nothing.",
    PARTICIPANT_MANAGER: "looks at, and decides about, the participants chosen below and no others.",
}
"""What each group is for, in staff's words."""


def reset_groups(app_config: AppConfig, using: str, **told: Any) -> None:
    """After each migration: the groups are there and have these permissions and no others; members stay.

    Does its work when the last app of ours has its permissions (the signal `post_migrate` comes once for each app).
    """
    if app_config.label != _last_of_ours():
        return
    known = told.get("apps", apps)
    try:
        group, permission = known.get_model("auth", "Group"), known.get_model("auth", "Permission")
    except LookupError:
        return
    ids: dict[str, int] = {}
    for pk, app, codename in permission.objects.using(using).values_list(
        "pk", "content_type__app_label", "codename"
    ):
        ids[f"{app}.{codename}"] = pk
    looks = {name for name in ids if name.split(".")[0] in OURS and name.split(".")[1].startswith("view_")}
    for name, does in GROUPS.items():
        row, _ = group.objects.using(using).get_or_create(name=name)
        row.permissions.set([ids[wanted] for wanted in looks | does if wanted in ids])


def _last_of_ours() -> str:
    with_tables = [config.label for config in apps.get_app_configs() if config.models_module]
    return [label for label in with_tables if label in OURS][-1]
