#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Benchmarks of the control lcore: the real daemon on veth ports in namespaces of its own. Rows as JSON
on stdout, everything else on stderr."""
import argparse
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--quick", action="store_true")
    p.add_argument("--only", choices=("setup", "plain", "ipsec", "ike", "memory"))
    p.add_argument("--verbose", action="store_true", help="the daemon's drops and log on stderr")
    return p.parse_args()


OPTS = options()
os.environ["SALLYPORT"] = os.path.join(os.path.realpath(OPTS.build), "src", "sallyport")
sys.path.insert(0, os.path.join(ROOT, "test", "interop"))
from daemon import Console, Daemon  # noqa: E402
from guest_ipsec import PSK  # noqa: E402
from ike_client import IkeClient, child, connection  # noqa: E402
from ipsec_lab import Charon, PLUGIN  # noqa: E402
from lab import APPLIANCE_IP, Lab, LabError, wait_until  # noqa: E402

TOOLS = os.path.join(os.path.realpath(OPTS.build), "test")
CONTROL_CPU, OTHER_CPU = "0", "1"
HELLO_S = 10
SLABS_RESERVED = 8 << 32  # lib/base/slab.c
IKE_CLIENT = "192.0.2.80"
GATEWAY, CLIENT_NET, CLIENTS = "192.0.2.69", "10.128.0.0/9", "10.128.0.1"


def row(name, value, unit, **more):
    print(json.dumps({"name": name, "value": value, "unit": unit, **more}), flush=True)


def config():
    return {
        "system": {"host-name": "sallyport", "workers": 1, "hugepages": False, "memory": 512,
                   "idle": "sleep", "cpus": f"{CONTROL_CPU},{OTHER_CPU}"},
        "log": {"level": "notice"},
        "console": {},
        "ports": [
            {"name": "wan", "device": "net_af_packet0,iface=wan0,framecnt=32768",
             "addresses": [APPLIANCE_IP + "/24"], "rx-descriptors": 4096},
            {"name": "core", "device": "net_af_packet1,iface=core0",
             "addresses": ["198.51.100.1/24"], "rx-descriptors": 4096},
        ],
        "pools": [{"name": "subscribers", "first": "10.64.0.2", "last": "10.64.255.254"}],
        "users": [{"name": "user1", "password": "pass1"}],
        "interface-profiles": [{"name": "ppp", "local-address": "10.64.0.1",
                                "pool": "subscribers"}],
        "l2tp": {"destruct-timeout": 10, "hello-interval": HELLO_S},
        "destination-profiles": [{
            "name": "access", "address": "0.0.0.0",
            "hosts": [{"name": "default", "interface-profile": "ppp"},
                      {"name": "ipsec-ss", "single-shot-tunnel": True,
                       "enable-ipsec-transport": True, "interface-profile": "ppp"}],
        }],
        "ipsec-transport-profiles": [{
            "name": "access", "local-address": APPLIANCE_IP, "group-pre-shared-key": PSK,
            "ike-proposals": ["aes128-sha256-ecp256"], "esp-proposals": ["aes128gcm16"]}],
    }


class Threads:
    """CPU seconds of the daemon's control thread, and of its workers."""

    def __init__(self, pid):
        self.pid = pid

    def read(self):
        control = workers = 0
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{tid}/schedstat", encoding="ascii") as f:
                ns = int(f.read().split()[0])
            if int(tid) == self.pid:
                control += ns
            else:
                workers += ns
        return control / 1e9, workers / 1e9


class BareLab(Lab):
    """The lab without bridge and addresses on the clients' side: test/load/crowd is all of them."""

    def _wire(self):
        self._veth("wan0", "wan0p", self.access)
        self._veth("core0", "core0p", self.core)


class Crowd:
    """The load generator on the workers' CPU, so that control has its own."""

    def __init__(self, bench, tunnels, sessions, ipsec=False, *args):
        more = ["-k", bench.ike_socket, "-H", "ipsec-ss", "-l", CLIENTS] if ipsec \
            else ["-l", "192.0.2.100", "-A", "100"]
        self.proc = bench.lab.access.popen(
            "taskset", "-c", OTHER_CPU, os.path.join(TOOLS, "load", "crowd"), "-d", "wan0p", "-g",
            GATEWAY, "-r", APPLIANCE_IP, "-t", str(tunnels), "-s", str(sessions), *more,
            *map(str, args), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        bench.lab.on_close.append(self.proc.kill)

    def answer(self):
        line = self.proc.stdout.readline()
        if not line:
            raise LabError("the load generator has ended")
        return json.loads(line)

    def ask(self, what):
        self.proc.stdin.write(what + "\n")
        self.proc.stdin.flush()
        return self.answer()

    def end(self):
        self.proc.stdin.close()
        return self.proc.wait(60)


class Bench:
    """A lab with a running daemon."""

    def __init__(self, lab=None):
        self.lab = lab or BareLab(f"spb{os.getpid():x}")
        self.folder = tempfile.mkdtemp(prefix="sp-bench-")
        conf = config()
        self.ike_socket = os.path.join(self.folder, "run", "ike.sock")
        conf["ipsec"] = {"run-directory": os.path.join(self.folder, "run")}
        if lab is None:
            conf["ipsec"]["swanctl"] = "/bin/true"  # there is no charon to load
        self.daemon = Daemon(self.lab, self.folder, conf)

    def __enter__(self):
        self.daemon.start()
        self.lab.app.ip("route", "add", CLIENT_NET, "via", GATEWAY)
        self.threads = Threads(self.daemon.proc.pid)
        return self

    def __exit__(self, *exc):
        if OPTS.verbose and self.daemon.alive():
            log(self.daemon.console("show dataplane drops"))
        self.daemon.kill()
        if OPTS.verbose:
            log(self.daemon.log()[:3000])
        self.lab.close()
        shutil.rmtree(self.folder)

    def warm_up(self):
        """One dial, by which the daemon learns the next hops."""
        c = Crowd(self, 1, 1)
        if c.answer()["sessions"] != 1:
            raise LabError("a single session does not come up\n" + self.daemon.log())
        self.daemon.console("clear l2tp tunnel all")
        c.ask("wait")
        c.end()

    def rss(self):
        with open(f"/proc/{self.daemon.proc.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024

    def mappings(self):
        """(start, end, name) of what the daemon may touch; the slabs' range is named as the heap is."""
        with open(f"/proc/{self.daemon.proc.pid}/maps", encoding="ascii") as f:
            found = re.findall(r"^(\w+)-(\w+) (...)\S \S+ \S+ \S+ *(.*)$", f.read(), re.M)
        found = [(int(start, 16), int(end, 16), mode, name) for start, end, mode, name in found]
        for i in range(1, len(found) - 1):  # between what is reserved before and behind it
            start, end, mode, name = found[i]
            if mode == "rw-" and found[i + 1][1] - found[i - 1][0] == SLABS_RESERVED:
                found[i] = (start, end, mode, "[slabs]")
        return [(start, end, name) for start, end, mode, name in found if mode != "---"]

    def present(self, mappings):
        """Bytes of these mappings that are resident."""
        pages = 0
        with open(f"/proc/{self.daemon.proc.pid}/pagemap", "rb") as f:
            for start, end, _ in mappings:
                f.seek(start // mmap.PAGESIZE * 8)
                pages += sum(x >> 7 for x in f.read((end - start) // mmap.PAGESIZE * 8)[7::8])
        return pages * mmap.PAGESIZE

    def dial(self, tunnels, sessions, ipsec, *args):
        """Brings them up; returns (crowd, what it said, CPU seconds of control and of the worker)."""
        cpu = self.threads.read()
        crowd = Crowd(self, tunnels, sessions, ipsec, *args)
        said = crowd.answer()
        used = [y - x for x, y in zip(cpu, self.threads.read())]
        log(f"{tunnels}x{sessions} ipsec={ipsec}: {said} control {used[0]:.2f} s, "
            f"worker {used[1]:.2f} s")
        if said["sessions"] != tunnels * sessions:
            raise LabError(f"{said['sessions']} of {tunnels * sessions} sessions came up: {said}")
        return crowd, said, used


def log(text):
    print(text, file=sys.stderr, flush=True)


def setup_rate(b, name, kind, tunnels, sessions, ipsec, *args):
    crowd, said, used = b.dial(tunnels, sessions, ipsec, *args)
    n = tunnels * sessions
    row(name, round(n / said["seconds"]), "1/s", kind=kind, tunnels=tunnels,
        sessions=n, control_us=round(used[0] / n * 1e6, 1),
        control_pct=round(100 * used[0] / said["seconds"]), worker_us=round(used[1] / n * 1e6, 1),
        client_us=round(said["cpu"] / n * 1e6, 1), control_capacity=round(n / used[0]),
        retransmissions=said["retransmissions"])
    b.daemon.console("clear l2tp tunnel all")
    crowd.ask("wait")
    crowd.end()


def number(text, name):
    m = re.search(rf"^\s*{name}\s+(\d+)", text, re.M)
    if not m:
        raise LabError(f"no {name} in:\n{text}")
    return int(m[1])


def at_full_speed(b, command):
    """Runs a command without looking at what it prints; returns lines and seconds. Console.run reads
    slower than the daemon writes."""
    with Console(b.daemon.port, timeout=60) as c:
        c.run("terminal length 0")
        begin = time.monotonic()
        c.sock.sendall(command.encode() + b"\r\n")
        lines, tail = 0, b""
        while not tail.endswith(b"sallyport>") or lines == 0:
            data = c.sock.recv(1 << 20)
            if not data:
                raise LabError(f"the console closed during {command}")
            lines += data.count(b"\n")
            tail = (tail + data)[-64:].rstrip()
        return lines, time.monotonic() - begin


def longest_turn(b):
    """Milliseconds of CPU time of the longest turn since the last call."""
    us = number(b.daemon.console("show control"), "Longest turn since it was cleared, us")
    b.daemon.console("clear control turns")
    return us / 1000


def stall(b, kind, n, what, command, after=None):
    """The longest turn while a command deals with all sessions, and what follows from it."""
    longest_turn(b)
    lines, took = at_full_speed(b, command)
    if after:
        log(f"{command}: {after()}")
    row("control.stall_ms", longest_turn(b), "ms", kind=kind, during=what, sessions=n,
        seconds=round(took, 2), lines=lines)


class Memory:
    """What each session adds to the daemon's resident memory: control's objects, which are of malloc's heap
    and of slabs; the tables that are there from the start, of which more is touched, objects in them; and the
    rest, which is the data plane's SAs, in pieces that it maps as it needs them."""

    def __init__(self, b):
        self.b = b
        self.tables = [m for m in b.mappings() if not m[2].startswith("[")]
        self.rss, self.touched, self.heap = b.rss(), b.present(self.tables), self.heap_now()

    def heap_now(self):
        return self.b.present([m for m in self.b.mappings() if m[2] in ("[heap]", "[slabs]")])

    def print(self, kind, tunnels, n):
        grown = self.b.rss() - self.rss
        tables = self.b.present(self.tables) - self.touched
        heap = self.heap_now() - self.heap
        row("control.bytes_per_session", round(grown / n), "bytes", kind=kind, tunnels=tunnels,
            sessions=n, measured="resident", control_bytes=round(heap / n),
            dataplane_bytes=round((grown - heap - tables) / n), tables_bytes=round(tables / n))


def memory_of_all(b, n):
    """The memory alone."""
    memory = Memory(b)
    crowd, _, _ = b.dial(n, 1, True, "-W", 1000)
    memory.print("single-shot-ipsec", n, n)
    crowd.end()


def time_to_all(b, kind, tunnels, sessions, ipsec, *args):
    """All up; then how it is at rest, while all are shown, and while all are cleared."""
    memory = Memory(b)
    longest_turn(b)
    crowd, said, used = b.dial(tunnels, sessions, ipsec, *args)
    n = tunnels * sessions
    row("control.setup_turn_ms", longest_turn(b), "ms", kind=kind, sessions=n)
    row("control.time_to_64k", round(said["seconds"], 2), "s", kind=kind, tunnels=tunnels,
        sessions=n, rate=round(n / said["seconds"]), control_us=round(used[0] / n * 1e6, 1),
        control_pct=round(100 * used[0] / said["seconds"]), worker_us=round(used[1] / n * 1e6, 1),
        client_us=round(said["cpu"] / n * 1e6, 1), hellos=said["hellos"],
        retransmissions=said["retransmissions"], hello_interval=HELLO_S)
    if n == 64000:  # with few, what all sessions share counts for too much
        memory.print(kind, tunnels, n)
    again = number(b.daemon.console("show l2tp detail"), "Retransmissions")
    cpu = b.threads.read()
    rest = crowd.ask("rest 1" if OPTS.quick else "rest 10")
    used = [y - x for x, y in zip(cpu, b.threads.read())]
    again = number(b.daemon.console("show l2tp detail"), "Retransmissions") - again
    row("control.hello_load", round(rest["hellos"] / rest["seconds"]), "1/s", kind=kind,
        tunnels=tunnels, packets_s=round((rest["rx"] + rest["tx"]) / rest["seconds"]),
        control_pct=round(100 * used[0] / rest["seconds"], 1), repeated=again, gone=rest["gone"])
    stall(b, kind, n, "show", "show l2tp session")
    if ipsec:
        stall(b, kind, n, "show-sa", "show ipsec transport interface detail")
    stall(b, kind, n, "clear", "clear l2tp tunnel all", lambda: crowd.ask("wait"))
    crowd.end()


class Process:
    """CPU seconds of a process with all its threads."""

    def __init__(self, pid):
        self.pid = pid

    def seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ike_setup_rate(n, window):
    """Clients that dial by real IKE, one single-shot connection after another: charon to charon."""
    if not os.path.exists(PLUGIN):
        subprocess.run([os.path.join(ROOT, "scripts", "charon-plugin")], check=True, stdout=2)
    lab = Lab(f"spb{os.getpid():x}")  # with a bridge: the client's charon has sockets
    with Bench(lab=lab) as b:
        lab.add_access_ip(IKE_CLIENT)
        server = Charon(lab, b.daemon.config_path)
        lab.on_close.append(server.stop)
        server.start()
        client = IkeClient(lab.access, b.folder,
                           {"v2": connection(IKE_CLIENT, APPLIANCE_IP, {"l2tp": child()})}, PSK)
        lab.on_close.append(client.kill)
        client.start()
        ours = Process(server.pid())
        begin = ours.seconds(), Process(client.proc.pid).seconds(), b.threads.read()
        p = lab.access.popen(
            os.path.join(TOOLS, "load", "guess"), "-v", client.vici, "-k", client.link, "-l",
            IKE_CLIENT, "-r", APPLIANCE_IP, "-c", "v2", "-C", "l2tp", "-m", "serial", "-n", str(n),
            "-W", str(window), "-H", "ipsec-ss", "-u", "user1", "-w", "pass1", "-O", "-T", "60",
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        lab.on_close.append(p.kill)
        out, _ = p.communicate(timeout=80)
        end = ours.seconds(), Process(client.proc.pid).seconds(), b.threads.read()
        said = {k: float(v) for k, v in re.findall(r"^([\w-]+) ([\d.]+)$", out, re.M)}
        log(f"ike: {said}")
        if p.returncode or said["let-in"] != n:
            raise LabError(f"{said.get('let-in')} of {n} clients came in by IKE\n" + out)
        charon, control = end[0] - begin[0], end[2][0] - begin[2][0]
        worker, clients = end[2][1] - begin[2][1], end[1] - begin[1]
        row("control.ike_setup_rate", round(n / said["seconds"], 1), "1/s", setups=n, at_once=window,
            charon_pct=round(100 * charon / (charon + control + worker), 1),
            charon_us=round(charon / n * 1e6), control_us=round(control / n * 1e6),
            worker_us=round(worker / n * 1e6), client_charon_us=round(clients / n * 1e6))


def main():
    n = 3200 if OPTS.quick else 64000
    if OPTS.only in (None, "setup"):
        with Bench() as b:
            b.warm_up()
            k = 1 if OPTS.quick else 8
            rate = "control.setup_rate"
            setup_rate(b, rate, "plain-10", 200 * k, 10, False, "-W", 1000)
            setup_rate(b, rate, "single-shot-ipsec", 1000 * k, 1, True, "-W", 400)
            # In clear a tunnel for each session meets the limit of forged requests: 2,000 a second.
            setup_rate(b, "control.limited_rate", "plain-1", 500 * k, 1, False, "-W", 400)
    if OPTS.only in (None, "plain"):
        with Bench() as b:
            b.warm_up()
            time_to_all(b, "plain-64", 64, n // 64, False, "-W", n)
    if OPTS.only in (None, "ipsec"):
        with Bench() as b:
            b.warm_up()
            time_to_all(b, "single-shot-ipsec", n, 1, True, "-W", 1000)
    if OPTS.only == "memory":
        with Bench() as b:
            b.warm_up()
            memory_of_all(b, 64000)
    if OPTS.only in (None, "ike"):
        ike_setup_rate(40 if OPTS.quick else 400, 16)


if __name__ == "__main__":
    main()
