# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Thousands of tunnels and sessions by the load generator, and floods of forged requests."""
import json
import os
import re
import subprocess
import time

from harness import case
from lab import APPLIANCE_IP, CORE_HOST, ROOT, wait_until

TOOLS = os.path.join(ROOT, "build", "test", "load")
QUIET = {"log": {"level": "notice"}}


class Load:
    """The load generator at an address of its own in the access network."""

    def __init__(self, t, tunnels, sessions, *args, i=0):
        ip = f"192.0.2.{70 + i}"
        t.lab.add_access_ip(ip)
        self.proc = t.lab.access.popen(
            os.path.join(TOOLS, "load"), "-l", ip, "-r", APPLIANCE_IP, "-g", CORE_HOST,
            "-t", str(tunnels), "-s", str(sessions), *map(str, args), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        t.lab.on_close.append(self.kill)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()

    def end(self, timeout=300):
        """Waits until it is through; raises with what it said unless all went well."""
        out, _ = self.proc.communicate(timeout=timeout)
        assert self.proc.returncode == 0, out
        return out


def number(text, name):
    """A number behind a name in a show."""
    m = re.search(rf"^\s*{name}\s+(\d+)", text, re.M)
    assert m, f"no {name} in:\n{text}"
    return int(m[1])


def pools_used(t):
    return sum(int(n) for n in re.findall(r"10\.\S+\s+10\.\S+\s+\d+\s+(\d+)",
                                          t.console("show ip pool")))


def all_gone(t):
    detail = t.console("show l2tp detail")
    return not (t.tunnels() or t.sessions() or pools_used(t)
                or number(detail, "Tunnel ids in use") or number(detail, "Session ids in use")
                or number(detail, "Half-open tunnels"))


def assert_all_gone(t, timeout=10):
    assert wait_until(lambda: all_gone(t), timeout, 0.1), \
        t.console("show l2tp detail") + t.console("show ip pool")


def rss(t):
    """Bytes of the daemon's resident memory."""
    with open(f"/proc/{t.daemon.proc.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024


def received(ns, dev):
    """Packets that a device has received, as its kernel counts."""
    return json.loads(ns.ip("-j", "-s", "link", "show", dev))[0]["stats64"]["rx"]["packets"]


@case("load-thousand", config=QUIET, own_lab=True)
def load_thousand(t):
    """1,000 tunnels with 4 sessions each come up, pass data, go down; nothing is left"""
    import time
    c = t.daemon.cpu_seconds()
    b = time.time()
    out = Load(t, 1000, 4, "-n", "3", "-p", "4", "-R", os.environ.get("R", "1")).end()
    print(out, t.daemon.cpu_seconds() - c, time.time() - b)
    print(t.console("show l2tp"), t.console("show dataplane"), t.console("show dataplane drops"))
    assert_all_gone(t)


FLOOD_NET, FLOOD_FIRST, FLOOD_SOURCES = "10.128.0.0/9", "10.128.0.1", 8_000_000
FLOOD_S = 20


def flood_config(config):
    config["log"]["level"] = "notice"
    config["l2tp"]["hello-interval"] = 1
    config["ports"][0]["device"] += ",framecnt=32768"


@case("flood-sccrq", config=flood_config, own_lab=True)
def flood_sccrq(t):
    """100,000 forged SCCRQs a second: Hellos, data and a new client come through"""
    t.lab.access.ip("route", "add", "blackhole", FLOOD_NET)
    t.lab.add_access_ip("192.0.2.69")
    t.lab.app.ip("route", "add", FLOOD_NET, "via", "192.0.2.69")
    guest = t.client()
    old = Load(t, 1, 1, "-h", FLOOD_S + 4, "-q", 1000)
    t.wait_counts(1, 1)
    before = t.console("show l2tp tunnel detail")
    print(before)
    cpu = t.daemon.cpu_seconds()
    rx = received(t.lab.app, "wan0")
    dp = number(t.console("show dataplane"), "Received")
    flood = t.lab.access.popen(
        os.path.join(TOOLS, "flood"), APPLIANCE_IP, FLOOD_FIRST, str(FLOOD_SOURCES), "100000",
        str(FLOOD_S), "load", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.lab.on_close.append(flood.kill)
    begin = time.monotonic()
    time.sleep(1)
    for i in range(1, 6):
        try:
            print(Load(t, 1, 1, "-n", 3, i=i).end())
        except AssertionError as e:
            print(e)
    b = time.monotonic()
    guest.dial()
    print("guest", guest.wait_up(0, 20), time.monotonic() - b)
    print(t.console("show l2tp detail"))
    print(time.monotonic() - begin)
    print(flood.communicate(timeout=60)[0])
    print("wan0", received(t.lab.app, "wan0") - rx, number(t.console("show dataplane"), "Received") - dp)
    print(t.daemon.cpu_seconds() - cpu)
    print(t.console("show l2tp tunnel detail"))
    print(t.console("show dataplane"), t.console("show dataplane drops"))
    print(old.end())
