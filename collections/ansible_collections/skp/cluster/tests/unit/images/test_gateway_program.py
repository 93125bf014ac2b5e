# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the gateway's image: certificates of its own authority, and those of a site."""

from __future__ import annotations

import datetime
import importlib.machinery
import importlib.util
import pathlib
import signal
import ssl
import sys
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "plugins/module_utils/portainer"))

import portainer_standin  # noqa: E402  (the path above comes first)

PROGRAM = pathlib.Path(__file__).parents[3] / "images/gateway/bin/skp-gateway"
SEED = b"0123456789abcdef" * 4
NAMES = ["c01", "192.0.2.1", "skp.example"]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The program as a module, with places of its own."""
    monkeypatch.setenv("SKP_GATEWAY_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SKP_GATEWAY_PLACE", str(tmp_path / "place"))
    (tmp_path / "secrets").mkdir()
    loader = importlib.machinery.SourceFileLoader("skp_gateway", str(PROGRAM))
    found = importlib.util.module_from_spec(importlib.util.spec_from_loader("skp_gateway", loader))
    loader.exec_module(found)
    return found


def public(pem):
    """The public key of a certificate, and its subject."""
    found = x509.load_pem_x509_certificate(pem)
    return found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), found.subject


def shake(tmp_path, authority, name):
    """A TLS connection with the files in place, by a client that knows one authority. Raises what the client raises."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cadata=authority.decode())
    server.load_cert_chain(tmp_path / "place/certificate.pem", tmp_path / "place/key.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ends = [ssl.MemoryBIO() for _turn in range(4)]
    one = server.wrap_bio(ends[0], ends[1], server_side=True)
    two = client.wrap_bio(ends[2], ends[3], server_hostname=name)
    for _turn in range(6):
        for side in (two, one):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            ends[0].write(ends[3].read())
            ends[2].write(ends[1].read())
    return two.getpeercert()


def test_the_same_seed_is_the_same_authority(program):
    first, second, other = (program.certificates(seed, "lab", NAMES)[0] for seed in (SEED, SEED, SEED + b"x"))
    assert public(first) == public(second) and public(first)[0] != public(other)[0] and public(first)[1] == public(other)[1]
    found = x509.load_pem_x509_certificate(first)
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_knows_the_authority_takes_the_certificate_for_its_names_alone(program, tmp_path, monkeypatch, name):
    (tmp_path / "secrets/gateway_ca_seed").write_bytes(SEED)
    monkeypatch.setenv("SKP_GATEWAY_NAMES", ",".join(NAMES))
    assert program.place() > 0
    authority = (tmp_path / "place/public/ca.crt").read_bytes()
    assert shake(tmp_path, authority, name)
    for stranger, known in (("other.example", authority), (name, program.certificates(SEED + b"x", "lab", NAMES)[0])):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(tmp_path, known, stranger)
    assert (tmp_path / "place/key.pem").stat().st_mode & 0o777 == 0o600


def test_a_restart_has_another_key_and_the_authority_of_before_accepts_it(program, tmp_path, monkeypatch):
    (tmp_path / "secrets/gateway_ca_seed").write_bytes(SEED)
    monkeypatch.setenv("SKP_GATEWAY_NAMES", "c01")
    program.place()
    authority, key = (tmp_path / "place/public/ca.crt").read_bytes(), (tmp_path / "place/key.pem").read_bytes()
    program.place()
    assert (tmp_path / "place/key.pem").read_bytes() != key and shake(tmp_path, authority, "c01")
    assert load_pem_private_key((tmp_path / "place/key.pem").read_bytes(), None).curve.name == "secp256r1"


def test_it_is_renewed_a_month_before_its_end(program):
    now = datetime.datetime(2026, 1, 1)
    found = x509.load_pem_x509_certificate(program.certificates(SEED, "lab", NAMES, now)[1])
    end = getattr(found, "not_valid_after_utc", None) or found.not_valid_after.replace(tzinfo=datetime.timezone.utc)
    assert (end.replace(tzinfo=None) - now).days == program.CERTIFICATE_DAYS == 90 and program.RENEW_DAYS == 30


def test_the_sites_certificate_is_taken_as_it_is(program, tmp_path):
    _authority, certificate, key = program.certificates(SEED, "site", ["c01"])
    (tmp_path / "secrets/gateway_certificate").write_bytes(certificate)
    (tmp_path / "secrets/gateway_key").write_bytes(key)
    assert program.place() is None and (tmp_path / "place/certificate.pem").read_bytes() == certificate
    assert list((tmp_path / "place/public").iterdir()) == [], "whose authority it is, the site knows"


@pytest.mark.parametrize("seed, names", [(None, "c01"), (SEED, "")])
def test_without_a_seed_or_a_name_it_says_so(program, tmp_path, monkeypatch, capsys, seed, names):
    if seed:
        (tmp_path / "secrets/gateway_ca_seed").write_bytes(seed)
    monkeypatch.setenv("SKP_GATEWAY_NAMES", names)
    with pytest.raises(SystemExit) as caught:
        program.place()
    assert caught.value.code == 78 and "expected" in capsys.readouterr().out


def test_health_sees_whether_somebody_answers(program, monkeypatch):
    taken = __import__("socket").socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    monkeypatch.setattr(program, "PORT", str(taken.getsockname()[1]))
    threading.Thread(target=taken.accept, daemon=True).start()
    assert program.health()
    taken.close()
    assert program.health()


# The access token of Portainer, before the stand-in ----------------------------------------------------------------------------------------------------

WORD = "p" * 64


@pytest.fixture
def portainer(program, tmp_path, monkeypatch):
    """A Portainer that the program can reach, with the account of the gateway."""
    (tmp_path / "data").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "secrets/gateway_portainer_password").write_text(WORD, encoding="utf-8")
    app = portainer_standin.Portainer(str(tmp_path / "data"), "s" * 64, "a" * 64)
    app.add_user("skp-gateway", WORD, 1)
    server = portainer_standin.serve(app, 0, "127.0.0.1")
    monkeypatch.setattr(program, "PORTAINER", "127.0.0.1:%d" % server.server_address[1])
    yield app
    server.shutdown()
    server.server_close()


def test_one_access_token_per_gateway(program, portainer, monkeypatch):
    """It is kept while Portainer takes it; a restart of the gateway replaces it; another gateway has another."""
    first = program.portainer_key("")
    assert program.portainer_key(first) == first and len(portainer.data["keys"]) == 1
    second = program.portainer_key("")
    assert second != first and len(portainer.data["keys"]) == 1, "the one of before the restart is removed"
    assert program.ask("GET", "/users/me", {"X-API-Key": first})[0] == 401
    monkeypatch.setattr(program.socket, "gethostname", lambda: "another")
    assert program.portainer_key("") not in (first, second) and len(portainer.data["keys"]) == 2
    assert program.ask("GET", "/users/me", {"X-API-Key": second}) == (200, {"Id": 2, "Username": "skp-gateway", "Role": 1})


def test_a_portainer_that_has_lost_its_data_gives_another_token(program, portainer, tmp_path, monkeypatch):
    """nginx is told, once."""
    class Told(Exception):
        """Ends the loop."""

    class Nginx:
        """Notes its signals."""

        def send_signal(self, number):
            signals.append(number)

    def sleep(_seconds):
        sleeps.append(1)
        if len(sleeps) > 3:
            raise Told
    signals, sleeps = [], []
    key = program.portainer_key("")
    portainer.data["keys"] = []
    monkeypatch.setattr(program.time, "sleep", sleep)
    with pytest.raises(Told):
        program.keep_key(Nginx(), key, "")
    text = (tmp_path / "place/portainer.conf").read_text(encoding="utf-8")
    assert signals == [signal.SIGHUP] and key not in text
    assert program.ask("GET", "/users/me", {"X-API-Key": text.split('"')[1]})[0] == 200
    assert (tmp_path / "place/portainer.conf").stat().st_mode & 0o777 == 0o600


def test_without_an_account_yet_it_says_so_once(program, portainer, tmp_path, capsys):
    (tmp_path / "secrets/gateway_portainer_password").write_text("canary", encoding="utf-8")
    key, said = program.look_at_key("", "")
    assert key == "" and "POST /api/auth: HTTP 422" in said
    assert program.look_at_key("", said) == ("", said)
    out = capsys.readouterr().out
    assert out.count("no access token of Portainer") == 1 and "canary" not in out


def test_a_portainer_that_is_away_keeps_its_token(program, portainer, monkeypatch):
    key = program.portainer_key("")
    monkeypatch.setattr(program, "PORTAINER", "127.0.0.1:1")
    assert program.look_at_key(key, "")[0] == key
    monkeypatch.setattr(program, "ask", lambda *_words: (503, None))
    assert program.portainer_key(key) == key
