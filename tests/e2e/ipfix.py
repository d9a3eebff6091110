#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sonde-meter exports as IPFIX, read by us and by programs that are not ours: nfdump, pmacct, tshark, libfixbuf.

usage: ipfix.py PROGRAM_DIR
"""
import collections
import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys

from sonde_e2e import ipfix, tap
from sonde_e2e.parts import free_ports
from sonde_e2e.place import Place
from sonde_e2e.tap import Skip
from sonde_e2e.wait import PATIENCE, until

CAPTURES = sorted((pathlib.Path(__file__).resolve().parent.parent / "data" / "pcap").glob("*.pcap*"))
ENTERPRISE = 32473  # for documentation (RFC 5612)
STYLES = ([], ["--uniflow"], ["--enterprise", ENTERPRISE], ["--uniflow", "--enterprise", ENTERPRISE])

NFACCTD = """daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: {port}
nfacctd_time_new: true
plugins: print
aggregate: src_host, dst_host, src_port, dst_port, proto
print_refresh_time: 1
plugin_buffer_size: 10
plugin_pipe_size: 1000000
print_output: json
print_output_file: {file}
print_output_file_append: true
"""

OPENSSL = """[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[peer]
subjectAltName = IP:127.0.0.1
extendedKeyUsage = serverAuth, clientAuth
"""


class World:
    def __init__(self, place):
        self.place, self.dir = place, place.path
        # The meter may become another user before it writes.
        self.dir.chmod(0o777)

    def describe(self):
        return self.place.describe()

    def meter(self, *arguments, captures=None):
        """Rows of dataset `flow`, while it exports."""
        reads = [part for capture in captures or CAPTURES for part in ("-r", capture)]
        done = self.place.run("sonde-meter", "--json", *reads, *arguments, seconds=60)
        assert done.returncode in (0, 1), f"{arguments}: {done.returncode} {done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def file(self, *arguments, captures=None):
        """A file of ours: its rows, what is in it, its path."""
        path = self.dir / "flows.ipfix"
        rows = self.meter("--ipfix", f"file:{path}", *arguments, captures=captures)
        return rows, ipfix.Reader().stream(path.read_bytes()), path


def sums(rows):
    return sum(row["c_packets"] + row["s_packets"] for row in rows), sum(row["c_bytes"] + row["s_bytes"] for row in rows)


def needs(program):
    path = shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise Skip(f"{program} is not installed")
    return path


def files_hold_what_the_rows_say_in_each_style(world):
    for style in STYLES:
        for capture in CAPTURES:
            rows, reader, _path = world.file(*style, captures=[capture])
            assert ipfix.totals(reader.flows) == sums(rows), f"{capture.name} {style}"
            if "--uniflow" in style:
                directions = sum((row["c_packets"] > 0) + (row["s_packets"] > 0) for row in rows)
                assert len(reader.flows) == directions, f"{capture.name} {style}"
            else:
                assert len(reader.flows) == len(rows), f"{capture.name} {style}"


def every_flow_is_told_with_its_ends_and_counts(world):
    rows, reader, _path = world.file()
    ours = collections.Counter((row["c_ip"], row["c_port"], row["s_ip"], row["s_port"], row["c_packets"],
                                row["s_bytes"]) for row in rows if row["protocol"] in ("tcp", "udp"))
    told = collections.Counter((*ipfix.ends(flow), ipfix.number(flow, 2), ipfix.number(flow, 1, ipfix.REVERSE))
                               for flow in reader.flows if ipfix.number(flow, 4) in (6, 17))
    assert ours == told, f"{list((ours - told).items())[:3]} {list((told - ours).items())[:3]}"


def names_of_servers_are_told(world):
    capture = next(path for path in CAPTURES if path.name == "tls13-ech.pcap")
    _rows, reader, _path = world.file("--enterprise", ENTERPRISE, captures=[capture])
    names = {ipfix.text(flow, 1, ENTERPRISE) for flow in reader.flows}
    assert "cloudflare-ech.com" in names, names
    described = {(ipfix.number(option, 346), ipfix.number(option, 303)): ipfix.text(option, 341)
                 for option in reader.options if (0, 341) in option}
    assert described[ENTERPRISE, 1] == "serverName"


def real_addresses_do_not_leave_when_they_are_hidden(world):
    policy = world.dir / "privacy"
    policy.write_text("client_address cryptopan\nserver_address drop\n", encoding="utf-8")
    real = {part for row in world.meter() for part in (row["c_ip"], row["s_ip"])}
    rows, reader, _path = world.file("--privacy", policy, "--uniflow")
    assert len(rows) > 100 and all((0, 8) in flow or (0, 12) in flow or (0, 27) in flow or (0, 28) in flow
                                   for flow in reader.flows)
    # Encrypted ones may meet a real one by chance, but hardly ever two at a place of a session.
    told = [str(ipfix.ipaddress.ip_address(flow[0, element])) for flow in reader.flows for element in ipfix.ADDRESSES
            if (0, element) in flow]
    assert len(told) == len(reader.flows), "the address of a server was told"
    assert sum(address in real for address in told) <= len(told) // 50
    techniques = {(ipfix.number(option, 303), ipfix.number(option, 286)) for option in reader.options
                  if (0, 286) in option}
    assert (8, 6) in techniques and (12, 6) in techniques, techniques


def records_arrive_over_tcp_by_a_name(world):
    collector = ipfix.StreamCollector()
    rows = world.meter("--ipfix", f"tcp:localhost:{collector.port}")
    reader = ipfix.Reader().stream(collector.end())
    assert ipfix.totals(reader.flows) == sums(rows)


def certificates(world):
    openssl, at = needs("openssl"), world.dir

    def run(*arguments):
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True, cwd=at)

    (at / "openssl.cnf").write_text(OPENSSL, encoding="utf-8")
    new = ("req", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run(*new, "-x509", "-days", 2, "-subj", "/CN=test CA", "-extensions", "ca", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("collector", "meter"):
        run(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 1,
            "-extfile", "openssl.cnf", "-extensions", "peer", "-out", f"{name}.pem")


def records_arrive_over_tls_with_certificates_of_both_sides(world):
    certificates(world)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=world.dir / "ca.pem")
    context.load_cert_chain(world.dir / "collector.pem", world.dir / "collector.key")
    context.verify_mode = ssl.CERT_REQUIRED
    collector = ipfix.StreamCollector(context)
    rows = world.meter("--ipfix", f"tls:127.0.0.1:{collector.port}", "--ipfix-ca", world.dir / "ca.pem", "--ipfix-cert",
                       world.dir / "meter.pem", "--ipfix-key", world.dir / "meter.key")
    reader = ipfix.Reader().stream(collector.end())
    assert collector.error is None, collector.error
    assert collector.peer["subject"] == ((("commonName", "meter"),),)
    assert ipfix.totals(reader.flows) == sums(rows)


def collector_that_is_away_does_not_keep_the_meter(world):
    port, = free_ports(1)
    rows = world.meter("--ipfix", f"tcp:127.0.0.1:{port}")
    assert len(rows) > 100


def tshark_finds_nothing_malformed(world):
    tshark = needs("tshark")
    for style in STYLES:
        _rows, _reader, path = world.file(*style)
        done = subprocess.run([tshark, "-r", path, "-o", "cflow.max_template_fields:200", "-T", "fields", "-e",
                               "_ws.malformed", "-e", "_ws.expert.message"], capture_output=True, text=True, check=True,
                              env=world.place.env)
        assert not done.stdout.strip(), done.stdout[:500]
        done = subprocess.run([tshark, "-r", path, "-o", "cflow.max_template_fields:200", "-Y", "cflow"],
                              capture_output=True, text=True, check=True, env=world.place.env)
        assert done.stdout.count("\n") == _reader.messages


def libfixbuf_reads_every_record(world):
    dump = needs("ipfixDump")
    for style in STYLES:
        _rows, reader, path = world.file(*style)
        done = subprocess.run([dump, "--in", path, "--stats"], capture_output=True, text=True, check=True)
        counts = re.search(r"(\d+) Messages, (\d+) Data Records, (\d+) Template", done.stdout)
        assert counts is not None, done.stdout + done.stderr
        assert (int(counts[1]), int(counts[2]), int(counts[3])) == (
            reader.messages, len(reader.flows) + len(reader.options), len(reader.templates)), done.stdout


@contextlib.contextmanager
def running(argv, world):
    log = world.dir / "collector.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(list(map(str, argv)), stdout=output, stderr=output, cwd=world.dir)
        try:
            yield process, lambda: log.read_text(encoding="utf-8", errors="replace")
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(PATIENCE * 10)
                except subprocess.TimeoutExpired:
                    process.kill()


def udp_socket(port):
    """Octets that the socket on that port has not read yet, and datagrams that it had no room for; None: there is none."""
    with open("/proc/net/udp", encoding="ascii") as table:
        for line in table:
            fields = line.split()
            if fields[1] == f"0100007F:{port:04X}":
                return int(fields[4].split(":")[1], 16), int(fields[-1])
    return None


def let_read(port, process):
    """All that was sent is read; then the collector ends and writes what it has. False: some was dropped on the way."""
    until("the collector has read all", 10, lambda: udp_socket(port)[0] == 0)
    dropped = udp_socket(port)[1]
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE * 20)
    return dropped == 0


def without_drops(collect):
    """A collector that gets too little of a busy machine is not what is tried here: then once more."""
    for number in range(5):
        if collect(number):
            return
    raise AssertionError("the kernel dropped datagrams each time")


def nfdump_sums(directory, nfdump):
    done = subprocess.run([nfdump, "-R", directory, "-q", "-N", "-o", "fmt:%pkt %byt %opkt %obyt"], capture_output=True,
                          text=True, check=True)
    lines = [list(map(int, line.split())) for line in done.stdout.splitlines() if line.strip()]
    return len(lines), (sum(line[0] + line[2] for line in lines), sum(line[1] + line[3] for line in lines))


def nfcapd_stores_the_totals_that_we_told(world):
    nfcapd, nfdump = needs("nfcapd"), needs("nfdump")

    def stored(style, name):
        store, port = world.dir / name, free_ports(1, socket.SOCK_DGRAM)[0]
        store.mkdir()
        with running([nfcapd, "-b", "127.0.0.1", "-p", port, "-w", store, "-t", "3600", "-B", "2000000"], world) as (
                process, log):
            until("nfcapd listens", 10, lambda: udp_socket(port) is not None)
            rows = world.meter("--ipfix", f"udp:127.0.0.1:{port}", *style)
            if not let_read(port, process):
                return False
            # Sequence errors are not looked at: it does not count records of options that it does not know.
            assert "Bad Packets: 0" in log(), log()
        count, found = nfdump_sums(store, nfdump)
        assert found == sums(rows), f"{style}: {found} {sums(rows)}"
        assert "--uniflow" in style or count == len(rows)
        return True
    for number, style in enumerate(STYLES):
        without_drops(lambda again, number=number, style=style: stored(style, f"nf{number}-{again}"))


def nfacctd_sums_what_we_told_of_each_direction(world):
    nfacctd = needs("nfacctd")

    def summed(file):
        entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return sum(entry["packets"] for entry in entries), sum(entry["bytes"] for entry in entries)

    def stored(again):
        file, config = world.dir / f"nfacctd-{again}.json", world.dir / "nfacctd.conf"
        port, = free_ports(1, socket.SOCK_DGRAM)
        config.write_text(NFACCTD.format(port=port, file=file), encoding="utf-8")
        with running([nfacctd, "-f", config], world) as (process, _log):
            until("nfacctd listens", 10, lambda: udp_socket(port) is not None)
            rows = world.meter("--ipfix", f"udp:127.0.0.1:{port}", "--uniflow", "--enterprise", ENTERPRISE)
            # Its plugin is a process of its own that writes each second, but at times only when it ends.
            with contextlib.suppress(AssertionError):
                until("nfacctd has written", 2, lambda: summed(file) == sums(rows))
            if not let_read(port, process):
                return False
            until(f"nfacctd has {sums(rows)}", 20, lambda: summed(file) == sums(rows))
        return True
    without_drops(stored)


CASES = [
    files_hold_what_the_rows_say_in_each_style,
    every_flow_is_told_with_its_ends_and_counts,
    names_of_servers_are_told,
    real_addresses_do_not_leave_when_they_are_hidden,
    records_arrive_over_tcp_by_a_name,
    records_arrive_over_tls_with_certificates_of_both_sides,
    collector_that_is_away_does_not_keep_the_meter,
    tshark_finds_nothing_malformed,
    libfixbuf_reads_every_record,
    nfcapd_stores_the_totals_that_we_told,
    nfacctd_sums_what_we_told_of_each_direction,
]


@contextlib.contextmanager
def world_in(programs):
    with Place(programs) as place:
        yield World(place)


if __name__ == "__main__":
    sys.exit(tap.run(CASES, world_in(sys.argv[1])))
