"""Keeping secrets out of the log: by the name of a value, by the form of a text, and by what the secrets are. Pure."""

import re
from collections.abc import Iterable
from typing import Any

MASK = "[redacted]"
# A shorter secret is not looked for in texts: it would be found everywhere.
MIN_SECRET = 6

_NAME = re.compile(r"(?i)(?:^|[_-])(?:token|password|passwd|secret|authorization|cookie|api_?key|credential)s?$")
_FORMS = (
    # the password of scheme://user:password@host; the last @ before the path ends it
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/?#:@]*:)[^\s/?#]+(?=@)"), r"\1" + MASK),
    # Authorization: Bearer abc, 'Authorization': 'Token abc'
    (
        re.compile(
            r"(?i)(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|digest|token)\s+)?)[^\s\"',;]+"
        ),
        r"\1" + MASK,
    ),
    (re.compile(r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"), r"\1" + MASK),
    # ?token=abc, "password": "abc", api_key=abc
    (
        re.compile(r"(?i)((?:token|password|passwd|secret|api_?key)[\"']?\s*[:=]\s*[\"']?)[^\s\"'&,;)}\]]+"),
        r"\1" + MASK,
    ),
)
# None of the forms can match a text without one of these: most lines are passed over quickly.
_HINT = re.compile(r"(?i)://|bearer|basic|authorization|token|passw|secret|api_?key")


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
        known = self._known
        if known is not None:
            text = known.sub(MASK, text)
        if _HINT.search(text):
            for pattern, replacement in _FORMS:
                text = pattern.sub(replacement, text)
        return text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any plain value
        """A plain value (text, number, list, dict) without its secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: MASK if _NAME.search(key) and inner else self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        return value
