# SPDX-License-Identifier: Apache-2.0
"""ClickHouse servers and ZooKeeper on loopback, as programs of a place.

    server = ClickHouse(place, "ch").start().ready()
    server.url                      for the hub's `clickhouse`
    server.value("SELECT count() FROM ping_1")
    server.kill(); server.start().ready()

    cluster = Cluster(place, replicas=2)        two servers that hold the same, and their ZooKeeper
    cluster.start().ready()
    cluster.name                    for `clickhouse_cluster`
    cluster.servers[0].url

Both need packages that are optional: needs_clickhouse() and needs_zookeeper() say (by Skip) what is missing.
"""
import pathlib
import shutil
import signal
import socket
import urllib.error
import urllib.request

from .parts import free_ports
from .place import Program
from .tap import Skip
from .wait import PATIENCE, until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ZOOKEEPER_JAR = pathlib.Path("/usr/share/java/zookeeper.jar")
READY_SECONDS = 120
# How 18.16 falls over: rarely while it starts, and over a ZooKeeper that goes away or takes its time.
KNOWN_FALLS = ("std::system_error, e.what() = Invalid argument", "zkutil::ZooKeeper::createImpl")

# The root element that servers of 2018 want, and later ones take.
CONFIG = """<yandex>
<logger><level>warning</level><log>{dir}/log/server.log</log><errorlog>{dir}/log/errors.log</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><interserver_http_port>{inter}</interserver_http_port>
<interserver_http_host>127.0.0.1</interserver_http_host><listen_host>127.0.0.1</listen_host>
<max_connections>100</max_connections><keep_alive_timeout>10</keep_alive_timeout>
<max_concurrent_queries>32</max_concurrent_queries><uncompressed_cache_size>0</uncompressed_cache_size>
<mark_cache_size>67108864</mark_cache_size>
<path>{dir}/data/</path><tmp_path>{dir}/tmp/</tmp_path><user_files_path>{dir}/user_files/</user_files_path>
<users_config>{dir}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><timezone>UTC</timezone>
{more}
</yandex>
"""
USERS = """<yandex>
<profiles><default><max_memory_usage>2000000000</max_memory_usage><max_threads>2</max_threads>
<background_pool_size>4</background_pool_size></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile>
<quota>default</quota></default>
<sonde><password>{password}</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile>
<quota>default</quota></sonde></users>
<quotas><default><interval><duration>3600</duration><queries>0</queries><errors>0</errors>
<result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time></interval></default></quotas>
</yandex>
"""
ZOO_CFG = """tickTime=1000
dataDir={dir}/data
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr
"""


def needs_clickhouse():
    if shutil.which("clickhouse-server", path=PATH) is None:
        raise Skip("clickhouse-server is not installed")


def needs_zookeeper():
    if not ZOOKEEPER_JAR.exists() or shutil.which("java", path=PATH) is None:
        raise Skip("zookeeper is not installed")


class Failed(Exception):
    """The server answered a question with an error."""


class ClickHouse(Program):
    """A server of its own directory; `more`: elements for its configuration."""

    PASSWORD = "quite &amp; secret"  # of user `sonde`, as it stands in the XML

    def __init__(self, place, name="clickhouse", more="", ports=None):
        super().__init__(place, name, "clickhouse-server")
        self.dir = place.path / name
        self.http, self.tcp, self.inter = ports or free_ports(3)
        self.more = more
        self.argv = [shutil.which("clickhouse-server", path=PATH) or "clickhouse-server",
                     f"--config-file={self.dir}/config.xml"]
        self.url = f"http://127.0.0.1:{self.http}/default"
        self.url_with_password = f"http://sonde:quite%20%26%20secret@127.0.0.1:{self.http}/default"

    def start(self):
        if not self.dir.exists():
            for part in ("data", "tmp", "user_files", "log"):
                (self.dir / part).mkdir(parents=True)
            (self.dir / "config.xml").write_text(CONFIG.format(
                dir=self.dir, http=self.http, tcp=self.tcp, inter=self.inter, more=self.more), encoding="utf-8")
            (self.dir / "users.xml").write_text(USERS.format(password=self.PASSWORD), encoding="utf-8")
        return super().start()

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/ping", timeout=PATIENCE * 10) as answer:
                return answer.read() == b"Ok.\n"
        except OSError:
            return False

    def start_fallen(self):
        """Starts it again, as a service manager would, if it ended in a way that 18.16 is known to end in."""
        fell = (not self.alive() and self.status not in (None, 0, -signal.SIGKILL)
                and any(words in self.log_text() for words in KNOWN_FALLS))
        if fell:
            self.start()
        return fell

    def ready(self, seconds=READY_SECONDS):
        again = 2

        def ask():
            nonlocal again
            if again > 0 and self.start_fallen():
                again -= 1
            assert self.alive(), f"{self.name} ended with {self.status}: {self.log_text()[-1000:]}"
            return self.answers()
        until(f"{self.name} answers", seconds, ask)
        return self

    def ask(self, sql, data=b"", seconds=60):
        """The answer as text (TabSeparated); an error of the server is a Failed."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/?wait_end_of_query=1",
                                         sql.encode() + (b"\n" + data if data else b""))
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE * seconds) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as problem:
            raise Failed(problem.read().decode(errors="replace").strip()) from None

    def rows(self, sql):
        """Lines of fields, as texts."""
        return [line.split("\t") for line in self.ask(sql).splitlines()]

    def value(self, sql):
        """The one number of the answer."""
        return int(self.ask(sql))

    def log_text(self):
        texts = [super().log_text()]
        path = self.dir / "log" / "errors.log"
        if path.exists():
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
        return "\n".join(texts)

    def stop(self, seconds=60):
        return super().stop(seconds)


class ZooKeeper(Program):
    """What replicated tables agree through; one process of Java."""

    def __init__(self, place, name="zookeeper"):
        super().__init__(place, name, "java")
        self.dir = place.path / name
        self.port, = free_ports(1)
        self.argv = [shutil.which("java", path=PATH) or "java", "-Xmx256m", "-XX:+UseSerialGC", "-cp",
                     str(ZOOKEEPER_JAR), "org.apache.zookeeper.server.quorum.QuorumPeerMain", f"{self.dir}/zoo.cfg"]

    def start(self):
        if not self.dir.exists():
            (self.dir / "data").mkdir(parents=True)
            (self.dir / "zoo.cfg").write_text(ZOO_CFG.format(dir=self.dir, port=self.port), encoding="utf-8")
        return super().start()

    def answers(self):
        """Whether it serves: it says `imok` to `ruok` before, and ClickHouse 18.16 falls over what it then gets."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE * 10) as connection:
                connection.sendall(b"srvr")
                with connection.makefile("rb") as answer:
                    return b"Mode: standalone" in answer.read()
        except OSError:
            return False

    def ready(self, seconds=READY_SECONDS):
        def ask():
            assert self.alive(), f"{self.name} ended with {self.status}: {self.log_text()[-1000:]}"
            return self.answers()
        until(f"{self.name} answers", seconds, ask)
        return self


class Cluster:
    """`shards` times `replicas` servers, a cluster of that name with a ZooKeeper of its own."""

    def __init__(self, place, shards=1, replicas=2, name="sonde"):
        self.name = name
        self.zookeeper = ZooKeeper(place, f"{name}-zookeeper")
        places = [(shard, replica) for shard in range(shards) for replica in range(replicas)]
        flat = free_ports(3 * len(places))
        ports = {where: flat[3 * i:3 * i + 3] for i, where in enumerate(places)}
        layout = "".join(
            "<shard><internal_replication>true</internal_replication>" + "".join(
                f"<replica><host>127.0.0.1</host><port>{ports[shard, replica][1]}</port></replica>"
                for replica in range(replicas)) + "</shard>" for shard in range(shards))
        self.servers = [ClickHouse(
            place, f"{name}-clickhouse-{shard + 1}-{replica + 1}",
            f"<remote_servers><{name}>{layout}</{name}></remote_servers>"
            f"<zookeeper><node index=\"1\"><host>127.0.0.1</host><port>{self.zookeeper.port}</port></node>"
            "<session_timeout_ms>10000</session_timeout_ms></zookeeper>"
            f"<macros><shard>{shard + 1:02}</shard><replica>r{replica + 1}</replica></macros>"
            "<distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>"
            # One that is killed while it takes the first parts of all has more than ZooKeeper knows of,
            # and would not start: a check that is of use where there is more than a test's rows.
            "<merge_tree><replicated_max_ratio_of_wrong_parts>1</replicated_max_ratio_of_wrong_parts></merge_tree>",
            ports[shard, replica]) for shard, replica in places]

    def start(self):
        self.zookeeper.start().ready()
        for server in self.servers:
            server.start()
        return self

    def ready(self, seconds=READY_SECONDS):
        for server in self.servers:
            server.ready(seconds)
        return self

    def start_fallen(self):
        for server in self.servers:
            server.start_fallen()

    def stop(self):
        for program in (*self.servers, self.zookeeper):
            program.end()
