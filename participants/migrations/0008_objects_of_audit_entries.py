"""Find the object of each audit entry that is there, by the words with which earlier versions named it.

An entry of before staff had scopes names no participants. It gets those that its writer would name, so that staff who
are limited to them read it. Each statement passes over the entries that an earlier statement has dealt with.
"""

from typing import Any

from django.db import migrations

MODELS = {
    "participants": ("participant", "mode"),
    "uftp": ("inboundmessage", "outboundmessage"),
    "registry": ("change", "conflict", "importrun", "market", "policy"),
    "reservations": ("contract", "reservationupdate"),
    "auth": ("user", "group"),
}

# Entries of files have the file's name as their words, which may look like anything.
OBJECTS = """
WITH unnamed AS (
    SELECT id, action, subject, after FROM participants_auditentry WHERE content_type_id IS NULL
), named AS (
    SELECT e.id, %(reservationupdate)s AS type, u.id::text AS pk
    FROM unnamed e JOIN reservations_reservationupdate u ON u.id::text = e.after->>'update'
    WHERE e.action = 'settle reservation update'
    UNION ALL
    SELECT e.id, %(conflict)s, c.id::text
    FROM unnamed e JOIN registry_conflict c ON c.id::text = substring(e.subject FROM '^conflict ([0-9]+) about ')
    WHERE e.action IN ('settle conflict', 'settle conflict anew')
    UNION ALL
    SELECT e.id, %(importrun)s, r.id::text
    FROM unnamed e JOIN registry_importrun r ON r.id::text = substring(e.subject FROM '^import ([0-9]+) of ')
    WHERE e.action NOT LIKE 'import %%'
    UNION ALL
    SELECT e.id, %(contract)s, c.id::text
    FROM reservations_contract c
    JOIN participants_participant dso ON dso.id = c.dso_id
    JOIN participants_participant agr ON agr.id = c.agr_id
    JOIN unnamed e ON e.subject = 'contract ' || c.contract_id || ' of DSO ' || dso.domain || ' and AGR ' || agr.domain
    WHERE e.action NOT LIKE 'import %%'
    UNION ALL
    -- A sender may have used a MessageID twice: which of the two it was is not known.
    SELECT e.id, %(inboundmessage)s, min(m.id)::text
    FROM (
        SELECT id, regexp_match(subject, '^([A-Za-z]+) ([0-9a-fA-F-]{36}) of (AGR|DSO) ([^ ]+)$') AS words
        FROM unnamed WHERE action = 'process again'
    ) e
    JOIN uftp_inboundmessage m ON m.message_id = lower(e.words[2]) AND m.message_type = e.words[1]
    JOIN uftp_sender s ON s.id = m.sender_id AND s.role = e.words[3] AND s.domain = e.words[4]
    GROUP BY e.id HAVING count(*) = 1
    UNION ALL
    SELECT e.id, %(outboundmessage)s, min(m.id)::text
    FROM (
        SELECT id, regexp_match(subject, '^([A-Za-z]+) ([0-9a-fA-F-]{36}) to (AGR|DSO) ([^ ]+)$') AS words
        FROM unnamed WHERE action = 'send again'
    ) e
    JOIN uftp_outboundmessage m ON m.message_id = e.words[2] AND m.message_type = e.words[1]
        AND m.recipient_role = e.words[3] AND m.recipient_domain = e.words[4]
    GROUP BY e.id HAVING count(*) = 1
    UNION ALL
    -- A revision place is gone with its reset: the entry is about the sender.
    SELECT e.id, %(participant)s, p.id::text
    FROM (
        SELECT id, regexp_match(subject, '^(?:[A-Za-z]+ of )?(AGR|DSO) ([^ ]+)(?: |$)') AS words
        FROM unnamed WHERE action NOT LIKE 'import %%'
    ) e
    JOIN participants_participant p ON p.role = e.words[1] AND p.domain = e.words[2]
    UNION ALL
    SELECT e.id, %(mode)s, m.id::text
    FROM unnamed e CROSS JOIN participants_mode m WHERE e.action = 'set mode'
    UNION ALL
    SELECT e.id, %(market)s, m.id::text
    FROM unnamed e CROSS JOIN registry_market m WHERE e.action = 'set market'
    UNION ALL
    SELECT e.id, %(policy)s, p.name
    FROM unnamed e JOIN registry_policy p ON p.name = e.subject WHERE e.action = 'set policy'
    UNION ALL
    SELECT e.id, %(user)s, u.id::text
    FROM unnamed e JOIN auth_user u ON e.subject = 'user ' || u.username WHERE e.action NOT LIKE 'import %%'
    UNION ALL
    SELECT e.id, %(group)s, g.id::text
    FROM unnamed e JOIN auth_group g ON e.subject = 'group ' || g.name WHERE e.action NOT LIKE 'import %%'
)
UPDATE participants_auditentry e SET content_type_id = named.type, object_pk = named.pk
FROM named WHERE e.id = named.id
"""

# What changed many facts at once is about the change itself.
CHANGES = """
UPDATE participants_auditentry e SET content_type_id = %(change)s, object_pk = c.id::text
FROM registry_change c
WHERE e.content_type_id IS NULL AND c.id::text = e.after->>'change'
"""

PARTICIPANTS_OF_OBJECTS = """
UPDATE participants_auditentry e SET participants = named.ids
FROM (
    SELECT %(participant)s AS type, id::text AS pk, ARRAY[id] AS ids FROM participants_participant
    UNION ALL
    SELECT %(conflict)s, id::text, ARRAY[least(holder_id, claimant_id), greatest(holder_id, claimant_id)]
    FROM registry_conflict
    UNION ALL
    SELECT %(contract)s, id::text, ARRAY[least(dso_id, agr_id), greatest(dso_id, agr_id)]
    FROM reservations_contract
    UNION ALL
    SELECT %(reservationupdate)s, id::text, ARRAY[least(dso_id, agr_id), greatest(dso_id, agr_id)]
    FROM reservations_reservationupdate
) named
WHERE e.participants = '{}' AND e.content_type_id = named.type AND e.object_pk = named.pk
"""

PARTICIPANTS_BY_NAME = """
UPDATE participants_auditentry e SET participants = named.ids
FROM (
    SELECT e.id, array_agg(DISTINCT p.id ORDER BY p.id) AS ids
    FROM participants_auditentry e
    CROSS JOIN regexp_matches(e.subject, '(?: of| to| by| in|between| and) (AGR|DSO) ([a-z0-9.-]+)', 'g') words
    JOIN participants_participant p ON p.role = words[1] AND p.domain = words[2]
    WHERE e.participants = '{}'
        AND e.action IN ('process again', 'send again', 'adjust period', 'settle conflicts')
    GROUP BY e.id
) named
WHERE e.id = named.id
"""


def find_objects(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    if not apps.get_model("participants", "AuditEntry").objects.using(connection.alias).exists():
        return
    known = apps.get_model("contenttypes", "ContentType").objects.using(connection.alias)
    types = {
        model: known.get_or_create(app_label=app, model=model)[0].pk
        for app, models in MODELS.items()
        for model in models
    }
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE participants_auditentry DISABLE TRIGGER append_only")
        for statement in (OBJECTS, CHANGES, PARTICIPANTS_OF_OBJECTS):
            cursor.execute(statement, types)
        cursor.execute(PARTICIPANTS_BY_NAME)
        # A table with checks that are still to be made cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE participants_auditentry ENABLE TRIGGER append_only")


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0007_object_of_audit_entry"),
        ("uftp", "0001_squashed_0005_passing_on"),
        ("registry", "0001_squashed_0008_imports"),
        ("reservations", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(find_objects, migrations.RunPython.noop, elidable=True)]
