# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Stock strongSwan, xl2tpd and pppd dial in over L2TP/IPsec, each way that clients are known to."""
import os

from certs import Ca
from guest_ipsec import V1_3DES, V1_AES, V2_CBC, V2_GCM
from harness import USERS, case
from lab import APPLIANCE_IP, NAT_IP
from rawclient import SCCRP, NoAnswer

SIZES = (56, 1200, None)


def check_sas(g, encap, algorithms, esn=False):
    """What the client's kernel has: one pair in transport mode with the algorithms wanted."""
    sas = g.ipsec_state()
    assert len(sas) == 2, sas
    for sa in sas:
        names = [sa[k][0] for k in ("enc", "auth", "aead") if k in sa]
        assert sa["mode"] == "transport" and names == algorithms, sa
        assert (sa["encap"] is not None) == encap and sa["esn"] == esn, sa


def session(t, g, algorithms, encap=False, esn=False):
    """A dialled client: pings of three sizes both ways, then it hangs up; its IPsec ends, too."""
    check_sas(g, encap, algorithms, esn)
    t.wait_counts(1, 1)
    c = t.conn()
    assert c.state == "up" and c.single_shot == "in-use" and c.tunnels == 1, c
    t.pings(g, sizes=SIZES)
    assert t.guesses() == (1, 1)
    g.hang_up()
    assert g.wait_down(), g.l2tp_logs()
    assert g.ipsec_wait_gone(5), g.ipsec_log()
    t.wait_counts(0, 0)
    t.wait_conns(0)


AES_SHA1 = ["cbc(aes)", "hmac(sha1)"]
AES_SHA256 = ["cbc(aes)", "hmac(sha256)"]
GCM = ["rfc4106(gcm(aes))"]


@case("ipsec-v1", ipsec={})
def ipsec_v1(t):
    """IKEv1 main mode, PSK, aes128-sha1-modp2048, ESP aes128-sha1"""
    session(t, t.ipsec_dial(variant=V1_AES), AES_SHA1)


@case("ipsec-v1-3des", ipsec={})
def ipsec_v1_3des(t):
    """IKEv1 with 3des-sha1-modp1024, as old Windows clients dial"""
    session(t, t.ipsec_dial(variant=V1_3DES), AES_SHA1)


@case("ipsec-v1-nat", ipsec={})
def ipsec_v1_nat(t):
    """IKEv1 from behind a NAT: ESP in UDP"""
    session(t, t.ipsec_dial(nat=True, variant=V1_AES), AES_SHA1, encap=True)


@case("ipsec-v2-psk", ipsec={})
def ipsec_v2_psk(t):
    """IKEv2, PSK, ESP aes256-sha256"""
    session(t, t.ipsec_dial(variant=V2_CBC), AES_SHA256)


@case("ipsec-v2-gcm-esn", ipsec={"esn": "either"})
def ipsec_v2_gcm_esn(t):
    """IKEv2, ESP aes256gcm16 with extended sequence numbers"""
    session(t, t.ipsec_dial(variant=V2_GCM, esp="aes256gcm16-esn"), GCM, esn=True)


@case("ipsec-v2-nat", ipsec={})
def ipsec_v2_nat(t):
    """IKEv2 from behind a NAT"""
    session(t, t.ipsec_dial(nat=True), GCM, encap=True)


@case("ipsec-encap", ipsec={"force-encapsulation": True})
def ipsec_encap(t):
    """encapsulation in UDP is forced although there is no NAT; IKEv2, then IKEv1"""
    session(t, t.ipsec_dial(encap=True), GCM, encap=True)
    g = t.ipsec_dial(i=1, variant=V1_AES, encap=True)
    check_sas(g, True, AES_SHA1)
    t.pings(g, sizes=SIZES)


def certificates(t, ca, profile):
    """Puts the appliance's files into the case's folder, and into the profile."""
    cert, key, authority = ca.sign("appliance", f"IP:{APPLIANCE_IP}")
    for name, text in (("certificate", cert), ("private-key", key), ("ca-certificates", authority)):
        path = os.path.join(t.folder, name + ".pem")
        with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)
        profile[name] = [path] if name == "ca-certificates" else path
    profile["local-identity"] = APPLIANCE_IP
    profile["group-pre-shared-key"] = None


@case("ipsec-v2-certificates", ipsec={}, daemon=False)
def ipsec_v2_certificates(t):
    """IKEv2 with certificates on both sides; another authority's certificate is refused"""
    ca = Ca()
    profile = {}
    certificates(t, ca, profile)
    t.new_daemon(over={"ipsec-transport-profiles": profile})
    t.start()
    own = ca.sign("client one", "DNS:one.example")
    g = t.ipsec_dial(cert=own, local_id="one.example")
    session(t, g, GCM)
    other = Ca("Another CA").sign("client one", "DNS:one.example")
    h = t.ipsec_guest(1, cert=(other[0], other[1], own[2]), local_id="one.example")
    assert not h.ipsec_dial(timeout=4)
    assert t.guesses() == (1, 1) and not t.conns(), t.conns()


@case("ipsec-wrong-psk", ipsec={})
def ipsec_wrong_psk(t):
    """a wrong pre-shared key gets no connection, with either version; the right one then does"""
    for variant in (V1_AES, V2_CBC):
        g = t.ipsec_guest(variant=variant, psk="another")
        assert not g.ipsec_dial(timeout=4)
        g.ipsec_kill()
        g.l2tp_stop("KILL")
    assert t.guesses() == (0, 0) and not t.conns(), t.conns()
    g = t.ipsec_dial(variant=V1_AES)
    t.pings(g, sizes=(56,))


def two_behind_nat(t, variant):
    a, b = (t.ipsec_dial(i, nat=True, variant=variant) for i in (0, 1))
    t.wait_counts(2, 2)
    peers = [c.peer for c in t.conns()]
    assert len(set(peers)) == 2 and all(p.startswith(NAT_IP + ":") for p in peers), peers
    for g in (a, b, a, b):
        t.pings(g, sizes=SIZES, count=3)
    a.hang_up()  # the latch of one is not the other's
    assert a.wait_down() and a.ipsec_wait_gone(5), a.ipsec_log()
    t.pings(b, sizes=(56,))
    a.ipsec_up()
    a.up()
    t.pings(a, sizes=(56,))
    t.pings(b, sizes=(56,))
    t.wait_counts(2, 2)


@case("ipsec-two-behind-nat-v1", ipsec={})
def ipsec_two_behind_nat_v1(t):
    """E7: two IKEv1 clients behind one NAT at once, both with inner port 1701; one dials again"""
    two_behind_nat(t, V1_AES)


@case("ipsec-two-behind-nat-v2", ipsec={})
def ipsec_two_behind_nat_v2(t):
    """E7: the same with IKEv2"""
    two_behind_nat(t, V2_GCM)


@case("ipsec-two-workers", ipsec={}, config={"system": {"workers": 2}})
def ipsec_two_workers(t):
    """two workers: a connection each, and packets from one subscriber to the other"""
    a = t.ipsec_dial(0)
    b = t.ipsec_dial(1, variant=V1_AES)
    for g in (a, b):
        t.pings(g, sizes=SIZES)
    a.route(b.ppp_ip() + "/32")
    b.route(a.ppp_ip() + "/32")
    r = a.ping(b.ppp_ip(), 1200)
    assert r.ok, r


@case("ipsec-plain-refused", ipsec={})
def ipsec_plain_refused(t):
    """E15: what comes in the clear is refused, also from the address of a client that has IPsec"""
    g = t.ipsec_dial()
    p = t.raw()
    for host in ("ipsec", "ipsec-ss"):
        tun = p.tunnel(host=host)
        tun.sccrq()
        try:
            tun.expect(SCCRP, 1)
        except NoAnswer:
            pass
        else:
            raise AssertionError("a tunnel in the clear for " + host)
    before = t.metric("sccrq_needs_ipsec_total")
    assert before >= 2, before
    # The client's kernel now has no policy, so xl2tpd speaks in the clear.
    h = t.guest(1)
    h.l2tp_client(APPLIANCE_IP, [USERS[1]], host_name="ipsec-ss")
    h.dial()
    assert not h.wait_up(timeout=3)
    assert t.metric("sccrq_needs_ipsec_total") > before
    t.pings(g, sizes=(56,))
    t.wait_counts(1, 1)


@case("ipsec-redial", ipsec={})
def ipsec_redial(t):
    """T19: hang up and dial again over a new connection, with both versions"""
    n = 50 if t.long else 2
    for variant in (V2_GCM, V1_AES):
        g = t.ipsec_guest(variant=variant)
        for _ in range(n):
            g.ipsec_up()
            g.up()
            t.pings(g, sizes=(56,), count=2)
            g.hang_up()
            assert g.wait_down() and g.ipsec_wait_gone(5), g.ipsec_log()
            t.wait_counts(0, 0)
        g.ipsec_kill()
        g.l2tp_stop("KILL")
    assert t.guesses() == (2 * n, 2 * n)
