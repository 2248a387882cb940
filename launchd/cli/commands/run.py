"""Commands of the daemon itself: run it, check its configuration, show the demonstration."""

import sys
from typing import Any

import click

from launchd.cli.context import CommandContext, common
from launchd.cli.errors import FAILED
from launchd.cli.output import print_json
from launchd.errors import ConfigError


@click.command()
@click.option("--queues", help="Run only the jobs of these queues (a,b).")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="The concurrency of every queue.")
@click.option("--no-scheduler", is_flag=True, help="Run jobs, but fire no schedules.")
@click.option("--scheduler-only", is_flag=True, help="Fire schedules, but run no jobs.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="The least level of log lines."
)
@common
@click.pass_obj
def run(context: CommandContext, /, queues: str | None, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Run the daemon until SIGTERM. With --json its log is JSON lines."""
    if options["no_scheduler"] and options["scheduler_only"]:
        raise click.UsageError("--no-scheduler and --scheduler-only exclude each other")
    from launchd.daemon import service  # noqa: PLC0415 - the engine

    code = service.main(
        context.config,
        queues=queues.split(",") if queues else None,
        concurrency=options["concurrency"],
        scheduler=not options["no_scheduler"],
        workers=not options["scheduler_only"],
        log_level=options["log_level"],
        log_format="json" if context.json else None,
    )
    sys.exit(code)


@click.command()
@common
@click.pass_obj
def check(context: CommandContext) -> None:
    """Check the configuration and report every error."""
    from launchd.daemon import service  # noqa: PLC0415 - the engine

    if not context.json:
        click.echo(service.check(context.config))
        return
    try:
        print_json({"valid": True, "detail": service.check(context.config), "errors": []})
    except ConfigError as error:
        errors = [{"path": problem.path, "message": problem.message} for problem in error.errors]
        print_json({"valid": False, "detail": error.detail, "errors": errors})
        sys.exit(FAILED)


@click.command()
@common
@click.pass_obj
def demo(context: CommandContext) -> None:
    """Run a demonstration without network, in a few seconds.

    It starts a replay server and the daemon, refreshes twice and lists the launches.
    """
    from launchd.demo.show import show  # noqa: PLC0415 - the engine

    sys.exit(show(as_json=context.json))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(launchd completion bash)".
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - not needed by other commands

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click has no completion for {shell}")
    root = ctx.find_root()
    click.echo(found(root.command, {}, "launchd", "_LAUNCHD_COMPLETE").source())


COMMANDS = (run, check, demo, completion)
