"""Wake-up calls: jobs that say where there is something to do. What there is to do is in the tables of messages."""

import json
import logging

from django.db import DatabaseError, InterfaceError

from common import sql

INBOX, OUTBOX = "inbox", "outbox"

logger = logging.getLogger(__name__)

# A wake-up that waits to be fetched serves for all that was committed before it is. The condition spares the database
# an error for each of the others; where two get past it at once, the unique index stops one.
_WAKE = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, NULL, %(lock)s, %(arguments)s::jsonb, NULL)::procrastinate_job_to_defer_v1
])
WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = %(lock)s AND status = 'todo')
"""


def wake_inbox(sender_id: int) -> None:
    """Have the sender's inbox drained. To be called after the commit of what is to be found there."""
    wake(INBOX, "uftp.drain_inbox", f"inbox {sender_id}", {"sender_id": sender_id})


def wake_outbox(role: str, domain: str) -> None:
    """Have what is due for (role, domain) delivered. To be called after the commit of what is to be found there."""
    wake(OUTBOX, "uftp.deliver", f"outbox {role} {domain}", {"role": role, "domain": domain})


def wake(queue: str, task: str, lock: str, arguments: dict[str, int | str]) -> None:
    """Defer a job of `task`, unless one of the same `lock` waits already. A failure is left to the sweep."""
    try:
        sql.fetch(_WAKE, {"queue": queue, "task": task, "lock": lock, "arguments": json.dumps(arguments)})
    except (DatabaseError, InterfaceError) as error:
        if "procrastinate_jobs_queueing_lock" not in str(error):
            logger.warning("The wake-up %r was lost and is left to the sweep: %s", lock, error)
