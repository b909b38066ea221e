"""Filter contracts and updates by DSO and by AGR; both filters may be set at once."""

from participants.admin_base import filters


class DSOFilter(filters.DSOFilter):
    """Filter by the domain of the DSO."""

    parameter_name = "dso"


class AGRFilter(filters.AGRFilter):
    """Filter by the domain of the AGR."""

    parameter_name = "agr"
