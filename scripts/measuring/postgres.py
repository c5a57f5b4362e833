"""A PostgreSQL of the bench's own, as durable as it comes out of the box."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from measuring.process import free_port


class Postgres:
    """One server in a folder of its own, with a database for each service."""

    def __enter__(self):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if not programs:
            raise RuntimeError("no PostgreSQL is installed: run scripts/setup test")
        self.programs = programs[-1].parent
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="platform-bench-postgres-"))
        self.port = free_port()
        self.as_postgres = []
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            self.as_postgres = ["runuser", "-u", "postgres", "--"]
        data = self.folder / "data"
        self.run("initdb", "-D", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        self.run(
            "pg_ctl", "-D", data, "-w", "-l", self.folder / "log", "start",
            "-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200",
        )
        for name in ("gateway", "users"):
            self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return self

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")
        time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program, *arguments):
        """One of PostgreSQL's programs, as its own user."""
        command = [*self.as_postgres, str(self.programs / program), *map(str, arguments)]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    @property
    def settings(self):
        """What makes a platform use it."""
        base = f"postgres://postgres@127.0.0.1:{self.port}"
        return {"gateway.database_url": f"{base}/gateway", "users.database_url": f"{base}/users"}
