"""What the admin shows of libraries' tables: our own pages of staff accounts; nothing of one-time codes and jobs."""

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
