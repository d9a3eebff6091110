# SPDX-License-Identifier: Apache-2.0
"""A reader of IPFIX (RFC 7011) that forgives nothing, and collectors on loopback that keep what they are sent."""
import ipaddress
import socket
import ssl
import struct
import threading

from .wait import PATIENCE

TIMEOUT = PATIENCE * 20

REVERSE = 29305
ADDRESSES = {8: "source", 27: "source", 12: "destination", 28: "destination"}


class Malformed(Exception):
    pass


class Reader:
    """One transport session: flows as dictionaries of (enterprise, element): bytes."""

    def __init__(self):
        self.templates, self.flows, self.options = {}, [], []
        self.sequence, self.messages = 0, 0

    def stream(self, data):
        """Messages one after another, all of `data`."""
        while data:
            length = struct.unpack_from(">H", data, 2)[0] if len(data) >= 16 else 0
            check(16 <= length <= len(data), "a message does not end")
            self.message(data[:length])
            data = data[length:]
        return self

    def message(self, data):
        version, length, _time, sequence, _domain = struct.unpack_from(">HHIII", data)
        check(version == 10 and length == len(data), f"version {version}, length {length} of {len(data)}")
        check(sequence == self.sequence, f"sequence {sequence} instead of {self.sequence}")
        at = 16
        check(at < len(data), "no sets")
        while at < len(data):
            number, size = struct.unpack_from(">HH", data, at)
            check(4 < size <= len(data) - at, f"set {number} of {size}")
            self._set(number, data[at + 4:at + size])
            at += size
        self.messages += 1

    def _set(self, number, body):
        while body:
            if number in (2, 3):
                body = self._template(body, options=number == 3)
            else:
                check(number in self.templates, f"template {number} was not told")
                body = self._record(number, body)

    def _template(self, body, options):
        number, count = struct.unpack_from(">HH", body)
        scopes = struct.unpack_from(">H", body, 4)[0] if options else 0
        check(number > 255 and count > 0 and scopes <= count and (scopes > 0) == options, f"template {number}")
        body, fields = body[6 if options else 4:], []
        for _ in range(count):
            element, length = struct.unpack_from(">HH", body)
            body, enterprise = body[4:], 0
            if element & 0x8000:
                enterprise, body = struct.unpack_from(">I", body)[0], body[4:]
            fields.append((enterprise, element & 0x7fff, length))
        check(len({field[:2] for field in fields}) == count, f"template {number} has an element twice")
        check(self.templates.setdefault(number, (scopes, fields)) == (scopes, fields), f"template {number} changed")
        return body

    def _record(self, number, body):
        scopes, fields = self.templates[number]
        record = {}
        for enterprise, element, length in fields:
            if length == 0xffff:
                length, body = body[0], body[1:]
                if length == 255:
                    length, body = struct.unpack_from(">H", body)[0], body[2:]
            check(len(body) >= length, f"a record of template {number} is cut off")
            record[enterprise, element], body = body[:length], body[length:]
        (self.options if scopes else self.flows).append(record)
        self.sequence += 1
        return body


def check(good, what):
    if not good:
        raise Malformed(what)


def number(record, element, enterprise=0):
    return int.from_bytes(record.get((enterprise, element), b""), "big")


def text(record, element, enterprise=0):
    return record[enterprise, element].decode()


def ends(record):
    """Addresses and ports of a flow that is not ICMP."""
    where = {name: str(ipaddress.ip_address(record[0, element])) for element, name in ADDRESSES.items()
             if (0, element) in record}
    return where["source"], number(record, 7), where["destination"], number(record, 11)


def totals(flows):
    """Packets and octets of both directions."""
    return (sum(number(flow, 2) + number(flow, 2, REVERSE) for flow in flows),
            sum(number(flow, 1) + number(flow, 1, REVERSE) for flow in flows))


class StreamCollector:
    """Takes one connection over TCP, or TLS with a context, and keeps its bytes."""

    def __init__(self, context=None):
        self.context, self.data, self.peer, self.error = context, b"", None, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(TIMEOUT)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        try:
            connection, _address = self.listener.accept()
            connection.settimeout(TIMEOUT)
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.peer = connection.getpeercert()
            with connection:
                while part := connection.recv(65536):
                    self.data += part
        except (OSError, ssl.SSLError) as problem:
            self.error = problem

    def end(self):
        """What came, once the other side is done."""
        self.thread.join(TIMEOUT)
        self.listener.close()
        return self.data
