# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make help` lists the targets. Each uses the tools of .venv and this repository's ansible.cfg, independent of the caller's environment.

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
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### The lab and the cluster on it

.PHONY: venv
venv: ## Make .venv, the controller's environment (nothing to do when it is up to date)
	@tests/tools/venv.sh

.PHONY: up
up: venv ## Start the three-node lab, run site.yml on it, show services and addresses
	@python tests/tools/suite.py up

.PHONY: status
status: venv ## Show the state of the running lab; ends with 2 if anything is not as it should be (FORMAT=json for scripts)
	@ANSIBLE_STDOUT_CALLBACK=skp.cluster.bare ansible-playbook playbooks/status.yml -e status_format=$(or $(FORMAT),table)

.PHONY: down
down: venv ## Remove the lab's containers, networks and volumes, nothing else
	@ansible-playbook -i localhost, roles/lab/playbooks/down.yml

##### Tests

.PHONY: test
test: venv ## All tests, as in CI; on the running lab, or on a new one (up to 90 minutes on 2 cores)
	@python tests/tools/suite.py test

.PHONY: check
check: venv ## All tests that need no engine: unit, meta, syntax, lint, sanity (minutes)
	@python tests/tools/suite.py check

.PHONY: quick
quick: venv ## The tests of the changed files, on the running lab (BASE=<commit> to compare with another commit)
	@python tests/tools/quick.py $(BASE)

.PHONY: soak
soak: venv ## Before a release: rounds of outages, all orders, large data, default time-outs, each scenario alone (hours)
	@python tests/tools/suite.py soak

.PHONY: test-vm
test-vm: venv ## Small real machines under QEMU: NFS, reboots, the master away (as root; more than an hour)
	@pytest -q -s tests/vm

.PHONY: test-k8s
test-k8s: venv ## Airflow in pods: a one-node Kubernetes, compiled from Go modules, on the running lab (19 minutes; the first time, with the compiler, up to 53)
	@pytest -q -s tests/k8s

.PHONY: lint
lint: venv ## yamllint, flake8, shellcheck, ansible-lint (production profile)
	@tests/tools/lint.sh

.PHONY: sanity
sanity: venv ## ansible-test sanity on the collection
	@tests/tools/sanity.sh

.PHONY: unit
unit: venv ## Unit tests, including the table of broken hosts.json files
	@pytest -q -n 2 $(COLLECTION)/tests/unit roles/lab/tests tests/tools/tests

.PHONY: meta
meta: venv ## Tests of the repository's files: shims, role specs, headers, the built collection
	@pytest -q -n 2 tests/meta

.PHONY: syntax
syntax: venv ## Syntax of all molecule scenarios
	@molecule syntax --all

.PHONY: matrix
matrix: venv ## Unit tests, inventories, syntax and docs with every supported ansible-core (some: MATRIX='2.21 2.22')
	@python tests/tools/matrix.py $(MATRIX)

.PHONY: matrix-lab
matrix-lab: venv ## A second run, and one service down and up, on the running lab with every supported ansible-core
	@python tests/tools/matrix.py --lab $(MATRIX)

.PHONY: molecule
molecule: venv ## All molecule scenarios on one lab, which is kept (one scenario: molecule test -s kafka)
	@tests/tools/browser.sh
	@SKP_LAB_KEEP=1 molecule test --all

.PHONY: lab-tests
lab-tests: venv ## Tests on the running lab by directory or file: make lab-tests TESTS=tests/lab/3_services/kafka
	@tests/tools/browser.sh
	@pytest -q -s $(or $(TESTS),tests/lab/2_second_run)

.PHONY: bench
bench: venv ## Measure on the running lab and write docs/benchmarks.md, its Korean page and its picture
	@python tests/bench/run.py

##### Upkeep

.PHONY: docs
docs: venv ## Build the documentation site in build/docs/html and check its links (REPOSITORY=<address> for links to other files)
	@tests/tools/extra_venv.sh docs
	@python tests/tools/docs_site.py --repository '$(REPOSITORY)'

.PHONY: pictures
pictures: venv ## Draw docs/pictures/*.svg from their sources
	@python tests/tools/pictures.py

.PHONY: changelog
changelog: venv ## Write the changelog of the version in galaxy.yml from its fragments
	@cd $(COLLECTION) && antsibull-changelog release --update-existing --refresh --reload-plugins

.PHONY: build
build: venv ## Build the collection's tarball, with licence and pages, into dist/
	@python tests/tools/release.py build --repository '$(REPOSITORY)'

.PHONY: release
release: venv ## Build the tarball and check all of it: make release REPOSITORY=https://host/owner/name (2 minutes)
	@tests/tools/extra_venv.sh release
	@python tests/tools/release.py release --repository '$(REPOSITORY)'

.PHONY: shims
shims: ## Write missing playbooks/*.yml for the collection's playbooks
	@tests/tools/shims.sh

.PHONY: lock
lock: ## Update tests/constraints*.txt to the newest versions that setup.cfg allows
	@tests/tools/lock.sh

.PHONY: lock-images
lock-images: ## Update the lock files of images/ds to the newest versions that its requirements*.in allow
	@tests/tools/lock_images.sh

.PHONY: clean
clean: ## Remove the files of the other targets, except the lab (make down) and its caches
	@rm -rf .venv .collections .ansible .pytest_cache build dist collections/*.egg-info $(COLLECTION)/tests/output
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
