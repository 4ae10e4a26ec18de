# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""A charon that dials, in a namespace whose kernel does no ESP: Debian's charon-systemd with the
project's plugin. Whoever listens on the plugin's socket (test/load does) gets the SAs and is its data
plane. One at a time in a namespace, because it binds UDP 500 and 4500."""
import os
import signal
import socket
import subprocess

from ipsec_lab import PLUGIN
from lab import LabError, sh, wait_until

CHARON = "/usr/sbin/charon-systemd"
# What IKE with a pre-shared key needs, and nothing that looks at the machine around it.
PLUGINS = "random nonce openssl aes sha1 sha2 hmac kdf gmp curve25519 gcm pem pkcs1 sallyport " \
          "kernel-netlink socket-default vici"
IKE_PROPOSALS, ESP_PROPOSALS = "aes128-sha256-ecp256,aes128-sha256-modp2048", "aes128gcm16"


def block(value, depth=0):
    """A dict as strongSwan's configuration text."""
    pad, out = "  " * depth, ""
    for key, v in value.items():
        if isinstance(v, dict):
            out += f"{pad}{key} {{\n{block(v, depth + 1)}{pad}}}\n"
        elif isinstance(v, bool):
            out += f"{pad}{key} = {'yes' if v else 'no'}\n"
        else:
            out += f"{pad}{key} = {v}\n"
    return out


def child(local="udp/1701", esp=ESP_PROPOSALS, **kw):
    """A transport mode child from a port of ours to L2TP's of the peer."""
    return {"mode": "transport", "local_ts": f"dynamic[{local}]", "remote_ts": "dynamic[udp/1701]",
            "esp_proposals": esp, **kw}


def connection(local, remote, children, version=2, ike=IKE_PROPOSALS, identity=None, **kw):
    """A connection with a pre-shared key that never takes the place of another one."""
    mine = {"auth": "psk"}
    if identity:
        mine["id"] = identity
    return {"version": version, "local_addrs": local, "remote_addrs": remote, "proposals": ike,
            "unique": "never", "mobike": False, "local": mine, "remote": {"auth": "psk"},
            "children": children, **kw}


class IkeClient:
    """One charon. options go into strongswan.conf beside what is set here."""

    def __init__(self, ns, folder, connections, secret, name="client", plugin=PLUGIN, options=None):
        if not os.path.exists(plugin):
            raise LabError(f"{plugin} is not built")
        self.ns, self.plugin, self.proc = ns, plugin, None
        self.vici = os.path.join(folder, name + ".vici")
        self.link = os.path.join(folder, name + ".sock")
        self.conf = os.path.join(folder, name + ".conf")
        self.swanctl_conf = os.path.join(folder, name + ".swanctl")
        self.log_path = os.path.join(folder, name + ".log")
        self.out_path = os.path.join(folder, name + ".out")
        settings = {
            "load": PLUGINS, "install_routes": False, "install_virtual_ip": False,
            "reuse_ikesa": False, "threads": 16, "retransmit_timeout": 1, "retransmit_tries": 3,
            "plugins": {"sallyport": {"socket": self.link},
                        "vici": {"socket": "unix://" + self.vici}},
            "filelog": {"all": {"path": self.log_path, "default": 1, "flush_line": True,
                                "time_format": "%T"}},
            **(options or {}),
        }
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(block({"charon-systemd": settings, "swanctl": {"load": "random pem pkcs1"}}))
        with open(self.swanctl_conf, "w", encoding="utf-8") as f:
            f.write(block({"connections": connections,
                           "secrets": {"ike": {"secret": f'"{secret}"'}}}))

    def start(self, timeout=10):
        with open(self.out_path, "wb") as out:
            # env, so that neither nsenter nor anything else but charon loads the plugin
            self.proc = self.ns.popen("env", "LD_PRELOAD=" + self.plugin,
                                      "STRONGSWAN_CONF=" + self.conf, CHARON,
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        if not wait_until(lambda: self.proc.poll() is not None or self._listens(), timeout) \
                or self.proc.poll() is not None:
            self.kill()
            raise LabError("the client's charon did not start:\n" + self.log())
        self.swanctl("--load-all", "--file", self.swanctl_conf)
        return self

    def _listens(self):
        """Its socket is there a little earlier than it can be connected to."""
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.vici) == 0

    def swanctl(self, command, *args, timeout=30):
        """Runs swanctl against this charon; raises LabError with what it said when it fails."""
        return sh("env", "STRONGSWAN_CONF=" + self.conf, "swanctl", command, *args, "--uri",
                  "unix://" + self.vici, timeout=timeout)

    def log(self):
        text = ""
        for path in (self.out_path, self.log_path):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text

    def stop(self, timeout=10):
        """Ends it in good order: it deletes its IKE_SAs."""
        if self.proc is None or self.proc.poll() is not None:
            return
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the client's charon did not end after SIGTERM") from None

    def kill(self):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait(10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
