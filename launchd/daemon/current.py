"""What parts of the engine ask of the configuration in force, each time they need it: a reload needs not tell them."""

from launchd.alerts.rules import Rule
from launchd.alerts.store import Limits
from launchd.backup.backup import BackupRules
from launchd.engine.builtin import Keeping
from launchd.ops.reload import InForce


class Current:
    """Readings of the configuration in force. May be asked from any thread."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def keeping(self) -> Keeping:
        """How long ended things are kept."""
        daemon = self._in_force.config.daemon
        return Keeping(
            daemon.keep_succeeded_days, daemon.keep_failed_days, daemon.keep_ledger_days, daemon.keep_audit_days
        )

    def backups(self) -> BackupRules:
        """Where scheduled backups go, and how many stay."""
        config = self._in_force.config
        return BackupRules(config.backup_directory, config.daemon.keep_backup_files, config.daemon.minimum_free_mib)

    def alerts(self) -> Limits:
        """Which alerts are wanted, and how many."""
        alerts = self._in_force.config.alerts
        return Limits(frozenset(rule for rule in Rule if getattr(alerts.rules, rule.value, False)), alerts.max_per_hour)

    def minimum_free_mib(self) -> int:
        """What must be left on the disk."""
        return self._in_force.config.daemon.minimum_free_mib

    def stall_kill_seconds(self) -> float:
        """For how long a loop may be blocked."""
        return self._in_force.config.daemon.stall_kill_seconds
