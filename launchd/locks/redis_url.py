"""The address of the lock server, as `[redis] url` has it. Pure.

    redis://[USER@]HOST[:6379][/DB]                               one server; rediss:// under TLS
    unix://[USER@]/PATH[?db=DB]                                   one server, by its socket
    redis+sentinel://[USER@]HOST[:26379],HOST,.../MASTER[/DB]     the master that these Sentinels name
    redis+cluster://[USER@]HOST[:6379],HOST,...                   a Cluster, known by some of its nodes

rediss+sentinel:// and rediss+cluster:// use TLS, the former to Sentinels and servers alike. Options of the query:
`ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths), `ssl_check_hostname` (yes, no) under TLS; `sentinel_user` with
Sentinels; `db`.

redis:// and rediss:// are the URI schemes that IANA lists; the forms with +sentinel and +cluster follow them.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from launchd.errors import InvalidError

_FORM = re.compile(
    r"(?P<scheme>[a-z+]+)://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.%]+\]|[^\s:\[\]]+)(?::(?P<port>\d{1,5}))?")
_PATHS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_MAX_PORT = 65_535


class Kind(StrEnum):
    """The way to find the server that keeps the locks."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


# By scheme: the kind, the default port (None for a Unix socket), and True for TLS.
_SCHEMES: Mapping[str, tuple[Kind, int | None, bool]] = {
    "redis": (Kind.SERVER, 6379, False),
    "rediss": (Kind.SERVER, 6379, True),
    "unix": (Kind.SERVER, None, False),
    "redis+sentinel": (Kind.SENTINEL, 26_379, False),
    "rediss+sentinel": (Kind.SENTINEL, 26_379, True),
    "redis+cluster": (Kind.CLUSTER, 6379, False),
    "rediss+cluster": (Kind.CLUSTER, 6379, True),
}
_EXPECTED = "expected a URL with redis://, rediss://, unix://, redis[s]+sentinel:// or redis[s]+cluster://"


class RedisUrl(NamedTuple):
    """A checked address. `hosts` are (name, port): of the server, of the Sentinels, or of some nodes of a Cluster.

    `socket` is the path of a Unix socket, in place of `hosts`. `master` is the master's name in the Sentinels'
    configuration. `tls` has the options of TLS by redis-py's names; None without TLS.
    """

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    socket: str | None = None
    master: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = None
    sentinel_username: str | None = None
    tls: Mapping[str, str | bool] | None = None


def parse_redis_url(text: str) -> RedisUrl:
    """Read an address; raises InvalidError, whose detail never repeats the whole text: it may hold a password.

    >>> parse_redis_url("redis+sentinel://10.0.0.1,10.0.0.2/mymaster").hosts
    (('10.0.0.1', 26379), ('10.0.0.2', 26379))
    """
    form = _FORM.fullmatch(text)
    if form is None or form["scheme"] not in _SCHEMES:
        raise InvalidError(_EXPECTED)
    kind, port, secure = _SCHEMES[form["scheme"]]
    path, options = unquote(form["path"] or ""), _options(form["query"] or "", kind, secure=secure)
    username, _, password = (form["user"] or "").partition(":")
    master, database = ("", "") if port is None else _within(path, kind)
    return RedisUrl(
        kind,
        () if port is None else _hosts(form["hosts"], port, kind),
        _socket(form["hosts"], path) if port is None else None,
        master,
        _database(options.pop("db", database), kind),
        unquote(username) or None,
        unquote(password) or None,
        options.pop("sentinel_user", None),
        {name: value if name in _PATHS else _YES_NO[value] for name, value in options.items()} if secure else None,
    )


def _hosts(text: str, default: int, kind: Kind) -> tuple[tuple[str, int], ...]:
    if not text and kind is Kind.SERVER:
        return (("localhost", default),)
    found = []
    for one in text.split(","):
        match = _HOST.fullmatch(one)
        if match is None or not 1 <= int(match["port"] or default) <= _MAX_PORT:
            form = "HOST or HOST:PORT" if kind is Kind.SERVER else "HOST or HOST:PORT, separated by commas"
            raise InvalidError(f"expected {form}, got {one!r}")
        found.append((match["name"].strip("[]"), int(match["port"] or default)))
    if kind is Kind.SERVER and len(found) > 1:
        raise InvalidError("redis:// has one host; use redis+sentinel:// or redis+cluster:// for several")
    return tuple(found)


def _socket(host: str, path: str) -> str:
    if host or not path.strip("/"):
        raise InvalidError("expected a path after unix://, such as unix:///run/valkey/valkey.sock")
    return path


def _within(path: str, kind: Kind) -> tuple[str, str]:
    """The name of the master and the database in the path, each empty if absent."""
    parts = path.removeprefix("/").removesuffix("/").split("/") if path.strip("/") else []
    if kind is not Kind.SENTINEL:
        if len(parts) > 1:
            raise InvalidError(f"expected at most a number after the host, got {path!r}")
        return "", parts[0] if parts else ""
    if len(parts) not in {1, 2} or not parts[0]:
        raise InvalidError("expected /MASTER or /MASTER/DB after the Sentinels: the name by which they know the master")
    return parts[0], parts[1] if parts[1:] else ""


def _database(text: str, kind: Kind) -> int:
    if not re.fullmatch(r"\d{0,5}", text):
        raise InvalidError(f"expected the number of a database, got {text!r}")
    if kind is Kind.CLUSTER and int(text or 0) != 0:
        raise InvalidError("a Cluster has one database only: leave its number out")
    return int(text or 0)


def _options(query: str, kind: Kind, *, secure: bool) -> dict[str, str]:
    """The options of the query; raises InvalidError for an unknown or misplaced one."""
    known = ["db"]
    known += [*_PATHS, "ssl_check_hostname"] if secure else []
    known += ["sentinel_user"] if kind is Kind.SENTINEL else []
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in options.items():
        if name in {*_PATHS, "ssl_check_hostname"} and not secure:
            raise InvalidError(f"{name} is an option of TLS: use rediss://, rediss+sentinel:// or rediss+cluster://")
        if name not in known:
            raise InvalidError(f"no such option {name}; known here: {', '.join(known)}")
        if not value or (name == "ssl_check_hostname" and value not in _YES_NO):
            raise InvalidError(f"{name}: expected {'yes or no' if name == 'ssl_check_hostname' else 'a value'}")
    return options
