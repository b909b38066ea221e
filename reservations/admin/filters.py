"""Filters by the parties of contracts and updates: a parameter for each, so that both together find one pair's."""

from participants.admin_base import filters


class DSOFilter(filters.DSOFilter):
    parameter_name = "dso"


class AGRFilter(filters.AGRFilter):
    parameter_name = "agr"
