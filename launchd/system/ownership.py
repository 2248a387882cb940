"""Files and directories of other users: opened by handle, and changed only with their owner's rights.

A link may lead root into any file. So for root each part of a path is opened by itself (O_NOFOLLOW, open(2)), and a
link is followed only if root owns it. In another user's directory root acts as that user: a link that the owner puts
there then opens only files that the owner could open anyway. For all other users the kernel's own checks are enough.
"""

import errno
import os
import pwd
import secrets
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_MAX_LINKS = 40  # the kernel's limit, see path_resolution(7)
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_directory(path: Path) -> int:
    """A handle of an existing directory. Raises OSError, also if root would follow another user's link."""
    return _open(path, os.O_RDONLY | os.O_DIRECTORY)


def open_regular(path: Path) -> IO[bytes]:
    """A regular file, open to read. Raises OSError, also for a FIFO or a device, whose read might never return."""
    handle = _open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(handle, "rb")


def make_directory(path: Path, mode: int = 0o700, *, for_owner: bool = False) -> int:
    """A handle of a directory, which is made with its parents if it does not exist.

    With `for_owner`, root makes a directory below another user's as that user (see `acting_for`). Without it, root gets
    PermissionError for another user's directory. Raises OSError.
    """
    try:
        handle = open_directory(path)
    except FileNotFoundError:
        if not path.name:
            raise
        above = make_directory(path.absolute().parent, mode, for_owner=for_owner)
        try:
            with acting_for(above):
                os.mkdir(path.name, mode, dir_fd=above)
        except FileExistsError:  # another program has just made it
            pass
        finally:
            os.close(above)
        handle = open_directory(path)
    owner = os.fstat(handle).st_uid
    if os.geteuid() == 0 and owner != 0 and not for_owner:
        os.close(handle)
        raise PermissionError(
            errno.EPERM, f"{path} belongs to {user_name(owner)}, and root does not use it: run launchd as that user"
        )
    return handle


@contextmanager
def acting_for(handle: int) -> Iterator[None]:
    """Let root act as the owner of an open directory while the body runs; for other users nothing changes.

    It changes the user of the whole process (seteuid(2)): use it only while no other thread works. Raises OSError if
    root may not change its user.
    """
    owner = os.fstat(handle)
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    try:
        os.setgroups([])
        os.setegid(_group_of(owner))
        os.seteuid(owner.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file of mode 0600 that gets the name `path` once the body has succeeded and the data is on disk.

    All steps use one handle of the directory, so a link at `path` is replaced and not followed. Raises OSError.
    """
    directory = open_directory(path.absolute().parent)
    name = f".{path.name[:200]}.{secrets.token_hex(8)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "w+b") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(name, path.name, src_dir_fd=directory, dst_dir_fd=directory)
                os.fsync(directory)
            except BaseException:
                _forget(name, directory)
                raise
    finally:
        os.close(directory)


def user_name(uid: int) -> str:
    """The name of a user, or "uid 1234" for a user without one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _forget(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _group_of(owner: os.stat_result) -> int:
    """The group to act with: the user's own, never root's."""
    try:
        group = pwd.getpwuid(owner.st_uid).pw_gid
    except KeyError:
        group = owner.st_gid
    return group or owner.st_uid


def _open(path: Path, flags: int) -> int:
    if os.geteuid() != 0:
        return os.open(path, flags | os.O_CLOEXEC)
    left = deque(path.absolute().parts[1:])
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    links = 0
    try:
        while left:
            name = left.popleft()
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            if not stat.S_ISLNK(os.fstat(found).st_mode):
                os.close(here)
                here = found
                continue
            try:
                target = _target(found)
            finally:
                os.close(found)
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            left.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
            if target.is_absolute():
                os.close(here)
                here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if flags & os.O_DIRECTORY:
            return os.open(".", flags | os.O_CLOEXEC, dir_fd=here)
        # opens the file of this handle, even if its name leads to another file by now
        return os.open(f"/proc/self/fd/{here}", flags | os.O_CLOEXEC)
    finally:
        os.close(here)


def _target(link: int) -> Path:
    """The target of a link that root owns; raises OSError for another user's link."""
    owner = os.fstat(link).st_uid
    if owner != 0:
        raise OSError(
            errno.ELOOP,
            f"a link in the path belongs to {user_name(owner)}, and root does not follow it: remove the link",
        )
    return Path(os.readlink("", dir_fd=link))
