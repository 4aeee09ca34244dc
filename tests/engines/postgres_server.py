"""A real PostgreSQL server for the tests: an unprivileged user's, on a free port of the loopback address."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PASSWORD = "pass%word of the tests"
_USER = "planner"


class NoPostgreSQL(Exception):  # noqa: N818
    """The machine has no PostgreSQL server to start."""


class PostgresServer:
    """A fresh server without data; `url` leads to it, password included. Raises NoPostgreSQL."""

    def __init__(self) -> None:
        self._bin = _binaries()
        self._home = Path(tempfile.mkdtemp(prefix="contactplan-postgres-"))
        self._data = self._home / "data"
        self._as = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        if self._as:
            shutil.chown(self._home, **self._as)
        secret = self._home / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        # Not the C collation: the order of texts must not depend on it.
        self._call(
            "initdb", "--pgdata", self._data, "--username", _USER, "--pwfile", secret, "--encoding", "UTF8",
            "--auth", "scram-sha-256", "--locale-provider", "icu", "--icu-locale", "en-US",
            "--locale", "C.UTF-8", "--no-sync",
        )  # fmt: skip
        self.port = _free_port()
        self.start()

    @property
    def url(self) -> str:
        password = PASSWORD.replace("%", "%25").replace(" ", "%20")
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= "
            "-c fsync=off -c max_connections=20 -c shared_buffers=64MB"
        )
        log = self._home / "log"
        self._call("pg_ctl", "start", "--wait", "--pgdata", self._data, "--log", log, "--options", settings)

    def stop(self, mode: str = "immediate") -> None:
        self._call("pg_ctl", "stop", "--wait", "--pgdata", self._data, "--mode", mode)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _call(self, program: str, *words: str | Path) -> None:
        command = [str(self._bin / program), *map(str, words)]
        done = subprocess.run(
            command, cwd=self._home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False, **self._as,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


def _binaries() -> Path:
    """Debian keeps them apart by version, outside the PATH."""
    on_path = shutil.which("pg_ctl")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda p: int(p.parent.parent.name))
    if not found:
        raise NoPostgreSQL
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
