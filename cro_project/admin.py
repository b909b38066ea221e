"""Choose what the admin shows of libraries' tables: our pages of users and groups, no one-time codes, no jobs."""

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from cro_project.staff.admin import StaffAdmin
from cro_project.staff.group_admin import StaffGroupAdmin

_jobs = [table for table in admin.site._registry if table._meta.app_label == "procrastinate"]
for _table in (StaticDevice, TOTPDevice, User, Group, *_jobs):
    admin.site.unregister(_table)
admin.site.register(User, StaffAdmin)
admin.site.register(Group, StaffGroupAdmin)
