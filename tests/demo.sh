#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The README's two commands, from a fresh clone, as a user with sudo: demo, demo again (changes nothing), destroy (leaves nothing).
set -euo pipefail
cd "$(dirname "$0")/.."
user=altdemo
home=$(mktemp -d /var/tmp/altdemo.XXXXXX)
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

traces() { # what a lab or the demo could leave behind, as lines
    ip -o link show | grep -oE ' (am|ap|at)[0-9a-z]{6,}[@:]| arch-ovs:| ovs-netdev:' || true
    ip netns list
    if command -v nft >/dev/null; then as_root nft list ruleset | grep -oE 'archetype-lab[^ "]*' || true; fi
    for path in /var/lib/archetype-lab /run/archetype-lab /run/archetype-lab-metrics /opt/archetype-lab /var/log/archetype-lab /etc/archetype-lab \
        /usr/local/lib/archetype-lab /usr/local/sbin/archetype-lab-watch /etc/systemd/system/archetype-lab-watch.service; do
        if [ -e "$path" ]; then echo "$path"; fi
    done
    for pid in $(pgrep -x archetype-lab-w); do
        if [ "$(as_root readlink "/proc/$pid/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]; then echo "process $(cat "/proc/$pid/comm")"; fi
    done
    if command -v docker >/dev/null && as_root docker version >/dev/null 2>&1; then
        as_root docker ps -a --format 'container {{.Names}}'
        as_root docker images --format 'image {{.Repository}}' | grep archetype-lab || true
    fi
    for pid in $(for name in ovs-vswitchd ovsdb-server dockerd containerd; do pgrep -x "$name"; done); do # of this machine, not of a testbed
        if [ "$(as_root readlink "/proc/$pid/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]; then echo "process $(cat "/proc/$pid/comm")"; fi
    done
}

clean() {
    status=$?
    trap - EXIT
    if [ "$status" != 0 ]; then
        echo "FAILED in ${BASH_COMMAND:-?}; taking the demo away" >&2
        as_user make destroy >/dev/null 2>&1 || true
    fi
    as_root rm -rf "$home" "/etc/sudoers.d/$user"
    as_root userdel "$user" 2>/dev/null || true
    exit "$status"
}
trap clean EXIT

as_root useradd --no-create-home --home-dir "$home" --shell /bin/bash "$user"
echo "$user ALL=(ALL) NOPASSWD: ALL" | as_root tee "/etc/sudoers.d/$user" >/dev/null
as_root chmod 0440 "/etc/sudoers.d/$user"
git clone -q . "$home/lab"
as_root chown -R "$user" "$home"
as_user() { as_root su "$user" -c "cd $home/lab && $(printf '%q ' "$@")"; }

before=$(traces | sort)
as_user make demo 2>&1 | tee "$home/first.log"
grep -qE 'this_machine .* unreachable=0 +failed=0' "$home/first.log"
as_user make demo 2>&1 | tee "$home/second.log"
grep -qE 'this_machine .* changed=0 +unreachable=0 +failed=0' "$home/second.log"
as_user make destroy 2>&1 | tee "$home/destroy.log"
after=$(traces | sort)
if comm -13 <(echo "$before") <(echo "$after") | grep .; then echo "the demo left this behind" >&2; exit 1; fi
if as_user git status --porcelain | grep .; then echo "the demo changed the checkout" >&2; exit 1; fi
echo "demo, demo again and destroy: 3 passed, 0 failed"
