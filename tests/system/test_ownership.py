"""Root in another user's directory: whatever its owner has put there, root's own files stay as they are."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd import sql
from launchd.admin.http.listen import listen_unix, load_token
from launchd.backup.archive import verify
from launchd.backup.backup import BackupRules, Backups, write
from launchd.backup.offline import back_up_offline
from launchd.backup.restore import restore
from launchd.clock import parse_instant
from launchd.config import read_secret
from launchd.db.connection import connect, migrate
from launchd.errors import AlreadyRunningError, ConfigError, LaunchdError, StoreError
from launchd.system.ownership import acting_for, make_directory, open_directory, open_regular, replacing
from launchd.system.state_directory import hold
from launchd.testing import VirtualClock
from tests.support.daemon_process import Installation
from tests.support.hosted_daemon import hosted, quiet_config

AT = "2026-01-01T00:00:00Z"
NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")
NAMES = [f"{kind}.db{end}" for kind in ("jobs", "launches") for end in ("", "-wal", "-shm", "-journal", ".restored")]
NAMES += ["daemon.lock", "restore.partial", "backup.tar.gz", "backup.tar.gz.partial", "backups", "admin.token"]
TRAPS = ["symlink", "dangling", "up", "hardlink", "fifo", "directory"]
SECRET = b"root's own words\n"


def fresh_state(directory: Path) -> Path:
    """A state directory with both databases."""
    directory.mkdir(mode=0o700)
    for kind in ("jobs", "launches"):
        database = connect(directory / f"{kind}.db")
        migrate(database, sql.migrations(kind))
        database.close()
    return directory


def give(directory: Path, uid: int) -> None:
    for one in (directory, *directory.iterdir()):
        os.lchown(one, uid, uid)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("archive")
    write(fresh_state(work / "state"), work / "all.tar.gz", version="1", created_at=AT)
    return work / "all.tar.gz"


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory of another user, who has access to it."""
    with TemporaryDirectory(prefix="launchd-other-") as place:
        Path(place).chmod(0o711)
        directory = fresh_state(Path(place) / "state")
        give(directory, NOBODY)
        yield directory


def lay(trap: str, place: Path, victim: Path) -> None:
    """Make a trap with a name, as the owner of the directory."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    match trap:
        case "symlink":
            place.symlink_to(victim)
        case "dangling":
            place.symlink_to(victim.with_name("made"))
        case "up":
            place.symlink_to(victim.parent)
        case "hardlink":
            place.hardlink_to(victim)
        case "fifo":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
    if trap != "hardlink":
        os.lchown(place, NOBODY, NOBODY)


def seen(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """All files of a directory with content, mode and owner."""
    return {one.name: (one.read_bytes(), one.stat().st_mode, one.stat().st_uid) for one in sorted(directory.iterdir())}


def offline(state: Path, target: Path) -> None:
    with replacing(target) as file:
        back_up_offline(state, file, version="1", created_at=AT)


@root_only
@pytest.mark.parametrize("name", NAMES)
def test_a_link_under_any_name_in_a_state_directory_leads_root_to_no_other_file(archive: Path, name: str) -> None:
    for trap in ("symlink", "hardlink"):
        withstood(archive, {name: trap})


@root_only
@pytest.mark.parametrize("trap", TRAPS)
def test_a_lock_of_any_kind_leads_root_to_no_other_file(archive: Path, trap: str) -> None:
    withstood(archive, {"daemon.lock": trap})


@root_only
@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TRAPS), min_size=3))
@settings(max_examples=20, deadline=None)
def test_no_traps_in_a_state_directory_lead_root_to_another_file(archive: Path, traps: dict[str, str]) -> None:
    withstood(archive, traps)


def withstood(archive: Path, traps: dict[str, str]) -> None:
    """Expect that all commands of root in a directory with these traps leave root's own files as they are."""
    with TemporaryDirectory() as place:
        safe, state = Path(place) / "safe", Path(place) / "state"
        safe.mkdir()
        victim = safe / "victim"
        victim.write_bytes(SECRET)
        fresh_state(state)
        give(state, NOBODY)
        for name, trap in traps.items():
            lay(trap, state / name, victim)
        before = seen(safe)
        for act in acts(archive, state, Path(place) / "out.tar.gz"):
            with suppress(LaunchdError, OSError):  # refused; the command line puts an OSError into words
                act()
            assert seen(safe) == before, act
            assert state.stat().st_uid == NOBODY


def acts(archive: Path, state: Path, target: Path) -> list[Callable[[], object]]:
    """All commands that root may run on a state directory."""
    rules = BackupRules(state / "backups", 1, 0)
    return [
        lambda: asyncio.run(restore(archive, state, parse_instant(AT))),
        lambda: offline(state, target),
        lambda: offline(state, state / "backup.tar.gz"),
        lambda: asyncio.run(restore(state / "backup.tar.gz", state, parse_instant(AT) + 1)),
        lambda: Backups(state, lambda: rules, version="1", clock=VirtualClock()).take(),
        lambda: asyncio.run(started(state)),
    ]


async def started(state: Path) -> None:
    async with hosted(quiet_config(state)):
        pass


@root_only
def test_files_that_root_restores_or_backs_up_belong_to_the_owner_of_the_directory(
    archive: Path, state: Path, tmp_path: Path
) -> None:
    done = asyncio.run(restore(archive, state, parse_instant(AT)))
    assert done.kept is not None
    made = list(state.rglob("*"))
    assert {one.stat().st_uid for one in made} == {NOBODY}
    assert {stat.S_IMODE(one.stat().st_mode) & 0o077 for one in made if "restore" not in one.parent.name} == {0}
    target = tmp_path / "all.tar.gz"
    offline(state, target)
    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (0, 0o600)
    verify(target)


@root_only
def test_a_database_that_is_a_link_to_roots_is_not_backed_up(state: Path, tmp_path: Path) -> None:
    secret = fresh_state(tmp_path / "roots")
    (state / "jobs.db").unlink()
    (state / "jobs.db").symlink_to(secret / "jobs.db")
    with pytest.raises(StoreError, match="cannot be backed up"):
        offline(state, tmp_path / "all.tar.gz")
    assert not (tmp_path / "all.tar.gz").exists()


@root_only
def test_root_neither_reads_nor_writes_an_archive_through_another_users_link(
    archive: Path, state: Path, tmp_path: Path
) -> None:
    (state / "mine.tar.gz").symlink_to(archive)
    os.lchown(state / "mine.tar.gz", NOBODY, NOBODY)
    with pytest.raises(LaunchdError, match="belongs to nobody, and root does not follow it"):
        asyncio.run(restore(state / "mine.tar.gz", state, parse_instant(AT)))
    (state / "out").symlink_to(tmp_path)
    os.lchown(state / "out", NOBODY, NOBODY)
    with pytest.raises(OSError, match="root does not follow it"):
        offline(state, state / "out" / "all.tar.gz")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "latest").symlink_to(archive)  # root's own links lead where root wants them to
    assert asyncio.run(restore(tmp_path / "latest", state, parse_instant(AT))).directory == state


@root_only
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_root_works_in_no_directory_of_another_user_that_others_may_write(
    archive: Path, state: Path, mode: int, tmp_path: Path
) -> None:
    state.chmod(mode)
    for act in (
        lambda: asyncio.run(restore(archive, state, parse_instant(AT))),
        lambda: offline(state, tmp_path / "x"),
    ):
        with pytest.raises(StoreError, match=r"others may write in it \(mode \d{4}\): chmod 700"):
            act()
    with pytest.raises(StoreError, match="belongs to nobody, and root does not use it"):
        asyncio.run(started(state))
    assert stat.S_IMODE(state.stat().st_mode) == mode
    assert not (state / "daemon.lock").exists()


@root_only
def test_root_binds_its_socket_in_no_directory_of_another_user(state: Path) -> None:
    with pytest.raises(ConfigError, match="belongs to nobody"):
        listen_unix(state / "admin.sock", 0o660)
    assert not (state / "admin.sock").exists()


@root_only
def test_a_directory_is_made_with_the_rights_of_the_owner_of_the_one_above(state: Path) -> None:
    handle = make_directory(state / "a" / "b", for_owner=True)
    assert os.fstat(handle).st_uid == NOBODY
    os.close(handle)
    assert (state / "a").stat().st_uid == NOBODY
    with pytest.raises(PermissionError, match="belongs to nobody"):
        make_directory(state / "c")


@root_only
def test_acting_for_an_owner_gives_up_every_group_and_comes_back(state: Path) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    handle = open_directory(state)
    with acting_for(handle):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (NOBODY, NOBODY, [])
        with pytest.raises(PermissionError):
            os.open("/etc/shadow", os.O_RDONLY)
    os.close(handle)
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@root_only
def test_root_reads_no_secret_and_makes_no_token_through_another_users_link(state: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 40)
    secret.chmod(0o600)
    lay("symlink", state / "token", secret)
    lay("fifo", state / "fifo", secret)
    for name in ("token", "fifo"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_secret(str(state / name))
        with pytest.raises(ConfigError, match="cannot be read"):
            load_token(str(state / name))
    with pytest.raises(ConfigError, match="belongs to nobody"):
        load_token(str(state / "new"))
    assert read_secret(str(secret)) == load_token(str(secret)) == "x" * 40


# --- for any user ---


def test_a_secret_is_a_small_file(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(ConfigError, match="longer than"):
        read_secret(str(tmp_path / "large"))
    with pytest.raises(ConfigError, match="not a regular file"):
        read_secret("/dev/zero")


def test_a_state_directory_that_others_could_read_is_closed_and_its_files_too(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o750)
    state.chmod(0o750)
    (state / "jobs.db").touch(0o644)
    with hold(state) as held:
        assert held.was == 0o750
    assert {stat.S_IMODE(one.stat().st_mode) for one in state.iterdir()} == {0o600}
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    with hold(state) as held:
        assert held.was is None


def test_a_file_with_another_name_in_a_directory_that_others_could_write_is_refused(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    state.chmod(0o777)
    elsewhere.write_bytes(SECRET)
    (state / "jobs.db").hardlink_to(elsewhere)
    with pytest.raises(StoreError, match="check it, remove it"), hold(state):
        pass
    assert elsewhere.read_bytes() == SECRET


@pytest.mark.parametrize("trap", ["symlink", "dangling", "fifo", "directory"])
def test_a_lock_file_that_is_not_a_regular_file_is_refused_in_words(tmp_path: Path, trap: str) -> None:
    state, victim = tmp_path / "state", tmp_path / "victim"
    state.mkdir(mode=0o700)
    victim.write_bytes(SECRET)
    if os.geteuid() == 0:
        lay(trap, state / "daemon.lock", victim)
    else:
        pytest.skip("gives files away")
    with pytest.raises(StoreError, match="not a regular file"), hold(state):
        pass
    assert victim.read_bytes() == SECRET


def test_a_lock_with_a_second_name_is_made_anew_and_a_held_one_is_not(tmp_path: Path) -> None:
    state, victim = tmp_path / "state", tmp_path / "victim"
    state.mkdir(mode=0o700)
    victim.write_bytes(SECRET)
    (state / "daemon.lock").hardlink_to(victim)
    with hold(state):
        assert victim.read_bytes() == SECRET
        with pytest.raises(AlreadyRunningError, match=f"pid {os.getpid()}"), hold(state):
            pass


def test_the_pid_of_a_directorys_holder_is_a_number_or_unknown(tmp_path: Path) -> None:
    with hold(tmp_path / "state"):
        (tmp_path / "state" / "daemon.lock").write_text("\x1b[31mred")
        with pytest.raises(AlreadyRunningError, match="pid unknown"), hold(tmp_path / "state"):
            pass


def test_a_fifo_is_refused_as_an_archive_without_a_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path / "fifo")


def test_a_new_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(SECRET)
    target.symlink_to(other)
    with suppress(ZeroDivisionError), replacing(target) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "other"]
    with replacing(target) as file:
        file.write(b"whole")
    assert (target.read_bytes(), other.read_bytes(), target.is_symlink()) == (b"whole", SECRET, False)


def test_everything_that_a_daemon_makes_is_its_owners_alone(tmp_path: Path) -> None:
    installation = Installation(tmp_path, "", admin='tcp = "127.0.0.1:0"')
    with installation.running():
        installation.text("trigger", "backup", "--wait")
    files = [one for one in installation.state.rglob("*") if not one.is_socket()]
    assert {"jobs.db", "launches.db", "daemon.lock", "admin.token"} <= {one.name for one in files}
    assert [one for one in (installation.state, *files) if one.stat().st_mode & 0o077] == []
