# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Two charons with the plugin, each in a network namespace with a stand-in for the daemon.

    [A] 10.91.0.1 initiates === veth === [B] 10.91.0.2 answers, as the appliance does
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
FAKE = os.path.join(ROOT, "build", "test", "charon", "fake_daemon")
PLUGIN = os.path.join(ROOT, "build-charon", "libstrongswan-sallyport.so")
CHARON = "/usr/sbin/charon-systemd"
IP = {"A": "10.91.0.1", "B": "10.91.0.2"}

CONF = """
charon-systemd {{
  {extra}
  load_modular = yes
  install_routes = no
  install_virtual_ip = no
  retransmit_tries = 2
  retransmit_timeout = 1.0
  plugins {{
    include /etc/strongswan.d/charon/*.conf
    sallyport! {{
      load = {load}
    }}
    sallyport {{
      socket = {dir}/ike.sock
    }}
    vici {{
      socket = unix://{dir}/vici
    }}
    dhcp {{
      load = no
    }}
    farp {{
      load = no
    }}
    ha {{
      load = no
    }}
  }}
  filelog {{
    f {{
      path = {dir}/charon.log
      default = 1
      knl = 2
      ike = 2
      time_format = %T
      time_add_ms = yes
      flush_line = yes
    }}
  }}
}}
swanctl {{
  plugins {{
    include /etc/strongswan.d/charon/*.conf
  }}
}}
"""

SWANCTL_A = """
connections {{
  v1 {{
    version = 1
    local_addrs = 10.91.0.1
    remote_addrs = 10.91.0.2
    encap = {encap}
    proposals = {v1_ike}
    local {{
      auth = psk
    }}
    remote {{
      auth = psk
    }}
    children {{
      one {{
        mode = transport
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp/1701]
        esp_proposals = {v1_esp}
        life_time = 60m
        rekey_time = 50m
      }}
{more1}
    }}
  }}
  v2 {{
    version = 2
    local_addrs = 10.91.0.1
    remote_addrs = 10.91.0.2
    encap = {encap}
    proposals = {v2_ike}
    local {{
      auth = {auth}
      id = lacclient
      {local_extra}
    }}
    remote {{
      auth = {auth}
      id = lns
      {remote_extra}
    }}
    children {{
      two {{
        mode = transport
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp/1701]
        esp_proposals = aes256gcm16
      }}
{more}
    }}
  }}
{peers}
}}
secrets {{
  ike {{
    secret = "trialpsk"
  }}
}}
"""

SWANCTL_B = """
connections {{
  road {{
    version = 0
    local_addrs = 10.91.0.2
    remote_addrs = %any
    proposals = aes128-sha256-modp2048,aes256gcm16-prfsha256-ecp256,3des-sha1-modp1024,{v2_ike}
    unique = never
    local {{
      auth = {auth}
      id = lns
      {remote_extra}
    }}
    remote {{
      auth = {auth}
      id = {b_peer}
      {local_extra}
    }}
    children {{
      l2tp {{
        mode = transport
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp]
        esp_proposals = aes256gcm16,aes128-sha1,3des-sha1
        life_time = 60m
        rekey_time = 0
      }}
    }}
  }}
}}
secrets {{
  ike {{
    secret = "{b_secret}"
  }}
}}
"""


PEER = """
  peer{i} {{
    version = {version}
    local_addrs = 10.91.0.1
    remote_addrs = 10.91.0.2
    proposals = {ike}
    unique = never
    local {{
      auth = psk
      id = peer{i}
    }}
    remote {{
      auth = psk
      id = lns
    }}
    children {{
      many{i} {{
        mode = transport
        local_ts = dynamic[udp/{port}]
        remote_ts = dynamic[udp/1701]
        esp_proposals = aes256gcm16,aes128-sha1
      }}
    }}
  }}
"""
CHILD = """
      {name} {{
        mode = transport
        local_ts = dynamic[udp/{port}]
        remote_ts = dynamic[udp/1701]
        esp_proposals = aes256gcm16,aes128-sha1
      }}
"""


class Wrong(Exception):
    """What was expected did not come."""


def sh(*args, timeout=30, check=True, env=None):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=timeout, check=False, env=env)
    if check and p.returncode:
        raise RuntimeError(f"{' '.join(args)}: {p.stdout.strip()}")
    return p.stdout


def until(what, fn, timeout=5.0):
    """Waits until fn gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        last = time.monotonic() > end  # a look that took long saw what was before
        r = fn()
        if r:
            return r
        if last:
            raise Wrong(f"no {what} within {timeout:g} s")
        time.sleep(0.02)


def stop_process(p, sig=signal.SIGTERM, timeout=10.0):
    """Ends a process of ours; how long that took, None when it had to be killed."""
    if p.poll() is not None:
        return 0.0
    begin = time.monotonic()
    p.send_signal(sig)
    try:
        p.wait(timeout)
        return time.monotonic() - begin
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return None


class Message(dict):
    """A line of the stand-in's log: at (its time), type, and its values as text."""

    @property
    def spi(self):
        return self["spi"]


class Fake:
    """The stand-in for the daemon."""

    def __init__(self, folder, instance, first_spi, uid=None):
        self.path = os.path.join(folder, "ike.sock")
        args = [FAKE, self.path, f"{instance:x}", f"{first_spi:x}"]
        self.seen = []
        self.proc = subprocess.Popen(args + ([str(uid)] if uid is not None else []),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.reader = threading.Thread(target=self._read, args=(os.path.join(folder, "fake.log"),))
        self.reader.start()
        self.wait("listening")

    def _read(self, path):
        with open(path, "w", encoding="utf-8") as log:
            for line in self.proc.stdout:
                log.write(line)
                log.flush()
                words = line.split()
                m = Message(w.partition("=")[::2] for w in words[2:])
                m["at"], m["type"] = words[0], words[1] if len(words) > 1 else ""
                self.seen.append(m)

    def tell(self, *words):
        """An order; returns when it has been read: what charon says from now on finds it carried out."""
        mark = self.mark()
        self.proc.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.proc.stdin.flush()
        self.wait("order", mark)

    def mark(self):
        return len(self.seen)

    def all(self, kind, since=0, **want):
        return [m for m in self.seen[since:] if m["type"] == kind
                and all(m.get(k) == str(v) for k, v in want.items())]

    def wait(self, kind, since=0, timeout=5.0, **want):
        what = f"{kind} {want or ''}".strip()
        return until(what, lambda: self.all(kind, since, **want), timeout)[0]

    def none(self, kind, since=0, **want):
        found = self.all(kind, since, **want)
        if found:
            raise Wrong(f"an unexpected {kind}: {dict(found[0])}")

    def stop(self):
        self.proc.stdin.close()
        stop_process(self.proc)
        self.reader.join()
        self.proc.stdout.close()


class Charon:
    """One charon of the pair, with its own settings and sockets."""

    def __init__(self, ns, folder, plugin=PLUGIN, extra="", load=10):
        self.ns, self.dir, self.plugin, self.proc = ns, folder, plugin, None
        self.env = dict(os.environ, STRONGSWAN_CONF=os.path.join(folder, "strongswan.conf"),
                        SWANCTL_DIR=folder)
        with open(self.env["STRONGSWAN_CONF"], "w", encoding="utf-8") as f:
            f.write(CONF.format(dir=folder, extra=extra, load=load))

    def start(self, wait=True):
        out = open(os.path.join(self.dir, "out"), "w", encoding="utf-8")
        # nsenter is not to be preloaded: what it runs is.
        self.proc = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.ns}", "env", "LD_PRELOAD=" + self.plugin, CHARON],
            env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        out.close()
        if not wait:
            return
        until("vici socket", lambda: os.path.exists(os.path.join(self.dir, "vici")))
        until("answer of vici", lambda: "uptime" in self.swanctl("--stats", check=False))

    def load(self, text):
        path = os.path.join(self.dir, "conns")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.swanctl("--load-all", "--file", path)

    def swanctl(self, *args, check=True, timeout=20):
        return sh("swanctl", *args, "--uri", f"unix://{self.dir}/vici", env=self.env, check=check,
                  timeout=timeout)

    def initiate(self, child, timeout=10):
        """True when the CHILD_SA came up."""
        text = self.swanctl("--initiate", "--child", child, "--timeout", str(timeout),
                            check=False)
        return "initiate completed successfully" in text

    def sas(self):
        return self.swanctl("--list-sas")

    def log(self):
        with open(os.path.join(self.dir, "charon.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, regex, timeout=5.0):
        return until(f"'{regex}' in charon's log", lambda: re.search(regex, self.log()), timeout)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def stop(self, sig=signal.SIGTERM):
        return stop_process(self.proc, sig) if self.proc is not None else 0.0


class Lab:
    """The two namespaces; a folder for each case."""

    def __init__(self):
        self.ns = {n: f"sc{os.getpid():x}{n}" for n in "AB"}

    def __enter__(self):
        for ns in self.ns.values():
            sh("ip", "netns", "add", ns)
            sh("ip", "-n", ns, "link", "set", "lo", "up")
        sh("ip", "link", "add", "x0", "netns", self.ns["A"], "type", "veth",
           "peer", "name", "x0", "netns", self.ns["B"])
        for n, ns in self.ns.items():
            sh("ip", "-n", ns, "addr", "add", IP[n] + "/24", "dev", "x0")
            sh("ip", "-n", ns, "link", "set", "x0", "up")
        return self

    def __exit__(self, *_):
        for ns in self.ns.values():
            sh("ip", "netns", "del", ns, check=False)


class Pair:
    """What a case has: .a and .b (charons), .fa and .fb (their daemons)."""

    DEFAULTS = {"encap": "no", "auth": "psk", "local_extra": "", "remote_extra": "",
                "b_peer": "%any", "b_secret": "trialpsk", "b_conf": "",
                "v1_ike": "aes128-sha256-modp2048", "v1_esp": "aes128-sha1",
                "v2_ike": "aes256gcm16-prfsha256-ecp256"}

    def __init__(self, lab, **over):
        self.dir = tempfile.mkdtemp(prefix="sc-")
        os.chmod(self.dir, 0o755)
        self.lab, self.values = lab, {**self.DEFAULTS, **over}
        for key, word in (("more", "more{}"), ("more1", "more1{}")):
            self.values[key] = "".join(CHILD.format(name=word.format(i), port=10000 + i)
                                       for i in range(over.get("children", 0)))
        self.values["peers"] = "".join(
            PEER.format(i=i, version=1 + i % 2, port=20000 + i,
                        ike=("aes128-sha256-modp2048", "aes256gcm16-prfsha256-ecp256")[i % 2])
            for i in range(over.get("peers", 0)))
        for n in "AB":
            os.mkdir(os.path.join(self.dir, n))
        self.a = self.b = self.fa = self.fb = None

    def folder(self, n):
        return os.path.join(self.dir, n)

    def start(self):
        self.fa = Fake(self.folder("A"), 0xa1, 0xca000001)
        self.fb = Fake(self.folder("B"), 0xb1, 0xcb000001)
        self.a = Charon(self.lab.ns["A"], self.folder("A"))
        self.b = Charon(self.lab.ns["B"], self.folder("B"), extra=self.values["b_conf"])
        for c, f, text in ((self.a, self.fa, SWANCTL_A), (self.b, self.fb, SWANCTL_B)):
            c.start()
            f.wait("sync-end", n=0)
            c.load(text.format(**self.values))
        return self

    def up(self, version):
        """Brings a CHILD_SA up; the inbound SAs of A and B."""
        ma, mb = self.fa.mark(), self.fb.mark()
        if not self.a.initiate({1: "one", 2: "two"}[version]):
            raise Wrong(f"IKEv{version} did not come up")
        for f, m in ((self.fa, ma), (self.fb, mb)):
            f.wait("add-sa", m, inbound=1)
            f.wait("add-sa", m, inbound=0)
        sa, sb = self.fa.wait("add-sa", ma, inbound=1), self.fb.wait("add-sa", mb, inbound=1)
        # charon finds the CHILD_SA by an SPI a moment after it was added, and when its IKE_SA is free again.
        until("CHILD_SA of B", lambda: sb.spi in self.b.sas())
        return sa, sb

    def close(self):
        for x in (self.a, self.b, self.fa, self.fb):
            if x is not None:
                x.stop()

    def keep(self, where):
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(self.dir, where, ignore=lambda d, names: [
            n for n in names if n in ("vici", "ike.sock", "private")])

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
