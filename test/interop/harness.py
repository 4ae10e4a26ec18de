# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""What a case is made of. A case is a function with the decorator @case(name, ..) that takes a
Test; run.py finds them in test_*.py."""
import copy
import os
import re
import shutil
import stat
import subprocess
import tempfile

from daemon import Daemon, free_port, leftovers
from guest import Guest, ping_from
from ipsec_lab import Charon, IpsecTest, add_ipsec
from lab import APPLIANCE_IP, CORE_HOST, LabError, POOL_LOCAL, wait_until
from rawclient import Peer

CASES = []
USERS = [(f"user{i}", f"pass{i}") for i in range(1, 5)]
FIXED_USER, FIXED_IP = ("user5", "pass5"), "10.64.100.5"
SECRET = "tunnelpw"


class Skip(Exception):
    """The case cannot run here; the text says why."""


class Case:
    def __init__(self, fn, name, config, long, daemon, own_lab, alone, ipsec):
        self.fn, self.name, self.config, self.long, self.daemon = fn, name, config, long, daemon
        self.own_lab, self.alone, self.ipsec = own_lab, alone or own_lab, ipsec
        self.doc = (fn.__doc__ or "").strip().split("\n")[0]


def case(name, config=None, long=False, daemon=True, own_lab=False, alone=False, ipsec=None):
    """config is merged over the lab's (see lab_config), or is a function that changes it; long
    cases run with --long only; with daemon=False the case starts it itself; own_lab cases run in a
    lab of their own, with no capture of everything that passes: those with very many packets. They,
    and those marked alone, are not run beside others. ipsec is a dict of keys of the transport
    profile, {} for what add_ipsec has: then charon runs beside the daemon."""
    def mark(fn):
        CASES.append(Case(fn, name, config or {}, long, daemon, own_lab, alone, ipsec))
        return fn
    return mark


def lab_config():
    """The lab's configuration, as conf/lab.cfg has it, with short timers where tests wait."""
    return {
        "system": {"host-name": "sallyport", "workers": 1, "hugepages": False, "memory": 256,
                   # Many labs share few CPUs: four times the default spares each 6 % of one.
                   "idle": "sleep", "idle-sleep": 200},
        "log": {"level": "debug"},
        "console": {},
        "ports": [
            {"name": "wan", "device": "net_af_packet0,iface=wan0",
             "addresses": [APPLIANCE_IP + "/24"]},
            {"name": "core", "device": "net_af_packet1,iface=core0",
             "addresses": ["198.51.100.1/24"]},
        ],
        "pools": [{"name": "subscribers", "first": "10.64.0.2", "last": "10.64.63.254"}],
        "users": [{"name": u, "password": p} for u, p in USERS]
        + [{"name": FIXED_USER[0], "password": FIXED_USER[1], "address": FIXED_IP}],
        # Our first LCP packet comes before a kernel's PPP is there for it: a dial waits for the next.
        "interface-profiles": [{"name": "ppp", "local-address": POOL_LOCAL, "pool": "subscribers",
                                "lcp-restart": 1000}],
        "l2tp": {"tunnel-idle-timeout": 60, "destruct-timeout": 10},
        "destination-profiles": [{
            "name": "access", "address": "0.0.0.0",
            "hosts": [
                {"name": "lac-ss", "single-shot-tunnel": True, "interface-profile": "ppp"},
                {"name": "lac-secret", "tunnel-password": SECRET, "interface-profile": "ppp"},
                {"name": "lac-ss-secret", "single-shot-tunnel": True, "tunnel-password": SECRET,
                 "interface-profile": "ppp"},
                {"name": "lac-ipsec", "enable-ipsec-transport": True, "interface-profile": "ppp"},
                {"name": "default", "interface-profile": "ppp"},
            ],
        }],
    }


def merge(base, over):
    """over into base: dicts by key, lists of dicts entry by entry, all else replaced."""
    for k, v in over.items():
        old = base.get(k)
        if isinstance(v, dict) and isinstance(old, dict):
            merge(old, v)
        elif isinstance(v, dict) and isinstance(old, list):
            for entry in old:  # the same change in every entry
                merge(entry, v)
        else:
            base[k] = copy.deepcopy(v)
    return base


class Test(IpsecTest):
    """What a running case has: the lab, guests, raw peers, the daemon and ways to ask it."""

    def __init__(self, runner, case_):
        self.runner, self.lab, self.case = runner, runner.lab, case_
        self.folder = tempfile.mkdtemp(prefix="sp-case-")
        self.peers, self.daemon, self.charon, self.notes = [], None, None, []
        self.long = runner.long
        self.new_daemon()

    def new_daemon(self, over=None):
        config = lab_config()
        if self.case.ipsec is not None:
            add_ipsec(config, self.folder, self.case.ipsec)
            self.metrics_port = free_port()
            config["metrics"] = {"listen": f"127.0.0.1:{self.metrics_port}"}
        if callable(self.case.config):
            self.case.config(config)
        else:
            merge(config, self.case.config)
        if over:
            merge(config, over)
        self.daemon = Daemon(self.lab, self.folder, config)
        return self.daemon

    def start(self):
        """Starts the daemon, and charon when the case has IPsec."""
        self.daemon.start()
        if self.case.ipsec is not None:
            self.charon = Charon(self.lab, self.daemon.config_path)
            self.lab.on_close.append(self.charon.stop)
            self.charon.start()

    # ---- peers ----

    def client(self, users=(USERS[0],), i=0, **kw):
        """The i-th guest as an L2TP client of the appliance; see Guest.l2tp_client."""
        g = self.guest(i)
        g.l2tp_client(APPLIANCE_IP, users, **kw)
        return g

    def guest(self, i=0, nat=False):
        """The i-th guest, or the i-th behind the NAT, booted; guests are kept from case to case
        and cleaned between them."""
        return self.runner.guest(i, nat)

    def raw(self, i=0, port=1701):
        """A raw client at an address of its own."""
        ip = f"192.0.2.{60 + i}"
        self.lab.add_access_ip(ip)
        p = Peer(self.lab.access, ip, APPLIANCE_IP, port)
        self.peers.append(p)
        return p

    # ---- asking the daemon ----

    def console(self, *commands):
        return self.daemon.console(*commands)

    def restart(self, **kw):
        self.daemon.stop()
        return self.new_daemon(**kw).start()

    def counts(self):
        """[tunnels, sessions] that are up: the active column of `show l2tp`."""
        text = self.console("show l2tp")
        rows = [re.search(rf"^ *{row} +\d+ +(\d+)", text, re.M) for row in ("Tunnels", "Sessions")]
        if not all(rows):
            raise AssertionError(f"no counts in show l2tp:\n{text}")
        return [int(m[1]) for m in rows]

    def tunnels(self):
        return self.counts()[0]

    def sessions(self):
        return self.counts()[1]

    def wait_counts(self, tunnels=None, sessions=None, timeout=10):
        """Waits until so many tunnels and sessions are up; None: any number."""
        got = []

        def right():
            got[:] = self.counts()
            for p in self.peers:
                p.pump(0)
            return all(want in (None, have) for want, have in zip((tunnels, sessions), got))
        if not wait_until(right, timeout, 0.1):
            raise AssertionError(f"{tunnels} tunnels and {sessions} sessions wanted, have {got}:\n"
                                 + self.console("show l2tp tunnel") + "\n"
                                 + self.console("show l2tp session"))

    # ---- checks ----

    def note(self, text):
        """Something measured, for the case's line of the report."""
        self.notes.append(text)

    def pings(self, guest, i=0, sizes=(56, 1300, None), count=5):
        """Pings of each size between a guest's session and the core host, both ways; None is the
        largest that fits. Every packet must come back."""
        guest.route("198.51.100.0/24", i)
        ip, mtu = guest.ppp_ip(i), guest.ppp_mtu(i)
        for size in sizes:
            size = mtu - 28 if size is None else size
            for to in (POOL_LOCAL, CORE_HOST):
                r = guest.ping(to, size, count, df=True, device=f"ppp{i}")
                assert r.ok, f"{ip} to {to}, {size} bytes: {r}"
            r = ping_from(self.lab.core, ip, size, count, df=True)
            assert r.ok, f"core host to {ip}, {size} bytes: {r}"

    def close(self):
        """Ends the case: the daemon must go in good order and leave nothing. Returns problems."""
        problems = []
        if self.daemon.proc is not None:
            try:
                rc = self.daemon.stop(meanwhile=self.answer)
                if rc != 0:
                    problems.append(f"the daemon's exit status is {rc}")
            except (AssertionError, subprocess.TimeoutExpired) as e:
                problems.append(str(e))  # and go on: a charon that stays would fail all later cases
            if self.charon is not None:
                self.charon.stop()
            problems += leftovers(self.lab)
        for p in self.peers:
            p.close()
        self.runner.clean_guests()
        return problems

    def answer(self):
        """Lets the raw clients acknowledge what comes, so that a StopCCN need not be repeated."""
        for p in self.peers:
            for tunnel in p.tunnels.values():
                tunnel.auto_ack = True
            try:
                p.pump(0)
            except AssertionError:
                pass  # a case has looked at what it wanted to see

    def save_state(self, capture):
        """After a failure: what the daemon can still tell, and what the wire has seen so far."""
        try:
            with open(os.path.join(self.folder, "state.txt"), "w", encoding="utf-8") as f:
                for command in ("show dataplane", "show dataplane drops", "show l2tp",
                                "show l2tp tunnel detail", "show l2tp session detail",
                                "show ipsec transport interface detail", "show ip pool"):
                    f.write(f"== {command}\n{self.console(command)}\n")
                for ns, dev in ((self.lab.app, "wan0"), (self.lab.app, "core0")):
                    f.write(ns.ip("-s", "link", "show", "dev", dev))
                f.write(self.lab.access.ip("-s", "link") + self.lab.core.ip("-s", "link"))
        except (OSError, LabError):
            pass  # it is dead, or was never started
        if os.path.getsize(capture) < 20 << 20:
            shutil.copy(capture, self.folder)

    def log_tail(self, lines=40):
        try:
            return "\n".join(self.daemon.log().splitlines()[-lines:])
        except (OSError, AttributeError):
            return ""

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def new_guest(lab, i, nat=False):
    if nat:
        return Guest(lab, f"n{i}", f"10.99.0.{11 + i}", side=lab.behind_nat())
    return Guest(lab, f"g{i}", f"192.0.2.{11 + i}")


def sockets(folder, names):
    """Those of names that nobody can copy."""
    return [n for n in names if stat.S_ISSOCK(os.lstat(os.path.join(folder, n)).st_mode)]


def keep(folder, where):
    """Keeps a failed case's files."""
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(os.path.dirname(where), exist_ok=True)
    shutil.copytree(folder, where, ignore=sockets)
