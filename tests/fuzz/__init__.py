"""Odd endings of tasks, on a real daemon: every job ends with a reason, and no other job is disturbed.

An *ending* is a plain description (JSON) of what a task does before it ends and of how it ends. `draw.py` draws one
from a random number generator, `acts.py`, `values.py` and `errors.py` carry it out inside the task, `daemon.py` is the
daemon that they run on, `judge.py` says what must hold afterwards.

    python -m tests.fuzz --count 20000 --seed 7       # exits 1 on any fault
    python -m tests.fuzz --seed 7 --only 4711         # one ending again
"""
