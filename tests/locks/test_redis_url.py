"""The address of the lock server: every valid form, and the refusals of others."""

import pytest

from launchd import config
from launchd.errors import ConfigError, InvalidError
from launchd.locks.redis_url import Kind, RedisUrl, parse_redis_url

S, W, C = Kind.SERVER, Kind.SENTINEL, Kind.CLUSTER
AB = (("a", 26379), ("b", 26380))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://", RedisUrl(S, (("localhost", 6379),))),
        ("redis://a", RedisUrl(S, (("a", 6379),))),
        ("redis://a:7/3", RedisUrl(S, (("a", 7),), database=3)),
        ("redis://a?db=3", RedisUrl(S, (("a", 6379),), database=3)),
        ("redis://[::1]:7/", RedisUrl(S, (("::1", 7),))),
        ("redis://me@a", RedisUrl(S, (("a", 6379),), username="me")),
        ("redis://me:p%40ss@a", RedisUrl(S, (("a", 6379),), username="me", password="p@ss")),
        ("redis://:secret@a", RedisUrl(S, (("a", 6379),), password="secret")),
        ("rediss://a/1", RedisUrl(S, (("a", 6379),), database=1, tls={})),
        (
            "rediss://a?ssl_ca_certs=/x.pem&ssl_check_hostname=no",
            RedisUrl(S, (("a", 6379),), tls={"ssl_ca_certs": "/x.pem", "ssl_check_hostname": False}),
        ),
        ("unix:///run/v.sock", RedisUrl(S, (), "/run/v.sock")),
        ("unix://me@/run/v.sock?db=2", RedisUrl(S, (), "/run/v.sock", username="me", database=2)),
        ("redis+sentinel://a,b:26380/main", RedisUrl(W, AB, master="main")),
        ("redis+sentinel://me@a,b:26380/main/2", RedisUrl(W, AB, master="main", database=2, username="me")),
        ("redis+sentinel://a,[::2]/m", RedisUrl(W, (("a", 26379), ("::2", 26379)), master="m")),
        (
            "rediss+sentinel://a/m?sentinel_user=watch&ssl_ca_certs=/x.pem",
            RedisUrl(W, AB[:1], master="m", sentinel_username="watch", tls={"ssl_ca_certs": "/x.pem"}),
        ),
        ("redis+cluster://a,b:7", RedisUrl(C, (("a", 6379), ("b", 7)))),
        ("redis+cluster://a/0", RedisUrl(C, (("a", 6379),))),
        ("rediss+cluster://me@a", RedisUrl(C, (("a", 6379),), username="me", tls={})),
    ],
)
def test_every_form_of_an_address_is_understood(text: str, expected: RedisUrl) -> None:
    assert parse_redis_url(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://a", "expected a URL with redis://"),
        ("localhost:6379", "expected a URL with redis://"),
        ("redis://a/b", "number of a database, got 'b'"),
        ("redis://a/1/2", "at most a number after the host"),
        ("redis://a:0", "HOST or HOST:PORT, got 'a:0'"),
        ("redis://a:99999", "HOST or HOST:PORT, got 'a:99999'"),
        ("redis://a,b", "redis+sentinel:// or redis+cluster://"),
        ("redis://a?retry_on_timeout=yes", "no such option retry_on_timeout; known here: db"),
        ("redis://a?ssl_ca_certs=/x", "ssl_ca_certs is an option of TLS: use rediss://"),
        ("rediss://a?ssl_check_hostname=perhaps", "ssl_check_hostname: expected yes or no"),
        ("rediss://a?ssl_ca_certs=", "ssl_ca_certs: expected a value"),
        ("unix://", "expected a path after unix://"),
        ("unix://run/v.sock", "expected a path after unix://"),
        ("redis+sentinel://a", "expected /MASTER or /MASTER/DB"),
        ("redis+sentinel://a/", "expected /MASTER or /MASTER/DB"),
        ("redis+sentinel://a/m/x", "number of a database, got 'x'"),
        ("redis+sentinel://a/m/1/2", "expected /MASTER or /MASTER/DB"),
        ("redis+sentinel:///m", "HOST or HOST:PORT, separated by commas, got ''"),
        ("redis+sentinel://a,,b/m", "HOST or HOST:PORT, separated by commas, got ''"),
        ("redis+cluster://a/1", "one database only"),
        ("redis+cluster://a?sentinel_user=x", "no such option sentinel_user"),
    ],
)
def test_an_invalid_address_is_refused_with_the_expected_form(text: str, reason: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_redis_url(text)
    assert reason in caught.value.detail


@pytest.mark.parametrize("text", ["redis://me:hunter2@a b", "redis://me:hun@ter2@a", "http://me:hunter2@a"])
def test_a_refusal_of_an_address_never_repeats_its_password(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_redis_url(text)
    assert "ter2" not in caught.value.detail


@pytest.mark.parametrize(
    ("table", "key", "reason"),
    [
        ('url = "redis+sentinel://a"', "redis.url", "expected /MASTER"),
        ('url = "redis://me:x@a"\npassword_file = "/p"', "redis.password_file", "remove one of them"),
        (
            'url = "redis://a"\nsentinel_password_file = "/p"',
            "redis.sentinel_password_file",
            "needs a url that begins with redis+sentinel",
        ),
        (
            'sentinel_password_file = "/p"',
            "redis.sentinel_password_file",
            "needs a url that begins with redis+sentinel",
        ),
    ],
)
def test_a_configuration_with_such_an_address_is_refused_with_its_key(table: str, key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(f"[redis]\n{table}")
    (problem,) = caught.value.errors
    assert problem.path == key
    assert reason in problem.message
