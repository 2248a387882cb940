"""When jobs are due: cron, intervals and calendars in every time zone. Pure, without I/O."""
