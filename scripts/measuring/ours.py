"""The gateway alone over stubs that play the services, with an administrator signed in."""

import contextlib

from measuring.stub import ISSUER
from platform_process import Platform


@contextlib.contextmanager
def gateway(bench, stub, files=None, settings=None):
    """A gateway whose users service is `stub`, with these files (such as platform.toml) beside it; and the header fields of who is
    signed in. It writes no access log unless asked for, as nothing here does."""
    base = {"gateway.public_url": ISSUER}
    with Platform(bench.binary, base) as whole:
        fields = {"Authorization": "Bearer " + whole.sign_in(*whole.make_admin())["access_token"]}
        # The same installation again without its users service: the session and the keys are known to it.
        whole.process.terminate()
        whole.process.wait(15)
        for name, text in (files or {}).items():
            (whole.folder / name).write_text(text)
        apart = {**base, "data_dir": whole.settings["data_dir"], "users.url": stub.url, "log.level": "warn", **(settings or {})}
        with Platform(bench.binary, apart, ["gateway"], folder=whole.folder) as alone:
            try:
                yield alone, fields
            except Exception as error:
                error.add_note(f"---- end of what platform serve wrote ----\n{alone.log_end()}")
                raise


def subject(running, path, fields=None):
    """What `by_turns` wants to know of a server, ours or another: URL, pid, header fields."""
    url, pid = (running.url(), running.process.pid) if isinstance(running, Platform) else (running.url, running.pid)
    return url + path, [pid], fields or {}
