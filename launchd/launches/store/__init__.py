"""Launches in launches.db: sightings, reconciled records, their history, conflicts and overrides.

`records` holds the values that are read and how rows become them, `writes` the changes inside a transaction, `ledger`
those of the slip ledger and the stated NETs, `launches` the store that others call.
"""

from launchd.launches.store.launches import LaunchStore
from launchd.launches.store.records import ChangedLaunch, Detail, LaunchPage, Ledger, OpenConflict, Record

__all__ = ["ChangedLaunch", "Detail", "LaunchPage", "LaunchStore", "Ledger", "OpenConflict", "Record"]
