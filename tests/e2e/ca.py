#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Certificates of mPlane peers, judged by programs that are not ours: OpenSSL and Python's ssl.

usage: ca.py PROGRAM_DIR
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

from sonde_e2e import tap
from sonde_e2e.parts import Hub
from sonde_e2e.place import Place, replace_text
from sonde_e2e.wait import PATIENCE, until

CONFIGURATION = """
[ca]
default_ca = it
[it]
dir = {dir}
database = {dir}/index
serial = {dir}/serial
crlnumber = {dir}/crlnumber
new_certs_dir = {dir}
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
domainComponent = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
"""


class World:
    def __init__(self, place):
        self.place = place
        self.partner = Partner(place.path / "partner")
        self.hub = Hub(place, announce="true", trust=self.partner.file,
                       mplane_identity="org.mplane.SSB.Supervisors.hub-1")
        self.hub.start().ready()
        self.dir = place.path

    def describe(self):
        return self.place.describe()

    def sonde(self, *arguments, code=0):
        done = self.place.run("sonde", "ca", *arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def issue(self, kind, name, *arguments):
        """Directory with the files of a new certificate, and what the hub said of it."""
        where = self.dir / name
        said = json.loads(self.sonde("issue", kind, "SSB", name, "-o", where, "--json", *arguments))
        return where, said

    def connect(self, where, name, ca=None):
        return connection(self.hub, ca or where / "ca.crt", where / f"{name}.crt", where / f"{name}.key")


class Partner:
    """The CA of another domain, run with OpenSSL."""

    def __init__(self, path):
        self.dir = path
        path.mkdir()
        for name, text in (("index", ""), ("serial", "1000\n"), ("crlnumber", "01\n"),
                           ("openssl.cnf", CONFIGURATION.format(dir=path))):
            (path / name).write_text(text, encoding="ascii")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path / "ca.key", "-out", path / "ca.pem",
                "-days", "30", "-subj", "/DC=org/DC=mplane/OU=Root-CA/CN=Root-CA-1")
        self.make_crl(7)
        self.file = path / "trust.yaml"
        self.trust("org.mplane.Partner.Supervisors.sup1")

    def trust(self, *identities):
        replace_text(self.file, f"ca: ca.pem\ncrl: list.pem\nidentities: {json.dumps(identities)}\n")

    def make_crl(self, days):
        openssl("ca", "-config", self.dir / "openssl.cnf", "-gencrl", "-crldays", days, "-out", self.dir / "list.new")
        os.replace(self.dir / "list.new", self.dir / "list.pem")

    def issue(self, name, extensions=""):
        key, csr, cert = (self.dir / f"{name}.{end}" for end in ("key", "csr", "crt"))
        add = ("-addext", extensions) if extensions else ()
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr, "-subj",
                f"/DC=org/DC=mplane/O=Partner/OU=Supervisors/CN={name}", *add)
        openssl("ca", "-config", self.dir / "openssl.cnf", "-batch", "-in", csr, "-out", cert)

    def revoke(self, name):
        openssl("ca", "-config", self.dir / "openssl.cnf", "-revoke", self.dir / f"{name}.crt")
        self.make_crl(7)


def openssl(*arguments, code=0):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE * 60,
                          check=False)
    assert (done.returncode == 0) == (code == 0), f"{arguments}: {done.stdout} {done.stderr}"
    return done.stdout + done.stderr


def connection(hub, ca, cert=None, key=None):
    context = ssl.create_default_context(cafile=str(ca))
    if cert is not None:
        context.load_cert_chain(str(cert), str(key))
    return http.client.HTTPSConnection("127.0.0.1", hub.port, context=context, timeout=PATIENCE * 10)


def ask(link, path="/api/v1/ca"):
    """Status of an open path: 200, or 403 when the certificate is not accepted."""
    link.request("GET", path)
    answer = link.getresponse()
    body = answer.read().decode()
    return answer.status, body


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


def identity_in_file(path):
    """The way the Python SDK reads it: the line "Subject:" without any blank, values behind '='."""
    lines = [line.rstrip().replace(" ", "") for line in path.read_text(encoding="utf-8").splitlines()]
    subjects = [line[len("Subject:"):] for line in lines if line.startswith("Subject:")]
    assert len(subjects) == 1, lines
    return ".".join(part.split("=")[1] for part in subjects[0].split(","))


def identity_of_peer(certificate):
    return ".".join(rdn[0][1] for rdn in certificate["subject"])


# Issuing ----------------------------------------------------------------------------------------


def openssl_verifies_the_chain_and_the_names(world):
    where, said = world.issue("component", "probe1", "--ip", "127.0.0.1", "--ip", "2001:db8::1", "--dns",
                              "probe.example", "--uri", "https://probe.example/")
    cert = where / "probe1.crt"
    for check in ((), ("-verify_ip", "127.0.0.1"), ("-verify_ip", "2001:db8::1"), ("-verify_hostname", "probe.example"),
                  ("-verify_hostname", "probe1.SSB.mplane.org"), ("-purpose", "sslserver"), ("-purpose", "sslclient")):
        assert ": OK" in openssl("verify", "-x509_strict", "-CAfile", where / "ca.crt", *check, cert), check
    openssl("verify", "-CAfile", where / "ca.crt", "-verify_hostname", "other.example", cert, code=1)
    shown = openssl("x509", "-in", cert, "-noout", "-subject", "-nameopt", "sep_comma_plus")
    assert shown.strip() == "subject=DC=org,DC=mplane,O=SSB,OU=Components,CN=probe1", shown
    assert said["identity"] == "org.mplane.SSB.Components.probe1", said
    assert "sha256" in openssl("x509", "-in", cert, "-noout", "-text").lower()


def key_belongs_to_the_certificate_and_is_private(world):
    where = world.dir / "probe1"
    assert os.stat(where / "probe1.key").st_mode & 0o777 == 0o600
    assert openssl("pkey", "-in", where / "probe1.key", "-pubout") == openssl("x509", "-in", where / "probe1.crt",
                                                                             "-noout", "-pubkey")


def rsa_and_requests_of_openssl_are_taken(world):
    where, _ = world.issue("client", "rsa", "--rsa")
    assert "Public-Key: (2048 bit)" in openssl("x509", "-in", where / "rsa.crt", "-noout", "-text")
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", world.dir / "alice.key", "-subj",
            "/CN=somebody else", "-out", world.dir / "alice.csr")
    where, said = world.issue("client", "alice", "--csr", world.dir / "alice.csr")
    assert said["identity"] == "org.mplane.SSB.Clients.alice" and said["files"]["key"] is None, said
    assert not (where / "alice.key").exists()
    assert openssl("pkey", "-in", world.dir / "alice.key", "-pubout") == openssl("x509", "-in", where / "alice.crt",
                                                                               "-noout", "-pubkey")


def weak_key_is_refused_with_what_to_do(world):
    openssl("req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", world.dir / "weak.key", "-subj", "/CN=x", "-out",
            world.dir / "weak.csr")
    said = world.sonde("issue", "client", "SSB", "weak", "--csr", world.dir / "weak.csr", "-o", world.dir / "weak",
                       code=1)
    assert "RSA of 2048" in said, said
    assert not (world.dir / "weak").exists()


def nothing_is_overwritten_unless_that_is_wanted(world):
    where = world.dir / "probe1"
    before = (where / "probe1.key").read_bytes()
    said = world.sonde("renew", "org.mplane.SSB.Components.probe1", "-o", where, code=1)
    assert "--force" in said, said
    (world.dir / "mixed").mkdir()
    (world.dir / "mixed" / "ca.crt").write_text("another CA\n", encoding="ascii")
    said = world.sonde("issue", "client", "SSB", "mixed", "-o", world.dir / "mixed", code=1)
    assert "another CA" in said, said
    assert (where / "probe1.key").read_bytes() == before
    world.sonde("renew", "org.mplane.SSB.Components.probe1", "-o", where, "--force")
    assert (where / "probe1.key").read_bytes() != before
    key_belongs_to_the_certificate_and_is_private(world)


def names_that_would_be_read_as_others_are_refused(world):
    for organisation, name in (("S.B", "x"), ("SSB", "a b"), ("SSB", "../x"), ("", "x"), ("SSB", "-x")):
        said = world.sonde("issue", "--", "client", organisation, name, code=2)
        assert "letters, digits" in said, said
    said = world.sonde("issue", "clint", "SSB", "x", code=2)
    assert "did you mean 'client'?" in said, said


# Use --------------------------------------------------------------------------------------------


def two_peers_know_each_other_by_what_stands_in_their_files(world):
    """A listener and a client of Python's ssl, each with files of ours."""
    server_at, _ = world.issue("component", "listener", "--ip", "127.0.0.1")
    client_at, _ = world.issue("supervisor", "boss")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(server_at / "listener.crt", server_at / "listener.key")
    server.load_verify_locations(server_at / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(client_at / "ca.crt"))
    client.load_cert_chain(client_at / "boss.crt", client_at / "boss.key")
    seen = []

    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            link, _ = listener.accept()
            with server.wrap_socket(link, server_side=True) as tls:
                seen.append(identity_of_peer(tls.getpeercert()))
                tls.recv(1)
        thread = threading.Thread(target=serve)
        thread.start()
        with socket.create_connection(listener.getsockname()) as link:
            with client.wrap_socket(link, server_hostname="127.0.0.1") as tls:
                seen.append(identity_of_peer(tls.getpeercert()))
                tls.send(b"x")
        thread.join(PATIENCE * 10)
    assert sorted(seen) == ["org.mplane.SSB.Components.listener", "org.mplane.SSB.Supervisors.boss"], seen
    assert identity_in_file(server_at / "listener.crt") == "org.mplane.SSB.Components.listener"
    assert identity_in_file(client_at / "boss.crt") == "org.mplane.SSB.Supervisors.boss"


def hub_says_which_supervisor_it_is(world):
    shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{world.hub.port}", "-showcerts"],
                           input="", capture_output=True, text=True, check=False, timeout=PATIENCE * 20).stdout
    subject = next(line for line in shown.splitlines() if "CN = hub-1" in line or "CN=hub-1" in line)
    wanted = ["DC=org", "DC=mplane", "O=SSB", "OU=Supervisors", "CN=hub-1"]
    found = [subject.replace(" = ", "=").find(part) for part in wanted]
    assert -1 not in found and found == sorted(found), subject
    done = world.place.run("sonde-hub", "--set", "mplane_identity=hub 1", "--check-config")
    assert done.returncode == 2 and "mplane_identity" in done.stderr, done


def old_tls_is_refused(world):
    ca = world.dir / "boss" / "ca.crt"
    context = ssl.create_default_context(cafile=str(ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    for version, good in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                          (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1, False)):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version
        with socket.create_connection(("127.0.0.1", world.hub.port)) as link:
            try:
                with context.wrap_socket(link, server_hostname="127.0.0.1"):
                    worked = True
            except (ssl.SSLError, OSError):
                worked = False
        assert worked == good, version


def handshakes_without_a_request_leave_no_trace(world):
    """The Python SDK makes one for each message, to see the certificate."""
    context = ssl.create_default_context(cafile=str(world.dir / "boss" / "ca.crt"))
    context.load_cert_chain(world.dir / "boss" / "boss.crt", world.dir / "boss" / "boss.key")
    before = world.hub.log_text()
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", world.hub.port)) as link:
            with context.wrap_socket(link, server_hostname="127.0.0.1") as tls:
                assert identity_of_peer(tls.getpeercert()) == "org.mplane.SSB.Supervisors.hub-1"
    assert ask(world.connect(world.dir / "boss", "boss"))[0] == 200
    assert world.hub.log_text() == before


# Revoking ------------------------------------------------------------------------------------------


def revocation_is_immediate_and_on_the_list(world):
    where, said = world.issue("client", "gone")
    crl = world.dir / "before.pem"
    world.sonde("crl", "-o", crl)
    assert ": OK" in openssl("verify", "-crl_check", "-CAfile", where / "ca.crt", "-CRLfile", crl, where / "gone.crt")
    link = world.connect(where, "gone")
    assert ask(link)[0] == 200
    world.sonde("revoke", "org.mplane.SSB.Clients.gone", "--reason", "key was copied")
    try:
        status = ask(link)[0]
    except (ConnectionError, http.client.HTTPException, ssl.SSLError):
        status = 0  # cut off
    assert status == 0, status
    status, body = ask(world.connect(where, "gone"))
    assert status == 403 and json.loads(body)["code"] == "identity-revoked", body
    after = world.dir / "after.pem"
    world.sonde("crl", "-o", after)
    assert "revoked" in openssl("verify", "-crl_check", "-CAfile", where / "ca.crt", "-CRLfile", after,
                                where / "gone.crt", code=1)
    assert ": OK" in openssl("verify", "-crl_check", "-CAfile", where / "ca.crt", "-CRLfile", after,
                             world.dir / "boss" / "boss.crt")
    numbers = [int(re.search(r"=(?:0x)?([0-9A-F]+)", openssl("crl", "-in", f, "-noout", "-crlnumber"))[1], 16)
               for f in (crl, after)]
    assert numbers[1] > numbers[0], numbers
    serial = openssl("x509", "-in", where / "gone.crt", "-noout", "-serial").strip().split("=")[1]  # in capitals
    shown = json.loads(world.sonde("show", serial, "--json"))
    assert shown["serial"] == said["serial"], shown
    assert shown["state"] == "revoked" and shown["reason"] == "key was copied", shown


def list_in_der_is_the_same_and_open(world):
    der = world.dir / "list.der"
    world.sonde("crl", "--der", "-o", der)
    link = connection(world.hub, world.dir / "boss" / "ca.crt")
    link.request("GET", "/api/v1/ca/crl")
    answer = link.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type") == "application/pkix-crl"
    assert answer.read() == der.read_bytes()
    openssl("crl", "-inform", "DER", "-in", der, "-noout", "-CAfile", world.dir / "boss" / "ca.crt")


# Foreign CAs ----------------------------------------------------------------------------------------


def partner_status(world, name):
    """What a peer of the partner is told, on a new connection."""
    return ask(connection(world.hub, world.dir / "boss" / "ca.crt", world.partner.dir / f"{name}.crt",
                          world.partner.dir / f"{name}.key"))


def listed_peer_of_a_partner_is_let_in_and_no_other(world):
    world.partner.issue("sup1")
    world.partner.issue("sup2")
    assert partner_status(world, "sup1")[0] == 200
    status, body = partner_status(world, "sup2")
    assert status == 403 and "not among the identities" in body, body


def partners_ca_makes_nobody_one_of_ours(world):
    world.partner.issue("sup3", "subjectAltName=URI:urn:sonde:user:admin")
    world.partner.trust("org.mplane.Partner.Supervisors.sup1", "org.mplane.Partner.Supervisors.sup3")
    until("sup3 is let in", 10, lambda: partner_status(world, "sup3")[0] == 200)
    link = connection(world.hub, world.dir / "boss" / "ca.crt", world.partner.dir / "sup3.crt",
                      world.partner.dir / "sup3.key")
    assert ask(link, "/api/v1/nodes")[0] == 401


def partners_revocation_list_is_honoured(world):
    world.partner.revoke("sup3")
    until("sup3 is refused", 10, lambda: partner_status(world, "sup3")[0] == 403)
    assert "revoked" in partner_status(world, "sup3")[1]
    assert partner_status(world, "sup1")[0] == 200


def broken_files_change_nothing_and_are_said(world):
    replace_text(world.partner.dir / "list.pem", "junk\n")
    until("the hub has a problem", 10, lambda: any("list.pem" in text for text in
                                                   world.hub.api.get("/api/v1/hub")["problems"]))
    assert partner_status(world, "sup1")[0] == 200 and partner_status(world, "sup3")[0] == 403
    world.partner.make_crl(7)
    until("the problem is over", 10, lambda: not world.hub.api.get("/api/v1/hub")["problems"])


CASES = [
    openssl_verifies_the_chain_and_the_names,
    key_belongs_to_the_certificate_and_is_private,
    rsa_and_requests_of_openssl_are_taken,
    weak_key_is_refused_with_what_to_do,
    nothing_is_overwritten_unless_that_is_wanted,
    names_that_would_be_read_as_others_are_refused,
    two_peers_know_each_other_by_what_stands_in_their_files,
    hub_says_which_supervisor_it_is,
    old_tls_is_refused,
    handshakes_without_a_request_leave_no_trace,
    revocation_is_immediate_and_on_the_list,
    list_in_der_is_the_same_and_open,
    listed_peer_of_a_partner_is_let_in_and_no_other,
    partners_ca_makes_nobody_one_of_ours,
    partners_revocation_list_is_honoured,
    broken_files_change_nothing_and_are_said,
]

if __name__ == "__main__":
    if shutil.which("openssl") is None:
        tap.skip_all(CASES, "there is no openssl program")
        sys.exit(0)
    sys.exit(tap.run(CASES, set_up(sys.argv[1])))
