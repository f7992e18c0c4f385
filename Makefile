# SPDX-License-Identifier: GPL-3.0-or-later
# Two commands for users: `make demo` and `make destroy`; one for developers: `make test`. `make help` lists all.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
NETLAB := $(CURDIR)/.build/netlab
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# Ask for the sudo password once, and only where one is needed.
ASK := $(if $(SUDO),$(shell sudo -n true 2>/dev/null || echo --ask-become-pass))

export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export ANSIBLE_HOME := $(CURDIR)/.ansible
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(BIN):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Install those packages that are missing; of some it is their program that counts, wherever it is from.
define INSTALL
	@missing=""; for name in $(1); do \
		case $$name in docker.io) have=dockerd;; openvswitch-switch) have=ovs-vswitchd;; libvirt-daemon-system) have=libvirtd;; *) have=none;; esac; \
		if command -v $$have >/dev/null; then continue; fi; \
		dpkg-query -Wf '$${db:Status-Status}' $$name 2>/dev/null | grep -qx installed || missing="$$missing $$name"; done; \
	if [ -n "$$missing" ]; then echo "Installing$$missing ..."; $(SUDO) apt-get update -q >/dev/null; \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $$missing >/dev/null; fi
endef

LINK := collections/ansible_collections/archetype/lab
DEMO := -i inventory/this_machine.yml -i playbooks/files/demo/demo.lab.yml
TEST_PACKAGES := docker.io ethtool iperf3 iproute2 iputils-ping mmdebstrap nftables openssh-client openssh-server openvswitch-switch \
	busybox-static dnsmasq-base libvirt-clients libvirt-daemon-system mtools ovmf procps python3-packaging python3-venv qemu-system-x86 qemu-utils \
	shellcheck strace sudo syslinux systemd tcpdump telnet util-linux
# What libvirt-python is built with; there are no wheels of it.
BUILD_PACKAGES := gcc libc6-dev libvirt-dev pkg-config python3-dev

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(LINK):
	@mkdir -p $(dir $@)
	@ln -sfn ../../.. $@

# A virtual environment of our own: only what the demo needs (controller), or everything (tests).
$(VENV)/bin/python3:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); $(SUDO) apt-get update -q; \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends python3-venv; $(PYTHON) -m venv $(VENV); }

$(VENV)/.controller: tests/constraints.txt | $(VENV)/bin/python3
	@echo "Installing ansible-core into .venv ..."
	@$(BIN)/pip install -q -c tests/constraints.txt ansible-core
	@touch $@

$(VENV)/.build-packages: | $(VENV)/bin/python3
	$(call INSTALL,$(BUILD_PACKAGES))
	@touch $@

$(VENV)/.tests: tests/constraints.txt tests/requirements.txt roles/lab_server/files/requirements.txt roles/lab_server/files/requirements-vms.txt \
		$(VENV)/.controller | $(VENV)/.build-packages
	@echo "Installing the test tools into .venv ..."
	@$(BIN)/pip install -q -c tests/constraints.txt -r tests/requirements.txt
	@touch $@

# netlab, whose output is one of the sources of topologies: tests and benchmarks run the real one.
$(NETLAB)/.done: tests/netlab.txt | $(VENV)/bin/python3
	@echo "Installing netlab into .build/netlab ..."
	@$(BIN)/python3 -m venv --clear $(NETLAB)
	@$(NETLAB)/bin/pip install -q -r tests/netlab.txt
	@touch $@

.PHONY: demo
demo: $(VENV)/.controller $(LINK) ## Prepare this machine, deploy the example lab on it, prove it, show it
	@ansible-playbook $(DEMO) $(ASK) playbooks/demo.yml

.PHONY: status
status: $(VENV)/.controller $(LINK) ## Show the example lab as it is now
	@ansible-playbook $(DEMO) $(ASK) playbooks/status_lab.yml

.PHONY: destroy
destroy: $(VENV)/.controller $(LINK) ## Take the example lab away, and what `make demo` started for it
	@ansible-playbook $(DEMO) $(ASK) playbooks/demo_destroy.yml

.PHONY: venv
venv: $(VENV)/.tests $(LINK) ## The virtual environment for work on the collection

.PHONY: netlab
netlab: $(NETLAB)/.done ## netlab, in a virtual environment of its own, for the tests of its topologies

.PHONY: system
system: ## The system packages that the tests need; a Docker, Open vSwitch or libvirt from elsewhere is not replaced
	$(call INSTALL,$(TEST_PACKAGES))

.PHONY: test
test: lint unit sanity integration molecule demo-test ## All tests, from a fresh clone

.PHONY: lint
lint: venv ## ruff, mypy, yamllint, the layers, ansible-lint, changelog
	ruff format --check .
	ruff check .
	mypy
	yamllint --strict .
	PYTHONPATH=collections lint-imports
	ansible-lint --offline --strict --profile production
	antsibull-changelog lint

.PHONY: sanity
sanity: venv ## ansible-test sanity, with an empty ignore list
	tests/sanity.sh

.PHONY: unit
unit: venv netlab ## Unit tests
	pytest -q -n 2 tests/unit

.PHONY: integration
integration: venv netlab system ## Tests against real daemons, on two testbeds side by side
	$(SUDO) env "PATH=$$PATH" pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/integration

.PHONY: molecule
molecule: venv system ## The molecule scenario: converge, break, heal, destroy
	$(SUDO) env "PATH=$$PATH" MOLECULE_GLOB='molecule/*/molecule.yml' molecule test

.PHONY: demo-test
demo-test: system ## The README's commands, twice, and away without a trace
	tests/demo.sh

.PHONY: bench
bench: venv netlab system ## The measurements of docs/performance.md, as JSON
	$(SUDO) env "PATH=$$PATH" python -m tests.benchmark

RUNS ?= 20
MINUTES ?= 60
.PHONY: faults soak
faults: venv system ## Each fault RUNS times while pings run, and how long the watcher needs (ONLY=names)
	$(SUDO) env "PATH=$$PATH" python -m tests.faults --runs $(RUNS) --only "$(ONLY)"
soak: venv system ## MINUTES of random faults in a lab of 264 ports, and what an idle watcher costs
	$(SUDO) env "PATH=$$PATH" python -m tests.faults soak --minutes $(MINUTES)

ROUNDS ?= 20
.PHONY: two-labs
two-labs: venv system ## ROUNDS of two labs that two controllers deploy, edit and destroy at once
	$(SUDO) env "PATH=$$PATH" TWO_LABS_ROUNDS=$(ROUNDS) pytest -q -rP tests/integration/test_two_labs_at_once.py

EDITS ?= 50
KILLS ?= 200
SEED ?= 1
.PHONY: edits kills module-kills
edits: venv system ## EDITS random edits of a lab that runs, each predicted, and compared with fresh deployments (SEED)
	$(SUDO) env "PATH=$$PATH" PYTHONPATH=collections python -m tests.edits --edits $(EDITS) --seed "$(SEED)"
kills: venv system ## Runs that are killed at KILLS random points, and what the next run makes of it (SEED, CASE=one alone)
	$(SUDO) env "PATH=$$PATH" PYTHONPATH=collections python -m tests.kills --kills $(KILLS) --seed "$(SEED)" $(if $(CASE),--case $(CASE))
module-kills: venv system ## The same of the module alone, at KILLS points of its work
	$(SUDO) env "PATH=$$PATH" PYTHONPATH=collections python -m tests.kills --modules $(KILLS) --seed "$(SEED)" $(if $(CASE),--case $(CASE))

.PHONY: testbed-up testbed-down
testbed-up: venv system ## Three servers on this machine, for trying things out
	$(SUDO) env "PATH=$$PATH" python -m tests.testbed up
testbed-down: venv ## Remove them
	$(SUDO) env "PATH=$$PATH" python -m tests.testbed down

.PHONY: dist
dist: $(VENV)/.controller ## The collection as a file that ansible-galaxy installs
	@ansible-galaxy collection build --force --output-path .build

.PHONY: clean
clean: ## Remove what make made in this folder
	rm -rf .ansible .build .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .venv collections
