# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The two LNSs of the peer benchmark in the namespace that they share in turn: Sallyport on packet
sockets, and Debian's l2tpns with a RADIUS server that lets everyone in."""
import functools
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request

from daemon import Console, free_port, libconfig
from lab import LabError, NO_OFFLOAD, NetNs, sh, wait_until

LNS_IP, LAC_IP = "192.0.2.1", "192.0.2.70"
GATEWAY, HOST_IP = "198.51.100.1", "198.51.100.2"
POOL, POOL_FIRST, POOL_LAST, POOL_LOCAL = ("10.64.0.0/18", "10.64.0.2", "10.64.63.254",
                                           "10.64.0.1")
TUN_IP = "10.127.0.1"  # the pool is for subscribers, all of it
USER, PASSWORD, RADIUS_SECRET = "user1", "pass1", b"radius"
TREE = "l2tpns"

# What comes out of the LNS is counted where it arrives and goes no further. This runs on the LNS's
# core, at the end of its sending, so it is as short as can be. Up: UDP from port 9 to 9. Down: from
# 1701 to 20000, a data message (no T bit), and not one as small as those of LCP.
COUNTERS = """table netdev bench {
	counter up { }
	counter down { }
	chain core { type filter hook ingress device "core0p" priority 0;
		@nh,160,32 0x00090009 counter name up drop
	}
	chain wan { type filter hook ingress device "wan0p" priority 0;
		@nh,160,32 0x06a54e20 @nh,224,16 < 0x8000 @nh,16,16 > 90 counter name down drop
	}
}"""


def warn(text):
    print("peer.py: " + text, file=sys.stderr, flush=True)


@functools.cache
def in_front():
    """What has a program run before all that others want on its core: it is measured, and not its
    neighbours. A container may forbid it."""
    how = ("chrt", "-r", "1")
    try:
        sh(*how, "true")
        return how
    except LabError as e:
        warn(f"other processes will disturb the measurement: {e}")
        return ()


def pinned(ns, cpu, *args, **kw):
    """A process on one core. In a session of its own: l2tpns ends its whole process group."""
    return ns.popen(*in_front(), "taskset", "-c", str(cpu), *args, start_new_session=True, **kw)


class Net:
    """Two namespaces and two veth pairs. The LNS has wan0 and core0; LAC and hosts have the other
    ends."""

    def __init__(self):
        prefix = f"spb{os.getpid():x}"
        self.made = []
        try:
            self.lns, self.gen = self._ns(prefix + "-lns"), self._ns(prefix + "-gen")
            for dev, ip in (("wan0", LAC_IP), ("core0", HOST_IP)):
                self._veth(dev, ip)
            self.gen.ip("route", "add", "default", "via", GATEWAY)
            self.gen.run("nft", COUNTERS)
        except BaseException:
            self.close()
            raise

    def _ns(self, name):
        ns = NetNs(name)
        self.made.append(ns)
        return ns

    def _veth(self, dev, ip):
        self.lns.ip("link", "add", dev, "type", "veth", "peer", "name", dev + "p", "netns",
                    self.gen.name)
        for ns, name in ((self.lns, dev), (self.gen, dev + "p")):
            ns.run("ethtool", "-K", name, *NO_OFFLOAD)
            ns.ip("link", "set", name, "up")
        self.gen.ip("addr", "add", ip + "/24", "dev", dev + "p")

    def mac(self, dev):
        return re.search(r"link/ether (\S+)", self.lns.ip("link", "show", dev))[1]

    def counted(self, direction):
        out = self.gen.run("nft", "list", "counter", "netdev", "bench", direction)
        return int(re.search(r"packets (\d+)", out)[1])

    def close(self):
        for ns in reversed(self.made):
            ns.delete()
        self.made.clear()


class Lns:
    """A running LNS; cpu is where all of it runs."""

    def __init__(self, net, folder, cpu):
        self.net, self.folder, self.cpu = net, folder, cpu
        self.proc = None

    def popen(self, *args):
        with open(self.log_path(), "ab") as log:
            self.proc = pinned(self.net.lns, self.cpu, *args, stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log, cwd=self.folder)

    def log_path(self):
        return os.path.join(self.folder, self.NAME + ".log")

    def log(self):
        with open(self.log_path(), encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def wait(self, fn, what):
        if not wait_until(lambda: self.proc.poll() is not None or fn(), 20, 0.02) \
                or self.proc.poll() is not None:
            raise LabError(f"{self.NAME} {what}:\n{self.log()}")

    def cpu_ns(self):
        """CPU time of the process so far, all its threads, with the kernel's work for it."""
        return time.clock_gettime_ns(~self.proc.pid << 3 | 2)  # CPUCLOCK_SCHED of that process

    def busy_cycles(self):
        return None

    def stop(self):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(10)


class Sallyport(Lns):
    NAME = "sallyport"

    def __init__(self, net, folder, cpu, binary, driver="net_af_packet", devargs="",
                 system=None):
        super().__init__(net, folder, cpu)
        self.binary, self.system = binary, system or {}
        self.driver, self.devargs = driver, devargs

    def config(self, port, metrics):
        """As conf/lab.cfg."""
        ports = [{"name": name, "device": f"{self.driver}{i},iface={name}0{self.devargs}",
                  "addresses": [ip + "/24"]}
                 for i, (name, ip) in enumerate((("wan", LNS_IP), ("core", GATEWAY)))]
        return {
            "system": {"host-name": "lns", "workers": 1, "hugepages": False, "memory": 256,
                       "idle": "sleep", **self.system},
            "log": {"level": "notice"},
            "console": {"listen": f"127.0.0.1:{port}"},
            "metrics": {"listen": f"127.0.0.1:{metrics}"},
            "ports": ports,
            "pools": [{"name": "subscribers", "first": POOL_FIRST, "last": POOL_LAST}],
            "users": [{"name": USER, "password": PASSWORD}],
            "interface-profiles": [{"name": "ppp", "local-address": POOL_LOCAL,
                                    "pool": "subscribers"}],
            "destination-profiles": [{"name": "any", "address": "0.0.0.0", "hosts": [
                {"name": "default", "interface-profile": "ppp"}]}],
        }

    def start(self):
        port, self.metrics = free_port(), free_port()
        path = os.path.join(self.folder, "sallyport.cfg")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{k} = {libconfig(v)};\n" for k, v in self.config(port,
                                                                            self.metrics).items())
        self.popen(self.binary, "-c", path, "-N", f"/proc/{os.getpid()}/ns/net")

        def answers():
            try:
                Console(port, timeout=2).close()
                return True
            except (OSError, LabError):
                return False
        self.wait(answers, "does not start")
        return self

    def busy_cycles(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5) as r:
            text = r.read().decode()
        return sum(int(float(v)) for v in
                   re.findall(r"^\w*worker_busy_cycles\w*(?:\{.*\})? (\S+)$", text, re.M))


class Radius(threading.Thread):
    """Answers every Access-Request of the namespace with an Access-Accept (RFC 2865)."""

    def __init__(self, ns):
        super().__init__(daemon=True)

        def opened():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("127.0.0.1", 1812))
            return s
        self.sock = ns.call(opened)
        self.start()

    def run(self):
        while True:
            try:
                data, source = self.sock.recvfrom(4096)
            except OSError:
                return
            if len(data) < 20 or data[0] != 1:
                continue
            attrs = struct.pack(">BBIBBI", 6, 6, 2, 7, 6, 1)  # Service-Type Framed, PPP
            head = struct.pack(">BBH", 2, data[1], 20 + len(attrs))
            proof = hashlib.md5(head + data[4:20] + attrs + RADIUS_SECRET).digest()
            self.sock.sendto(head + proof + attrs, source)

    def close(self):
        self.sock.close()


L2TPNS_CONFIG = f"""set debug 1
set pid_file ""
set bind_address {LNS_IP}
set peer_address {TUN_IP}
set iftun_address {TUN_IP}
set tundevicename tun0
set primary_radius 127.0.0.1
set primary_radius_port 1812
set radius_secret "{RADIUS_SECRET.decode()}"
set radius_authtypes "pap"
set radius_accounting no
set allow_duplicate_users yes
set cli_bind_address 127.0.0.1
set cluster_interface wan0
set cluster_hb_interval 1
set cluster_hb_timeout 15
set send_garp no
set hostname lns
"""


class L2tpns(Lns):
    NAME = "l2tpns"

    def __init__(self, net, folder, cpu, tree, settings=""):
        super().__init__(net, folder, cpu)
        self.tree, self.settings = tree, settings
        self.radius = None

    def start(self):
        ns, etc = self.net.lns, os.path.join(self.folder, "etc")
        os.makedirs(etc + "/l2tpns", exist_ok=True)
        for name, text in (("startup-config", L2TPNS_CONFIG + self.settings), ("users", ""),
                           ("ip_pool", POOL + "\n")):
            with open(f"{etc}/l2tpns/{name}", "w", encoding="ascii") as f:
                f.write(text)
        ns.ip("addr", "add", LNS_IP + "/24", "dev", "wan0")
        ns.ip("addr", "add", GATEWAY + "/24", "dev", "core0")
        ns.sysctl("net.ipv4.ip_forward", 1)
        self.radius = Radius(ns)
        # Its pool is read from one fixed place: a mount namespace of its own has ours there.
        self.popen("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', etc,
                   "env", "LD_LIBRARY_PATH=" + os.path.join(self.tree, "usr/lib/x86_64-linux-gnu"),
                   os.path.join(self.tree, "usr/sbin/l2tpns"), "-c",
                   "/etc/l2tpns/startup-config")
        self.wait(lambda: "declaring myself the master" in self.log(), "does not become master")
        return self

    def stop(self):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait(10)
        if self.radius is not None:
            self.radius.close()
            self.net.lns.ip("addr", "flush", "dev", "wan0")
            self.net.lns.ip("addr", "flush", "dev", "core0")
            self.net.lns.sysctl("net.ipv4.ip_forward", 0)


def fetch(build):
    """The folder that Debian's l2tpns is unpacked in, below the build's: nothing of it is installed
    and no service starts. None, with a warning, when it cannot be had."""
    tree = os.path.join(build, TREE)
    if os.path.exists(tree + "/usr/sbin/l2tpns"):
        return tree
    debs = tree + ".debs"
    try:
        os.makedirs(debs, exist_ok=True)
        try:
            download(debs, "l2tpns")
        except LabError:  # the lists may be absent, or older than what the mirror still has
            sh("apt-get", "-qq", "update", timeout=120)
            download(debs, "l2tpns")
        needs = sh("dpkg-deb", "-f", deb(debs, "l2tpns"), "Depends")
        for name in re.findall(r"libcli[\w.]+", needs):
            download(debs, name)
        for name in os.listdir(debs):
            sh("dpkg-deb", "-x", os.path.join(debs, name), tree + ".new")
        os.rename(tree + ".new", tree)
        return tree
    except (LabError, OSError, subprocess.TimeoutExpired) as e:
        warn(f"Debian's l2tpns cannot be had, so its rows are missing: {e}")
        return None


def download(folder, name):
    sh("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name, cwd=folder, timeout=60)


def deb(folder, name):
    return next(os.path.join(folder, n) for n in os.listdir(folder) if n.startswith(name + "_"))
