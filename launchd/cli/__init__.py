"""The command line. Exit codes: 0 done, 1 failed, 2 usage, 3 cannot reach the daemon.

A module for each group of commands, each with its `COMMANDS`. What a program reads (`--json`) goes to standard output
alone; errors and progress go to standard error. The engine is imported only by `run`, `check` and `demo`, the libraries
that draw only by who draws: the rest starts fast.
"""

from typing import Any

import click

from launchd import __version__
from launchd.cli.commands import backup, launches, read, run, write
from launchd.cli.context import CommandContext, common
from launchd.cli.errors import command_error, suggestion
from launchd.errors import LaunchdError
from launchd.system.exit import leave

__all__ = ["CommandContext", "cli", "main"]
_GROUPS = (
    ("Running", run.COMMANDS),
    ("Looking", read.COMMANDS),
    ("Acting", write.COMMANDS),
    ("Launches", launches.COMMANDS),
    ("Storage", backup.COMMANDS),
)


class _Commands(click.Group):
    """All commands: listed by group, and their errors told as a person (or a program) reads them."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command; raises CommandError for what launchd raises on purpose."""
        try:
            return super().invoke(ctx)
        except LaunchdError as error:
            raise command_error(error, as_json=ctx.ensure_object(CommandContext).json) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; raises click.UsageError with the nearest one."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"no command {name}; {suggestion(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each group under its name, in its own order."""
        width = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        for title, commands in _GROUPS:
            with formatter.section(title):
                formatter.write_dl([(one.name or "", one.get_short_help_str(width)) for one in commands])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@common
def cli() -> None:
    """Track space launches: one daemon, one socket."""


for _, _commands in _GROUPS:
    for _command in _commands:
        cli.add_command(_command)


def main() -> None:
    """The console script."""
    try:
        cli(obj=CommandContext(), prog_name="launchd")
    except SystemExit as end:
        if isinstance(end.code, str):  # a message, which the interpreter shows
            raise
        leave(end.code or 0)
