# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The argument specification of `skp_service`; its documentation is in the module."""

from __future__ import annotations


def _list(elements="str", **options):
    return dict(type="list", elements=elements, **options)


def _file(mode, target_required, secret):
    content = dict(type="str", required=True)
    if secret:
        content["no_log"] = True
    return _list(
        "dict",
        options=dict(
            name=dict(type="str", required=True),
            content=content,
            target=dict(type="str", **(dict(required=True) if target_required else {})),
            mode=dict(type="str", default=mode),
            uid=dict(type="str", default="0"),
            gid=dict(type="str", default="0"),
        ),
        **(dict(no_log=False) if secret else {}),
    )


def service_options():
    """Options of one entry of `services`."""
    return dict(
        name=dict(type="str", required=True),
        image=dict(type="str", required=True),
        host=dict(type="str"),
        label=dict(type="str"),
        managers=dict(type="bool", default=False),
        constraints=_list(),
        command=_list(),
        args=_list(),
        hostname=dict(type="str"),
        user=dict(type="str"),
        stop_gate=_list(),
        no_new_privileges=dict(type="bool", default=True),
        groups=_list(),
        workdir=dict(type="str"),
        env=dict(type="dict"),
        configs=_file("0444", True, False),
        secrets=_file("0400", False, True),
        mounts=_list(
            "dict",
            options=dict(
                type=dict(type="str", choices=["bind", "volume", "tmpfs"], default="bind"),
                source=dict(type="str"),
                target=dict(type="str", required=True),
                read_only=dict(type="bool", default=False),
                propagation=dict(type="str", choices=["private", "rprivate", "shared", "rshared", "slave", "rslave"]),
                size=dict(type="str"),
                mode=dict(type="str"),
            ),
        ),
        ports=_list(
            "dict",
            options=dict(
                target=dict(type="int", required=True),
                published=dict(type="int"),
                protocol=dict(type="str", choices=["tcp", "udp", "sctp"], default="tcp"),
            ),
        ),
        aliases=_list(),
        networks=_list(),
        healthcheck=dict(
            type="dict",
            options=dict(
                test=dict(type="raw", required=True),
                interval=dict(type="str"),
                timeout=dict(type="str"),
                retries=dict(type="int"),
                start_period=dict(type="str"),
                start_interval=dict(type="str"),
            ),
        ),
        stop_grace_period=dict(type="str"),
        stop_signal=dict(type="str"),
        init=dict(type="bool"),
        read_only=dict(type="bool"),
        cap_add=_list(),
        cap_drop=_list(),
        limits=dict(type="dict", options=dict(cpus=dict(type="float"), memory=dict(type="str"), pids=dict(type="int"))),
        reservations=dict(type="dict", options=dict(cpus=dict(type="float"), memory=dict(type="str"), generic=dict(type="dict"))),
        restart=dict(
            type="dict",
            options=dict(
                condition=dict(type="str", choices=["any", "on-failure", "none"], default="any"),
                delay=dict(type="str", default="5s"),
                max_attempts=dict(type="int"),
                window=dict(type="str"),
            ),
        ),
        ulimits=_list(
            "dict", options=dict(name=dict(type="str", required=True), soft=dict(type="int", required=True), hard=dict(type="int"))
        ),
        sysctls=dict(type="dict"),
        extra_hosts=_list(),
        dns=_list(),
        log=dict(type="dict", options=dict(driver=dict(type="str", required=True), options=dict(type="dict"))),
        labels=dict(type="dict"),
        owns_data=dict(type="str"),
    )


def argument_spec():
    """The complete argument specification of `skp_service`."""
    return dict(
        role=dict(type="str", required=True),
        state=dict(type="str", choices=["present", "absent"], default="present"),
        purge=dict(type="bool", default=False),
        network=dict(type="str", default="net-skp"),
        own_networks=dict(type="dict", default={}),
        registry=dict(type="str", default="localhost:5000"),
        data_policy=dict(type="str", choices=["refuse", "leave", "moved"], default="refuse"),
        limit_hosts=_list(default=[]),
        secret_generations=dict(type="dict", default={}, no_log=False),
        renamed=dict(type="dict", default={}),
        rebuilt=_list(default=[]),
        members=dict(type="dict", default={}),
        label_hosts=dict(type="dict", default={}),
        joining=_list(default=[]),
        serial=dict(type="int", choices=[0, 1], default=0),
        gate=dict(
            type="dict",
            options=dict(
                image=dict(type="str", required=True),
                command=_list(required=True),
                network=dict(type="str"),
                timeout=dict(type="int", default=300),
            ),
        ),
        wait=dict(type="bool", default=True),
        timeout=dict(type="int", default=300),
        settle=dict(type="float", default=3),
        services=_list("dict", default=[], options=service_options()),
    )
