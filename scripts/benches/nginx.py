"""nginx beside ours: a stub that plays the users service, and a plain proxy to any upstream."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

HEAD = """
daemon off;
master_process on;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    keepalive_timeout 75s; keepalive_requests 100000000; tcp_nodelay on;
"""
STUB = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            default_type application/json;
            add_header ETag '"1"';
            return 200 '{body}';
        }}
    }}
}}
"""
PROXY = """
    upstream service {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def free_port():
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """One nginx in a folder of its own."""

    def __init__(self, form, workers, **values):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="platform-bench-nginx-"))
        # Its workers drop to another user when it starts as root.
        self.folder.chmod(0o755)
        self.port = free_port()
        text = (HEAD + form).format(folder=self.folder, workers=workers, port=self.port, **values)
        if pathlib.Path("/proc/self").owner() == "root":
            text = "user root;\n" + text
        (self.folder / "nginx.conf").write_text(text)

    def __enter__(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")],
            start_new_session=True,
        )
        self.pid = self.process.pid
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError((self.folder / "error.log").read_text()) from None
                time.sleep(0.02)
        raise RuntimeError("nginx does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


def stub(body):
    """Answers every request with this JSON."""
    return Nginx(STUB, 1, body=body.replace("'", ""))


def proxy(upstream, workers=1):
    """Passes every request on to `host:port`, over kept-alive connections."""
    return Nginx(PROXY, workers, upstream=upstream)
