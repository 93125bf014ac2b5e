# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Korean page of the benchmarks, made from the English one: the figures of both are those of one measurement.

Every sentence and cell that run.py and inventory_bench.py write has its Korean here. One without is an error that shows it.
"""

from __future__ import annotations

import re

TITLES = {
    "Benchmarks": "벤치마크",
    "A second run": "두 번째 실행",
    "Each service alone": "서비스 하나씩",
    "Many hosts": "호스트가 많을 때",
    "The state of the cluster": "클러스터의 상태",
    "Data volumes": "데이터 볼륨",
    "The inventory": "인벤토리",
}
PARAGRAPHS = [
    (r"\[한국어\]\(ko/benchmarks\.md\)", "[English](../benchmarks.md)"),
    (
        r"!\[Medians of all measurements, with the fastest and the slowest round\]\((pictures/\w+\.svg)\)",
        "![모든 측정의 중앙값과 가장 빠른 실행, 가장 느린 실행](../{0})",
    ),
    (
        r"Written by `make bench`; not edited by hand\. Each figure is a median of (\d+) interleaved rounds .*",
        "`make bench`가 쓰는 문서이며 손으로 고치지 않습니다. 각 값은 번갈아 실행한 {0}회(준비 1회 제외)의 중앙값이고, 표의 첫 줄에 대한 비율을 함께 적습니다.\n"
        '"대조" 줄은 첫 명령을 한 번 더 측정한 것입니다. 이 줄의 비율이 1에서 벗어난 만큼은 다른 값도 믿을 수 없습니다.',
    ),
    (r"- (\S+), commit (\w+)", "- {0}, 커밋 {1}"),
    (r"- (\d+) processors, (\d+) GiB, (.+), kernel (\S+), load ([\d.]+) when it began", "- 프로세서 {0}개, {1} GiB, {2}, 커널 {3}, 시작할 때 부하 {4}"),
    (r"- (Python .+, docker \S+)", "- {0}"),
    (
        r"Nothing changes in any of these runs \(it is checked\)\. The lab's nodes and the controller share the machine\.",
        "이 실행들은 아무것도 바꾸지 않습니다(확인합니다). 랩의 노드와 컨트롤러는 같은 머신에 있습니다.",
    ),
    (
        r"Kafka by its role takes ([\d.]+) of the time that the same service takes as stock tasks\.",
        "같은 서비스를 일반 태스크로 실행한 시간을 1이라 하면, 롤로 실행한 Kafka는 {0}입니다.",
    ),
    (
        r"A second run of one service: `ansible-playbook site\.yml` with its tag\. Nothing changes\.",
        "서비스 하나의 두 번째 실행입니다. 그 태그로 `ansible-playbook site.yml`을 실행하며, 아무것도 바꾸지 않습니다.",
    ),
    (
        r"With (\d+) hosts the exit code is 2, as it should be: the swarm does not know the further hosts\.",
        "호스트가 {0}대일 때 종료 코드는 2입니다. swarm이 추가한 호스트를 모르므로 맞는 결과입니다.",
    ),
    (
        r"A file of (\d+) MiB on a node, copied with the client of the server, and through the volume\. .*",
        "노드에 있는 {0} MiB 파일을 서버의 클라이언트로, 그리고 볼륨을 통해 복사합니다. 읽는 파일은 그 노드가 처음 보는 것입니다.\n쓰기는 서버에 다 들어갔을 때 끝납니다.",
    ),
    (
        r"(.+): writing takes ([\d.]+) of the time of (.+), reading ([\d.]+)\.",
        "{0}: {2}의 시간을 1이라 하면 쓰기는 {1}, 읽기는 {3}입니다.",
    ),
    (
        r"The further hosts are names that lead to the same three nodes\. A run of Kafka does not contact hosts without its label\.",
        "추가한 호스트는 같은 노드 셋으로 가는 이름입니다. Kafka의 실행은 레이블이 없는 호스트에 접속하지 않습니다.",
    ),
    (
        r"(`.+`) with ([\d,]+) hosts: an address and four labels each, each in five groups\.",
        "호스트 {1}대로 {0}을 실행합니다. 호스트마다 주소 하나와 레이블 넷이 있고 그룹 다섯에 속합니다.",
    ),
    (
        r"The hosts\.json takes ([\d.]+) of the time of the YAML inventory, and ([\d.]+) of that of an INI file with names only\.",
        "hosts.json에 걸린 시간은 YAML 인벤토리의 {0}배, 이름만 있는 INI 파일의 {1}배입니다.",
    ),
]
CELLS = [
    (r"what", "항목"),
    (r"median", "중앙값"),
    (r"fastest to slowest", "최소~최대"),
    (r"ratio to the first", "첫 줄에 대한 비율"),
    (r"-+|[\d.]+|[\d.]+ s|`[^`]+`|hosts\.json", None),
    (r"([\d.]+) to ([\d.]+) s", "{0}~{1} s"),
    (r"Kafka with the tasks of community\.docker \((`[^`]+`)\)", "community.docker의 태스크로 실행한 Kafka({0})"),
    (r"the same tasks under mitogen (\S+)", "같은 태스크, mitogen {0} 사용"),
    (r"(`[^`]+`), (\d+) hosts, (\d+) of them without a label", "{0}, 호스트 {1}대, 그중 {2}대는 레이블 없음"),
    (r"(`[^`]+`), (\d+) hosts with the label spark-worker", "{0}, 레이블 spark-worker가 있는 호스트 {1}대"),
    (r"(`[^`]+`), (\d+) hosts", "{0}, 호스트 {1}대"),
    (r"(.+), to the server", "{0}, 서버로"),
    (r"(.+), to the volume", "{0}, 볼륨으로"),
    (r"(.+), from the server", "{0}, 서버에서"),
    (r"(.+), from the volume", "{0}, 볼륨에서"),
    (r"the same as a YAML inventory", "같은 내용의 YAML 인벤토리"),
    (r"INI file, names only", "INI 파일, 이름만"),
]
CONTROL = ", again (control)"


def translated(text: str, phrases: list[tuple[str, str | None]]) -> str:
    """Return the Korean of a text by the first pattern that is all of it; None as its Korean keeps it. Raises ValueError without one."""
    for pattern, korean in phrases:
        found = re.fullmatch(pattern, text, re.DOTALL)
        if found:
            return text if korean is None else korean.format(*found.groups())
    raise ValueError("tests/bench/korean.py has no Korean for: %s" % text)


def row(line: str) -> str:
    """Return a row of a table."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    korean = [translated(cell.removesuffix(CONTROL), CELLS) + (", 다시(대조)" if cell.endswith(CONTROL) else "") for cell in cells]
    return "|%s|" % "|".join(korean) if line.startswith("|-") else "| %s |" % " | ".join(korean)


def page(english: str) -> str:
    """Return the Korean page for the text of docs/benchmarks.md."""
    parts = []
    for paragraph in english.strip().split("\n\n"):
        if paragraph.startswith("#"):
            marks, _space, title = paragraph.partition(" ")
            parts.append("%s %s" % (marks, TITLES[title]))
        elif paragraph.startswith("|"):
            parts.append("\n".join(row(line) for line in paragraph.splitlines()))
        elif paragraph.startswith("- "):
            parts.append("\n".join(translated(line, PARAGRAPHS) for line in paragraph.splitlines()))
        else:
            parts.append(translated(paragraph.replace("\n", " "), PARAGRAPHS))
    return "\n\n".join(parts) + "\n"
