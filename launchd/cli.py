"""The command line. Exit codes: 0 done, 1 failed, 2 usage, 3 cannot reach the daemon."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click
import msgspec

from launchd import __version__
from launchd.admin.client import AdminClient
from launchd.errors import LaunchdError, UnreachableError
from launchd.printing import QUEUES, Columns, columns, net_text, print_json, print_table, shown

# The engine is imported only by `run`, `check` and `demo`: the rest starts fast.
F = TypeVar("F", bound=Callable[..., Any])
FAILED, UNREACHABLE = 1, 3
_SHOWN_NAME = 48
_OVERRIDES = ("field", "value", "by", "reason", "at")


class Asking:
    """What the options common to all commands say: which daemon, and whether to print JSON."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.socket: str | None = None
        self.json = False

    def client(self) -> AdminClient:
        """A client of the daemon that is meant."""
        return AdminClient(self._path())

    def _path(self) -> Path:
        named = self.socket or os.environ.get("LAUNCHD_SOCKET")
        if named:
            return Path(named)
        from launchd import config  # noqa: PLC0415 - see the top

        own = config.load(config.find(self.config)).socket
        return own if own.exists() or not config.SYSTEM_SOCKET.exists() else config.SYSTEM_SOCKET


def common(command: F) -> F:
    """The options that may stand before a command or after it."""

    def store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click's
            if value:
                setattr(context.ensure_object(Asking), name, value)

        return keep

    options = (
        click.option("--json", is_flag=True, expose_value=False, callback=store("json"), help="Print JSON."),
        click.option("--socket", metavar="PATH", expose_value=False, callback=store("socket"), help="Admin socket."),
        click.option("--config", metavar="FILE", expose_value=False, callback=store("config"), help="Configuration."),
    )
    for option in options:
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@common
def cli() -> None:
    """Track space launches: one daemon, one socket."""


@cli.command()
@click.option("--queues", help="Run only these queues (a,b).")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Slots of every queue.")
@click.option("--no-scheduler", is_flag=True, help="Run jobs, fire no schedules.")
@click.option("--scheduler-only", is_flag=True, help="Fire schedules, run no jobs.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@common
@click.pass_obj
def run(asking: Asking, /, queues: str | None, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Run the daemon until SIGTERM."""
    from launchd import daemon  # noqa: PLC0415 - see the top

    if options["no_scheduler"] and options["scheduler_only"]:
        raise click.UsageError("--no-scheduler and --scheduler-only exclude each other")
    daemon.main(
        asking.config,
        queues=queues.split(",") if queues else None,
        concurrency=options["concurrency"],
        scheduler=not options["no_scheduler"],
        workers=not options["scheduler_only"],
        log_level=options["log_level"],
    )


@cli.command()
@common
@click.pass_obj
def check(asking: Asking) -> None:
    """Check the configuration and report every mistake."""
    from launchd import daemon  # noqa: PLC0415 - see the top

    click.echo(daemon.check(asking.config))


@cli.command()
def demo() -> None:
    """Show everything offline: a replay server, the daemon, two scrapes, the launches."""
    from launchd.demo.show import show  # noqa: PLC0415 - see the top

    sys.exit(show())


# --- looking ---


@cli.command()
@common
@click.pass_obj
def status(asking: Asking) -> None:
    """The daemon in one look."""
    view = asking.client().ask("GET", "/v1/status")
    if asking.json:
        print_json(view)
        return
    memory = view["memory_bytes"] / 2**20
    click.echo(f"launchd {view['version']}, pid {view['pid']}, up {view['uptime']:.0f} s, {memory:.0f} MiB")
    print_table(view["queues"], QUEUES)
    print_table(view["next_fires"], columns("schedule", "at"))


@cli.command()
@common
@click.pass_obj
def health(asking: Asking) -> None:
    """Every check, run now; fails when the daemon is unhealthy."""
    view = asking.client().ask("GET", "/v1/health", accept=(503,))
    if asking.json:
        print_json(view)
    else:
        click.echo(view["status"])
        rows = [{"check": name, **check} for name, check in view["checks"].items()]
        print_table(rows, columns("check", "status", "since", "detail"))
    if view["status"] == "unhealthy":
        sys.exit(FAILED)


@cli.command()
@click.option("--state")
@click.option("--queue")
@click.option("--task")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@common
@click.pass_obj
def jobs(asking: Asking, /, **filters: Any) -> None:  # noqa: ANN401 - click's options
    """Jobs, newest first."""
    _list(asking, "/v1/jobs", columns("id", "task", "queue", "state", "attempt", "created_at", "reason"), **filters)


@cli.command()
@click.argument("job_id", metavar="ID")
@common
@click.pass_obj
def job(asking: Asking, job_id: str) -> None:
    """One job."""
    _record(asking, asking.client().ask("GET", f"/v1/jobs/{quote(job_id, safe='')}"))


@cli.command()
@common
@click.pass_obj
def queues(asking: Asking) -> None:
    """The queues now."""
    _list(asking, "/v1/queues", QUEUES)


@cli.command()
@common
@click.pass_obj
def schedules(asking: Asking) -> None:
    """The schedules and their next fires."""
    chosen = columns("name", "task", "description", "paused", "note")
    chosen["next"] = lambda one: one["next"][0] if one["next"] else None
    chosen["last"] = lambda one: one["last"] and f"{one['last']['outcome']} {one['last']['fire_time']}"
    _list(asking, "/v1/schedules", chosen)


@cli.command()
@common
@click.pass_obj
def locks(asking: Asking) -> None:
    """The locks that are held."""
    _list(asking, "/v1/locks", columns("name", "job_id", "since", "expires_at", "fence", "waiters"))


@cli.command()
@click.option("--upcoming", is_flag=True, help="Only what has not flown, soonest first.")
@click.option("--past", is_flag=True, help="Only what has flown, newest first.")
@click.option("--provider")
@click.option("--status")
@click.option("--source")
@click.option("--search", "q", help="Words to find in name, mission, vehicle, provider, pad and place.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@common
@click.pass_obj
def launches(asking: Asking, /, upcoming: bool, past: bool, **filters: Any) -> None:  # noqa: ANN401 - click's options
    """The launches."""
    if upcoming and past:
        raise click.UsageError("--upcoming and --past exclude each other")
    chosen = columns("net", "net_precision", "status", "name", "provider", "pad")
    chosen["name"] = lambda one: one["name"][:_SHOWN_NAME]
    chosen["net"] = net_text
    chosen["sources"] = lambda one: ", ".join(one["sources"])
    when = "upcoming" if upcoming else "past" if past else None
    _list(asking, "/v1/launches", chosen, when=when, **filters)


@cli.command()
@click.argument("launch_id", metavar="ID")
@common
@click.pass_obj
def launch(asking: Asking, launch_id: str) -> None:
    """One launch, with its sightings and its history."""
    view = asking.client().ask("GET", f"/v1/launches/{quote(launch_id, safe='')}")
    history, sightings = view.get("history", []), view.get("sightings", [])
    _record(asking, view, hide=("history", "sightings", "provenance", "slips", "overrides", "conflicts"))
    if not asking.json:
        click.echo(view["slips"]["summary"])
        for title, shows in (("conflicts", ("kind", "values", "other_id")), ("overrides", _OVERRIDES)):
            if view[title]:
                print_table(view[title], columns(*shows))
        print_table(sightings, columns("source", "source_id", "name", "status", "net", "net_precision"))
        print_table(history, columns("seen_at", "field", "old", "new", "source"))


@cli.command()
@common
@click.pass_obj
def sources(asking: Asking) -> None:
    """The sources and how they fare."""
    chosen = columns("name", "last_success", "records", "rejected")
    chosen["circuit"] = lambda one: one["circuit"]["state"]
    chosen["retry_at"] = lambda one: one["circuit"]["retry_at"]
    chosen["requests"] = lambda one: one["traffic"]["total"]["requests"]
    chosen["bytes"] = lambda one: one["traffic"]["total"]["bytes"]
    _list(asking, "/v1/sources", chosen | columns("error", "attribution"))


@cli.command()
@click.option("--kind", help="Only these, such as net or possible_duplicate.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@common
@click.pass_obj
def conflicts(asking: Asking, /, **filters: Any) -> None:  # noqa: ANN401 - click's options
    """Where the sources disagree, and launches that may be one."""
    chosen: Columns = {"launch": lambda one: one["launch"]["name"][:_SHOWN_NAME]}
    chosen |= columns("kind", "since", "values")
    chosen["other"] = lambda one: one["other"] and one["other"]["name"]
    _list(asking, "/v1/conflicts", chosen, **filters)


@cli.command()
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@common
@click.pass_obj
def dashboard(asking: Asking, show: bool) -> None:
    """Print a link that signs a browser in to the dashboard, once, within two minutes."""
    view = asking.client().ask("POST", "/v1/sign-in")
    if show:
        click.launch(view["url"])
    if asking.json:
        print_json(view)
    else:
        click.echo(view["url"])


# --- acting ---


@cli.command()
@click.option("--sources", "names", help="Only these (a,b).")
@click.option("--force", is_flag=True, help="Read unchanged payloads again.")
@click.option("--wait", is_flag=True, help="Wait for the end and print what each source gave.")
@common
@click.pass_obj
def refresh(asking: Asking, names: str | None, force: bool, wait: bool) -> None:
    """Scrape now, whatever the schedule."""
    body = {"sources": names.split(",") if names else None, "force": force}
    _scraped(asking, asking.client().ask("POST", "/v1/refresh", body=body), wait=wait)


@cli.command()
@click.argument("source")
@click.option("--wait", is_flag=True, help="Wait for the end and print what it gave.")
@common
@click.pass_obj
def replay(asking: Asking, source: str, wait: bool) -> None:
    """Read the last payloads of a source again, without the network."""
    made = asking.client().ask("POST", f"/v1/sources/{quote(source, safe='')}/replay")
    _scraped(asking, made, wait=wait)


@cli.command("override")
@click.argument("launch_id", metavar="ID")
@click.argument("pairs", metavar="FIELD=VALUE...", nargs=-1, required=True)
@click.option("--reason")
@common
@click.pass_obj
def override_(asking: Asking, launch_id: str, pairs: tuple[str, ...], reason: str | None) -> None:
    """Set fields of a launch by hand; scrapes leave them alone. `null` means not known."""
    fields = {name: None if value == "null" else value for name, value in map(_pair, pairs)}
    path = f"/v1/launches/{quote(launch_id, safe='')}/override"
    view = asking.client().ask("POST", path, body={"fields": fields, "reason": reason})
    _overridden(asking, view)


@cli.command("take-back")
@click.argument("launch_id", metavar="ID")
@click.argument("field", required=False)
@click.option("--reason")
@common
@click.pass_obj
def take_back(asking: Asking, launch_id: str, field: str | None, reason: str | None) -> None:
    """Let the sources speak again for a field that was overridden, or for all."""
    path = f"/v1/launches/{quote(launch_id, safe='')}/override"
    _overridden(asking, asking.client().ask("DELETE", path, field=field, reason=reason))


@cli.command()
@click.argument("task")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--queue")
@click.option("--priority", type=int)
@click.option("--delay", type=float, help="Seconds.")
@common
@click.pass_obj
def trigger(asking: Asking, /, task: str, pairs: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - click's options
    """Make a job of a task; values are JSON, or text where they are not."""
    body = {name: value for name, value in options.items() if value is not None} | {"args": _arguments(pairs)}
    _made(asking, asking.client().ask("POST", f"/v1/tasks/{quote(task, safe='')}/trigger", body=body))


@cli.command("cancel-task")
@click.argument("job_id", metavar="ID")
@click.option("--terminate", is_flag=True, help="Do not ask, end it.")
@click.option("--reason")
@common
@click.pass_obj
def cancel_task(asking: Asking, job_id: str, terminate: bool, reason: str | None) -> None:
    """Cancel a job."""
    body = {"terminate": terminate, "reason": reason}
    _made(asking, asking.client().ask("POST", f"/v1/jobs/{quote(job_id, safe='')}/cancel", body=body))


@cli.command()
@click.argument("job_id", metavar="ID")
@common
@click.pass_obj
def retry(asking: Asking, job_id: str) -> None:
    """Queue an ended job again."""
    _made(asking, asking.client().ask("POST", f"/v1/jobs/{quote(job_id, safe='')}/retry"))


@cli.command()
@click.argument("name", metavar="QUEUE|SCHEDULE")
@click.option("--note")
@common
@click.pass_obj
def pause(asking: Asking, name: str, note: str | None) -> None:
    """Pause a queue or a schedule."""
    _steer(asking, name, "pause", {"note": note})


@cli.command()
@click.argument("name", metavar="QUEUE|SCHEDULE")
@common
@click.pass_obj
def resume(asking: Asking, name: str) -> None:
    """Resume a queue or a schedule."""
    _steer(asking, name, "resume", None)


@cli.command("release-lock")
@click.argument("name")
@click.option("--reason")
@common
@click.pass_obj
def release_lock(asking: Asking, name: str, reason: str | None) -> None:
    """Take a lock from its holder, who is stopped and retried."""
    _record(asking, asking.client().ask("DELETE", f"/v1/locks/{quote(name, safe='')}", reason=reason))


# --- within ---


def _list(asking: Asking, path: str, shows: Columns, **query: Any) -> None:  # noqa: ANN401 - what the query takes
    view = asking.client().ask("GET", path, **query)
    if asking.json:
        print_json(view)
    else:
        print_table(view["items"], shows)


def _record(asking: Asking, view: dict[str, Any], hide: tuple[str, ...] = ()) -> None:
    if asking.json:
        print_json(view)
        return
    width = max(map(len, view))
    for name, value in view.items():
        if name not in hide and value is not None:
            click.echo(f"{name:<{width}}  {shown(value)}")


def _made(asking: Asking, view: dict[str, Any]) -> None:
    if asking.json:
        print_json(view)
    else:
        click.echo(f"{view['id']}  {view['task']}  {view['state']}")


def _scraped(asking: Asking, made: dict[str, Any], *, wait: bool) -> None:
    """The job that was made, or what each source gave once it has ended."""
    if not wait:
        _made(asking, made)
        return
    ended = made
    while ended["state"] == "running" or (ended["state"] == "queued" and ended["attempt"] == 0):
        ended = asking.client().ask("GET", f"/v1/jobs/{made['id']}", wait=1)
    if asking.json:
        print_json(ended)
    else:
        why = ended["reason"] or (ended["error"] or {}).get("message")
        click.echo(f"{ended['id']}: {ended['state']}{f': {why}' if why else ''}")
        rows = [{"source": name, **numbers} for name, numbers in ((ended["result"] or {}).get("sources") or {}).items()]
        print_table(rows, columns("source", "fetched", "parsed", "rejected", "created", "updated", "seconds", "error"))
    sys.exit(0 if ended["state"] == "succeeded" else FAILED)


def _overridden(asking: Asking, view: dict[str, Any]) -> None:
    if asking.json:
        print_json(view)
    else:
        click.echo(f"{view['id']}  {view['name']}")
        print_table(view["overrides"], columns(*_OVERRIDES))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{text!r}: expected KEY=VALUE")
    return key, value


def _steer(asking: Asking, name: str, verb: str, body: object) -> None:
    """A name is looked for among the queues first, then among the schedules."""
    client = asking.client()
    found = [kind for kind in ("queues", "schedules") if _has(client, kind, name)]
    if not found:
        raise click.UsageError(f"no queue or schedule is named {name}: see `launchd queues` and `launchd schedules`")
    view = client.ask("POST", f"/v1/{found[0]}/{quote(name, safe='')}/{verb}", body=body)
    if asking.json:
        print_json(view)
    else:
        click.echo(f"{found[0][:-1]} {name}: {verb}d")


def _has(client: AdminClient, kind: str, name: str) -> bool:
    return any(one["name"] == name for one in client.ask("GET", f"/v1/{kind}")["items"])


def _arguments(pairs: tuple[str, ...]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, value = _pair(pair)
        try:
            arguments[key] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            arguments[key] = value
    return arguments


def main() -> None:
    """The console script."""
    try:
        cli(obj=Asking())
    except LaunchdError as error:
        click.echo(f"launchd: {error.detail}", err=True)
        for problem in error.errors:
            line = f"{problem.path}: {problem.message}"
            if line not in error.detail:
                click.echo(f"  {line}", err=True)
        sys.exit(UNREACHABLE if isinstance(error, UnreachableError) else FAILED)
