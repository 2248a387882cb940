"""Masks secrets in the log: by the name of a value, by the form of a text, and by the known secrets themselves. Pure.

Masking takes time in proportion to the length of a text, because a task may log anything and the interpreter lock is
held meanwhile. Two rules guarantee that, and tests/logs/test_redact.py checks them: each unlimited repetition is
possessive, so nothing is tried twice; and before the last part of a pattern only white space is repeated, so that text
which one attempt has passed cannot begin another attempt.
"""

import re
from collections.abc import Iterable
from typing import Any

MASK = "[redacted]"
# Shorter secrets are not masked in texts: they would match everywhere.
MIN_SECRET = 6
# If a cut went through a secret, a rest of at least this many characters is masked.
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
    # /feeds/abc/launches.ics: the address of a feed
    re.compile(r"(/feeds/)[\w-]{20,}+"),
)
# Each form needs one of these words: most lines are done after this search.
HINT = re.compile(r"(?i)bearer|basic|authorization|token|passw|secret|api_?key|/feeds/")
# The end of the part of a URL that may hold a password (RFC 3986 §3.2).
_END_OF_AUTHORITY = re.compile(r"[\s/?#]")
# The end of a text that `values.plain.bounded` has cut.
CUT = re.compile(r"\.\.\. \[cut: \d{1,20} bytes\]\Z")


class Redactor:
    """Masks secrets in plain values. `known` secrets are masked wherever they appear.

    >>> Redactor(["open-sesame"]).text("the word is open-sesame; token=abc")
    'the word is [redacted]; token=[redacted]'
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(known)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these secrets as well. May be called from any thread."""
        self._secrets |= {secret for secret in secrets if len(secret) >= MIN_SECRET}
        long = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long))) if long else None

    def text(self, text: str) -> str:
        """The text with its secrets masked."""
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
        """A cut text with the beginning of a secret at its end masked."""
        longest = max((_overlap(text, secret) for secret in self._secrets), default=0)
        return text[:-longest] + MASK if longest >= MIN_PART else text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any plain value
        """A plain value (text, number, list, dict) with its secrets masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: MASK if NAME.search(key) and inner else self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        return value


def _overlap(text: str, secret: str) -> int:
    """The number of characters of a secret's beginning that are at the end of a text, less than the whole secret."""
    return next((size for size in range(min(len(secret) - 1, len(text)), 0, -1) if text.endswith(secret[:size])), 0)


def _without_passwords(text: str, *, cut: bool) -> str:
    """The text with the password of each scheme://user:password@host masked; the last @ before the path ends it.

    In a `cut` text the @ may be missing. Each character is read a fixed number of times.
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
