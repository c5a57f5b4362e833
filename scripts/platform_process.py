"""Starts the `platform` binary on free ports in a folder of its own, and stops it by its pid. Standard library only."""

import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_LIMIT = 30.0
STOP_LIMIT = 15.0
ROOT = pathlib.Path(__file__).resolve().parent.parent


class StartFailed(RuntimeError):
    """The process ended or kept silent; the message holds the end of its log."""


def variable(setting):
    """The environment variable of a setting: `gateway.listen` is `PLATFORM__GATEWAY__LISTEN`."""
    return "PLATFORM__" + setting.upper().replace(".", "__")


def clean_environment(settings):
    """This process's environment without any PLATFORM variable, and with these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLATFORM")}
    environment.update({variable(name): str(value) for name, value in settings.items()})
    return environment


def listeners(binary):
    """The settings that name an address to listen on."""
    command = [binary, "config", "show", "--output", "json"]
    shown = subprocess.run(command, cwd="/", env=clean_environment({}), capture_output=True, text=True, check=True)
    return [row["key"] for row in json.loads(shown.stdout) if row["key"].endswith(".listen")]


class Platform:
    """One `platform serve [NAMES…]`, from start to stop. `with Platform(binary) as platform: …`"""

    def __init__(self, binary, settings=None, names=(), folder=None, start_limit=START_LIMIT):
        self.binary = str(binary)
        self.start_limit = start_limit
        self.names = list(names)
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="platform-run-"))
        self.settings = {
            "data_dir": self.folder / "data",
            **{name: "127.0.0.1:0" for name in listeners(self.binary)},
            **(settings or {}),
        }
        self.process = None
        self.run = {}
        self.seconds_to_ready = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    @property
    def environment(self):
        """The environment of the server, for commands that act on the same installation."""
        return clean_environment(self.settings)

    def start(self):
        """Starts it and waits until the gateway (or the one named service) answers its health check."""
        begun = time.monotonic()
        self.log = open(self.folder / "serve.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", *self.names],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        run_file = pathlib.Path(self.settings["data_dir"]) / "platform.run"
        while True:
            self._must_live(begun)
            try:
                self.run = json.loads(run_file.read_text())
                if self.run.get("pid") == self.process.pid and self._answers():
                    self.seconds_to_ready = time.monotonic() - begun
                    return self
            except (OSError, ValueError):
                pass
            time.sleep(0.005)

    def stop(self):
        """SIGTERM, then SIGKILL past the limit; returns the exit code. The folder goes if it is our own."""
        code = None
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                code = self.process.wait()
            self.process = None
            self.log.close()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def log_end(self, length=4000):
        """The last characters of what it wrote."""
        return (self.folder / "serve.log").read_bytes()[-length:].decode(errors="replace")

    def url(self, service="gateway"):
        """Base URL of a running service."""
        return f"http://{self.run[service]}"

    def command(self, *arguments, stdin="", extra=None, timeout=60):
        """Runs a `platform` command against this installation; returns the completed process."""
        return subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env={**self.environment, **(extra or {})},
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def make_admin(self, email="admin@example.com"):
        """Creates an administrator through the command, as an operator would; returns its e-mail and password."""
        password = secrets.token_urlsafe(18)
        done = self.command("user", "create", "--email", email, "--admin", "--password-stdin", stdin=password + "\n")
        if done.returncode != 0:
            raise StartFailed(f"platform user create failed ({done.returncode}): {done.stderr}\n{self.log_end()}")
        return email, password

    def sign_in(self, email, password):
        """The token answer of `POST /api_v1/auth/access`."""
        body = json.dumps({"email": email, "password": password}).encode()
        request = urllib.request.Request(
            self.url() + "/api_v1/auth/access", data=body, headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)

    def _must_live(self, begun):
        if self.process.poll() is not None:
            raise StartFailed(f"platform serve ended with {self.process.returncode}:\n{self.log_end()}")
        if time.monotonic() - begun > self.start_limit:
            raise StartFailed(f"platform serve was not ready within {self.start_limit:.0f} s:\n{self.log_end()}")

    def _answers(self):
        service = "gateway" if not self.names or "gateway" in self.names else self.names[0]
        try:
            with urllib.request.urlopen(self.url(service) + "/healthz", timeout=2):
                return True
        except urllib.error.HTTPError:
            return False
        except OSError:
            return False
