# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Power-On Auto Provisioning of NX-OS: DHCP names a script, which the switch gets by TFTP and runs, and which fetches the configuration.

The second line of the script has the MD5 sum of all others; the switch runs none without (Cisco, NX-OS Fundamentals, "Using PowerOn Auto
Provisioning"). What is copied to scheduled-config is applied when the switch has restarted, which it does when the script has ended well.
"""

from __future__ import annotations

import hashlib

_SCRIPT = """\
#!/bin/env python
import sys
from cli import cli
try:
    cli("terminal dont-ask ; copy tftp://{server}/{config} bootflash:{config} vrf management")
    cli("terminal dont-ask ; copy bootflash:{config} scheduled-config")
except Exception as error:
    print("archetype: the configuration could not be fetched: %s" % error)
    sys.exit(1)
sys.exit(0)
"""


def poap_files(node: str, content: bytes, server: str) -> tuple[str, dict[str, bytes]]:
    """The name of the script, and both files by name. server: the address that has them. A switch has one file of a name, a server many."""
    script, config = f"{node}-poap.py", f"{node}-poap.cfg"
    lines = _SCRIPT.format(server=server, config=config).splitlines(keepends=True)
    digest = hashlib.md5("".join(lines).encode(), usedforsecurity=False).hexdigest()
    lines.insert(1, f'#md5sum="{digest}"\n')
    return script, {script: "".join(lines).encode(), config: content}
