"""The folder of a process: made at the start, and held for as long as the process lives."""

import fcntl
import os
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import platformdirs

from p2pchat.errors import ConfigError, StartError
from p2pchat.text import visible

#: What to do about a folder that is held.
CHOOSE_ANOTHER = "choose another --name or --data-dir"

#: How much of the name of who holds a folder is told, in characters.
MAX_HOLDER = 200


def make_data_dir(option: str | None, me: str) -> Path:
    """Return the folder of this process, made if need be and closed to others.

    It is the one that the option names, else one for `me`, a peer's id or another program's name,
    among the user's. One that is there and was named is left as it is: all files in it are closed
    to others. Raises ConfigError.
    """
    default = platformdirs.user_data_path("p2pchat") / quote(me, safe=" @")
    path = Path(option).absolute() if option else default
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not option:
            _close_to_others(path)
    except OSError as error:
        raise ConfigError(f"data folder {path}: {error.strerror or error}") from error
    return path


def lock_data_dir(data_dir: Path, me: str, hint: str = CHOOSE_ANOTHER) -> IO[str]:
    """Hold the folder until the file returned is closed.

    Raises StartError with the hint if another process holds it, ConfigError if it can't be written
    to.
    """
    holder: str = me
    try:
        lock = open(data_dir / "lock", "a+", errors="replace", opener=_for_owner_alone)  # noqa: SIM115 - it is returned
        _close_to_others(lock.fileno())
        lock.seek(0)
        holder = visible(lock.readline(MAX_HOLDER).strip()) or me
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        # finds out now, while it can be said, whether the disk is full
        lock.write(f"{me}\n")
        lock.flush()
    except BlockingIOError as error:
        raise StartError(
            f"{holder} is running already with the data folder {data_dir}; {hint}"
        ) from error
    except OSError as error:
        raise ConfigError(f"data folder {data_dir}: {error.strerror or error}") from error
    return lock


def keep_pid(twistd: Any, data_dir: Path) -> None:
    """Have twistd, if it was not told otherwise, note its process id in a folder that we hold."""
    if twistd is not None and twistd.get("pidfile") == "twistd.pid":
        pidfile = data_dir / "twistd.pid"
        # nobody else runs here, as we hold the lock: what is left is of a crash
        pidfile.unlink(missing_ok=True)
        twistd["pidfile"] = str(pidfile)


def _for_owner_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _close_to_others(place: Path | int) -> None:
    """Let nobody else in, if it is ours to say so."""
    status = os.stat(place)
    if status.st_mode & 0o077 and status.st_uid == os.getuid():
        os.chmod(place, status.st_mode & 0o700)
