"""nginx beside ours: a stub that plays a service, and a plain proxy to any upstream."""

import os
import re
import subprocess

from measuring.process import Process

PROGRAM = "/usr/sbin/nginx"
HEAD = """
daemon off;
master_process on;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
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


def version():
    """As `nginx -v` tells it."""
    told = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True).stderr
    return re.search(r"nginx/(\S+)", told).group(1)


def nginx(form, workers=1, **values):
    """One nginx of this configuration."""

    def command(server):
        text = (HEAD + form).format(folder=server.folder, workers=workers, port=server.port, **values)
        if os.getuid() == 0:
            text = "user root;\n" + text
        return [PROGRAM, "-p", server.folder, "-c", server.write("nginx.conf", text), "-e", "stderr"]

    return Process("nginx", command)


def stub(body):
    """Answers every request with this JSON."""
    return nginx(STUB, body=body.replace("'", ""))


def proxy(upstream, workers=1):
    """Passes every request on to `host:port`, over kept-alive connections."""
    return nginx(PROXY, workers, upstream=upstream)
