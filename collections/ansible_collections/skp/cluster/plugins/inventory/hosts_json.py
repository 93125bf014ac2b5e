# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_json
short_description: The nodes, groups and labels of a cluster from one hosts.json
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Reads the C(hosts.json) of st-kilda-pier in its first format (labels as a list of one-key objects, C(groups)) and its later format
    (labels as one object, C(roles)).
  - Creates the groups C(master), C(manager) and C(worker), and one group per enabled label, with underscores instead of hyphens
    (C(spark-worker) becomes C(spark_worker)). The master is always a manager. The group of a service also exists while no host has its label.
  - Creates the group C(skp) with all hosts of the file. Every play of the collection is limited to it, so hosts of other inventories are never
    touched.
  - Sets C(ansible_host) (from C(ipv4)) and C(skp_labels) (label name to value, unchanged) for every host.
  - The file contains only data, no templates. It is checked completely; each finding is one line with file, host and key.
  - The source is either the C(hosts.json) itself, if the plugin is enabled before C(yaml)
    (C([inventory] enable_plugins = skp.cluster.hosts_json, host_list, script, auto, yaml, ini)), or a YAML file that names the plugin,
    which needs no configuration of Ansible.
  - A broken file ends the command. Otherwise Ansible would try its other plugins, and C(ini) reads an empty C(hosts.json)
    as a cluster without hosts.
options:
  plugin:
    description: The name of this plugin. A YAML file with this name is a source for the plugin.
    type: str
    required: true
    choices: [skp.cluster.hosts_json]
  hosts_file:
    description:
      - Path of the C(hosts.json), relative to the directory of the configuration file.
      - Not used when the source is a C(hosts.json) itself.
    type: str
    default: hosts.json
    env:
      - name: SKP_HOSTS_FILE
  allow_missing:
    description: If the O(hosts_file) does not exist, the inventory has no hosts and there is a warning instead of an error.
    type: bool
    default: false
    env:
      - name: SKP_HOSTS_FILE_ALLOW_MISSING
  env_file:
    description:
      - Path of an C(env.sh) of st-kilda-pier, relative to the directory of the source. Its known names become variables of the group C(all)
        (C(JUPYTER_PORT) becomes C(jupyter_port)); C(group_vars/all.yml) overrides them.
      - It is parsed, never executed. It may be encrypted with Ansible Vault.
    type: str
    env:
      - name: SKP_ENV_FILE
  compose:
    description: Variables from Jinja expressions, evaluated for every host. In the environment, a JSON object.
    type: raw
    default: {}
    env:
      - name: SKP_INVENTORY_COMPOSE
  groups:
    description: Groups from Jinja conditions, evaluated for every host. In the environment, a JSON object.
    type: raw
    default: {}
    env:
      - name: SKP_INVENTORY_GROUPS
  keyed_groups:
    description:
      - Groups from the values of variables; a list of objects with C(key), C(prefix), C(separator), C(parent_group), C(default_value) and
        C(trailing_separator), as in P(ansible.builtin.constructed#inventory).
      - In the environment, a JSON list of objects.
    type: raw
    default: []
    env:
      - name: SKP_INVENTORY_KEYED_GROUPS
  leading_separator:
    description: Whether the name of a group of O(keyed_groups) without a prefix begins with the separator.
    type: bool
    default: true
    env:
      - name: SKP_INVENTORY_LEADING_SEPARATOR
  use_extra_vars:
    description: Whether expressions of O(compose) and O(keyed_groups) see extra variables (C(-e)).
    type: bool
    default: false
    env:
      - name: ANSIBLE_INVENTORY_USE_EXTRA_VARS
  strict:
    description: Whether a failing expression of O(compose), O(groups) or O(keyed_groups) is an error. If not, it is skipped.
    type: bool
    default: false
    env:
      - name: SKP_INVENTORY_STRICT
extends_documentation_fragment:
  - ansible.builtin.inventory_cache
notes:
  - Only O(compose), O(groups) and O(keyed_groups) evaluate Jinja for every host.
  - The cache stores the checked hosts and is used only while size and modification time of the file are the same. Checking 10,000 hosts
    takes a fraction of a second, so the cache is rarely useful.
seealso:
  - plugin: skp.cluster.manager
    plugin_type: lookup
"""

EXAMPLES = r"""
# inventory/cluster/skp.yml, with a hosts.json beside it
plugin: skp.cluster.hosts_json

---
# everything
plugin: skp.cluster.hosts_json
hosts_file: hosts.json
env_file: env.sh
strict: true
compose:
  ansible_user: "'admin'"
groups:
  broker_with_disk: "skp_labels.kafka | default('') == 'enable' and skp_labels.disk | default('') == 'ssd'"
keyed_groups:
  - key: skp_labels.rack
    prefix: rack

# ansible-inventory -i inventory/cluster/skp.yml --graph
# ansible-inventory -i inventory/cluster/hosts.json --graph     (needs enable_plugins, see above)
"""

import difflib
import functools
import json
import os
import re
import typing as t
import weakref

import yaml
from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError, AnsibleFileNotFound, AnsibleParserError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template
from ansible_collections.skp.cluster.plugins.plugin_utils import _env_file, _hosts_json

PLUGIN_LINE = re.compile(rb"^plugin:\s*['\"]?skp\.cluster\.hosts_json['\"]?\s*(?:#.*)?$", re.MULTILINE)
HEAD = 65536  # first bytes of a YAML file, which must contain the "plugin:" line
MOST_ERRORS = 20
CACHE_FORMAT = 1

_CLUSTERS: weakref.WeakKeyDictionary[t.Any, tuple[str, _hosts_json.HostsFile]] = weakref.WeakKeyDictionary()
"""Inventory -> the first file that named a cluster in it, and what it says."""

# All errors are raised "from None": Ansible appends the text of every cause, and a finding must be one line.


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """hosts.json (or a configuration that names one) -> hosts, groups, variables."""

    NAME = "skp.cluster.hosts_json"

    def verify_file(self, path: str) -> bool:
        """Accept ``*hosts.json``, and YAML files that name this plugin."""
        if os.path.isfile(path) and path.endswith("hosts.json"):
            return True  # also if it cannot be read: declined, Ansible would go on without hosts
        if not super().verify_file(path) or os.path.isdir(path):
            return False
        if not path.endswith((".yml", ".yaml")):
            return False
        with open(path, "rb") as stream:
            return bool(PLUGIN_LINE.search(stream.read(HEAD)))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Add the hosts, groups and variables of the source to the inventory; nothing if a file is broken.

        :raises AnsibleParserError: with one line per finding; within an Ansible command the lines are shown and the command ends
        """
        super().parse(inventory, loader, path, cache)
        try:
            self._parse(path, cache)
        except AnsibleError as exc:
            if not context.CLIARGS:
                raise
            for line in to_text(exc.message).splitlines():
                self.display.display(f"[ERROR]: {line}", color=C.COLOR_ERROR, stderr=True)
            raise SystemExit(4) from None  # Ansible's exit code for a file that cannot be parsed

    def _parse(self, path: str, cache: bool) -> None:
        hosts_path = self._configure(path)
        env_path = self.get_option("env_file")
        variables = self._read_env(os.path.join(os.path.dirname(path), os.path.expanduser(env_path))) if env_path else {}
        if not os.path.exists(hosts_path) and self.get_option("allow_missing"):
            self.display.warning(f"{_shown(hosts_path)}: the file does not exist yet, so there are no hosts")
            hosts = _hosts_json.HostsFile((), ())
        else:
            hosts = self._read_hosts(hosts_path, self.get_cache_key(path), cache)
        self._refuse_second_cluster(hosts, hosts_path)
        for warning in hosts.warnings:
            self.display.warning(warning)
        self._populate(hosts, variables)
        try:
            self._construct(hosts, variables)
        except AnsibleError as exc:
            raise AnsibleParserError(f"{_shown(path)}: {to_text(exc.message).splitlines()[0]}") from None

    def _configure(self, path: str) -> str:
        """Set the options; return the path of the hosts.json."""
        if path.endswith("hosts.json"):
            self.set_options(direct={"plugin": self.NAME})
            if self.get_option("cache"):
                self.load_cache_plugin()
            return path
        try:
            config = self._read_config_data(path)
        except AnsibleError as exc:
            raise AnsibleParserError(f"{_shown(path)}: {_yaml_fault(path) or to_text(exc.message).splitlines()[0]}") from None
        for key in config:
            if key not in self._options:
                near = difflib.get_close_matches(str(key), list(self._options), n=1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                expected = f"expected an option listed by ansible-doc -t inventory {self.NAME}"
                raise AnsibleParserError(f'{_shown(path)}: unknown option "{key}", {expected}{hint}')
        return os.path.normpath(os.path.join(os.path.dirname(path), os.path.expanduser(self.get_option("hosts_file"))))

    def _read_hosts(self, path: str, key: str, cache: bool) -> _hosts_json.HostsFile:
        """The hosts of the file, from the cache if the file has not changed since."""
        if not self.get_option("cache"):
            return self._check_hosts(path)
        try:
            status = os.stat(path)
        except OSError as exc:
            raise AnsibleParserError(f"{_shown(path)}: cannot be read: {exc.strerror}") from None
        stamp = [CACHE_FORMAT, path, status.st_mtime_ns, status.st_size]
        if cache:
            try:
                kept = self._cache[key]
                if kept["stamp"] == stamp:
                    rows = [_hosts_json.Host(name, ipv4, labels, tuple(groups)) for name, ipv4, labels, groups in kept["hosts"]]
                    return _hosts_json.HostsFile(tuple(rows), tuple(kept["warnings"]))
            except KeyError:
                pass
        hosts = self._check_hosts(path)
        rows = [[host.name, host.ipv4, host.labels, list(host.groups)] for host in hosts.hosts]
        self._cache[key] = {"stamp": stamp, "hosts": rows, "warnings": list(hosts.warnings)}
        return hosts

    def _check_hosts(self, path: str) -> _hosts_json.HostsFile:
        try:
            return _hosts_json.parse(self._read(path), _shown(path))
        except _hosts_json.HostsFileError as exc:
            raise AnsibleParserError(_limited(exc.errors, _shown(path))) from None

    def _read_env(self, path: str) -> dict[str, t.Any]:
        try:
            env = _env_file.parse(self._read(path), _shown(path), os.environ)
        except _env_file.EnvFileError as exc:
            raise AnsibleParserError(_limited(exc.errors, _shown(path))) from None
        for warning in env.warnings:
            self.display.warning(warning)
        return env.variables

    def _read(self, path: str) -> bytes:
        """The bytes of a file, decrypted if it is encrypted with Ansible Vault."""
        try:
            with open(self.loader.get_real_file(path), "rb") as stream:
                return stream.read()
        except OSError as exc:
            raise AnsibleParserError(f"{_shown(path)}: cannot be read: {exc.strerror}") from None
        except AnsibleFileNotFound:
            raise AnsibleParserError(f"{_shown(path)}: the file does not exist") from None
        except AnsibleError as exc:
            raise AnsibleParserError(f"{_shown(path)}: cannot be read: {to_text(exc.message).splitlines()[0]}") from None

    def _refuse_second_cluster(self, hosts: _hosts_json.HostsFile, path: str) -> None:
        """Two files in one inventory must not result in a cluster with two masters, or with the hosts and labels of an old copy.

        The same hosts twice are allowed, for example in a directory with the file and its skp.yml.
        """
        group = self.inventory.groups.get("master")
        masters = [host.name for host in hosts.hosts if "master" in host.groups]
        others = [host.name for host in group.get_hosts() if host.name not in masters] if group and masters else []
        if others:
            found = f'found "master", but {others[0]} of another inventory source is already the master'
            raise AnsibleParserError(f'{_shown(path)}: {masters[0]}: "groups": {found}, expected exactly one')
        if not hosts.hosts:
            return
        first, known = _CLUSTERS.setdefault(self.inventory, (path, hosts))
        if known.hosts != hosts.hosts:
            found = f"a second file with hosts of this cluster, and it differs from {_shown(first)}"
            raise AnsibleParserError(f"{_shown(path)}: {found}; expected one file. Move a copy out of the directory of the inventory")

    def _populate(self, hosts: _hosts_json.HostsFile, variables: dict[str, t.Any]) -> None:
        inventory = self.inventory
        inventory.add_group(_hosts_json.CLUSTER)
        # Also the groups of services without a host: a play that names one of them then runs without a warning.
        for group in (*_hosts_json.GROUPS, *map(_hosts_json.group_name, _hosts_json.SERVICES)):
            inventory.add_group(group)
        for group in dict.fromkeys(group for host in hosts.hosts for group in host.groups):
            inventory.add_group(group)
        for name, value in variables.items():
            inventory.set_variable("all", name, _literal(value))
        for host in hosts.hosts:
            inventory.add_host(host.name)
            # The method of the host, not of the inventory: the latter records the origin of each value, a third of the time for 10,000 hosts.
            entry = inventory.hosts[host.name]
            entry.set_variable("ansible_host", _literal(host.ipv4))
            entry.set_variable("skp_labels", _literal(host.labels))
            for group in (_hosts_json.CLUSTER, *host.groups):
                inventory.add_child(group, host.name)

    def _construct(self, hosts: _hosts_json.HostsFile, variables: dict[str, t.Any]) -> None:
        """Ansible's "constructed" options. Without them nothing is evaluated per host: three expressions take 13 s for 10,000 hosts."""
        compose, groups, keyed = (self._structure(*option) for option in (("compose", dict), ("groups", dict), ("keyed_groups", list)))
        if not (compose or groups or keyed):
            return
        strict = self.get_option("strict")
        for host in hosts.hosts:
            known = {**variables, **self.inventory.get_host(host.name).get_vars()}
            self._set_composite_vars(compose, known, host.name, strict=strict)
            self._add_host_to_composed_groups(groups, known, host.name, strict=strict)
            self._add_host_to_keyed_groups(keyed, known, host.name, strict=strict)

    def _structure(self, option: str, kind: type) -> t.Any:
        """An option that is a dict or list in the configuration and JSON in the environment."""
        value = self.get_option(option)
        words = "an object" if kind is dict else "a list"
        if isinstance(value, str):
            try:
                value = _trusted(json.loads(value))
            except ValueError as exc:
                raise AnsibleParserError(f'option "{option}": found text that is not JSON ({exc}), expected {words}') from None
        if not isinstance(value, kind):
            raise AnsibleParserError(f'option "{option}": found {type(value).__name__}, expected {words}')
        return value


def _shown(path: str) -> str:
    """A path as messages show it: relative if it is below the current directory, else absolute."""
    short = os.path.relpath(path)
    return path if short.startswith("..") else short


def _yaml_fault(path: str) -> str:
    """The error in a YAML file and its place as one line, which Ansible's own error is not; empty if the file is valid YAML."""
    try:
        with open(path, "rb") as stream:
            yaml.safe_load(stream)
    except yaml.MarkedYAMLError as exc:
        if exc.problem_mark:
            return f"line {exc.problem_mark.line + 1}, column {exc.problem_mark.column + 1}: invalid YAML: {exc.problem}"
    except (yaml.YAMLError, OSError):
        pass
    return ""


def _limited(errors: t.Sequence[str], name: str) -> str:
    lines = list(errors[:MOST_ERRORS])
    if len(errors) > MOST_ERRORS:
        lines.append(f"{name}: and {len(errors) - MOST_ERRORS} more errors")
    return "\n".join(lines)


def _literal(value: t.Any) -> t.Any:
    """A value that is never a template: text is one only if it is marked as trusted.

    Text without a brace is never a template, whatever its mark. It is marked as trusted because ansible-inventory shows other text
    as {"__ansible_unsafe": ...}, which nobody expects for an address.
    """
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    return value if "{" in value else _trusted_text(value)


@functools.lru_cache(maxsize=1024)
def _trusted_text(value: str) -> str:
    """Marked as trusted; cached, because the hosts of a cluster share few labels and values."""
    return trust_as_template(value)


def _trusted(value: t.Any) -> t.Any:
    """Expressions from a person who controls the command's environment; they may be templates."""
    if trust_as_template is None:
        return value
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value
