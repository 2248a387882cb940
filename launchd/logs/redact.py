"""Keeping secrets out of the log: by the name of a value, by the form of a text, and by what the secrets are. Pure.

Every text is masked in time that grows with its length and no faster, since a task may log anything and the
interpreter is held meanwhile. Two rules make that sure (tests/logs/test_redact.py checks them): each repetition without
a limit is possessive, so nothing is tried twice; and before the last part of a pattern only white space is repeated, so
that what one attempt has passed over never is the beginning of another.
"""

import re
from collections.abc import Iterable
from typing import Any

MASK = "[redacted]"
# A shorter secret is not looked for in texts: it would be found everywhere.
MIN_SECRET = 6
# Of a secret that the end of a cut text has broken off, so many characters are enough to be masked.
MIN_PART = 3

NAME = re.compile(r"(?i)(?:^|[_-])(?:token|password|passwd|secret|authorization|cookie|api_?key|credential)s?$")
FORMS = (
    # Authorization: Bearer abc, 'Authorization': 'Token abc'
    re.compile(
        r"(?i)(\b(?:proxy-)?authorization[\"']?\s*+[:=]\s*+[\"']?(?:(?:bearer|basic|digest|token)\s++)?)[^\s\"',;]++"
    ),
    re.compile(r"(?i)(\b(?:bearer|basic)\s++)[\w.~+/=-]{8,}+"),
    # ?token=abc, "password": "abc", api_key=abc
    re.compile(r"(?i)((?:token|password|passwd|secret|api_?key)[\"']?\s*+[:=]\s*+[\"']?)[^\s\"'&,;)}\]]++"),
)
# None of the forms can match a text without one of these: most lines are passed over quickly.
HINT = re.compile(r"(?i)bearer|basic|authorization|token|passw|secret|api_?key")
# What ends the part of an address that may hold a password.
_END_OF_AUTHORITY = re.compile(r"[\s/?#]")
# How the log ends a text that was too long (launchd/logs/setup.py).
CUT = re.compile(r"\.\.\. \[cut: \d{1,20} bytes\]\Z")


class Redactor:
    """Masks secrets in plain values. `known` are the secrets themselves, masked wherever they appear."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(known)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these as well. May be called from any thread."""
        self._secrets |= {secret for secret in secrets if len(secret) >= MIN_SECRET}
        long = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long))) if long else None

    def text(self, text: str) -> str:
        """A text without its secrets."""
        end = CUT.search(text, max(0, len(text) - 64))
        if end is not None:
            return self._whole(text[: end.start()], cut=True) + end[0]
        return self._whole(text, cut=False)

    def _whole(self, text: str, *, cut: bool) -> str:
        known = self._known
        if known is not None:
            text = known.sub(MASK, text)
            text = self._without_part(text) if cut else text
        if "://" in text:
            text = _without_passwords(text, cut=cut)
        if HINT.search(text):
            for pattern in FORMS:
                text = pattern.sub(rf"\1{MASK}", text)
        return text

    def _without_part(self, text: str) -> str:
        """A text that was cut, without the beginning of a secret at its end."""
        longest = max((_overlap(text, secret) for secret in self._secrets), default=0)
        return text[:-longest] + MASK if longest >= MIN_PART else text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any plain value
        """A plain value (text, number, list, dict) without its secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: MASK if NAME.search(key) and inner else self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        return value


def _overlap(text: str, secret: str) -> int:
    """How many characters of a secret stand at the end of a text, less than all of it."""
    return next((size for size in range(min(len(secret) - 1, len(text)), 0, -1) if text.endswith(secret[:size])), 0)


def _without_passwords(text: str, *, cut: bool) -> str:
    """The password of each scheme://user:password@host masked; the last @ before the path ends it.

    Where the text was `cut` the @ may be missing. Each character is looked at a fixed number of times.
    """
    parts, done = [], 0
    while (start := text.find("://", done)) >= 0:
        start += 3
        found = _END_OF_AUTHORITY.search(text, start)
        end = found.start() if found is not None else len(text)
        at = text.rfind("@", start, end)
        if at < 0 and cut and end == len(text):
            at = end
        colon = text.find(":", start, max(at, start))
        if _has_scheme(text, start - 3) and 0 <= colon < at - 1:
            parts += [text[done : colon + 1], MASK, text[at:end]]
        else:
            parts.append(text[done:end])
        done = end
    return "".join([*parts, text[done:]])


def _has_scheme(text: str, end: int) -> bool:
    return end > 0 and (text[end - 1].isalnum() or text[end - 1] in "+.-")
