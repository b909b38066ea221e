"""The background process: fetches wake-ups, sweeps, and stops when told to or when nothing is left."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections
from django.utils import timezone
from procrastinate import App, jobs
from procrastinate.contrib.django import app
from procrastinate.worker import Worker

from uftp import tasks
from uftp.processing import dead_letters
from uftp.wakeups import long_jobs, wakeups
from uftp.worker import sweep

logger = logging.getLogger(__name__)

T = TypeVar("T")

DELIVERIES = 16
"""Deliveries at a time in one process; most of their time is waiting for a participant's system."""

LOCAL_DELIVERIES = 4
"""Deliveries at a time, beside these, of what this process itself has made."""

POLL_SECONDS = 2.0
STALLED_AFTER = 30.0
RESTART_SECONDS = 1.0
IDLE_CHECK_SECONDS = 0.2


def run(*, until_idle: bool = False, concurrency: int = 6) -> None:
    """Work until SIGTERM or SIGINT: handle `concurrency` inboxes at a time, deliver, and do one long job at a time.

    `until_idle`: return as soon as no message waits to be handled, no delivery is due or under way, and no long job.
    On a signal, the messages at hand are brought to their end first; a long job is given up, and waits again.
    """
    tasks.stopping.clear()
    with tasks.local_dispatch.open(LOCAL_DELIVERIES):
        asyncio.run(_run(until_idle, concurrency))


async def _run(until_idle: bool, concurrency: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(concurrency + DELIVERIES + 3, thread_name_prefix="uftp"))
    stop = asyncio.Event()

    def stop_all() -> None:
        tasks.stopping.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_all)
    with app.replace_connector(app.connector.get_worker_connector()) as working:  # type: ignore[attr-defined]
        await _keep_going(stop, lambda: _work(working, until_idle, concurrency, stop, stop_all))


async def _work(
    working: App, until_idle: bool, concurrency: int, stop: asyncio.Event, stop_all: Callable[[], None]
) -> None:
    """All parts, on one pool of connections, until `stop`. Raises when the database is away at the start."""
    async with working.open_async():
        # Before anything is taken up: what ended the workers before is counted, however soon it ends this one.
        await _forget_stalled_jobs(working)
        parts = [
            _keep_going(stop, lambda: _fetch(working, wakeups.INBOX, concurrency, stop)),
            _keep_going(stop, lambda: _fetch(working, wakeups.OUTBOX, DELIVERIES, stop)),
            _keep_going(stop, lambda: _fetch(working, long_jobs.QUEUE, 1, stop)),
            _keep_going(stop, lambda: _sweep_repeatedly(working, stop)),
        ]
        if until_idle:
            parts.append(_keep_going(stop, lambda: _stop_when_idle(stop, stop_all)))
        await asyncio.gather(*parts)


async def _keep_going(stop: asyncio.Event, part: Callable[[], Awaitable[None]]) -> None:
    """Run `part` until `stop`, again after each failure: a database that was away, a worker declared dead."""
    while not stop.is_set():
        try:
            await part()
        except Exception:
            logger.exception("The worker stumbled and goes on.")
        if not stop.is_set():
            await _pause(stop, RESTART_SECONDS)


async def _fetch(working: App, queue: str, concurrency: int, stop: asyncio.Event) -> None:
    """Take wake-ups from `queue` until `stop`. Returns, or raises, when the database goes away."""
    worker = Worker(
        app=working,
        queues=[queue],
        name=queue,
        concurrency=concurrency,
        fetch_job_polling_interval=POLL_SECONDS,
        delete_jobs=jobs.DeleteJobCondition.ALWAYS,
        install_signal_handlers=False,
        stalled_worker_timeout=STALLED_AFTER,
        task_middleware=working.worker_defaults.get("task_middleware"),
    )
    stopper = asyncio.create_task(stop.wait())
    stopper.add_done_callback(lambda _: worker.stop())  # type: ignore[no-untyped-call]
    try:
        await worker.run()  # type: ignore[no-untyped-call]
    finally:
        stopper.cancel()


async def _sweep_repeatedly(working: App, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await _in_thread(lambda: sweep.sweep(timezone.now()))
        await _forget_stalled_jobs(working)
        await _pause(stop, sweep.EVERY)


async def _forget_stalled_jobs(working: App) -> None:
    """Delete the jobs that workers now dead were at. What they were about is still in the tables, for the sweep."""
    await working.job_manager.prune_stalled_workers(STALLED_AFTER)
    for job in await working.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER):
        if job.task_name == tasks.drain_inbox.name:
            sender_id = job.task_kwargs["sender_id"]
            await _in_thread(lambda sender_id=sender_id: dead_letters.note_dead_worker(sender_id))  # type: ignore[misc]
        await working.job_manager.finish_job(job, jobs.Status.FAILED, delete_job=True)


async def _stop_when_idle(stop: asyncio.Event, stop_all: Callable[[], None]) -> None:
    while not await _in_thread(lambda: sweep.idle(timezone.now())):
        await _in_thread(lambda: sweep.sweep(timezone.now()))
        await _pause(stop, IDLE_CHECK_SECONDS)
    stop_all()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _in_thread(call: Callable[[], T]) -> T:
    """What `call` returns, run in a thread of its own database connection."""

    def guarded() -> T:
        close_old_connections()
        try:
            return call()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(None, guarded)
