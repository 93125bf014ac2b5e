# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Results of skp_node, as the role _service keeps them for each host."""

from __future__ import annotations


def visit_of(hostvars, host):
    """The result of skp_node on a host, {} if the host was not visited in this run or the call failed."""
    visit = hostvars[host].get("__service_visit") or {}
    return visit if "services" in visit else {}


def visits_for(hosts, hostvars, service):
    """{host: what its visit found of a service}, without hosts that were not visited for it."""
    services = {host: visit_of(hostvars, host).get("services", {}) for host in hosts}
    return {host: found[service] for host, found in services.items() if service in found}
