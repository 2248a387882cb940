"""Where things lie: the project itself, and the recorded payloads beside it that are no part of it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
