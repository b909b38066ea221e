"""Wake-ups: jobs that only name an inbox or an outbox. What there is to do is in the tables of messages."""

import json
import logging

from django.db import DatabaseError, InterfaceError

from common import sql

INBOX, OUTBOX = "inbox", "outbox"

logger = logging.getLogger(__name__)

# A wake-up that is not fetched yet covers all that is committed before it is fetched. So a second one is not needed.
# The condition avoids an error of the unique index each time. If two pass the condition at once, the index stops one.
_WAKE = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, NULL, %(lock)s, %(arguments)s::jsonb, NULL)::procrastinate_job_to_defer_v1
])
WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = %(lock)s AND status = 'todo')
"""


def wake_inbox(sender_id: int) -> None:
    """Have the inbox of a sender drained. Call this after the commit that stores a message there."""
    wake(INBOX, "uftp.drain_inbox", f"inbox {sender_id}", {"sender_id": sender_id})


def wake_outbox(role: str, domain: str) -> None:
    """Have the due messages to (role, domain) delivered. Call this after the commit that stores them."""
    wake(OUTBOX, "uftp.deliver", f"outbox {role} {domain}", {"role": role, "domain": domain})


def wake(queue: str, task: str, lock: str, arguments: dict[str, int | str]) -> None:
    """Defer a job of `task` unless one with the same `lock` waits. An error is logged and left to the sweep."""
    try:
        sql.fetch(_WAKE, {"queue": queue, "task": task, "lock": lock, "arguments": json.dumps(arguments)})
    except (DatabaseError, InterfaceError) as error:
        if "procrastinate_jobs_queueing_lock" not in str(error):
            logger.warning("The wake-up %r was lost and is left to the sweep: %s", lock, error)
