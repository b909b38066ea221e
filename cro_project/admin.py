"""What the admin shows of libraries' tables: of staff accounts our own pages, of one-time codes none."""

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from cro_project.group_admin import StaffGroupAdmin
from cro_project.staff_admin import StaffAdmin

for _table in (StaticDevice, TOTPDevice, User, Group):
    admin.site.unregister(_table)
admin.site.register(User, StaffAdmin)
admin.site.register(Group, StaffGroupAdmin)
