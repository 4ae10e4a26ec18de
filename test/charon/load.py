#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""What the daemon writes for charon, loaded into a real charon: swanctl takes it whole, and what charon
then says of its connections and keys is what the configuration meant. Strings that would end a quote,
open a section or include a file stay strings. Needs root: charon runs in a network namespace of its own.

  load.py BUILD-DIR
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CHARON = "/usr/sbin/charon-systemd"
SWANCTL = "/usr/sbin/swanctl"
PLUGINS = ("aes sha1 sha2 md5 random nonce x509 pubkey pkcs1 pkcs8 pem openssl curve25519 chapoly gcm ctr hmac kdf "
           "gmp constraints kernel-netlink socket-default vici").split()
# What would do harm if any of it were taken for syntax.
HOSTILE = 'a} secrets { x { secret = 1 } } # include /etc/passwd $(id) `id` ; = : @'
SECRETS = ["k", 'quote" back\\ slash', "} include /etc/passwd {", "0x1234", "0sAAAA", "umläut", "x" * 128]


class Failed(Exception):
    pass


def check(what, good):
    if not good:
        raise Failed(what)
    print(f"ok {what}")


def libconfig(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


HEAD = """
ports = ({ name = "wan"; device = "net_tap0"; addresses = ("192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24"); });
"""


def profiles(folder):
    keys = ",".join(f'{{ identity = "p{i}.example"; secret = {libconfig(s)}; }}' for i, s in enumerate(SECRETS))
    return HEAD + f"""
ipsec = {{ run-directory = "{folder}/run"; }};
ipsec-transport-profiles = (
  {{ name = "group"; local-address = "192.0.2.1"; group-pre-shared-key = "g"; lifetime-kilobytes = 4294967295;
     initiate-rekey = true; esn = "either"; pfs-group = "ecp256"; }},
  {{ name = "keys-2"; local-address = "192.0.2.2"; version = "2"; peers = ("198.51.100.0/24", "203.0.113.7");
     local-identity = {libconfig(HOSTILE)}; esn = "yes"; force-encapsulation = true; dpd-delay = 7;
     pre-shared-keys = ({keys}, {{ identity = {libconfig(HOSTILE + "2")}; secret = "h"; }}); }},
  {{ name = "weak_1"; local-address = "192.0.2.2"; version = "1"; weak-algorithms = true; pfs-group = "modp1024";
     ike-proposals = ("3des-aes128-sha1-md5-modp1024-modp1536"); esp-proposals = ("3des-null-sha1");
     group-pre-shared-key = "w"; local-identity = "weak.example"; dpd-timeout = 77; }},
  {{ name = "cert"; local-address = "192.0.2.3"; certificate = "{folder}/lns.pem"; private-key = "{folder}/lns key.pem";
     ca-certificates = ("{folder}/ca.pem", "{folder}/ca2.pem"); remote-identity = "C=DE, O=Example, CN=*"; }}
);
"""


def run(*args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **kw)


def pki(folder):
    def make(name, subject, ca=None):
        key = os.path.join(folder, f"{name} key.pem" if name == "lns" else f"{name}-key.pem")
        cert = os.path.join(folder, f"{name}.pem")
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        args = ["openssl", "req", "-new", "-x509", "-key", key, "-subj", subject, "-days", "30", "-out", cert]
        if ca:
            args += ["-CA", f"{folder}/{ca}.pem", "-CAkey", f"{folder}/{ca}-key.pem"]
        out = run(*args)
        if out.returncode:
            raise Failed(out.stdout)
        os.chmod(key, 0o600)

    make("ca", "/C=DE/O=Example/CN=CA")
    make("ca2", "/C=DE/O=Example/CN=CA 2")
    make("lns", "/C=DE/O=Example/CN=lns", "ca")


class Charon:
    def __init__(self, folder):
        self.vici = f"{folder}/run/charon.vici"
        conf = f"{folder}/strongswan.conf"
        plugins = "".join(f"{p} {{ load = yes }}\n" for p in PLUGINS)
        with open(conf, "w") as f:
            f.write(f"""charon-systemd {{
load_modular = yes
install_routes = no
port = 0
port_nat_t = 0
plugins {{ {plugins} vici {{ socket = unix://{self.vici} }} }}
filelog {{ log {{ path = {folder}/charon.log\n default = 1 }} }}
}}
swanctl {{ load = pem pkcs1 pkcs8 x509 pubkey openssl sha1 sha2 }}
""")
        self.env = {"PATH": os.environ["PATH"], "STRONGSWAN_CONF": conf, "SWANCTL_DIR": f"{folder}/run/swanctl"}
        self.process = subprocess.Popen(["unshare", "-n", CHARON], env=self.env, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as s:
                if s.connect_ex(self.vici) == 0:
                    return
            time.sleep(0.05)
        raise Failed("charon did not start: " + open(f"{folder}/charon.log").read()[-2000:])

    def swanctl(self, *args):
        return run(SWANCTL, *args, "--uri", f"unix://{self.vici}", env=self.env)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def cases(daemon, folder):
    os.chmod(folder, 0o700)
    pki(folder)
    conf = f"{folder}/t.cfg"
    with open(conf, "w") as f:
        f.write(profiles(folder))
    shown = run(daemon, "-c", conf, "--print-swanctl")
    check("the configuration is taken", shown.returncode == 0)
    check("printed keys are hidden", "secret = 0s" not in shown.stdout and shown.stdout.count('secret = "***"') == 10)
    wrote = run(os.path.join(os.path.dirname(daemon), "../test/unit/ike/write_swanctl"), conf)
    check("the file is written: " + wrote.stdout.strip(), wrote.returncode == 0)
    path = f"{folder}/run/swanctl/swanctl.conf"
    check("the file is ours alone", os.stat(path).st_mode & 0o777 == 0o600)
    check("its folder is ours alone", os.stat(f"{folder}/run").st_mode & 0o777 == 0o700)
    charon = Charon(folder)
    try:
        out = charon.swanctl("--load-all", "--clear", "--noprompt", "--file", path)
        print(out.stdout)
        check("swanctl loads it all", out.returncode == 0 and "11 connections" in out.stdout)
        check("the private key is found", "loaded private key from" in out.stdout)
        check("no key came from elsewhere", out.stdout.count("loaded ike secret") == 10)
        conns = charon.swanctl("--list-conns").stdout
        print(conns)
        names = re.findall(r"^(\S+): IKE", conns, re.M)
        check("each profile is a connection", sorted(names) ==
              ["cert", "group"] + [f"keys-2@{i}" for i in range(1, 9)] + ["weak_1"])
        check("transport mode for UDP 1701", conns.count("l2tp: TRANSPORT") == 11 and
              conns.count("local:  dynamic[udp/l2f]") == 11 and conns.count("remote: dynamic[udp]") == 11)
        check("the hostile identity is one identity", HOSTILE in conns)
        check("DPD as configured", "dpd delay 7s" in conns)
        check("authorities", "cacerts: C=DE, O=Example, CN=CA C=DE, O=Example, CN=CA 2\n" in conns)
        check("lifetimes", "rekeying every 12960s or 3958241859072 bytes or 4026531825 packets" in conns and
              "every 25920s" in conns)
        check("prefixes of peers", "198.51.100.0/24" in conns and "203.0.113.7/32" in conns)
        raw = charon.swanctl("--list-conns", "--raw").stdout
        check("unique never", raw.count("unique=UNIQUE_NEVER") == 11)
        again = charon.swanctl("--load-all", "--clear", "--noprompt", "--file", path)
        check("loading again does no harm", again.returncode == 0)
    finally:
        charon.stop()


def main():
    if os.geteuid() != 0 or not os.path.exists(CHARON) or not os.path.exists(SWANCTL):
        print("needs root, charon-systemd and strongswan-swanctl")
        return 77
    folder = tempfile.mkdtemp(prefix="sallyport-charon-")
    try:
        cases(os.path.abspath(os.path.join(sys.argv[1], "src/sallyport")), folder)
    except Failed as e:
        print(f"FAILED {e}")
        return 1
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
