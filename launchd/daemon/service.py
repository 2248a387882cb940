"""The daemon as a service: the process that `launchd run` and `launchd check` set up around it.

Log, signals, the sockets of systemd, and the configuration file.
"""

import asyncio
import faulthandler
import fcntl
import gc
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import uvloop

from launchd import config as configuration
from launchd.clock import SystemClock, until
from launchd.config import Config
from launchd.daemon import HostProcess, running, try_out
from launchd.engine.firing.loading import Options, place_of
from launchd.errors import LaunchdError, StoreError
from launchd.launches.sources import SOURCES
from launchd.logger import get_logger
from launchd.logs import setup as logs
from launchd.ops.systemd import notify, status, take_listeners, watchdog_seconds
from launchd.system import forks
from launchd.system.exit import busy_threads

# The lowest number for the log's own copy of standard error: beyond those that a careless loop over descriptors closes.
_LOG_DESCRIPTOR = 64
# Python's message when the system refuses a thread.
_NO_THREAD = "can't start new thread"
# sysexits.h: an error inside the program.
EX_SOFTWARE = 70
# Jobs at full speed make few cycles and many objects: with Python's own thresholds the search for cycles takes a tenth
# of their time (`make bench ARGS=drain`).
_GC_THRESHOLDS = (50_000, 20, 50)
# How long a start is retried while the disk is full, failing or locked by others. Five such starts take longer than
# StartLimitIntervalSec= of the unit, so systemd never gives up; each is shorter than its TimeoutStartSec=.
START_SECONDS, START_AGAIN_SECONDS = 60.0, 2.0
_log = get_logger("launchd.daemon")


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
    """Run the daemon until SIGTERM or SIGINT; returns the exit code, 0 only after one of them.

    Raises LaunchdError if it cannot start.
    """
    # a copy of standard error: if a task closes number 2, the next file or connection would get it, and the log
    descriptor = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, _LOG_DESCRIPTOR)
    faulthandler.enable(descriptor)  # a watchdog's SIGABRT leaves the stack of every thread in the log
    config = load_config(config_path)
    log = _log_of(config, level=log_level, format_=log_format, descriptor=descriptor)

    def load() -> Config:
        check(config_path)
        new = load_config(config_path)
        log.mask(configuration.secrets(new))
        return new

    def set_level(new: Config) -> None:
        log.set_level(log_level or new.daemon.log_level)

    _arm(config, log)
    try:
        _run_loop(config, Options(queues, concurrency, scheduler, workers), log, load, set_level)
    except (LaunchdError, KeyboardInterrupt):  # the latter before the signal handlers are set
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit from inside is no requested end
        return _unrequested(error)
    finally:
        log.close()
    return 0


def _log_of(config: Config, *, level: str | None, format_: Literal["json"] | None, descriptor: int) -> logs.Logs:
    """The log as the command line and the configuration want it; raises StoreError if it gets no thread."""
    try:
        return logs.configure(
            level or config.daemon.log_level,
            format_ or config.daemon.log_format,
            secrets=configuration.secrets(config),
            descriptor=descriptor,
        )
    except RuntimeError as error:
        raise _too_few_threads() from error


def _run_loop(
    config: Config,
    options: Options,
    log: logs.Logs,
    load: Callable[[], Config],
    reloaded: Callable[[Config], None],
) -> None:
    """Run the control loop until a signal ends the daemon."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        host = _host()._replace(
            dedicated=True,
            log_lines_dropped=lambda: log.dropped,
            job_lines=log.job_lines,
            load=load,
            reloaded=reloaded,
        )
        try:
            runner.run(_until_signal(config, options, host))
        finally:
            # the runner would wait for the threads of the old executor
            runner.get_loop().set_default_executor(ThreadPoolExecutor(1))
            _log_threads()


def _arm(config: Config, log: logs.Logs) -> None:
    """Keep forks of this process from using the daemon's files."""
    state = config.state_directory.resolve()
    for name in ("daemon.lock", "jobs.db", "launches.db"):  # and their journals
        forks.own_file(str(state / name))
    forks.register_fork_handlers(log.forked)


def _log_threads() -> None:
    """Log the threads that still run; the process ends nevertheless (launchd/system/exit.py)."""
    left = busy_threads("log")
    if left:
        _log.warning("threads_left", threads=left, detail="they end with this process")


def _too_few_threads() -> LaunchdError:
    """The error of a start without enough threads."""
    words = "the system refuses more threads to launchd: raise TasksMax= of its unit, the pids limit of its"
    return StoreError(f"{words} container, or `ulimit -u` of its user; about 30 are enough")


def _unrequested(error: BaseException) -> int:
    """Log an end without a signal; returns its exit code, which is never 0."""
    plain = _plain(error)
    if isinstance(plain, LaunchdError):
        raise plain from error
    if isinstance(plain, RuntimeError) and _NO_THREAD in str(plain):
        raise _too_few_threads() from error
    if isinstance(plain, SystemExit):
        where = place_of(plain)
        _log.critical("ended_unasked", error=f"SystemExit({plain.code!r})", where=where, exit_code=EX_SOFTWARE)
        return EX_SOFTWARE
    _log.critical("ended_by_error", error=f"{type(plain).__name__}: {plain}", exit_code=1, exc_info=plain)
    return 1


def _plain(error: BaseException) -> BaseException:
    """The error inside nested groups of one; a group of several stays as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _host() -> HostProcess:
    """The sockets and the watchdog of systemd. A socket with another name is closed: nobody would answer there."""
    listeners = take_listeners()
    for name in [name for name in listeners if name not in {"admin", "tcp"}]:
        listeners.pop(name).close()
    return HostProcess(listeners, "NOTIFY_SOCKET" in os.environ, watchdog_seconds())


def check(config_path: str | None) -> str:
    """Check a configuration as the daemon would, with tasks and schedules; returns one line for the operator.

    Raises ConfigError with all problems.
    """
    config = load_config(config_path)
    with TemporaryDirectory(prefix="launchd-check-") as scratch:
        tasks, schedules = asyncio.run(try_out(config, Path(scratch)))
    name = config.path or "the built-in configuration"
    return f"{name} is valid: {len(config.queues)} queues, {schedules} schedules, {tasks} tasks"


def load_config(config_path: str | None) -> Config:
    """Load the configuration from the first place that has one."""
    return configuration.load(configuration.find(config_path), sources=SOURCES)


def _workers() -> ThreadPoolExecutor:
    """The threads of the control plane, all started now: later the system may refuse one."""
    count = min(32, (os.cpu_count() or 1) + 4)
    pool, all_begun = ThreadPoolExecutor(count, "control"), threading.Barrier(count)
    try:
        for _ in range(count):
            pool.submit(all_begun.wait)
    except RuntimeError:
        all_begun.abort()
        raise
    return pool


async def _until_signal(
    config: Config,
    options: Options,
    host: HostProcess,
) -> None:
    """Run until SIGTERM or SIGINT; a second one hurries, SIGHUP reloads. All handlers are set before the start."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_workers())
    stop, hurry, hangup = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def request_stop() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, request_stop)
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
    """The store failed before the daemon was ready."""

    def __init__(self, cause: StoreError) -> None:
        super().__init__(cause.detail)
        self.cause = cause


async def _run(config: Config, options: Options, host: HostProcess, signals: _Signals) -> None:
    """Run the daemon once; raises _NotStartedError if the store failed before it was ready."""
    ready = False
    try:
        async with running(config, options=options, host=host, hurry=signals.hurry) as daemon:
            ready = True
            gc.freeze()  # the objects of the start stay for ever: collections of cycles need not walk them
            gc.set_threshold(*_GC_THRESHOLDS)
            reloads = asyncio.create_task(daemon.reloader.run(signals.hangup))
            await signals.stop.wait()
            reloads.cancel()
    except StoreError as error:
        if ready:
            raise
        raise _NotStartedError(error) from error
