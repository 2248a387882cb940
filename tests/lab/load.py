"""Clients that use a daemon roughly, within the rules, and keep a journal of their requests and the answers.

A request is in the journal before it is sent, an answer after it was read: in between its outcome is unknown, and the
checker treats it so.
"""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from launchd.clock import SECOND, SystemClock, format_instant
from tests.lab.record import Appender, Note, now

SCHEDULES = ("second", "caught_up", "earliest", "skipping", "buffered", "newest", "side_by_side", "minutely", "apart")
QUEUES = ("default", "threads", "processes", "locked", "metered")
_LOCKS = ("alpha", "beta")
# A task, its weight in the draw, its longest run in seconds, and the ways in which it may end.
_TASKS: tuple[tuple[str, int, float, tuple[str, ...]], ...] = (
    ("stroll", 10, 0.4, ("ok", "ok", "ok", "retry", "snooze", "fail", "stubborn")),
    ("stroll", 3, 2.5, ("ok", "stubborn")),
    ("plod", 5, 0.4, ("ok", "retry", "snooze")),
    ("grind", 2, 0.4, ("ok", "ok", "retry", "deaf")),
    ("sip", 4, 0.1, ("ok",)),
    ("hold", 4, 0.3, ("ok", "ok", "retry", "stubborn")),
    ("hold_thread", 3, 0.3, ("ok",)),
    ("hold_process", 2, 0.4, ("ok",)),
)
# The average pause between two requests of a client, so that the daemon's slots can keep up.
PAUSE_SECONDS = 0.1
# The number of ids that a client remembers for later requests.
_MEMORY = 300


class Journal:
    """The journal of all clients; `wall` is read from the daemon's own clock."""

    def __init__(self, path: Path) -> None:
        self._appender = Appender(path)
        self._numbers = itertools.count(1)

    def note(self, kind: str, **fields: Any) -> None:  # noqa: ANN401 - the fields of Note
        """Write a line."""
        self._appender.write(Note(now(), kind, **fields))

    def asked(self, action: str, **fields: Any) -> int:  # noqa: ANN401 - the fields of Note
        """Write a request; returns its number."""
        number = next(self._numbers)
        self.note("asked", request=number, action=action, **fields)
        return number


class Client:
    """One client with a random generator of its own. `ids` are jobs of all clients, which share the list.

    With `releases` it takes locks from their holders, whose jobs are retried only after a minute.
    """

    def __init__(self, socket: Path, journal: Journal, dice: random.Random, ids: list[str], *, releases: bool) -> None:
        self.socket = socket
        self.journal = journal
        self.dice = dice
        self.ids = ids
        self.answers = 0
        self._actions: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (24, self.trigger),
            (8, self.trigger_with_key),
            (3, self.batch),
            (5, self.unique),
            (6, self.cancel),
            (3, self.terminate),
            (4, self.cancel_running),
            (8, self.requeue),
            (8, self.look),
            (4, self.find_ended),
            (2 if releases else 0, self.release),
            (2, self.pause),
            (2, self.trigger_schedule),
            (1, self.backfill),
        ]

    async def live(self) -> None:
        """Send one request after another, for ever; while the daemon is down, try again after a short pause."""
        weights = [weight for weight, _ in self._actions]
        while True:
            (_, action) = self.dice.choices(self._actions, weights)[0]
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError, ValueError):
                await action()
            await asyncio.sleep(self.dice.random() * 2 * PAUSE_SECONDS)

    async def ask(
        self,
        action: str,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        **fields: Any,  # noqa: ANN401 - the fields of Note
    ) -> Any:  # noqa: ANN401 - JSON
        """Send a request, with both lines in the journal; returns its JSON. Raises aiohttp's errors."""
        number = self.journal.asked(action, key=key, **fields)
        headers = {"Idempotency-Key": key} if key is not None else {}
        connector = aiohttp.UnixConnector(str(self.socket), force_close=True)
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            aiohttp.ClientSession("http://launchd", connector=connector, timeout=timeout) as session,
            session.request(method, path, json=body, headers=headers) as response,
        ):
            answer = json.loads(await response.read())
        known = answer if response.status < 300 else {}
        ids = known.get("ids", [known["id"]] if "id" in known else [])
        self.journal.note(
            "answered",
            request=number,
            status=response.status,
            ids=ids,
            state=known.get("state") or "",
            attempt=known.get("attempt") or 0,
            fence=known.get("fence") or 0,
        )
        self.answers += 1
        self._remember(ids)
        return answer

    # --- making ---

    async def trigger(self) -> None:
        """One job."""
        tag = self._tag()
        task, body = self._job(tag)
        await self.ask("trigger", "POST", f"/v1/tasks/{task}/trigger", body, tag=tag)

    async def trigger_with_key(self) -> None:
        """One job, requested until there is an answer, and then once more, as a careful client does."""
        tag = self._tag()
        task, body = self._job(tag)
        for times in (1, 1 + self.dice.randrange(2)):
            done = 0
            while done < times:
                with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
                    await self.ask("trigger", "POST", f"/v1/tasks/{task}/trigger", body, key=tag, tag=tag)
                    done += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def batch(self) -> None:
        """Several jobs, all or none."""
        tag, count = self._tag(), self.dice.randint(2, 12)
        made = [self._job(tag) for _ in range(count)]
        body = {"jobs": [{"task": task, **job} for task, job in made]}
        await self.ask("batch", "POST", "/v1/jobs", body, tag=tag, count=count)

    async def unique(self) -> None:
        """A unique job, which may exist already."""
        await self.ask("unique", "POST", "/v1/tasks/only/trigger", {"args": {"number": self.dice.randrange(3)}})

    # --- steering ---

    async def cancel(self) -> None:
        """Cancel a job."""
        await self._steer("cancel", "cancel", {})

    async def terminate(self) -> None:
        """Terminate a job."""
        await self._steer("terminate", "cancel", {"terminate": True})

    async def cancel_running(self) -> None:
        """Cancel a running job: stubborn ones still run when the daemon is killed."""
        page = await self.ask("list", "GET", "/v1/jobs?state=running&task=stroll&limit=50")
        for job in self.dice.sample(page["items"], min(3, len(page["items"]))):
            await self.ask("cancel", "POST", f"/v1/jobs/{job['id']}/cancel", {}, target=job["id"])

    async def requeue(self) -> None:
        """Requeue a job."""
        await self._steer("requeue", "retry", {})

    async def look(self) -> None:
        """Read a job, sometimes waiting for its end."""
        if self.ids:
            job_id = self.dice.choice(self.ids)
            wait = self.dice.choice(["", "", "?wait=0.5"])
            await self.ask("look", "GET", f"/v1/jobs/{job_id}{wait}", target=job_id)

    async def find_ended(self) -> None:
        """Remember jobs for later requests: quarantined ones, and waiting ones of schedules."""
        state = self.dice.choice(["quarantined", "queued", "running"])
        page = await self.ask("list", "GET", f"/v1/jobs?state={state}&limit=20")
        self._remember([job["id"] for job in page["items"] if state == "quarantined" or job["schedule"]])

    async def release(self) -> None:
        """Take a lock from its holder."""
        name = self.dice.choice(_LOCKS)
        await self.ask("release", "DELETE", f"/v1/locks/{name}?reason=torture", target=name)

    async def pause(self) -> None:
        """Pause a queue or a schedule for a moment."""
        kind, names = self.dice.choice([("queues", QUEUES), ("schedules", SCHEDULES)])
        name = self.dice.choice(names)
        await self.ask("pause", "POST", f"/v1/{kind}/{name}/pause", {"note": "torture"}, target=name)
        await asyncio.sleep(self.dice.random() * 0.5)
        await self.ask("resume", "POST", f"/v1/{kind}/{name}/resume", {}, target=name)

    async def trigger_schedule(self) -> None:
        """Trigger a schedule's task in addition to its fires."""
        name = self.dice.choice(SCHEDULES)
        await self.ask("trigger_schedule", "POST", f"/v1/schedules/{name}/trigger", {}, target=name)

    async def backfill(self) -> None:
        """Backfill some seconds of the past."""
        name, end = self.dice.choice(SCHEDULES), SystemClock().now() - SECOND
        body = {"from": format_instant(end - self.dice.randint(1, 8) * SECOND), "to": format_instant(end)}
        await self.ask("backfill", "POST", f"/v1/schedules/{name}/backfill", body, target=name)

    # --- within ---

    async def _steer(self, action: str, verb: str, body: dict[str, Any]) -> None:
        if self.ids:
            job_id = self.dice.choice(self.ids[-30:] if self.dice.random() < 0.7 else self.ids)
            await self.ask(action, "POST", f"/v1/jobs/{job_id}/{verb}", body, target=job_id)

    def _remember(self, ids: list[str]) -> None:
        self.ids += ids
        del self.ids[:-_MEMORY]

    def _tag(self) -> str:
        return f"{self.dice.getrandbits(64):016x}"

    def _job(self, tag: str) -> tuple[str, dict[str, Any]]:
        """A task, and the body that triggers it."""
        task, _, longest, ways = self.dice.choices(_TASKS, [weight for _, weight, _, _ in _TASKS])[0]
        how = self.dice.choice(ways)
        body: dict[str, Any] = {
            "args": {"tag": tag, "seconds": round(self.dice.random() * longest, 3), "how": how},
            "priority": self.dice.randrange(10),
            # after an error or a lost lock the retry comes a minute later: only tasks that ask for an earlier one retry
            "max_retries": 0 if how == "fail" else self.dice.choice([1, 2, 3, 6]),
        }
        if self.dice.random() < 0.15:
            body["delay"] = round(self.dice.random() * 2, 2)
        if self.dice.random() < 0.05:
            body["expires_in"] = 1.0
        return task, body
