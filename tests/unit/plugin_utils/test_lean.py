# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left out of slices is what servers take for granted, and nothing else."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _argspec as spec
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, Port
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.plugin_utils._lean import CONTAINER, PORT, VM, lean, whole

ALL = [
    (Container, CONTAINER, spec.container_options()),
    (Port, PORT, spec.port_options()),
    (Vm, VM, spec.vm_options()),
]
OF_THEIR_OWN = {Vm: {"hardware"}}
OTHER = {Container: "hostname", Port: "interface", Vm: "sha256"}


def plain(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("cls", "defaults", "options"), ALL)
def test_the_defaults_are_those_of_the_servers(cls, defaults, options):
    theirs = {}
    for field in (one for one in fields(cls) if one.name not in OF_THEIR_OWN.get(cls, ())):
        if field.default is not MISSING:
            theirs[field.name] = plain(field.default)
        elif field.default_factory is not MISSING:
            theirs[field.name] = plain(field.default_factory())
    assert dict(defaults) == theirs
    assert {name: type(value) for name, value in defaults.items()} == {name: type(value) for name, value in theirs.items()}
    assert {name: options[name].get("default") for name in defaults} == theirs


@pytest.mark.parametrize(("cls", "defaults", "options"), ALL)
def test_what_is_left_out_comes_back(cls, defaults, options):
    names = [field.name for field in fields(cls) if field.name not in {*defaults, *OF_THEIR_OWN.get(cls, ())}]
    declared = {**dict.fromkeys(names, "x"), **defaults}
    assert lean(declared, defaults) == dict.fromkeys(names, "x")
    assert whole(lean(declared, defaults), defaults) == declared
    other = {**declared, OTHER[cls]: "other"}
    assert whole(lean(other, defaults), defaults) == other
    assert cls.from_params(lean(other, defaults)) == cls.from_params(other)
