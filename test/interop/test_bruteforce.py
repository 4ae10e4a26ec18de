# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Brute force through IPsec, measured: what a client that dials by real IKE, and does with its SAs what
it likes, gets judged of 200 passwords. Single-shot: one for each IKE authentication, however it is
tried; standard: all of them on one."""
import os
import re
import subprocess
import time

from guest_ipsec import PSK
from harness import USERS, case
from ike_client import IkeClient, child, connection
from lab import APPLIANCE_IP, ROOT

GUESS = os.path.join(ROOT, "build", "test", "load", "guess")
CLIENT_IP = "192.0.2.80"
GUESSES, V1_GUESSES, CHILDREN, FIRST_PORT = 200, 50, 50, 10000
HEAD = f"{'':40}{'guesses':>8}{'IKE auths':>11}{'PPP judged':>12}{'let in':>8}{'probes':>8}{'refused':>9}{'accepted':>10}" \
       f"{'seconds':>9}"


QUIET = {"log": {"level": "notice"}, "ports": {"rx-descriptors": 4096}}


class Result:
    """What the guesser printed, by name."""

    def __init__(self, text):
        self.text = text
        self.values = {k: float(v) for k, v in re.findall(r"^([\w-]+) ([\d.]+)$", text, re.M)}

    def __getattr__(self, name):
        return self.values[name.replace("_", "-")]


class Counters:
    """What the appliance has counted, as its console shows it."""

    def __init__(self, t):
        self.ike_auths = self.number(t.console("show ipsec statistics"), "IKE authentications")
        l2tp = t.console("show l2tp detail")
        self.judged = self.number(l2tp, "PPP credentials judged")
        self.refused = self.number(l2tp, "PPP credentials refused")

    @staticmethod
    def number(text, name):
        m = re.search(rf"^\s*{name}\s+(\d+)", text, re.M)
        assert m, f"no {name} in:\n{text}"
        return int(m[1])

    def since(self, before):
        self.ike_auths -= before.ike_auths
        self.judged -= before.judged
        self.refused -= before.refused
        return self


class Attacker:
    """A charon in the access network, and the guesser behind it."""

    def __init__(self, t, children, options=None):
        self.t = t
        t.lab.add_access_ip(CLIENT_IP)
        self.charon = IkeClient(t.lab.access, t.folder,
                                {"v2": connection(CLIENT_IP, APPLIANCE_IP, children),
                                 "v1": connection(CLIENT_IP, APPLIANCE_IP, children, version=1)},
                                PSK, options=options)
        t.lab.on_close.append(self.charon.kill)
        self.charon.start()

    def guess(self, what, host, *args, version="v2", timeout=90):
        """Runs the guesser; returns what it saw, what the appliance counted, and a table's row."""
        before = Counters(self.t)
        begin = time.monotonic()
        p = self.t.lab.access.popen(
            GUESS, "-v", self.charon.vici, "-k", self.charon.link, "-l", CLIENT_IP, "-r",
            APPLIANCE_IP, "-c", version, "-H", host, "-u", USERS[0][0], "-w", USERS[0][1],
            "-T", str(timeout), *map(str, args), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.t.lab.on_close.append(p.kill)
        out, _ = p.communicate(timeout=timeout + 20)
        if p.returncode != 0:
            raise AssertionError(f"{what}: {out}\n{self.charon.log()[-2000:]}")
        seen, n = Result(out), Counters(self.t).since(before)
        row = f"{what:40}{seen.guesses:8.0f}{n.ike_auths:11}{n.judged:12}{seen.let_in:8.0f}" \
              f"{seen.probes:8.0f}{seen.probes_refused:9.0f}" \
              f"{seen.probes_accepted:10.0f}{time.monotonic() - begin:9.1f}"
        return seen, n, row


def table(t, rows):
    t.runner.say("     " + "\n     ".join([HEAD, *rows]))


def assert_one_each(seen, n, guesses):
    """Every guess was judged and cost an authentication of IKE; the last one was right."""
    assert n.ike_auths == seen.ike_authentications == n.judged == guesses, (vars(n), seen.text)
    assert n.refused == guesses - 1 and seen.let_in == 1, (vars(n), seen.text)
    assert seen.probes_accepted == 0 and seen.not_disconnected == 0, seen.text


def assert_one(seen, n):
    """One authentication of IKE, one guess judged, and nothing more on what was left of it."""
    assert n.ike_auths == 1 and n.judged == 1 and n.refused == 1, (vars(n), seen.text)
    assert seen.let_in == 0 and seen.probes_accepted == 0, seen.text
    assert seen.not_disconnected == 0, seen.text


@case("bruteforce", config=QUIET, ipsec={}, own_lab=True)
def bruteforce(t):
    """T25-T27: 200 passwords, serially and in bursts: single-shot, and standard beside it"""
    a = Attacker(t, {"l2tp": child()})
    rows = []
    seen, n, row = a.guess("single-shot, one after another", "ipsec-ss", "-C", "l2tp", "-m",
                           "serial", "-n", GUESSES)
    rows.append(row)
    serial = seen, n
    # charon has one IKE_SA of version 1 at a time
    seen, n, row = a.guess("single-shot by IKEv1, one after another", "ipsec-ss", "-C", "l2tp",
                           "-m", "serial", "-n", V1_GUESSES, "-W", 1, version="v1")
    rows.append(row)
    v1 = seen, n
    seen, n, row = a.guess("single-shot, calls in a burst", "ipsec-ss", "-C", "l2tp", "-m", "burst",
                           "-n", GUESSES, "-s", GUESSES, "-b", 100)
    rows.append(row)
    calls = seen, n
    seen, n, row = a.guess("single-shot, more calls than it answers", "ipsec-ss", "-C", "l2tp",
                           "-m", "burst", "-n", GUESSES, "-s", GUESSES)
    rows.append(row)
    assert n.ike_auths == 1 and n.judged <= 1 and seen.probes_accepted == 0, seen.text
    seen, n, row = a.guess("single-shot, tunnels in a burst", "ipsec-ss", "-C", "l2tp", "-m",
                           "burst", "-n", GUESSES)
    rows.append(row)
    tunnels = seen, n
    seen, n, row = a.guess("standard, calls in a burst", "ipsec", "-C", "l2tp", "-m", "burst",
                           "-n", GUESSES, "-s", GUESSES, "-b", 100)
    rows.append(row)
    table(t, rows)

    assert n.ike_auths == 1 and n.judged == GUESSES, (vars(n), seen.text)
    assert seen.let_in == 1 and n.refused == GUESSES - 1, (vars(n), seen.text)
    assert_one(*calls)
    assert_one(*tunnels)
    assert_one_each(*serial, GUESSES)
    assert_one_each(*v1, V1_GUESSES)
    t.wait_conns(0)
    a.charon.stop()


@case("bruteforce-children", config=QUIET, ipsec={}, own_lab=True)
def bruteforce_children(t):
    """E1: 50 CHILD_SAs on different ports of one IKE_SA, a tunnel on each: one password judged"""
    ports = {f"l2tp{i}": child(local=f"udp/{FIRST_PORT + i}") for i in range(CHILDREN)}
    a = Attacker(t, ports, options={"reuse_ikesa": True})
    rows = []
    one = a.guess("single-shot, 50 children", "ipsec-ss", "-C", "l2tp", "-m", "burst", "-n",
                  CHILDREN, "-K", CHILDREN)
    rows.append(one[2])
    seen, n, row = a.guess("standard, 50 children", "ipsec", "-C", "l2tp", "-m", "burst", "-n",
                           CHILDREN, "-K", CHILDREN)
    rows.append(row)
    table(t, rows)
    assert one[0].children == CHILDREN, one[0].text
    assert_one(*one[:2])
    assert seen.children == CHILDREN and n.ike_auths == 1, (vars(n), seen.text)
    assert n.judged == CHILDREN and seen.let_in == 1, (vars(n), seen.text)
    a.charon.stop()
