"""The daemon as a service: what `launchd run` and `launchd check` do around it.

Log, signals, what systemd hands over, and the configuration file; the daemon itself is built in launchd/daemon.
"""

import asyncio
import faulthandler
import gc
import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import structlog
import uvloop

from launchd import config as configuration
from launchd.clock import SystemClock, until
from launchd.config import Config
from launchd.daemon import Host, running, try_out
from launchd.engine.loading import Options
from launchd.errors import LaunchdError, StoreError
from launchd.launches.sources import SOURCES
from launchd.ops import logs
from launchd.ops.systemd import notify, status, take_listeners, watchdog_seconds

# Jobs at full speed make few cycles and many objects: with Python's own thresholds a tenth of their time goes into
# looking for cycles (`make bench ARGS=drain`).
_GC_THRESHOLDS = (50_000, 20, 50)
# For how long a start is tried again while the disk is full, failing or locked by others. Five such starts take longer
# than StartLimitIntervalSec= of the unit, so systemd never gives up; each is shorter than its TimeoutStartSec=.
START_SECONDS, START_AGAIN_SECONDS = 60.0, 2.0
_log = structlog.get_logger("launchd.daemon")


def main(
    config_path: str | None,
    *,
    queues: list[str] | None = None,
    concurrency: int | None = None,
    scheduler: bool = True,
    workers: bool = True,
    log_level: str | None = None,
    log_format: Literal["json"] | None = None,
) -> int:
    """Run the daemon until SIGTERM or SIGINT; the exit code. Raises LaunchdError when it cannot start."""
    faulthandler.enable()  # a watchdog's SIGABRT leaves the stack of every thread in the log
    config = load_config(config_path)
    log = logs.configure(
        log_level or config.daemon.log_level,
        log_format or config.daemon.log_format,
        secrets=configuration.secrets(config),
    )
    options = Options(queues, concurrency, scheduler, workers)

    def load() -> Config:
        check(config_path)
        new = load_config(config_path)
        log.mask(configuration.secrets(new))
        return new

    def set_level(new: Config) -> None:
        log.set_level(log_level or new.daemon.log_level)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            host = _host()._replace(
                log_lines_dropped=lambda: log.dropped, job_lines=log.job_lines, load=load, reloaded=set_level
            )
            runner.run(_until_signal(config, options, host))
    except BaseExceptionGroup as group:
        raise _plain(group) from group
    finally:
        log.close()
    return 0


def _plain(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """An error of ours that came out of the daemon's task group alone, for one line; anything else as it is."""
    first = group.exceptions[0]
    return first if len(group.exceptions) == 1 and isinstance(first, LaunchdError) else group


def _host() -> Host:
    """What systemd gave to this process. A socket that launchd has no use for is closed: nobody would answer there."""
    listeners = take_listeners()
    for name in [name for name in listeners if name != "admin"]:
        listeners.pop(name).close()
    return Host(listeners, "NOTIFY_SOCKET" in os.environ, watchdog_seconds())


def check(config_path: str | None) -> str:
    """Check a configuration as the daemon would, tasks and schedules included; one line for the operator.

    Raises ConfigError with all problems.
    """
    config = load_config(config_path)
    with TemporaryDirectory(prefix="launchd-check-") as scratch:
        tasks, schedules = asyncio.run(try_out(config, Path(scratch)))
    name = config.path or "the built-in configuration"
    return f"{name} is valid: {len(config.queues)} queues, {schedules} schedules, {tasks} tasks"


def load_config(config_path: str | None) -> Config:
    """The configuration from where it is found."""
    return configuration.load(configuration.find(config_path), sources=SOURCES)


async def _until_signal(
    config: Config,
    options: Options,
    host: Host,
) -> None:
    """Run until SIGTERM or SIGINT; a second one hurries, SIGHUP reloads. All are heard from the first moment."""
    loop = asyncio.get_running_loop()
    stop, hurry, hangup = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def ask() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    clock = SystemClock()
    patience = clock.monotonic() + START_SECONDS
    while True:
        try:
            await _run(config, options, host, _Signals(stop, hurry, hangup))
        except _NotStartedError as error:
            cause = error.cause
            if not cause.passing or clock.monotonic() >= patience:
                raise cause from None
            _log.warning("start_delayed", error=cause.detail, again_in_seconds=START_AGAIN_SECONDS)
            notify(status(f"waiting to start: {cause.detail}"))
            await until(stop, clock.sleep(START_AGAIN_SECONDS))
            if not stop.is_set():
                continue
        return


class _Signals(NamedTuple):
    stop: asyncio.Event
    hurry: asyncio.Event
    hangup: asyncio.Event


class _NotStartedError(Exception):
    """The store refused before the daemon was ready."""

    def __init__(self, cause: StoreError) -> None:
        super().__init__(cause.detail)
        self.cause = cause


async def _run(config: Config, options: Options, host: Host, signals: _Signals) -> None:
    """Run the daemon once; raises _NotStartedError when the store refused before it was ready."""
    ready = False
    try:
        async with running(config, options=options, host=host, hurry=signals.hurry) as daemon:
            ready = True
            gc.freeze()  # what the start has made stays: no collection of cycles walks it again, all threads stopped
            gc.set_threshold(*_GC_THRESHOLDS)
            reloads = asyncio.create_task(daemon.reloader.run(signals.hangup))
            await signals.stop.wait()
            reloads.cancel()
    except StoreError as error:
        if ready:
            raise
        raise _NotStartedError(error) from error
