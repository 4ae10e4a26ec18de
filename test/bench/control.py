#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Benchmarks of the control lcore: the real daemon on veth ports in namespaces of its own. Rows as JSON
on stdout, everything else on stderr."""
import argparse
import json
import os
import re
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
    p.add_argument("--only", action="append", help="parts: setup, tunnels, ike")
    return p.parse_args()


OPTS = options()
os.environ["SALLYPORT"] = os.path.join(os.path.realpath(OPTS.build), "src", "sallyport")
sys.path.insert(0, os.path.join(ROOT, "test", "interop"))
from daemon import Daemon  # noqa: E402
from lab import APPLIANCE_IP, Lab, wait_until  # noqa: E402

TOOLS = os.path.join(os.path.realpath(OPTS.build), "test")
CONTROL_CPU, OTHER_CPU = "0", "1"


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
        "l2tp": {"tunnel-idle-timeout": 60, "destruct-timeout": 10},
        "destination-profiles": [{
            "name": "access", "address": "0.0.0.0",
            "hosts": [{"name": "default", "interface-profile": "ppp"}],
        }],
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
    """The lab without the bridge, which costs the clients' CPU more than it is worth here."""

    def _wire(self):
        self._veth("wan0", "wan0p", self.access)
        self._veth("core0", "core0p", self.core)

    def add_access_ip(self, ip):
        self.access.ip("addr", "replace", ip + "/24", "dev", "wan0p")


class Bench:
    """A lab with a running daemon."""

    def __init__(self, conf=None):
        self.lab = BareLab(f"spb{os.getpid():x}")
        self.folder = tempfile.mkdtemp(prefix="sp-bench-")
        self.daemon = Daemon(self.lab, self.folder, conf or config())
        for i in range(20):
            self.lab.add_access_ip(f"192.0.2.{70 + i}")

    def __enter__(self):
        self.daemon.start()
        self.threads = Threads(self.daemon.proc.pid)
        return self

    def __exit__(self, *exc):
        self.daemon.kill()
        self.lab.close()

    def load(self, tunnels, sessions, *args, ip="192.0.2.70"):
        p = self.lab.access.popen("taskset", "-c", OTHER_CPU, os.path.join(TOOLS, "load", "load"),
                                  "-l", ip, "-r", APPLIANCE_IP, "-t", str(tunnels), "-s",
                                  str(sessions), *map(str, args), text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.lab.on_close.append(p.kill)
        return p


def setup_rate(b, tunnels, sessions, *args):
    b.load(1, 1).communicate(timeout=60)  # the next hop is known then
    cpu = b.threads.read()
    p = b.load(tunnels, sessions, *args)
    first = p.stdout.readline()
    used = [y - x for x, y in zip(cpu, b.threads.read())]
    out = first + p.communicate(timeout=120)[0]
    sys.stderr.write(out)
    if os.environ.get("SP_DEBUG"):
        sys.stderr.write(b.daemon.console("show dataplane drops") + "\n" + b.daemon.console("show dataplane") + b.daemon.console("show l2tp detail") + "\n")
    rate = int(re.search(r"(\d+) session set-ups a second", first)[1])
    n = tunnels * sessions
    row("control.setup_rate", rate, "1/s", tunnels=tunnels, sessions=n,
        control_us=round(used[0] / n * 1e6, 1), worker_us=round(used[1] / n * 1e6, 1),
        capacity=round(n / used[0]))


def main():
    with Bench() as b:
        for tunnels, sessions, *args in ((1000, 10, "-p", 16, "-W", 30), (4000, 1, "-A", 20, "-W", 100)):
            setup_rate(b, tunnels, sessions, *args)


if __name__ == "__main__":
    main()
