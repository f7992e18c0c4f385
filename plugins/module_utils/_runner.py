# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The one way out of a module: results go to C(exit_json), errors to C(fail_json), both here and nowhere else."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class PartialResult(LabError):
    """Some objects failed after others were changed: the result says which, and what was done."""

    def __init__(self, errors: list[LabError], result: dict[str, t.Any]) -> None:
        super().__init__(str(errors[0]) if len(errors) == 1 else str(Errors(errors)))
        self.errors = errors
        self.result = result


def error_dicts(error: LabError) -> list[dict[str, t.Any]]:
    """Each single error as C({type, msg, hint, objects}), for the result key C(errors)."""
    if isinstance(error, (Errors, PartialResult)):
        return [one for inner in error.errors for one in error_dicts(inner)]
    return [{"type": type(error).__name__, "msg": error.message, "hint": error.hint, "objects": list(error.objects)}]


def run_module(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """Run C(work) and leave the module with its result, or with all of its errors.

    The exception is not handed on: fail_json takes the traceback from it by itself, and would say its message, which is whole, twice.
    """
    try:
        result = work()
    except PartialResult as error:
        module.fail_json(msg=str(error), errors=error_dicts(error), **error.result)
    except LabError as error:
        module.fail_json(msg=str(error), errors=error_dicts(error))
    module.exit_json(**result)
    raise AssertionError("exit_json returned")
