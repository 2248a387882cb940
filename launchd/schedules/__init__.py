"""Schedules: when jobs are due, by cron expressions and intervals in any time zone. Pure, without I/O.

- schedule: a schedule and its plan: the verdict on each occurrence (fired, missed, coalesced, paused)
- recurrence: cron, a fixed interval or each start, with the same three questions
- cron: a cron expression in a time zone, with the rules for clock changes
- guard: a whole expression read and checked; fields: one field of it; wall: the times of a local calendar it matches
- zones: a time zone as pieces of constant offset
- dialects: suggestions for expressions of other programs; words: an expression in plain English
- tighten: additional fires while a launch is near
"""
