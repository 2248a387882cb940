"""No secret reaches the log, whatever way it gets into a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.ops.redact import MASK, Redactor

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"redis://user:{SECRET}@localhost:6379/0",
        f"redis://:{SECRET}@localhost",
        f"https://me:p@{SECRET}@example.org/path?x=1 was refused",
        f"Authorization: Token {SECRET}",
        f"headers {{'Authorization': 'Bearer {SECRET}', 'Accept': '*/*'}}",
        f"Proxy-Authorization: Basic {SECRET}",
        f"sent bearer {SECRET} to the source",
        f"GET /launches/?mode=list&token={SECRET}&limit=1",
        f'{{"password": "{SECRET}"}}',
        f"api_key={SECRET}, retrying",
    ],
)
def test_a_secret_is_masked_by_its_form(text: str) -> None:
    masked = Redactor().text(text)
    assert SECRET not in masked
    assert MASK in masked


def test_what_stands_around_a_secret_stays_readable() -> None:
    assert Redactor().text("redis://app:x@db:6379/0 is away") == f"redis://app:{MASK}@db:6379/0 is away"
    assert Redactor().text("GET /?token=abc&limit=1") == f"GET /?token={MASK}&limit=1"


@pytest.mark.parametrize(
    "text",
    [
        "https://ll.thespacedevs.com/2.3.0/launches/upcoming/?limit=100",
        "token_file /etc/token cannot be read",
        "scraping_task_lock was held by job 0199",
        "mail ops@example.org",
    ],
)
def test_a_text_without_secrets_is_not_touched(text: str) -> None:
    assert Redactor().text(text) == text


def test_a_value_is_masked_by_its_name_however_deep_it_lies() -> None:
    event = {
        "event": "x",
        "headers": [{"Authorization": "abc", "Accept": "json"}],
        "redis": {"password": "pw", "db": 0},
    }
    assert Redactor().value(event) == {
        "event": "x",
        "headers": [{"Authorization": MASK, "Accept": "json"}],
        "redis": {"password": MASK, "db": 0},
    }


@given(st.text(min_size=6), st.text(), st.text())
def test_a_known_secret_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    masked = Redactor([secret]).text(before + secret + after)
    assert MASK in masked
    assert secret not in masked.replace(MASK, "") or secret in (before + after) or secret in before + MASK + after
