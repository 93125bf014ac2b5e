# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make help` lists the targets. Each does its work with the tools of .venv and this repository's ansible.cfg, whatever the caller's environment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export LC_ALL := C.UTF-8
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where a network inspects TLS, the system's bundle knows its CA and pip's own does not.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export PIP_CERT ?= /etc/ssl/certs/ca-certificates.crt
endif
unexport ANSIBLE_COLLECTIONS_PATH ANSIBLE_ROLES_PATH ANSIBLE_INVENTORY PYTHONPATH PYTHONHOME PYENV_VERSION

COLLECTION := collections/ansible_collections/skp/cluster

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### The lab and the cluster on it

.PHONY: venv
venv: ## Make .venv, the controller's environment (nothing to do when it is up to date)
	@tests/tools/venv.sh

.PHONY: up
up: venv ## Bring the embedded three-node lab up, run site.yml on it, show services and addresses
	@python tests/tools/suite.py up

.PHONY: status
status: venv ## Show the services and addresses of the running lab
	@ansible-playbook playbooks/status.yml

.PHONY: down
down: venv ## Remove the lab: its containers, networks and volumes, nothing else
	@ansible-playbook -i localhost, roles/lab/playbooks/down.yml

##### Tests

.PHONY: test
test: venv ## All tests, from nothing or on the lab that is up; what CI runs (about 45 minutes on 2 cores)
	@python tests/tools/suite.py test

.PHONY: check
check: venv ## The part of the tests that needs no engine: unit, meta, syntax, lint, sanity (minutes)
	@python tests/tools/suite.py check

.PHONY: quick
quick: venv ## What the changed files concern, on the lab that is up (BASE=<commit> to compare with another commit)
	@python tests/tools/quick.py $(BASE)

.PHONY: soak
soak: venv ## Before a release: rounds of outages, all orders, large data, product time-outs, each scenario alone (hours)
	@python tests/tools/suite.py soak

.PHONY: lint
lint: venv ## yamllint, flake8, shellcheck, ansible-lint (production profile)
	@tests/tools/lint.sh

.PHONY: sanity
sanity: venv ## ansible-test sanity on the collection
	@tests/tools/sanity.sh

.PHONY: unit
unit: venv ## Unit tests, the table of broken hosts.json files among them
	@pytest -q -n 2 $(COLLECTION)/tests/unit roles/lab/tests tests/tools/tests

.PHONY: meta
meta: venv ## Tests of the tree itself: shims, role specs, headers, the built collection
	@pytest -q -n 2 tests/meta

.PHONY: syntax
syntax: venv ## Syntax of all molecule scenarios
	@molecule syntax --all

.PHONY: molecule
molecule: venv ## All molecule scenarios on one lab, which stays up (one alone: molecule test -s kafka)
	@tests/tools/browser.sh
	@SKP_LAB_KEEP=1 molecule test --all

.PHONY: lab-tests
lab-tests: venv ## Tests on the running lab by directory or file: make lab-tests TESTS=tests/lab/3_services/kafka
	@tests/tools/browser.sh
	@pytest -q -s $(or $(TESTS),tests/lab/2_second_run)

.PHONY: bench
bench: venv ## Measure on the running lab and write docs/benchmarks.md
	@python tests/bench/run.py

##### Upkeep

.PHONY: build
build: venv ## Build the collection's tarball into dist/
	@mkdir -p dist && ansible-galaxy collection build --force --output-path dist $(COLLECTION)

.PHONY: shims
shims: ## Write playbooks/*.yml for the collection's playbooks that have none yet
	@tests/tools/shims.sh

.PHONY: lock
lock: ## Write tests/constraints.txt anew from the newest versions setup.cfg allows
	@tests/tools/lock.sh

.PHONY: lock-images
lock-images: ## Write the lock files of images/ds anew from the newest versions its requirements*.in allow
	@tests/tools/lock_images.sh

.PHONY: clean
clean: ## Remove what the other targets made, except the lab (make down) and its caches
	@rm -rf .venv .collections .ansible .pytest_cache build dist collections/*.egg-info $(COLLECTION)/tests/output
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
