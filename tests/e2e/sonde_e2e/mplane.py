# SPDX-License-Identifier: Apache-2.0
"""mPlane peers as scripts: what one identity says to a supervisor, byte for byte ours; certificates of a hub's CA."""
import http.client
import http.server
import json
import shutil
import ssl
import subprocess
import threading
import urllib.parse

from .tap import Skip
from .wait import PATIENCE

TIMEOUT = PATIENCE * 20

CORE = "http://ict-mplane.eu/registry/core"
MEDIA = "application/x-mplane+json"
KINDS = ("capability", "specification", "interrupt", "receipt")
HOPS = ["time", "hops.ip", "intermediate.ip4", "rtt.us"]


def capability(label, token=None, source="198.51.100.21", **changes):
    """A probe's; members that are None are left out."""
    message = {"capability": "measure", "version": 1, "registry": CORE, "label": label, "token": token or f"t-{label}",
               "link": "", "when": "now ... future / 1s",
               "parameters": {"source.ip4": source, "destination.ip4": "*", "hops.ip": "1 ... 30"},
               "metadata": {"System_type": "test"}, "results": HOPS, **changes}
    return {key: value for key, value in message.items() if value is not None}


def callback(token="cb-1"):
    return {"capability": "callback", "version": 1, "registry": CORE, "label": "callback", "token": token,
            "when": "now ... future"}


def specification(token, label="hops-0", when="now + 2s / 1s", source="198.51.100.21", destination="203.0.113.9", **changes):
    message = {"specification": "measure", "version": 1, "registry": CORE, "label": label, "token": token, "when": when,
               "parameters": {"source.ip4": source, "destination.ip4": destination, "hops.ip": "12"}, "results": HOPS,
               **changes}
    return {key: value for key, value in message.items() if value is not None}


def envelope(*messages):
    return {"envelope": "message", "version": 1, "contents": list(messages)}


def answer_to(specified, kind, **changes):
    """The same sections under another kind: receipt, result, redemption ..."""
    verb = next(specified[key] for key in KINDS if key in specified)
    kept = {key: value for key, value in specified.items() if key not in (*KINDS, "link")}
    return {kind: verb, **kept, **changes}


def rows(count=1, rtt=400, day="2031-05-06"):
    return [[f"{day} 10:00:0{n}.000000", str(n + 1), f"198.51.100.{n + 1}", str(rtt + n)] for n in range(count)]


def result_of(specified, values=None, **changes):
    return answer_to(specified, "result", **{"when": "2031-05-06 10:00:00.000000 ... 2031-05-06 10:00:09.000000",
                                             "resultvalues": rows() if values is None else values, **changes})


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.media = headers.get("Content-Type", "")
        self.text = body.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.media}: {self.text[:300]}"


class Peer:
    """One identity; a connection for each request, as the reference implementation often has it."""

    def __init__(self, url, identity=None, context=None):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.context = parts.hostname, parts.port, context
        self.identity = identity

    def connection(self, timeout=TIMEOUT):
        if self.context is not None:
            return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method, path, body=None, media=MEDIA, timeout=TIMEOUT, **headers):
        connection = self.connection(timeout)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.identity:
            sent["Forged-MPlane-Identity"] = self.identity
        if body is not None:
            sent["Content-Type"] = media
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    # As a component

    def register(self, *messages, body=None):
        answer = self.ask("POST", "/register/capability", envelope(*messages) if body is None else body)
        assert (answer.status, answer.media) == (200, MEDIA), answer
        return answer.json

    def poll(self):
        answer = self.get("/show/specification")
        assert (answer.status, answer.media) == (200, MEDIA), answer
        assert answer.json["envelope"] == "message" and answer.json["version"] == 1, answer
        return answer.json["contents"]

    def work(self, kind="specification"):
        """What there is to do, the callback left out."""
        return [message for message in self.poll() if kind in message and message["label"] != "callback"]

    def deliver(self, message, status=200):
        answer = self.ask("POST", "/register/result", message)
        assert answer.status == status, answer
        return answer

    # As a client

    def listed(self):
        answer = self.get("/capability", Accept=MEDIA)
        assert (answer.status, answer.media) == (200, MEDIA), answer
        return answer.json["contents"]

    def find(self, label):
        return [message for message in self.listed() if message["label"] == label]

    def say(self, message, path="/"):
        answer = self.ask("POST", path, message)
        assert (answer.status, answer.media) == (200, MEDIA), answer
        return answer.json

    def redeem(self, token):
        return self.say({"redemption": "measure", "version": 1, "token": token})


def path_of(link):
    return urllib.parse.urlsplit(link).path


# Certificates ---------------------------------------------------------------------------


def identity_files(place, hub, kind, organisation, name, **names):
    """Key and certificate of a peer, signed by the hub: (certificate file, key file, serial)."""
    if not shutil.which("openssl"):
        raise Skip("there is no openssl(1) to make keys with")
    base = place.path / f"{hub.name}-{kind}-{name}"
    key, request, certificate = (base.with_name(base.name + end) for end in (".key", ".csr", ".pem"))
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    str(key), "-out", str(request), "-subj", f"/CN={name}"], check=True, capture_output=True)
    made = hub.api.post("/api/v1/certificates", {"kind": kind, "organisation": organisation, "name": name,
                                                 "csr_pem": request.read_text(encoding="ascii"), **names})
    certificate.write_text(made["certificate_pem"], encoding="ascii")
    return certificate, key, made["serial"]


def context_of(ca_file, certificate=None, key=None):
    context = ssl.create_default_context(cafile=str(ca_file))
    if certificate is not None:
        context.load_cert_chain(str(certificate), str(key))
    return context


# Servers ------------------------------------------------------------------------------------


class Server:
    """HTTP on loopback: `answer(method, path, body)` gives (status, media, text)."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, media, text = answer(self.command, self.path, body)
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = respond

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
