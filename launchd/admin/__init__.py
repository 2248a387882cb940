"""The admin API: HTTP over a Unix socket and loopback TCP, for operators, the command line and the dashboard."""
