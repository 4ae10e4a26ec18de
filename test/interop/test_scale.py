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
# On a machine where worker, control and clients take turns, ports must hold what comes meanwhile.
QUIET = {"log": {"level": "notice"}, "ports": {"rx-descriptors": 4096}}


class Load:
    """The load generator at an address of its own in the access network."""

    def __init__(self, t, tunnels, sessions, *args, i=0, ip=None):
        self.t, ip = t, ip or f"192.0.2.{70 + i}"
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
        if self.proc.returncode != 0:
            raise AssertionError(out + self.t.console("show dataplane drops"))
        return out


def know_next_hops(t):
    """Packets wait for an unknown next hop, but not as many as the load generator sends at once."""
    Load(t, 1, 1, "-n", 1).end()


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
    return not (any(t.counts()) or pools_used(t)
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
    know_next_hops(t)
    empty = rss(t)
    idle = Load(t, 1000, 0, "-h", 600, i=1)
    t.wait_counts(1000, 0, 60)
    tunnels = rss(t)
    cpu = t.daemon.cpu_seconds()
    full = Load(t, 1000, 4, "-n", 3, "-h", 3)
    t.wait_counts(2000, 4000, 60)
    cpu = t.daemon.cpu_seconds() - cpu
    a_tunnel = (tunnels - empty) / 1000
    a_session = (rss(t) - tunnels - 1000 * a_tunnel) / 4000
    out = full.end()
    assert "12000 of 12000 pings answered" in out, out
    rate = int(re.search(r"(\d+) session set-ups a second", out)[1])
    t.console("clear l2tp tunnel all")
    t.note(f"{rate} set-ups a second, {cpu / 4000 * 1e6:.0f} us of processor each; "
           f"{a_tunnel:.0f} bytes a tunnel, {a_session:.0f} a session")
    assert rate > 650
    assert_all_gone(t)
    idle.kill()


FLOOD_NET, FLOOD_FIRST, FLOOD_SOURCES = "10.128.0.0/9", "10.128.0.1", 8_000_000
FLOOD_RATE, FLOOD_S, FLOOD_HOP = 100000, 30, "192.0.2.69"


def flood_config(config):
    config["log"]["level"] = "notice"
    config["l2tp"]["hello-interval"] = 1
    config["ports"][0]["device"] += ",framecnt=32768"
    config["ports"][1]["rx-descriptors"] = 4096


def channel(t, ip):
    """(messages sent, retransmissions) of the tunnel with a peer, as the console shows them."""
    text = t.console("show l2tp tunnel")
    m = re.search(rf"/(\d+) is Up .*peer {ip}:", text)
    assert m, f"no tunnel with {ip}"
    text = t.console(f"show l2tp tunnel {m[1]} detail")
    return number(text, "Next Ns to send"), number(text, "Retransmissions")


def start_flood(t):
    """Forged requests from everywhere; the answers come to the access network and no further."""
    t.lab.access.ip("route", "add", "blackhole", FLOOD_NET)
    t.lab.add_access_ip(FLOOD_HOP)
    t.lab.app.ip("route", "add", FLOOD_NET, "via", FLOOD_HOP)
    t.lab.access.run("ping", "-c", "1", "-W", "2", "-I", FLOOD_HOP, APPLIANCE_IP)
    p = t.lab.access.popen(os.path.join(TOOLS, "flood"), APPLIANCE_IP, FLOOD_FIRST,
                           str(FLOOD_SOURCES), str(FLOOD_RATE), str(FLOOD_S), "load", text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.lab.on_close.append(p.kill)
    return p


def dial_in_flood(t, i):
    """A new client of the load generator; the seconds until it was through."""
    begin = time.monotonic()
    Load(t, 1, 1, "-h", 1, "-q", 20, i=i).end()
    return time.monotonic() - begin - 1


@case("flood-sccrq", config=flood_config, own_lab=True)
def flood_sccrq(t):
    """a flood of forged SCCRQs costs no Hello, no packet of a session, and no new client"""
    guest = t.client()
    know_next_hops(t)
    old = Load(t, 1, 1, "-h", FLOOD_S + 6, "-q", 1000)
    t.wait_counts(1, 1)
    ip = "192.0.2.70"
    sent, again = channel(t, ip)
    rx, cpu = received(t.lab.app, "wan0"), t.daemon.cpu_seconds()
    begin = time.monotonic()
    flood = start_flood(t)
    took = [dial_in_flood(t, i) for i in range(1, 5)]
    guest.up()
    guest_took = time.monotonic() - begin - sum(took) - len(took)
    t.pings(guest, sizes=(56,), count=3)
    assert flood.poll() is None, "the flood was over too early for this to mean anything"
    said = flood.communicate(timeout=60)[0]
    seconds = time.monotonic() - begin
    rx, cpu = received(t.lab.app, "wan0") - rx, t.daemon.cpu_seconds() - cpu
    hellos, hellos_again = [a - b for a, b in zip(channel(t, ip), (sent, again))]
    limited = number(t.console("show dataplane drops"), "new-tunnel-limit")
    t.note(f"{rx / seconds:.0f} a second reached the port, {limited / seconds:.0f} ended at the "
           f"limit; {hellos} Hellos, {hellos_again} repeated; new clients in "
           + ", ".join(f"{s:.1f}" for s in took) + f" s, a real one in {guest_took:.1f} s; "
           f"{cpu / seconds * 100:.0f} % of a processor")
    assert hellos >= seconds / 2 and hellos_again == 0, f"{hellos} Hellos, {hellos_again} repeated"
    old.end()  # fails with the counts when a packet of the stream was lost
    assert rx / seconds >= FLOOD_RATE / 2, f"the flood was none: {said}"


def many_config(config):
    config["log"]["level"] = "notice"
    config["system"]["memory"] = 512
    config["pools"][0]["last"] = "10.64.255.254"
    for port in config["ports"]:
        port["rx-descriptors"] = 4096


@case("load-64000", config=many_config, own_lab=True, long=True)
def load_64000(t):
    """64,000 tunnels with a session each, dropped and dialled again three times without a pause"""
    addresses, ports = 50, 100
    for i in range(addresses):
        t.lab.add_access_ip(f"192.0.2.{100 + i}")
    know_next_hops(t)
    out = Load(t, 64000, 1, "-A", addresses, "-p", ports, "-R", 3, "-T", 180, "-W", 400,
               ip="192.0.2.100").end(timeout=900)
    up = re.findall(r"sessions up in ([\d.]+) s", out)
    down = re.findall(r"all down in ([\d.]+) s", out)
    t.note(f"up in {', '.join(up)} s, down in {', '.join(down)} s; "
           f"{rss(t) >> 20} MB resident")
    assert_all_gone(t)


# A Hello after a second of silence, then 0.5 + 1 + 2 s for its repetitions.
DIES = {"log": {"level": "notice"}, "ports": {"rx-descriptors": 4096},
        "l2tp": {"hello-interval": 1, "retransmission-established": 2, "retransmit-interval": 500,
                 "destruct-timeout": 10}}
RECLAIM_S = 1 + 0.5 + 1 + 2 + 5  # .. and what a busy machine adds
CROWD = (100, 4)


def rounds(t):
    return 50 if t.long else 5


def crowd(t, *args):
    """100 tunnels with 4 sessions each; returns when all are up and have passed data."""
    know_next_hops(t)
    load = Load(t, *CROWD, "-n", 1, *args)
    out = load.proc.stdout.readline() + load.proc.stdout.readline()
    assert re.search(r"(\d+) of \1 pings answered", out), out
    assert t.counts() == [CROWD[0], CROWD[0] * CROWD[1]]
    return load


def reclaimed(t, since, took):
    assert_all_gone(t, RECLAIM_S)
    took.append(time.monotonic() - since)


def note_reclaimed(t, took):
    t.note(f"all reclaimed within {max(took):.1f} s at most, {len(took)} rounds")


@case("crowd-killed", config=DIES, own_lab=True)
def crowd_killed(t):
    """100 tunnels of 4 sessions end without a word; all is reclaimed in time and they dial again"""
    took = []
    for _ in range(rounds(t)):
        load = crowd(t, "-h", 600)
        load.kill()
        reclaimed(t, time.monotonic(), took)
    know_next_hops(t)
    Load(t, *CROWD, "-n", 2).end()
    assert_all_gone(t)
    note_reclaimed(t, took)


@case("crowd-cut", config=DIES, own_lab=True)
def crowd_cut(t):
    """the wire to 100 tunnels of 4 sessions is cut; all is reclaimed in time and they dial again"""
    took = []
    for _ in range(rounds(t)):
        load = crowd(t, "-h", 600)
        t.lab.access.ip("link", "set", "wan0p", "down")
        cut = time.monotonic()
        try:
            reclaimed(t, cut, took)
        finally:
            t.lab.access.ip("link", "set", "wan0p", "up")
            load.kill()
    know_next_hops(t)
    Load(t, *CROWD, "-n", 2).end()
    assert_all_gone(t)
    note_reclaimed(t, took)


@case("crowd-appliance-killed", config=DIES, own_lab=True)
def crowd_appliance_killed(t):
    """the daemon is killed under 100 tunnels of 4 sessions; the next one takes them all again"""
    begin = time.monotonic()
    for _ in range(rounds(t)):
        load = crowd(t, "-h", 600)
        t.daemon.kill()
        load.kill()
        t.new_daemon().start()
        assert all_gone(t)
    know_next_hops(t)
    Load(t, *CROWD, "-n", 2).end()
    assert_all_gone(t)
    t.note(f"{(time.monotonic() - begin) / rounds(t):.1f} s a round")
