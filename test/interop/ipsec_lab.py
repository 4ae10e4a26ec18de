# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""What IPsec adds to a case: the transport profile, charon beside the daemon, ways to dial and to ask."""
import os
import re
import signal
import socket
import time
import urllib.request

from daemon import BINARY
from guest import ping_command, Ping
from guest_ipsec import PSK, RELAY_PORT, V2_GCM
from lab import APPLIANCE_IP, LabError, ROOT, sh, wait_until
from rawclient import Peer

PROFILE = "access"
PLUGIN = os.environ.get("SALLYPORT_PLUGIN", os.path.join(ROOT, "build-charon",
                                                         "libstrongswan-sallyport.so"))
MTU = 1360  # of PPP: what L2TP, ESP of any suite and UDP encapsulation leave of 1500
RAW_IP = "192.0.2.90"  # where the raw clients of relays are


def add_ipsec(config, folder, profile):
    """A transport profile that takes every client of the cases, and hosts that want IPsec."""
    config["ipsec"] = {"run-directory": os.path.join(folder, "run"),
                       "ike-retransmit-timeout": 500, "ike-retransmit-tries": 3}
    config["ipsec-transport-profiles"] = [{
        "name": PROFILE, "local-address": APPLIANCE_IP, "weak-algorithms": True,
        "ike-proposals": ["aes256-aes128-sha256-sha1-ecp256-modp2048", "3des-sha1-modp1024"],
        "esp-proposals": ["aes256gcm16-aes128gcm16", "aes256-aes128-sha256", "aes256-aes128-sha1"],
        "group-pre-shared-key": PSK, **profile}]
    config["destination-profiles"][0]["hosts"] += [
        {"name": "ipsec", "enable-ipsec-transport": True, "interface-profile": "ppp"},
        {"name": "ipsec-ss", "enable-ipsec-transport": True, "single-shot-tunnel": True,
         "interface-profile": "ppp"},
    ]


class Charon:
    """charon of the appliance, as scripts/charon runs it."""

    def __init__(self, lab, config_path):
        self.lab, self.config = lab, config_path
        with open(config_path, encoding="utf-8") as f:
            m = re.search(r'^\s*run-directory = "([^"]+)"', f.read(), re.M)
        self.run_dir = m[1] if m else "/run/sallyport"
        self.log_path = os.path.join(self.run_dir, "charon.log")
        self.dead = None

    def _script(self, verb, **kw):
        env = {**os.environ, "SALLYPORT": BINARY, "SALLYPORT_PLUGIN": PLUGIN}
        return self.lab.app.run(os.path.join(ROOT, "scripts", "charon"), verb, "-c", self.config,
                                timeout=60, env=env, **kw)

    def start(self):
        self._script("start")

    def stop(self):
        supervisor = self._pid("charon-supervisor.pid")
        if supervisor:
            os.kill(supervisor, signal.SIGCONT)  # a case may have failed between kill and back
        self._script("stop", check=False)

    def pid(self):
        """charon's own."""
        return self._pid("charon.pid")

    def _pid(self, file):
        """The process of a pid file, if it lives."""
        try:
            with open(os.path.join(self.run_dir, file), encoding="ascii") as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                return pid if f.read().rsplit(")", 1)[1].split()[0] != "Z" else None
        except (OSError, ValueError):
            return None

    def kill(self):
        """kill -9, as a crash; its supervisor is held until back()."""
        os.kill(self._pid("charon-supervisor.pid"), signal.SIGSTOP)
        self.dead = self._pid("charon.pid")
        os.kill(self.dead, signal.SIGKILL)
        if not wait_until(lambda: self._pid("charon.pid") is None, 5):
            raise LabError("charon does not die")

    def back(self):
        """Waits until the supervisor has started it again."""
        os.kill(self._pid("charon-supervisor.pid"), signal.SIGCONT)
        if not wait_until(lambda: self._pid("charon.pid") not in (None, self.dead), 15):
            raise LabError("charon does not come back")

    def cut_off(self):
        """Its link to the daemon breaks, both live on, and there is none until join()."""
        path = os.path.join(self.run_dir, "ike.sock")
        os.rename(path, path + ".away")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(path + ".away")  # the daemon takes whoever came last for charon

    def join(self):
        path = os.path.join(self.run_dir, "ike.sock")
        if os.path.exists(path + ".away"):
            os.rename(path + ".away", path)

    def swanctl(self, *args):
        return sh("swanctl", *args, "--uri", f"unix://{self.run_dir}/charon.vici", check=False)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""


class Conn:
    """A line of `show ipsec transport interface`."""

    def __init__(self, fields):
        self.id, self.state, self.profile, self.peer, self.single_shot = fields[:5]
        self.tunnels = int(fields[5])

    def __repr__(self):
        return f"{self.id} {self.state} {self.peer} {self.single_shot} {self.tunnels}"


class Flood:
    """Pings through a session in both directions at once, a hundred a second each way."""

    def __init__(self, t, g, to, seconds, i=0):
        n = int(seconds * 100)
        self.t, self.g, self.errors = t, g, g.ipsec_errors()
        g.route("198.51.100.0/24", i)
        ip = g.ppp_ip(i)
        self.up = g.start_ping(to, 200, n, 0.01, device=f"ppp{i}")
        self.down = t.lab.core.popen(*ping_command(ip, 200, n, 0.01, False), stdout=-1, stdin=-3,
                                     text=True)

    def check(self):
        """Waits for the end; not one packet may be missing but those that the client's kernel has
        counted as its own: as IKEv1 responder strongSwan takes the old SA away before it installs
        the new one."""
        up, down = self.up(), Ping(self.down.communicate(timeout=60)[0])
        errors = self.g.ipsec_errors() - self.errors
        lost = up.sent - up.received + down.sent - down.received
        bad = up.duplicates + up.corrupt + down.duplicates + down.corrupt
        assert lost <= errors and not bad and up.received and down.received, \
            f"lost packets: subscriber's {up}; core host's {down}; {errors} are the client's"
        drops = self.t.console("show dataplane drops")
        assert re.search(r"^total +0$", drops, re.M), drops
        return f"{up.sent + down.sent} pings, " + (f"{lost} lost by the client" if lost
                                                   else "none lost")


class IpsecTest:
    """A part of Test."""

    # ---- dialling ----

    def ipsec_guest(self, i=0, nat=False, variant=V2_GCM, host="ipsec-ss", users=None, options=(),
                    **kw):
        """The i-th guest with charon and xl2tpd ready to dial; see Guest.ipsec_client."""
        g = self.guest(i, nat)
        g.ipsec_client(APPLIANCE_IP, **{**variant, **kw})
        self.ipsec_l2tp(g, users or [(f"user{i + 1}", f"pass{i + 1}")], host, options)
        return g

    @staticmethod
    def ipsec_l2tp(g, users, host="ipsec-ss", options=()):
        """Starts the guest's xl2tpd; pppd does not wait for the answer of a peer that is gone."""
        g.l2tp_client(APPLIANCE_IP, users, host_name=host, mtu=MTU,
                      options=("lcp-restart 1", *options))

    def ipsec_dial(self, *args, **kw):
        """.. and dials: IKE, L2TP, PPP."""
        g = self.ipsec_guest(*args, **kw)
        g.ipsec_up()
        g.up()
        return g

    def ipsec_raw(self, i=0, sources=(1701,), variant=V2_GCM, up=True, **kw):
        """Raw clients that speak through the ESP of the i-th guest, one a source port."""
        g = self.guest(i)
        g.ipsec_client(APPLIANCE_IP, children=[(s, 1701) for s in sources], **{**variant, **kw})
        if up:
            g.ipsec_up()
        g.relay(APPLIANCE_IP, sources)
        self.lab.add_access_ip(RAW_IP)
        first = 30000 + len(self.peers)
        peers = [Peer(self.lab.access, RAW_IP, g.ip, first + n, RELAY_PORT + n)
                 for n in range(len(sources))]
        self.peers += peers
        return g, peers if len(peers) > 1 else peers[0]

    # ---- asking the daemon ----

    def metrics(self):
        """{name, with labels as they stand: value}, without the prefix of all."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics",
                                    timeout=5) as r:
            text = r.read().decode()
        return {k: int(v) for k, v in re.findall(r"^sallyport_(\S+) (\d+)$", text, re.M)}

    def metric(self, name):
        return self.metrics()[name]

    def drops(self, reason):
        return self.metric(f'dataplane_drops_total{{reason="{reason}"}}')

    def guesses(self):
        """(completed IKE authentications, PPP authentications)."""
        m = self.metrics()
        return m["ike_auths_total"], m["ppp_auths_total"]

    def conns(self, gone=False):
        """The transport connections; those that are down only on demand."""
        text = self.console("show ipsec transport interface")
        out = [Conn(line.split()) for line in text.splitlines() if re.match(r"\d+ +[a-z-]+ ", line)]
        return [c for c in out if gone or c.state != "down"]

    def conn(self):
        """The only one."""
        c = self.conns()
        assert len(c) == 1, c
        return c[0]

    def wait_conns(self, n, timeout=10):
        if not wait_until(lambda: len(self.conns()) == n, timeout, 0.1):
            raise AssertionError(f"{n} transport connections wanted:\n"
                                 + self.console("show ipsec transport interface"))

    def ended(self, g, since, within, not_before=0.0):
        """Waits until IKE has taken the guest's SAs away; checks when, counted from since. The raw
        clients go on acknowledging, those that did."""
        gone = g.background(lambda: g.ipsec_wait_gone(max(0.1, since + within - time.monotonic())))
        while not gone.done():
            for p in self.peers:
                p.pump(0)
            time.sleep(0.02)
        if not gone():
            raise AssertionError(f"IPsec is still up {within} s later\n" + g.ipsec_log(20)
                                 + self.console("show ipsec transport interface detail"))
        after = time.monotonic() - since
        assert after >= not_before, f"IPsec ended after {after:.1f} s, not before {not_before}"
        return after
