"""Gives a test the folder of the project, and that of the recorded payloads beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
