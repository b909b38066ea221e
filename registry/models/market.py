"""The market and the operator's policies."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Market(models.Model):
    """The one row with the time zone of the market's days and its ISP duration."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    time_zone = models.CharField(max_length=60, default="Europe/Amsterdam")
    isp_duration = models.CharField("ISP duration", max_length=10, default="PT15M")

    class Meta:
        verbose_name_plural = "market"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="market_has_one_row")]

    def __str__(self) -> str:
        return f"{self.time_zone}, {self.isp_duration}"


class Policy(models.Model):
    """The present value of a policy; `registry.market.policies` defines the policies and their values."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.CharField(max_length=20)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "policies"

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class PolicySetting(models.Model):
    """One setting of a policy and its moment: a message is judged by the policies in force at its receipt."""

    name = models.CharField(max_length=40)
    value = models.CharField(max_length=20)
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["name", "-set_at", "-id"], name="policy_setting_in_force")]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"
