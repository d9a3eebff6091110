# SPDX-License-Identifier: Apache-2.0
"""The hub's API, as a program on the same machine uses it: address and token from hub.json."""
import json
import pathlib
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request

from .wait import PATIENCE

TIMEOUT = 15
# No proxy of the environment stands between us and loopback.
_plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiError(OSError):
    """An answer that is none of 2xx, with its problem (RFC 9457)."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status, self.problem = status, problem


class Api:
    def __init__(self, hub_file):
        self.hub_file = pathlib.Path(hub_file)

    def where(self):
        return json.loads(self.hub_file.read_text(encoding="utf-8"))

    def open(self, method, path, body=None, accept="application/json", token=None, timeout=TIMEOUT, **query):
        """The answer as a file to read; ApiError for a refusal."""
        where = self.where()
        url = where["url"] + path
        if query:
            url += "?" + urllib.parse.urlencode({key.rstrip("_"): value for key, value in query.items()})
        headers = {"Accept": accept}
        if token != "":
            headers["Authorization"] = "Bearer " + (token or where["token"])
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            return _plain.open(request, timeout=PATIENCE * timeout)
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _problem(error.read())) from None

    def call(self, method, path, body=None, **options):
        with self.open(method, path, body, **options) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, {} if body is None else body, **options)

    def items(self, path, **query):
        """All pages of a list."""
        cursor, found = None, []
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def rows(self, dataset, **query):
        """Rows as JSON Lines, in one stream."""
        with self.open("GET", f"/api/v1/datasets/{dataset}/rows", accept="application/x-ndjson", timeout=60,
                       **query) as answer:
            return [json.loads(line) for line in answer]

    def node(self, name):
        return self.get(f"/api/v1/nodes/{urllib.parse.quote(name)}")

    def check(self, name):
        return self.get(f"/api/v1/check/{urllib.parse.quote(name)}")


class Events:
    """Server-sent events: iterate over (topic, data)."""

    def __init__(self, api, timeout=TIMEOUT, **query):
        self.answer = api.open("GET", "/api/v1/events", accept="text/event-stream", timeout=timeout, **query)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()

    def __iter__(self):
        topic, data = "message", []
        for raw in self.answer:
            line = raw.decode().rstrip("\r\n")
            if line.startswith("event:"):
                topic = line[6:].strip()
            elif line.startswith("data:"):
                data.append(line[5:].strip())
            elif line == "" and data:
                yield topic, json.loads("\n".join(data))
                topic, data = "message", []


def node_connection(url, ca_file, identity_file=None, timeout=TIMEOUT):
    """A TLS connection to the hub as a node makes it, with or without a certificate."""
    parts = urllib.parse.urlsplit(url)
    context = ssl.create_default_context(cafile=str(ca_file))
    if identity_file is not None:
        context.load_cert_chain(str(identity_file))
    plain = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE * timeout)
    return context.wrap_socket(plain, server_hostname=parts.hostname)


def ask_as_node(connection, method, path, body=b""):
    """One request on such a connection: (status, what came of the body with the head)."""
    head = (f"{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
    connection.sendall(head.encode() + body)
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    if not answer:
        raise ConnectionError("the hub closed the connection without an answer")
    return int(answer.split(b" ", 2)[1]), _problem(answer.partition(b"\r\n\r\n")[2])


def _problem(text):
    try:
        return json.loads(text)
    except ValueError:
        return {"detail": text[:200].decode(errors="replace")}
