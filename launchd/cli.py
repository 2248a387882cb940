"""The command line. Exit codes: 0 done, 1 failed, 2 usage, 3 cannot reach the daemon."""

import sys

import click

from launchd import __version__
from launchd.errors import LaunchdError


@click.group()
@click.version_option(__version__)
def cli() -> None:
    """Track space launches: one daemon, one socket."""


@cli.command()
@click.option("--config", "config_path", metavar="FILE", help="The configuration file.")
@click.option("--queues", help="Run only these queues (a,b).")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Slots of every queue.")
@click.option("--no-scheduler", is_flag=True, help="Run jobs, fire no schedules.")
@click.option("--scheduler-only", is_flag=True, help="Fire schedules, run no jobs.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
def run(  # noqa: PLR0917 - click passes by name
    config_path: str | None,
    queues: str | None,
    concurrency: int | None,
    no_scheduler: bool,
    scheduler_only: bool,
    log_level: str | None,
) -> None:
    """Run the daemon until SIGTERM."""
    from launchd import daemon  # noqa: PLC0415 - the engine is loaded only by those who run it

    sys.exit(
        daemon.main(
            config_path,
            queues=queues.split(",") if queues else None,
            concurrency=concurrency,
            scheduler=not no_scheduler,
            workers=not scheduler_only,
            log_level=log_level,
        )
    )


@cli.command()
@click.option("--config", "config_path", metavar="FILE", help="The configuration file.")
def check(config_path: str | None) -> None:
    """Check the configuration and report every mistake."""
    from launchd import daemon  # noqa: PLC0415 - as above

    click.echo(daemon.check(config_path))


def main() -> None:
    """The console script."""
    try:
        cli()
    except LaunchdError as error:
        click.echo(f"launchd: {error.detail}", err=True)
        for problem in error.errors:
            line = f"{problem.path}: {problem.message}"
            if line not in error.detail:
                click.echo(f"  {line}", err=True)
        sys.exit(1)
