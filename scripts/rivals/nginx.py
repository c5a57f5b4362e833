"""nginx beside ours: stubs that play a service, a plain proxy and a cache in front of any upstream."""

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
#: A stub whose answers may be kept, and that writes down what it was asked.
COUNTED = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            access_log {folder}/asked;
            default_type application/json;
            add_header ETag '"1"';
            add_header Cache-Control 'public, max-age=3600';
            return 200 '{body}';
        }}
    }}
}}
"""
#: `tcp_nopush` stays off: with it, large hits stall at one connection.
CACHE = """
    {files}
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=answers:8m max_size=100m inactive=600m use_temp_path=off;
    upstream service {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache answers;
        }}
    }}
}}
"""
#: Files of a folder, and nothing else.
FILES = """
    sendfile on;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {root};
        default_type application/octet-stream;
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
            client_max_body_size 0;
        }}
    }}
}}
"""
UNBUFFERED = PROXY.replace("client_max_body_size 0;", "client_max_body_size 0; proxy_buffering off; proxy_request_buffering off;")


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


def unbuffered(upstream):
    """The same, with nothing written to files on the way."""
    return nginx(UNBUFFERED, upstream=upstream)


def counted_stub(body):
    """A stub whose answers may be kept for an hour; `asked` in its folder has a line for each request."""
    return nginx(COUNTED, body=body.replace("'", ""))


def files(root):
    """Serves the files of a folder as bytes."""
    return nginx(FILES, root=root)


def cache(upstream):
    """Keeps what `host:port` answers, as packages configure it."""
    return nginx(CACHE, files="sendfile on;", upstream=upstream)


def tuned_cache(upstream):
    """The same, with what small answers gain by: files stay open and are read, not sent."""
    return nginx(CACHE, files="sendfile off; open_file_cache max=1000 inactive=60s;", upstream=upstream)
