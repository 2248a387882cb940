"""`python -m launchd`."""

from launchd.cli import main

main()
