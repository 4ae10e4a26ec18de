#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Benchmarks of the control lcore: the real daemon on veth ports in namespaces of its own. Rows as JSON
on stdout, everything else on stderr."""
import argparse
import json
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
    p.add_argument("--only", choices=("setup", "plain", "ipsec", "ike"))
    p.add_argument("--verbose", action="store_true", help="the daemon's drops and log on stderr")
    return p.parse_args()


OPTS = options()
os.environ["SALLYPORT"] = os.path.join(os.path.realpath(OPTS.build), "src", "sallyport")
sys.path.insert(0, os.path.join(ROOT, "test", "interop"))
from daemon import Console, Daemon  # noqa: E402
from lab import APPLIANCE_IP, Lab, LabError, wait_until  # noqa: E402

TOOLS = os.path.join(os.path.realpath(OPTS.build), "test")
CONTROL_CPU, OTHER_CPU = "0", "1"
HELLO_S = 10
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
            "name": "access", "local-address": APPLIANCE_IP, "group-pre-shared-key": "secret",
            "esp-proposals": ["aes128gcm16"]}],
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

    def __init__(self, conf=None):
        self.lab = BareLab(f"spb{os.getpid():x}")
        self.folder = tempfile.mkdtemp(prefix="sp-bench-")
        conf = conf or config()
        self.ike_socket = os.path.join(self.folder, "run", "ike.sock")
        conf["ipsec"] = {"run-directory": os.path.join(self.folder, "run"), "swanctl": "/bin/true"}
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
        c.end()
        self.daemon.console("clear l2tp tunnel all")

    def rss(self):
        with open(f"/proc/{self.daemon.proc.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024

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


def setup_rate(b, kind, tunnels, sessions, ipsec, *args):
    crowd, said, used = b.dial(tunnels, sessions, ipsec, *args)
    n = tunnels * sessions
    row("control.setup_rate", round(n / said["seconds"]), "1/s", kind=kind, tunnels=tunnels,
        sessions=n, control_us=round(used[0] / n * 1e6, 1),
        control_pct=round(100 * used[0] / said["seconds"]), worker_us=round(used[1] / n * 1e6, 1),
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


def time_to_all(b, kind, tunnels, sessions, ipsec, *args):
    """All up; then how it is at rest, while all are shown, and while all are cleared."""
    empty = b.rss()
    longest_turn(b)
    crowd, said, used = b.dial(tunnels, sessions, ipsec, *args)
    n, grown = tunnels * sessions, b.rss() - empty
    row("control.stall_ms", longest_turn(b), "ms", kind=kind, during="set-up", sessions=n)
    row("control.time_to_64k", round(said["seconds"], 2), "s", kind=kind, tunnels=tunnels,
        sessions=n, rate=round(n / said["seconds"]), control_us=round(used[0] / n * 1e6, 1),
        control_pct=round(100 * used[0] / said["seconds"]), worker_us=round(used[1] / n * 1e6, 1),
        hellos=said["hellos"], retransmissions=said["retransmissions"], hello_interval=HELLO_S,
        rss_bytes_each=round(grown / n))
    again = number(b.daemon.console("show l2tp detail"), "Retransmissions")
    cpu = b.threads.read()
    rest = crowd.ask("rest 5")
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


def main():
    n = 6400 if OPTS.quick else 64000
    if OPTS.only in (None, "setup"):
        with Bench() as b:
            b.warm_up()
            setup_rate(b, "plain", 1000, 10, False, "-W", 1000)
            setup_rate(b, "plain", 4000, 1, False, "-W", 400)
            setup_rate(b, "single-shot-ipsec", 4000, 1, True, "-W", 400)
    if OPTS.only in (None, "plain"):
        with Bench() as b:
            b.warm_up()
            time_to_all(b, "plain-64", 64, n // 64, False, "-W", n)
    if OPTS.only in (None, "ipsec"):
        with Bench() as b:
            b.warm_up()
            time_to_all(b, "single-shot-ipsec", n, 1, True, "-W", 1000)


if __name__ == "__main__":
    main()
