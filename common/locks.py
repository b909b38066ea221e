"""The keys of all advisory locks. No other module writes such a number.

PostgreSQL holds a lock either under one number or under a pair. In a pair, the key here is the first number; the second
says which one of its kind is locked.
"""

MOMENT = 0x43524F01
"""From the stamping of a change's moment to its commit. Moments are in the order of commits (`registry/changes.py`)."""

COVERAGE = 0x43524F02
"""While the coverage is counted: by one process at a time (`registry/queries/coverage.py`)."""

IMPORT_RUN = 0x43524F03
"""With the number of a run: a process is at this import (`registry/imports/run_lock.py`)."""

PREVIEW = 0x43524F04
"""With the number of a user: one preview of theirs is made at a time (`registry/previews/timeouts.py`)."""

FAILED_BEFORE = 0x43524F05
"""While a message that failed before is handled: one at a time (`uftp/processing/drain.py`)."""

LOOK_UP = 0x43524F07
"""With the number of a sender: a look-up for its oldest message is made, and nobody else handles its messages
(`uftp/processing/drain.py`)."""

UNKNOWN_SENDERS = 0x43524F08
"""While counts of unknown senders are written: by one process at a time (`uftp/receiving/unknown_senders.py`)."""

DAILY_COUNTS = 0x43524F09
"""While days are counted for the dashboard's trends: by one process at a time (`participants/daily_counts.py`)."""

BENCHMARK = 0x43524F06
"""With the number of a run of the benchmarks: its databases are in use (`benchmarks/databases.py`)."""

ATTACHMENTS = 0x43524F0B
"""With the number of a participant: a file is attached to a journal that concerns it
(`participants/journal/entries.py`)."""

NOTICES = 0x43524F0C
"""While notices are sent by e-mail: by one worker at a time (`registry/notices/send.py`)."""
