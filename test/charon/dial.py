#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Clients dial IKE into the daemon and charon as scripts/charon runs it: who gets in by which profile is
what the profiles say. A group key, a key of one peer by address and by identity, wrong keys, both
versions, algorithms, tunnel mode and encapsulation refused and allowed. What comes after IKE is not dialled here.
The client's SAs are kept by a daemon as well, so that the machine's kernel need not do ESP. Needs root and the
plugin (scripts/charon-plugin).

  dial.py BUILD-DIR
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from supervise import PLUGIN, ROOT, Failed, check, have_plugin, until

CHARON = "/usr/sbin/charon-systemd"
US, CLIENT, CLIENT_2 = "192.0.2.1", "192.0.2.2", "192.0.2.3"
PLUGINS = ("sallyport aes sha1 sha2 md5 random nonce openssl curve25519 gcm hmac kdf gmp kernel-netlink socket-default "
           "vici").split()


def run(*args, check=True, **kw):
    out = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **kw)
    if check and out.returncode:
        raise Failed(f"{' '.join(args)}: {out.stdout}")
    return out


class Net:
    """Two namespaces with a link; each end is a port of a daemon."""

    def __init__(self):
        self.app, self.client = f"spd{os.getpid()}a", f"spd{os.getpid()}c"
        for ns in (self.app, self.client):
            run("ip", "netns", "add", ns)
            run("ip", "-n", ns, "link", "set", "lo", "up")
        run("ip", "-n", self.app, "link", "add", "wan0", "type", "veth", "peer", "name", "wan0", "netns", self.client)
        for ns in (self.app, self.client):
            run("ip", "-n", ns, "link", "set", "wan0", "up")

    def close(self):
        for ns in (self.app, self.client):
            run("ip", "netns", "del", ns, check=False)


CONFIG = """
system = {{ hugepages = false; memory = 256; idle = "sleep"; }};
log = {{ level = "debug"; }};
ports = ({{ name = "wan"; device = "net_af_packet0,iface=wan0"; addresses = ("{us}/24"); }});
pools = ({{ name = "p"; first = "10.0.0.2"; last = "10.0.0.9"; }});
interface-profiles = ({{ name = "ppp"; local-address = "10.0.0.1"; pool = "p"; }});
destination-profiles = ({{ name = "any"; hosts = ({{ name = "default"; interface-profile = "ppp";
  enable-ipsec-transport = true; }}); }});
ipsec = {{ run-directory = "{folder}/run"; ike-retransmit-timeout = 500; }};
ipsec-transport-profiles = (
  {{ name = "group"; local-address = "{us}"; version = "1"; group-pre-shared-key = "the group's \\" key";
     pre-shared-keys = ({{ identity = "{second}"; secret = "of the second"; }}); }},
  {{ name = "named"; local-address = "{us}"; version = "2"; peers = ("{client}/32");
     local-identity = "lns.example"; nat-traversal = false;
     pre-shared-keys = ({{ identity = "client one"; secret = "of one"; }},
                        {{ identity = "two@example.net"; secret = "of two"; }}); }},
  {{ name = "tunnel"; local-address = "{us}"; version = "2"; peers = ("{second}");
     esp-proposals = ("aes128gcm16"); allow-tunnel-mode = true; esn = "yes"; pfs-group = "ecp256";
     group-pre-shared-key = "of tunnels"; local-identity = "tunnel.example"; }}
);
"""

# Its charon is configured by the test, so swanctl finds nobody.
CLIENT_CONFIG = """
system = {{ hugepages = false; memory = 256; idle = "sleep"; }};
console = {{ listen = "127.0.0.1:2301"; }};
ports = ({{ name = "wan"; device = "net_af_packet0,iface=wan0"; addresses = ("{client}/24", "{second}/24"); }});
ipsec = {{ run-directory = "{folder}/client"; vici-socket = "{folder}/client/nobody"; }};
ipsec-transport-profiles = ({{ name = "unused"; local-address = "{client}"; group-pre-shared-key = "x"; }});
"""


class Daemon:
    def __init__(self, binary, netns, folder, name, config):
        self.conf, self.log = f"{folder}/{name}.cfg", f"{folder}/{name}.log"
        with open(self.conf, "w") as f:
            f.write(config.format(us=US, folder=folder, client=CLIENT, second=CLIENT_2))
        self.process = subprocess.Popen(["ip", "netns", "exec", netns, binary, "-c", self.conf],
                                        stdout=subprocess.DEVNULL, stderr=open(self.log, "w"))

    def text(self):
        with open(self.log) as f:
            return f.read()

    def has(self, pattern):
        return re.findall(pattern, self.text())


class Client:
    """A charon of its own, in the client's namespace."""

    def __init__(self, net, folder):
        self.folder = f"{folder}/client"
        self.vici = f"{self.folder}/vici"
        plugins = "".join(f"{p} {{ load = yes }}\n" for p in PLUGINS)
        with open(f"{self.folder}/strongswan.conf", "w") as f:
            f.write(f"""charon-systemd {{
load_modular = yes
install_routes = no
retransmit_timeout = 0.5
retransmit_tries = 2
plugins {{ {plugins} vici {{ socket = unix://{self.vici} }}
sallyport {{ load = 10 \n socket = {self.folder}/ike.sock }} }}
filelog {{ log {{ path = {self.folder}/log\n default = 1\n flush_line = yes }} }}
}}
""")
        self.env = {"PATH": os.environ["PATH"], "STRONGSWAN_CONF": f"{self.folder}/strongswan.conf",
                    "SWANCTL_DIR": self.folder}
        self.process = subprocess.Popen(["ip", "netns", "exec", net.client, "env", f"LD_PRELOAD={PLUGIN}", CHARON],
                                        env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            with socket.socket(socket.AF_UNIX) as s:
                return s.connect_ex(self.vici) == 0
        until("the client's charon runs", 10, answers)

    def swanctl(self, *args):
        return run("swanctl", *args, "--uri", f"unix://{self.vici}", env=self.env, check=False)

    def dial(self, version, secret, local=CLIENT, my_id=None, ike=None, esp="aes128-sha1", mode="transport", extra="",
             us=None):
        ike = ike or ("aes256-sha1-modp2048" if version == 1 else "aes256gcm16-prfsha384-ecp384")
        with open(f"{self.folder}/swanctl.conf", "w") as f:
            f.write(f"""connections {{ c {{
  version = {version}
  local_addrs = {local}
  remote_addrs = {US}
  proposals = {ike}
  mobike = no
  {extra}
  local {{ auth = psk \n id = "{my_id or local}" }}
  remote {{ auth = psk \n id = "{us or US}" }}
  children {{ l2tp {{ mode = {mode} \n local_ts = dynamic[udp/1701] \n remote_ts = dynamic[udp/1701]
    esp_proposals = {esp} }} }}
}} }}
secrets {{ ike-c {{ secret = "{secret}" }} }}
""")
        self.swanctl("--terminate", "--ike", "c", "--force")
        loaded = self.swanctl("--load-all", "--clear", "--noprompt", "--file", f"{self.folder}/swanctl.conf")
        if loaded.returncode:
            raise Failed(loaded.stdout)
        out = self.swanctl("--initiate", "--child", "l2tp", "--timeout", "8")
        return out.returncode == 0

    def sas(self):
        return self.swanctl("--list-sas").stdout


class Charon:
    """The appliance's."""

    def __init__(self, folder):
        self.log = f"{folder}/run/charon.log"

    def took(self, identity):
        """How often it has found a peer to be who it says."""
        with open(self.log) as f:
            return f.read().count(f"authentication of '{identity}' with pre-shared key successful")


def cases(daemon, charon, client):
    until("charon has its connections", 10, lambda: daemon.has("event=ike-loaded profiles=3"))
    check("IKEv1 with the group's key", client.dial(1, 'the group\'s \\" key'))
    until("its connection is up by its profile", 5, lambda: daemon.has(r"event=ipsec-up .* profile=group\b"))
    check("IKEv1, Windows's algorithms",
          client.dial(1, 'the group\'s \\" key', ike="aes256-sha1-ecp384", esp="aes256-sha1"))
    check("a wrong key of the group is refused", not client.dial(1, "wrong"))
    check("the group's key is not that of a peer with its own", not client.dial(1, 'the group\'s \\" key', CLIENT_2))
    check("a peer's own key", client.dial(1, "of the second", CLIENT_2))
    check("the same behind a NAT, which hides the identity's address",
          client.dial(1, "of the second", CLIENT_2, my_id="10.9.9.9", extra="encap = yes"))
    until("still of the profile", 5, lambda: daemon.has(r'event=ipsec-up .* id="10.9.9.9" profile=group nat=yes'))
    check("3DES is refused", not client.dial(1, 'the group\'s \\" key', ike="3des-sha1-modp2048"))
    check("modp1024 is refused", not client.dial(1, 'the group\'s \\" key', ike="aes128-sha1-modp1024"))

    check("IKEv2 by identity", client.dial(2, "of one", my_id="client one", us="lns.example", esp="aes256gcm16"))
    until("by the profile named", 5, lambda: daemon.has(r'event=ipsec-up .* id="client one" profile=named\b'))
    check("another identity, its key", client.dial(2, "of two", my_id="two@example.net", us="lns.example"))
    check("without a word of whom it wants", client.dial(2, "of one", my_id="client one", us="%any"))
    took = charon.took("two@example.net")
    check("an identity, another's key", not client.dial(2, "of one", my_id="two@example.net", us="lns.example"))
    check("charon itself has refused it", took > 0 and charon.took("two@example.net") == took)
    check("an unknown identity", not client.dial(2, "of one", my_id="client nobody", us="lns.example"))
    check("tunnel mode is refused",
          not client.dial(2, "of one", my_id="client one", us="lns.example", mode="tunnel"))
    check("and counted by its reason", daemon.has("event=ipsec-refused .*tunnel mode"))
    check("encapsulation is refused",
          not client.dial(2, "of one", my_id="client one", us="lns.example", extra="encap = yes"))
    check("and counted by its reason", daemon.has("event=ipsec-refused .*NAT"))

    tunnel = dict(local=CLIENT_2, us="tunnel.example", my_id="of tunnels", esp="aes128gcm16-ecp256-esn")
    check("tunnel mode where it is allowed", client.dial(2, "of tunnels", mode="tunnel", **tunnel))
    check("is tunnel mode", "TUNNEL" in client.sas() and "ESN" in client.sas())
    check("transport mode there as well", client.dial(2, "of tunnels", **tunnel) and "TRANSPORT" in client.sas())
    check("with two group keys a peer must say whom it wants",
          not client.dial(2, "of tunnels", **{**tunnel, "us": "%any"}))
    check("encapsulation there", client.dial(2, "of tunnels", extra="encap = yes", **tunnel) and
          "TRANSPORT-in-UDP" in client.sas())
    check("algorithms that are not proposed",
          not client.dial(2, "of tunnels", **{**tunnel, "esp": "aes256gcm16-ecp256-esn"}))
    check("no ESN is refused there",
          not client.dial(2, "of tunnels", **{**tunnel, "esp": "aes128gcm16-ecp256-noesn"}))

    check("once more, to be there when it ends", client.dial(1, 'the group\'s \\" key'))
    daemon.process.terminate()
    check("the daemon stops", daemon.process.wait(10) == 0)
    until("the client is told", 5, lambda: "ESTABLISHED" not in client.sas())


def main():
    binary = os.path.abspath(os.path.join(sys.argv[1], "src/sallyport"))
    if os.geteuid() != 0 or not have_plugin():
        print("needs root, and the plugin: scripts/charon-plugin says what it lacks")
        return 77
    folder = tempfile.mkdtemp(prefix="sallyport-dial-")
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SALLYPORT": binary, "SALLYPORT_PLUGIN": PLUGIN}
    net = Net()
    daemons, client = [], None
    script = [f"{ROOT}/scripts/charon", "start", "-c", f"{folder}/appliance.cfg", "--netns", net.app]
    try:
        daemons.append(Daemon(binary, net.app, folder, "appliance", CONFIG))
        daemons.append(Daemon(binary, net.client, folder, "client-sas", CLIENT_CONFIG))
        daemon = daemons[0]
        for d in daemons:
            until("a daemon is ready", 20, lambda d=d: d.has("event=ready"))
        run(*script, env=env)
        client = Client(net, folder)
        cases(daemon, Charon(folder), client)
    except Failed as e:
        print(f"FAILED {e}")
        for name in ("appliance.log", "client-sas.log", "run/charon.log", "client/log"):
            if os.path.exists(f"{folder}/{name}"):
                print(f"--- {name}\n" + open(f"{folder}/{name}").read()[-5000:])
        return 1
    finally:
        if client:
            client.process.terminate()
            client.process.wait(10)
        run(f"{ROOT}/scripts/charon", "stop", "-c", f"{folder}/appliance.cfg", env=env, check=False)
        for d in daemons:
            if d.process.poll() is None:
                d.process.terminate()
                d.process.wait(10)
        net.close()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
