# SPDX-License-Identifier: Apache-2.0
"""A client with a node's certificate that sends batches of rows without end, each until it is acknowledged."""
import datetime
import hashlib
import http.client
import json
import ssl
import threading
import time
import urllib.parse

from .wait import PATIENCE

STREAM = "00112233445566778899aabbccddeeff"
DAY = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)


class Feeder(threading.Thread):
    """Rows 0, 1, 2, ... of the dataset ping, over some days; `acknowledged` is the number of rows that are safe."""

    def __init__(self, hub, node, days=3, rows=200):
        super().__init__(daemon=True)
        self.url = urllib.parse.urlsplit(hub.url)
        self.identity, self.ca = node.state / "identity.pem", node.state / "ca.pem"
        self.days, self.rows = days, rows
        self.batch, self.acknowledged, self.duplicates = 0, 0, 0
        self.ended, self.trouble = threading.Event(), None

    def body(self, batch):
        day = DAY + datetime.timedelta(days=batch % self.days, seconds=batch)
        first = batch * self.rows
        lines = ({"time": day.strftime("%Y-%m-%dT%H:%M:%S.") + f"{(i * 977) % 1000:03}Z", "seq": first + i,
                  "target": f"192.0.2.{i % 200}", "loss_ratio": (i % 5) / 4, "rtt_p50_seconds": (first + i) % 997 / 1e5}
                 for i in range(self.rows))
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    def connect(self):
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(str(self.identity))
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=PATIENCE * 20, context=context)

    def send(self, connection, batch):
        body = self.body(batch)
        connection.request("PUT", f"/api/v1/node/batches/{STREAM}/{batch}", body, {
            "Sonde-Dataset": "ping/1", "Sonde-Rows": str(self.rows), "Content-Type": "application/x-ndjson",
            "Digest": "sha-256=" + hashlib.sha256(body).hexdigest()})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def run(self):
        """A batch that was begun may be in the store without an answer: it is sent until there is one."""
        connection, begun = None, False
        while begun or not self.ended.is_set():
            try:
                connection = connection or self.connect()
                begun = True
                status, text = self.send(connection, self.batch)
                if status == 200:
                    self.duplicates += b'"duplicate":true' in text
                    self.batch += 1
                    self.acknowledged = self.batch * self.rows
                    begun = False
                elif status < 500:
                    self.trouble = (status, text)
                    return
                else:
                    time.sleep(0.1)
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                connection = None
                time.sleep(0.05)

    def end(self):
        self.ended.set()
        self.join(PATIENCE * 60)
        assert not self.is_alive() and self.trouble is None, self.trouble
        return self.acknowledged
