"""The side of a task's process: its ends of the pipes, and a Context that uses them."""

import asyncio
import os
import threading
from typing import Any

import msgspec

from launchd.engine.attempts.wire import MAX_LINE_BYTES, FromChild, ToChild
from launchd.errors import InvalidError, error_of
from launchd.job import MAX_JSON_BYTES
from launchd.task import Context, progress_of
from launchd.values.failure import describe


class Link:
    """The pipes to the daemon; implements `launchd.task.Port`. May be used from any thread."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = os.fdopen(requests, "rb")
        self._answers = answers
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        self._count = 0  # triggers sent
        self._read: dict[int, ToChild] = {}  # answers that came before their caller read them

    def readline(self) -> bytes:
        """The next line from the daemon; empty once it has ended."""
        return self._requests.readline()

    def say(self, message: FromChild) -> None:
        """Write one whole line."""
        line = memoryview(msgspec.json.encode(message) + b"\n")
        with self._writing:
            while line:
                line = line[os.write(self._answers, line) :]

    def log(self, level: str, logger: str, event: str, fields: dict[str, Any], error: BaseException | None) -> None:
        """Send a line of the log; `fields` are plain (launchd/values/plain.py)."""
        described = None if error is None else describe(error)
        self.say(FromChild(kind="log", level=level, event=event, logger=logger, fields=fields, error=described))

    async def trigger(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Ask the daemon for a job and wait for its id; raises the errors of `ctx.trigger` in the daemon."""
        with self._writing:
            self._count += 1
            number = self._count
        said = FromChild(kind="trigger", task=task, fields=args, number=number, delay=delay, priority=priority)
        self.say(_checked(said))
        answer = await asyncio.to_thread(self._answer, number)
        if answer.job_id is None:
            raise error_of(answer.code, answer.error or "the daemon made no job")
        return answer.job_id

    def _answer(self, number: int) -> ToChild:
        """The answer to one trigger; earlier answers to others are kept for their callers."""
        while True:
            with self._reading:
                if number in self._read:
                    return self._read.pop(number)
                line = self.readline()
                if not line:
                    return ToChild(number, error="the daemon has gone")
                answer = msgspec.json.decode(line, type=ToChild)
                self._read[answer.number] = answer


def _checked(said: FromChild) -> FromChild:
    """Check that the daemon can read a trigger; raises InvalidError otherwise, since no answer would come."""
    try:
        data = msgspec.json.encode(said)
        read = msgspec.json.decode(data, type=FromChild)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:  # msgspec's own are ValueErrors
        raise InvalidError(f"ctx.trigger: {describe(error).message}") from error
    if len(data) > MAX_LINE_BYTES:
        raise InvalidError.at(
            "args", f"they are {len(data)} bytes of JSON, at most {MAX_JSON_BYTES}: pass a file's name"
        )
    return read


class ChildContext(Context):
    """A Context whose progress goes through the pipe."""

    __slots__ = ("_link",)

    def __init__(self, link: Link, **said: Any) -> None:  # noqa: ANN401 - the fields of Context
        super().__init__(port=link, **said)
        self._link = link

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Report the progress of the job; raises as `Context.progress` does."""
        self._link.say(FromChild(kind="progress", progress=progress_of(done, total, note)))
