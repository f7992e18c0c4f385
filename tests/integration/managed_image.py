# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of a node that Ansible can manage: sshd and Python, and a web server that tells who asked."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

from tests.testbed import images
from tests.testbed.paths import TestbedError
from tests.testbed.testbed import Testbed

REFERENCE = "archetype-lab-test/managed:1"
_NAME = "managed"

_SERVER = """\
import http.server, socket

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{socket.gethostname()} {self.client_address[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

Server(("::", 80), Handler).serve_forever()
"""
_START = """\
#!/bin/sh
mkdir -p /run/sshd
ssh-keygen -A >/dev/null
python3 /usr/local/lib/who.py &
exec /usr/sbin/sshd -D -e
"""
_SSHD = """\
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
"""


def ensure(testbed: Testbed) -> None:
    """Build the image where it is not in the cache, and load it where it is missing."""
    known = images.recipes()
    host = known["host"]
    recipe = dataclasses.replace(
        host,
        reference=REFERENCE,
        packages=(*host.packages, "openssh-server", "python3"),
        users={"sshd": {"number": 101, "groups": []}},
        files=[
            {"path": "usr/local/lib/who.py", "mode": "0644", "text": _SERVER},
            {"path": "etc/ssh/sshd_config", "mode": "0644", "text": _SSHD},
            {"path": "usr/local/bin/start", "mode": "0755", "text": _START},
        ],
        command=("/usr/local/bin/start",),
    )
    build = images.program()
    recipes = {**known, _NAME: recipe}
    try:
        with images.building():
            build.present(build.Options(recipes, images.CACHE, None), _NAME)
        with ThreadPoolExecutor() as pool:
            options = [build.Options(recipes, images.CACHE, images.docker(server)) for server in testbed.servers]
            list(pool.map(lambda one: build.present(one, _NAME), options))
    except build.BuildError as error:
        raise TestbedError(str(error)) from error
