"""The worker process. It fetches wake-ups and sweeps, and stops on a signal or when nothing is left to do."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections
from django.utils import timezone
from procrastinate import App, jobs
from procrastinate.contrib.django import app
from procrastinate.worker import Worker

from common.outages import outage
from uftp import tasks
from uftp.processing import dead_letters
from uftp.wakeups import long_jobs, wakeups
from uftp.worker import sweep

logger = logging.getLogger(__name__)

T = TypeVar("T")

DELIVERIES = 16
"""Maximum number of concurrent deliveries by jobs in one process. Most of the time they wait for a reply."""

LOCAL_DELIVERIES = 4
"""Number of further threads for local dispatch."""

POLL_SECONDS = 2.0
STALLED_AFTER = 30.0
RESTART_SECONDS = 1.0
IDLE_CHECK_SECONDS = 0.2
OUTAGE_LINE_SECONDS = 60.0
"""Seconds between two lines of the log about one outage of the database."""


def run(*, until_idle: bool = False, concurrency: int = 6) -> None:
    """Handle and deliver messages, and do one long job at a time, until SIGTERM or SIGINT.

    On a signal, the present messages are finished first. A long job is cancelled and waits again.

    Args:
        until_idle: Return when no message waits to be handled, no delivery is due or under way, and no long job
            waits or is under way.
        concurrency: The number of inboxes that are handled at the same time.
    """
    tasks.stopping.clear()
    logger.info("Started: handling up to %d inboxes at a time.", concurrency)
    with tasks.local_dispatch.open(LOCAL_DELIVERIES):
        asyncio.run(_run(until_idle, concurrency))
    logger.info("Stopped.")


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
        await _restart_on_failure(stop, lambda: _work(working, until_idle, concurrency, stop, stop_all))


async def _work(
    working: App, until_idle: bool, concurrency: int, stop: asyncio.Event, stop_all: Callable[[], None]
) -> None:
    """Run all parts on one pool of connections until `stop`. Raises if the database is not available at the start."""
    async with working.open_async():
        # First count what ended earlier workers: otherwise a message that ends each worker at once is never counted.
        await _forget_stalled_jobs(working)
        parts = [
            _restart_on_failure(stop, lambda: _fetch(working, wakeups.INBOX, concurrency, stop)),
            _restart_on_failure(stop, lambda: _fetch(working, wakeups.OUTBOX, DELIVERIES, stop)),
            _restart_on_failure(stop, lambda: _fetch(working, long_jobs.QUEUE, 1, stop)),
            _restart_on_failure(stop, lambda: _sweep_repeatedly(working, stop)),
        ]
        if until_idle:
            parts.append(_restart_on_failure(stop, lambda: _stop_when_idle(stop, stop_all)))
        await asyncio.gather(*parts)


async def _restart_on_failure(stop: asyncio.Event, part: Callable[[], Awaitable[None]]) -> None:
    """Run `part` until `stop`. Restart it after an error, such as a database that was not available."""
    next_line = 0.0
    while not stop.is_set():
        try:
            await part()
        except Exception as error:
            if outage(error) is None:
                logger.exception("A part of the worker failed and is restarted.")
            elif time.monotonic() >= next_line:
                next_line = time.monotonic() + OUTAGE_LINE_SECONDS
                logger.exception("A part of the worker waits for the database.")
        if not stop.is_set():
            await _pause(stop, RESTART_SECONDS)


async def _fetch(working: App, queue: str, concurrency: int, stop: asyncio.Event) -> None:
    """Fetch wake-ups from `queue` until `stop`. Returns or raises if the database is no longer available."""
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
    answered = False
    while not stop.is_set():
        await _in_thread(lambda: sweep.sweep(timezone.now()))
        if not answered:
            answered = True
            logger.info("The database answers: working.")
        await _forget_stalled_jobs(working)
        await _pause(stop, sweep.INTERVAL)


async def _forget_stalled_jobs(working: App) -> None:
    """Delete the jobs of dead workers. The sweep finds in the tables what is still to be done."""
    await working.job_manager.prune_stalled_workers(STALLED_AFTER)
    for job in await working.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER):
        if job.task_name == tasks.drain_inbox.name:
            sender_id = job.task_kwargs["sender_id"]
            await _in_thread(lambda sender_id=sender_id: dead_letters.count_try_of_dead_worker(sender_id))  # type: ignore[misc]
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
    """Run `call` in a thread with its own database connection, and return its value."""

    def guarded() -> T:
        close_old_connections()
        try:
            return call()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(None, guarded)
