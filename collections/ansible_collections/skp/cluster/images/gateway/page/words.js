// SPDX-License-Identifier: GPL-3.0-or-later
// Every word of the page, in each of its languages. {0} is what the page puts there.
"use strict";

const WORDS = {
  en: {
    skip: "Skip to the content", language: "Language", sign_in: "Sign in", sign_out: "Sign out", name: "Name", password: "Password",
    again_why: "You are signed in to the services. This page forgot your tokens when it was loaded: sign in here to see one, or to change accounts.",
    signed_in: "Signed in as {0}.", signed_out: "Signed out. Close pages of services that are still open.", services: "Services",
    login_portainer: "asks for its own login", no_services: "There is no service for this account.",
    token: "Access token", token_why: "For programs: send it in the header Authorization: Bearer. Whoever has it can do what you can do, until it ends.",
    token_until: "Ends at {0}.", token_ended: "It has ended. Refresh it.", show: "Show", hide: "Hide", copy: "Copy", copied: "Copied.", refresh: "Refresh",
    refreshed: "There is a new access token.", own_password: "Your password", password_now: "Password until now", password_new: "New password", change: "Change",
    changed_sign_in: "The password was changed. Sign in with it.", accounts: "Accounts", level: "Level", level_A: "Admin", level_U: "User", state: "State",
    active: "enabled", not_active: "disabled", made: "Made", actions: "Actions", enable: "Enable", disable: "Disable", make_A: "Make admin",
    make_U: "Make user", new_password: "New password", remove: "Delete", more: "More", new_account: "New account", create: "Create",
    created: "The account {0} was made.", changed: "The account {0} was changed. Its sign-ins have ended.", removed: "The account {0} was deleted.",
    ask_password: "A new password for {0}", ask_remove: "Delete the account {0}?", cancel: "Cancel", kept: "kept by the cluster", overview: "The cluster",
    age: "As found {0} ({1}).", no_overview: "No run of Ansible has written an overview yet: run site.yml or playbooks/status.yml.",
    all_well: "All is as it should be.", problems: "Not as it should be: {0}", nodes: "Nodes", node: "Node", role: "Role", engine: "Engine", labels: "Labels",
    service: "Service", running: "Running", where: "On", links: "Address", last_error: "Last error", of: "{0} of {1}", registry: "Images in the registry",
    image: "Image", digest: "Digest", volumes: "Volumes", volume: "Volume", path: "Path", found: "Found", no_volumes: "No data volumes.",
    volumes_unknown: "Not known: run playbooks/status.yml, which asks every node.", subject: "What", next: "What to do", none: "none",
    trust: "A warning of your browser about this page's certificate means that it does not know the cluster's own authority. Get the authority's certificate over a "
      + "safe way (docs/gateway.md), or from here if you trust this network, and add it to your browser or system as an authority.",
    trust_file: "Certificate of the cluster's authority",
    error_401: "The name or the password is wrong, or the account is not enabled.", error_403: "This account may not do that.",
    error_429: "Too many attempts. Try again in some minutes.", error_503: "The auth service or its database does not answer. Try again in a minute.",
    error_ended: "Your sign-in has ended. Sign in again.", error_other: "That did not work: {0}",
  },
  ko: {
    skip: "본문으로 건너뛰기", language: "언어", sign_in: "로그인", sign_out: "로그아웃", name: "이름", password: "비밀번호",
    again_why: "서비스에는 로그인되어 있습니다. 이 페이지는 새로 열릴 때 토큰을 잊습니다. 토큰을 보거나 계정을 바꾸려면 여기에서 다시 로그인하십시오.",
    signed_in: "{0} 계정으로 로그인했습니다.", signed_out: "로그아웃했습니다. 아직 열려 있는 서비스 페이지를 닫으십시오.", services: "서비스",
    login_portainer: "자체 로그인이 필요합니다", no_services: "이 계정으로 열 수 있는 서비스가 없습니다.",
    token: "액세스 토큰", token_why: "프로그램용입니다. 헤더 Authorization: Bearer 에 넣어 보내십시오. 토큰을 가진 사람은 만료될 때까지 당신이 할 수 있는 일을 모두 할 수 있습니다.",
    token_until: "{0}에 만료됩니다.", token_ended: "만료되었습니다. 갱신하십시오.", show: "보기", hide: "숨기기", copy: "복사", copied: "복사했습니다.", refresh: "갱신",
    refreshed: "새 액세스 토큰을 받았습니다.", own_password: "내 비밀번호", password_now: "현재 비밀번호", password_new: "새 비밀번호", change: "변경",
    changed_sign_in: "비밀번호를 바꾸었습니다. 새 비밀번호로 로그인하십시오.", accounts: "계정", level: "등급", level_A: "관리자", level_U: "사용자", state: "상태",
    active: "사용", not_active: "사용 중지", made: "생성", actions: "작업", enable: "사용하기", disable: "사용 중지", make_A: "관리자로",
    make_U: "사용자로", new_password: "새 비밀번호", remove: "삭제", more: "더 보기", new_account: "새 계정", create: "만들기",
    created: "계정 {0}을(를) 만들었습니다.", changed: "계정 {0}을(를) 바꾸었습니다. 이 계정의 로그인은 모두 끝났습니다.", removed: "계정 {0}을(를) 삭제했습니다.",
    ask_password: "{0}의 새 비밀번호", ask_remove: "계정 {0}을(를) 삭제할까요?", cancel: "취소", kept: "클러스터가 관리함", overview: "클러스터",
    age: "{0} 확인한 상태입니다 ({1}).", no_overview: "아직 Ansible 실행이 남긴 기록이 없습니다. site.yml 이나 playbooks/status.yml 을 실행하십시오.",
    all_well: "모두 정상입니다.", problems: "문제: {0}", nodes: "노드", node: "노드", role: "역할", engine: "엔진", labels: "라벨",
    service: "서비스", running: "실행", where: "위치", links: "주소", last_error: "마지막 오류", of: "{1} 중 {0}", registry: "레지스트리의 이미지",
    image: "이미지", digest: "다이제스트", volumes: "볼륨", volume: "볼륨", path: "경로", found: "확인 내용", no_volumes: "데이터 볼륨이 없습니다.",
    volumes_unknown: "알 수 없습니다. 모든 노드에 물어보는 playbooks/status.yml 을 실행하십시오.", subject: "대상", next: "할 일", none: "없음",
    trust: "브라우저가 이 페이지의 인증서를 경고하면 클러스터의 자체 인증 기관을 모르는 것입니다. 인증 기관의 인증서를 안전한 방법으로(docs/gateway.md), 또는 이 네트워크를 "
      + "믿는다면 여기에서 받아 브라우저나 시스템에 인증 기관으로 추가하십시오.",
    trust_file: "클러스터 인증 기관의 인증서",
    error_401: "이름이나 비밀번호가 틀렸거나 사용할 수 없는 계정입니다.", error_403: "이 계정으로는 할 수 없습니다.",
    error_429: "시도가 너무 많습니다. 몇 분 뒤에 다시 하십시오.", error_503: "인증 서비스나 그 데이터베이스가 응답하지 않습니다. 잠시 뒤에 다시 하십시오.",
    error_ended: "로그인이 끝났습니다. 다시 로그인하십시오.", error_other: "실패했습니다: {0}",
  },
};

// What the overview says in words of its own; other words are shown as they are.
const STATES = {
  ko: {
    ready: "준비됨", down: "꺼짐", "not in the swarm": "스웜에 없음", unknown: "알 수 없음", manager: "매니저", worker: "워커", ok: "정상", none: "없음",
    stale: "응답 없음", active: "사용", drain: "비움", pause: "멈춤",
  },
};
