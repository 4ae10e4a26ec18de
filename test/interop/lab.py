# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The lab: three network namespaces and what joins them.

    guests (taps) --+
    raw clients  ---+ br0 [access] wan0p === wan0 [appliance] core0 === core0p [core host]
                      192.0.2.0/24           192.0.2.1   198.51.100.1   198.51.100.2

    guests (taps) --- nbr0 10.99.0.254 [nat] natp 192.0.2.250 --- br0, made when a case asks for it

The appliance's ends carry no address: the daemon's ports own them. The other ends finish their
checksums in software, because a packet socket would see them unfinished.
"""
import ctypes
import os
import subprocess
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
APPLIANCE_IP = "192.0.2.1"
CORE_GW = "198.51.100.1"
CORE_HOST = "198.51.100.2"
POOL_LOCAL = "10.64.0.1"
NAT_IP = "192.0.2.250"
NAT_OTHER_IP = "192.0.2.251"  # for a while, when a case moves it
NAT_GW = "10.99.0.254"
CLONE_NEWNET = 0x40000000
NO_OFFLOAD = ("tx", "off", "gso", "off", "tso", "off", "gro", "off")

libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something of the lab itself failed, not what is tested."""


def sh(*args, check=True, timeout=30, **kw):
    """Runs a program, returns its output; raises LabError with the output when it fails."""
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                       text=True, check=False, **kw)
    if check and p.returncode:
        raise LabError(f"{' '.join(args)}: {p.stdout.strip()}")
    return p.stdout


class NetNs:
    """A network namespace of a given name; made here, deleted by delete()."""

    def __init__(self, name):
        self.name = name
        self.path = "/run/netns/" + name
        sh("ip", "netns", "add", name)
        self.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.ip("link", "set", "lo", "up")

    def sysctl(self, key, value):
        self.run("sysctl", "-q", "-w", f"{key}={value}")

    def args(self, *args):
        return ["nsenter", "--net=" + self.path, *args]

    def run(self, *args, **kw):
        return sh(*self.args(*args), **kw)

    def ip(self, *args, **kw):
        return self.run("ip", *args, **kw)

    def popen(self, *args, **kw):
        return subprocess.Popen(self.args(*args), **kw)

    def call(self, fn):
        """Runs fn in a thread of its own inside the namespace; what it opens stays in there."""
        box = {}

        def body():
            try:
                with open(self.path, "rb") as f:
                    if libc.setns(f.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                box["value"] = fn()
            except BaseException as e:  # handed to the caller below
                box["error"] = e

        t = threading.Thread(target=body)
        t.start()
        t.join()
        if "error" in box:
            raise box["error"]
        return box["value"]

    def delete(self):
        sh("ip", "netns", "del", self.name, check=False)


# Every client gets a source port that has nothing to do with its own, as big NATs do.
NAT_RULES = """table ip nat {
	chain post {
		type nat hook postrouting priority 100;
		oifname "natp" masquerade random,fully-random
	}
}"""


class Side:
    """A bridge that guests can be put on."""

    def __init__(self, ns, bridge, gateway=None):
        self.ns, self.bridge, self.gateway = ns, bridge, gateway


class Lab:
    """The namespaces. Use as a context manager; guests and captures register for clean-up."""

    def __init__(self, prefix=None):
        self.prefix = prefix or f"sp{os.getpid():x}"
        self.made = []
        self.on_close = []
        self.taps = 0
        try:
            self.app = self._ns("app")
            self.access = self._ns("acc")
            self.core = self._ns("core")
            self._wire()
            self.front, self._behind = Side(self.access, "br0"), None
        except BaseException:
            self.close()
            raise

    def _ns(self, what):
        ns = NetNs(f"{self.prefix}-{what}")
        self.made.append(ns)
        return ns

    def _veth(self, inner, outer, peer):
        self.app.ip("link", "add", inner, "type", "veth", "peer", "name", outer, "netns",
                    peer.name)
        self.app.ip("link", "set", inner, "up")
        peer.ip("link", "set", outer, "up")
        for ns, dev in ((self.app, inner), (peer, outer)):
            ns.run("ethtool", "-K", dev, *NO_OFFLOAD)

    def _wire(self):
        a = self.access
        self._veth("wan0", "wan0p", a)
        self._veth("core0", "core0p", self.core)
        a.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        a.ip("link", "set", "wan0p", "master", "br0")
        a.ip("link", "set", "br0", "up")
        a.run("ethtool", "-K", "br0", "tx", "off")
        self.core.ip("addr", "add", CORE_HOST + "/24", "dev", "core0p")
        self.core.ip("route", "add", "default", "via", CORE_GW)

    def add_access_ip(self, ip):
        """An address for a raw client on the access bridge."""
        self.access.ip("addr", "replace", ip + "/24", "dev", "br0")

    def tap(self, side):
        """A new tap on a bridge, for a guest."""
        name = f"tap{self.taps}"
        self.taps += 1
        side.ns.ip("tuntap", "add", "dev", name, "mode", "tap")
        side.ns.ip("link", "set", name, "master", side.bridge, "up")
        side.ns.run("ethtool", "-K", name, *NO_OFFLOAD)
        return name

    def behind_nat(self):
        """The bridge 10.99.0.0/24 behind a router that translates to NAT_IP."""
        if self._behind:
            return self._behind
        nat = self._ns("nat")
        nat.ip("link", "add", "natp", "type", "veth", "peer", "name", "natpp", "netns",
               self.access.name)
        self.access.ip("link", "set", "natpp", "master", "br0", "up")
        nat.ip("link", "add", "nbr0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        for dev, ip in (("natp", NAT_IP), ("nbr0", NAT_GW)):
            nat.ip("addr", "add", ip + "/24", "dev", dev)
            nat.ip("link", "set", dev, "up")
        for ns, dev in ((nat, "natp"), (self.access, "natpp"), (nat, "nbr0")):
            ns.run("ethtool", "-K", dev, *NO_OFFLOAD)
        nat.sysctl("net.ipv4.ip_forward", 1)
        nat.run("nft", NAT_RULES)
        self._behind = Side(nat, "nbr0", NAT_GW)
        return self._behind

    def forget_nat(self):
        """The router loses its table: every mapping gets a new port."""
        for state in ("down", "up"):  # down: the kernel forgets what it has masqueraded there
            self._behind.ns.ip("link", "set", "natp", state)

    def move_nat(self, ip):
        """The router gets another address on its outer side, and forgets what it has translated."""
        ns = self._behind.ns
        ns.ip("addr", "flush", "dev", "natp")
        ns.ip("addr", "add", ip + "/24", "dev", "natp")
        self.forget_nat()

    def capture(self, path, ns=None, dev="wan0p", expr="udp port 1701"):
        """Starts tcpdump; the capture ends with stop()."""
        cap = Capture(ns or self.access, dev, path, expr)
        self.on_close.append(cap.stop)
        return cap

    def close(self):
        for fn in reversed(self.on_close):
            fn()
        self.on_close.clear()
        for ns in reversed(self.made):
            ns.delete()
        self.made.clear()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Capture:
    """A tcpdump in a namespace, writing packet by packet to a file. Without immediate mode a packet may lie
    in its ring for a second, and is lost when it ends; with it the ring holds 16 MB of single packets."""

    def __init__(self, ns, dev, path, expr):
        self.path = path
        self.proc = ns.popen("tcpdump", "-U", "-n", "-s", "0", "--immediate-mode", "-B", "16384", "-Z",
                             "root", "-i", dev, "-w", path, *expr.split(), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 5
        while not (os.path.exists(path) and os.path.getsize(path) >= 24):
            if time.monotonic() > end or self.proc.poll() is not None:
                raise LabError("tcpdump did not start")
            time.sleep(0.02)

    def stop(self):
        if self.proc.poll() is None:
            time.sleep(0.2)  # what is on its way through the packet socket
            # It sleeps when it has written all that was there; a busy machine may leave it waiting to run.
            wait_until(self._sleeps, 10, 0.02)
            self.proc.terminate()
        self.proc.wait(10)

    def _sleeps(self):
        with open(f"/proc/{self.proc.pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "SZ"

    def tshark(self, *args):
        """Lines that tshark prints about the capture."""
        out = subprocess.run(["tshark", "-n", "-r", self.path, *args], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, timeout=120, check=False,
                             env={**os.environ, "HOME": "/nonexistent"})
        if out.returncode:
            raise LabError("tshark: " + out.stderr.strip())
        return out.stdout.splitlines()


def wait_until(fn, timeout, step=0.05):
    """Polls fn until it gives something true, and returns that; None after timeout seconds. The last look
    begins behind that time: one that took long, on a busy machine, saw what was before."""
    end = time.monotonic() + timeout
    while True:
        last = time.monotonic() > end
        value = fn()
        if value:
            return value
        if last:
            return None
        time.sleep(step)
