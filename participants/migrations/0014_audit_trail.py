from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0013_certificates_without_keys"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="auditentry",
            options={
                "ordering": ["-id"],
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit trail",
            },
        ),
    ]
