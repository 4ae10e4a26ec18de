# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""strongSwan in a guest: the ESP of the guest's own kernel, charon-systemd and swanctl of Debian. All
that it reads and writes is under /run/ipsec, a tmpfs of the guest."""
import os
import re

from lab import LabError

RELAY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "guest", "relay.py")
RELAY_PORT = 20000  # the first on which a relay listens

PSK = "interop-psk"
# In this order and nothing else: what a client of each proposal of the cases needs.
PLUGINS = "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp gcm pem pkcs1 pkcs8 x509 constraints " \
    "revocation pubkey kernel-netlink socket-default vici updown"
MODULES = "xfrm_user esp4 authenc echainiv seqiv cbc ctr gcm hmac drbg ghash_generic sha512_generic " \
    "jitterentropy_rng"
RUN = "/run/ipsec"
ENV = {"STRONGSWAN_CONF": RUN + "/strongswan.conf", "SWANCTL_DIR": RUN}

# Proposals as the issue of IPsec names them: (IKE version, IKE, ESP).
V1_AES = {"version": 1, "ike": "aes128-sha1-modp2048", "esp": "aes128-sha1"}
V1_3DES = {"version": 1, "ike": "3des-sha1-modp1024", "esp": "aes128-sha1"}
V2_CBC = {"version": 2, "ike": "aes256-sha256-modp2048", "esp": "aes256-sha256"}
V2_GCM = {"version": 2, "ike": "aes256-sha256-ecp256", "esp": "aes256gcm16"}


class Sa(dict):
    """One SA of `ip xfrm state`: src, dst, spi, mode, encap (ports) or None, esn, and enc, auth or
    aead as (algorithm, key in hex)."""

    @property
    def spi(self):
        return self["spi"]


TSHARK = {"cbc(aes)": "AES-CBC [RFC3602]", "cbc(des3_ede)": "TripleDES-CBC [RFC2451]",
          "hmac(sha1)": "HMAC-SHA-1-96 [RFC2404]", "hmac(sha256)": "HMAC-SHA-256-128 [RFC4868]",
          "rfc4106(gcm(aes))": "AES-GCM with 16 octet ICV [RFC4106]"}


def tshark_keys(sas):
    """The arguments that let tshark decrypt and verify what these SAs carry."""
    out = ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    for sa in sas:
        cipher, key = sa.get("enc") or sa["aead"]
        name, auth_key = sa.get("auth", ("NULL", ""))  # GCM checks by itself
        fields = ("IPv4", "*", "*", f"0x{sa.spi:08x}", TSHARK[cipher], "0x" + key,
                  TSHARK.get(name, name), "0x" + auth_key if auth_key else "")
        out += ["-o", "uat:esp_sa:" + ",".join(f'"{f}"' for f in fields)]
    return out


def parse_xfrm(text):
    """The SAs that `ip xfrm state` printed, ESP only, as the kernel lists them: newest first."""
    out = []
    for block in re.split(r"^(?=src )", text, flags=re.M):
        m = re.match(r"src (\S+) dst (\S+)\s+proto (\S+) spi (0x[0-9a-f]+) reqid (\d+) mode (\S+)",
                     block)
        if not m or m[3] != "esp" or "auth-trunc" not in block and "aead" not in block:
            continue  # a larval SA has no keys
        sa = Sa(src=m[1], dst=m[2], spi=int(m[4], 16), reqid=int(m[5]), mode=m[6],
                esn=" esn" in block, encap=None)
        if e := re.search(r"encap type (\S+) sport (\d+) dport (\d+)", block):
            sa["encap"] = (int(e[2]), int(e[3]))
        for kind, name, key in re.findall(r"(enc|auth-trunc|aead) (\S+) 0x([0-9a-f]*)", block):
            sa[kind.split("-")[0]] = (name, key)
        out.append(sa)
    return out


class IpsecClient:
    """A part of Guest."""

    modules = False  # of the kernel are loaded

    # ---- configuration ----

    def ipsec_client(self, peer, version=2, ike=V2_GCM["ike"], esp=V2_GCM["esp"], psk=PSK,
                     cert=None, local_id=None, remote_id=None, encap=False, rekey_ike=0, rekey=0,
                     life=0, dpd=0, children=((1701, 1701),), start=False):
        """Configures and starts charon; nothing is initiated unless start is set. cert is (certificate, key, CA, all PEM)
        in place of a PSK. rekey, life and rekey_ike are seconds, 0: charon's defaults. children are
        the pairs of UDP ports (ours, the peer's), each a CHILD_SA named l2tp, l2tp1, .."""
        if not self.modules:
            # At once: the kernel asks for them one by one, each with two processes of its own, and also for
            # every algorithm that it makes of others. Then it has all and need not ask.
            self.modules = self.run(["modprobe", "-a", *MODULES.split()]).rc == 0
            self.write("/proc/sys/kernel/modprobe", "\n", None)
        self.write(f"{RUN}/strongswan.conf", "\n".join([
            "charon-systemd {", f"load = {PLUGINS}", "install_routes = no",
            "install_virtual_ip = no", "retransmit_timeout = 1", "retransmit_tries = 3",
            "retransmit_base = 1.4",
            f"plugins {{ vici {{ socket = unix://{RUN}/vici }} }}",
            f"filelog {{ f {{ path = {RUN}/charon.log", "default = 1", "knl = 2", "time_format = %T",
            "flush_line = yes", "} }", "}",
            "swanctl { load = " + ("pem pkcs1 x509 openssl" if cert else "pem"),
            f"plugins {{ vici {{ socket = unix://{RUN}/vici }} }}", "}", ""]))
        auth = "psk" if cert is None else "pubkey"
        local, remote = [f"auth = {auth}"], [f"auth = {auth}"]
        if cert:
            for path, text in zip(("x509/own.pem", "private/own.pem", "x509ca/ca.pem"), cert):
                self.write(f"{RUN}/{path}", text, 0o600)
            local.append("certs = own.pem")
        if local_id:
            local.append(f"id = {local_id}")
        if remote_id:
            remote.append(f"id = {remote_id}")
        conf = ["connections {", "c {", f"version = {version}", f"remote_addrs = {peer}",
                f"local_addrs = {self.ip}", f"proposals = {ike}", "unique = never", "mobike = no",
                f"encap = {'yes' if encap else 'no'}", f"dpd_delay = {dpd}s",
                f"rekey_time = {rekey_ike}s" if rekey_ike else "",
                "local { ", *local, "}", "remote {", *remote, "}", "children {"]
        for i, (ours, theirs) in enumerate(children):
            conf += [f"l2tp{i or ''} {{", "mode = transport", f"local_ts = dynamic[udp/{ours}]",
                     f"remote_ts = dynamic[udp/{theirs}]", f"esp_proposals = {esp}",
                     f"rekey_time = {rekey}s" if rekey else "", "rand_time = 0s" if rekey else "",
                     f"life_time = {life}s" if life else "", "start_action = " + ("start" if start else "none"), "}"]
        conf += ["}", "}", "}", f'secrets {{ ike {{ secret = "{psk}" }} }}', ""]
        self.write(f"{RUN}/swanctl.conf", "\n".join(conf), 0o600)
        self.ipsec_start()

    def ipsec_start(self):
        r = self._order("spawn", 40, name="charon", args=["/usr/sbin/charon-systemd"], env=ENV,
                        log=RUN + "/out", ready=RUN + "/vici", text="")
        r = r if r.rc else self.swanctl(f"--load-all --file {RUN}/swanctl.conf")
        if r.rc:
            raise LabError(f"guest {self.name}: {r}\n{self.ipsec_log()}")

    # ---- what it is told ----

    def swanctl(self, args, timeout=20):
        return self.run(["swanctl", *args.split()], timeout, ENV)

    def ipsec_dial(self, child="l2tp", timeout=8):
        """Asks for a CHILD_SA; true if it came up."""
        return self.swanctl(f"--initiate --child {child} --timeout {timeout}", timeout + 10).rc == 0

    def ipsec_up(self, child="l2tp", timeout=20):
        r = self.swanctl(f"--initiate --child {child} --timeout {timeout}", timeout + 10)
        if r.rc:
            raise AssertionError(f"{self.name}: no CHILD_SA: {r[-600:]}\n{self.ipsec_log(20)}")
        return r

    def ipsec_down(self):
        """Deletes the IKE_SA and all of its children in good order."""
        self.swanctl("--terminate --ike c --timeout 5")

    def ipsec_rekey(self, what="child"):
        """Begins a rekeying: of the CHILD_SA, or of the IKE_SA; true if charon began."""
        return self.swanctl("--rekey " + ("--child l2tp" if what == "child" else "--ike c")).rc == 0

    def ipsec_kill(self, flush=True):
        """kill -9 of charon. A machine that starts anew has no SAs, either: flush."""
        self.kill_programs("charon-systemd")
        if flush:
            self._must("flush")

    def relay(self, to, sources=(1701,)):
        """Starts guest/relay.py: what the host sends to RELAY_PORT + i goes on from sources[i]."""
        self._must("stop", name="relay")
        pairs = [f"{RELAY_PORT + i}:{s}" for i, s in enumerate(sources)]
        self._must("spawn", 40, name="relay", log=RUN + "/relay", ready=RUN + "/relay", text="ready",
                   args=["python3", "-S", "-E", RELAY, self.ip, to, *pairs])

    # ---- what it knows ----

    def ipsec_state(self):
        """The kernel's ESP SAs with their keys."""
        return parse_xfrm(self.run(["ip", "xfrm", "state"]))

    def ipsec_sas(self):
        """[(IKE_SA's unique id, state, [CHILD_SAs' states])] as swanctl lists them."""
        out = []
        for line in self.swanctl("--list-sas").splitlines():
            if m := re.match(r"c: #(\d+), (\S+),", line):
                out.append((int(m[1]), m[2], []))
            elif (m := re.match(r"  l2tp\d*: #\d+, reqid \d+, (\S+),", line)) and out:
                out[-1][2].append(m[1])
        return out

    def ipsec_errors(self):
        """Packets that the guest's own kernel could not send or take for want of an SA."""
        text = self.read("/proc/net/xfrm_stat")
        return sum(int(n) for n in re.findall(r"^Xfrm\S+\s+(\d+)", text, re.M))

    def ipsec_wait_gone(self, timeout=10):
        """Waits until the kernel has no ESP SA any more; true if so."""
        return self.wait("no-esp", "", timeout)

    def ipsec_log(self, lines=60):
        log = self.read(RUN + "/charon.log").splitlines()[-lines:]
        return "\n".join(log) + "\n" + self.read(RUN + "/out")

    def ipsec_marks(self, pattern):
        """How many lines of charon's log match."""
        return sum(bool(re.search(pattern, line))
                   for line in self.read(RUN + "/charon.log").splitlines())
