"""What the admin shows of libraries' tables: of staff accounts our own pages, of one-time codes none."""

from django.contrib import admin
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

for _table in (StaticDevice, TOTPDevice):
    admin.site.unregister(_table)
