"""Delete private keys that were stored in clear beside a client certificate, and store no more of them."""

from django.db import migrations, models

KEEP_CERTIFICATES = """
UPDATE participants_deliverysettings
SET client_certificate = coalesce((
    SELECT string_agg(found[1], E'\\n' ORDER BY position)
    FROM regexp_matches(
        client_certificate, '(-----BEGIN (?:X509 )?CERTIFICATE-----.*?-----END (?:X509 )?CERTIFICATE-----)', 'g'
    ) WITH ORDINALITY AS certificates(found, position)
), '')
WHERE client_certificate LIKE '%PRIVATE KEY-----%'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0012_search"),
    ]

    operations = [
        migrations.RunSQL(KEEP_CERTIFICATES, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="deliverysettings",
            constraint=models.CheckConstraint(
                condition=models.Q(("client_certificate__contains", "PRIVATE KEY-----"), _negated=True),
                name="delivery_settings_certificate_without_key",
            ),
        ),
    ]
