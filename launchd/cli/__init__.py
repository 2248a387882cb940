"""The command line. Exit codes: 0 success, 1 failure, 2 wrong usage, 3 the daemon cannot be reached.

Each group of commands is a module with its `COMMANDS`. Output for programs (`--json`) goes to standard output alone;
errors and progress go to standard error. Only `run`, `check` and `demo` import the engine, and only output on a
terminal imports the drawing library: so all other commands start fast.
"""

from typing import Any

import click

from launchd import __version__
from launchd.cli.commands import backup, feeds, launches, next_launch, read, run, write
from launchd.cli.context import CommandContext, common
from launchd.cli.errors import command_error, suggestion
from launchd.errors import InvalidError, LaunchdError
from launchd.system.exit import leave

__all__ = ["CommandContext", "cli", "main"]
_GROUPS = (
    ("Daemon", run.COMMANDS),
    ("Inspect", read.COMMANDS),
    ("Control", write.COMMANDS),
    ("Launches", (*launches.COMMANDS, *next_launch.COMMANDS, *feeds.COMMANDS)),
    ("Backup", backup.COMMANDS),
)


class _Commands(click.Group):
    """All commands, listed by group; their errors are printed for people, or as JSON for programs."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command; raises CommandError for an error of launchd."""
        try:
            return super().invoke(ctx)
        except LaunchdError as error:
            raise command_error(error, as_json=ctx.ensure_object(CommandContext).json) from error
        except UnicodeEncodeError as error:  # of an argument in a path, a query or a body of the daemon's API
            if error.encoding != "utf-8":
                raise
            refused = InvalidError(f"an argument is not UTF-8 text: {error.object[:100]!r}")
            raise command_error(refused, as_json=ctx.ensure_object(CommandContext).json) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of this name; raises click.UsageError with the nearest name."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"no command {name}; {suggestion(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print each group under its title."""
        width = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        for title, commands in _GROUPS:
            with formatter.section(title):
                formatter.write_dl([(one.name or "", one.get_short_help_str(width)) for one in commands])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@common
def cli() -> None:
    """A job daemon for space launch data, and its control."""


for _, _commands in _GROUPS:
    for _command in _commands:
        cli.add_command(_command)


def main() -> None:
    """The console script."""
    try:
        cli(obj=CommandContext(), prog_name="launchd")
    except SystemExit as end:
        if isinstance(end.code, str):  # a message, which the interpreter prints
            raise
        leave(end.code or 0)
