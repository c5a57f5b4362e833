"""A server that a bench starts beside ours: in a folder of its own, on a free port, stopped by its pid. One that does not come
up says so with the end of its log."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

START_LIMIT = 20.0


def free_port():
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Whether somebody listens on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def gives(url):
    """Whether a GET of this is answered by 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Process:
    """One server, from start to stop: `with Process("envoy", lambda server: [program, …]) as server: …`

    `command` is called with the server, whose `folder` and `port` are known by then and which may write its configuration there. It is
    ready once it listens, or once it answers `ready`, a path, by 200.
    """

    def __init__(self, name, command, environment=None, ready=None):
        self.name = name
        self.ready = ready
        self.make_command = command
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"platform-bench-{self.name}-"))
        # Workers may drop to another user where they start as root.
        self.folder.chmod(0o755)
        self.port = free_port()
        self.command = [str(word) for word in self.make_command(self)]
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
        )
        self.pid = self.process.pid
        until = time.monotonic() + START_LIMIT
        while not (answers(self.port) if self.ready is None else gives(self.url + self.ready)):
            if self.process.poll() is not None or time.monotonic() > until:
                state = f"ended with {self.process.poll()}" if self.process.poll() is not None else "does not answer"
                error = RuntimeError(f"{self.name} {state}: {' '.join(self.command)}")
                self.__exit__(RuntimeError, error)
                raise error
            time.sleep(0.02)
        return self

    def __exit__(self, _=None, error=None, __=None):
        # Whatever failed, what the servers wrote tells why.
        if error is not None and (told := self.log_end()):
            error.add_note(f"---- end of what {self.name} wrote ----\n{told}")
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        """A file in its folder, such as its configuration; returns the path."""
        path = self.folder / name
        path.write_text(text)
        return path

    def log_end(self, length=3000):
        """The last characters of what it wrote."""
        return (self.folder / "log").read_bytes()[-length:].decode(errors="replace")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"
