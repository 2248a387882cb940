"""Operating the process: health, metrics, reload, systemd and the watchdog."""
