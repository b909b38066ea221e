"""Filters by the parties of contracts and updates: one for each, so that the two together find one pair's."""

from participants.admin_base.filters import ParticipantFilter
from participants.models import Role


class DSOFilter(ParticipantFilter):
    title = "DSO's domain"
    parameter_name = "dso"
    roles = (Role.DSO,)
    fields = ("dso",)


class AGRFilter(ParticipantFilter):
    title = "AGR's domain"
    parameter_name = "agr"
    roles = (Role.AGR,)
    fields = ("agr",)
