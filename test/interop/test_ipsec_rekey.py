# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Rekeying under load, and a NAT that forgets: nothing is lost, and the connection stays the same."""
from daemon import settle
from guest_ipsec import V1_AES, V2_CBC, V2_GCM
from harness import case
from ipsec_lab import Flood, PROFILE
from lab import POOL_LOCAL, wait_until

FLOOD_S = 3


def spis(g):
    return {sa.spi for sa in g.ipsec_state()}


def rekeyed(t, g, what, begin):
    """begin() starts a rekeying while pings run both ways: none is lost, keys or IKE_SA are new."""
    old_spis, old_ike = spis(g), {n for n, state, _ in g.ipsec_sas() if state == "ESTABLISHED"}
    conn = t.conn()
    flood = Flood(t, g, POOL_LOCAL, FLOOD_S)
    settle(0.5)
    begin()

    def done():
        if what == "child":
            return len(spis(g) - old_spis) >= 2
        return {n for n, state, _ in g.ipsec_sas() if state == "ESTABLISHED"} - old_ike
    if not wait_until(done, 10, 0.3):
        raise AssertionError(f"no new {what}:\n{g.ipsec_log()}\n{t.charon.log()[-3000:]}")
    pings = flood.check()
    now = t.conn()
    assert now.id == conn.id and now.state == "up" and now.single_shot == "in-use", (conn, now)
    t.note(f"{what}: {pings}")


def by_client(t, variant, **kw):
    g = t.ipsec_dial(variant=variant, **kw)
    for what in ("child", "ike", "child"):
        rekeyed(t, g, what, lambda: g.ipsec_rekey(what))
    finish(t, g)


def by_appliance(t, variant, **kw):
    g = t.ipsec_dial(variant=variant, **kw)
    for what in ("child", "ike", "child"):
        arg = ("--child", "l2tp") if what == "child" else ("--ike", PROFILE)
        rekeyed(t, g, what, lambda: t.charon.swanctl("--rekey", *arg))
    finish(t, g)


def finish(t, g):
    """E2, E4: it has been one connection all the time, and its latch takes all of it away."""
    assert t.guesses() == (1, 1)
    m = t.metrics()
    assert m["ipsec_child_rekeys_total"] >= 2, m["ipsec_child_rekeys_total"]
    assert m["ike_rekeys_total"] + m["ipsec_child_migrations_total"] >= 1, m["ike_rekeys_total"]
    g.hang_up()
    assert g.wait_down() and g.ipsec_wait_gone(8), g.ipsec_log()
    t.wait_conns(0)


@case("ipsec-rekey-client-v1", ipsec={})
def rekey_client_v1(t):
    """the client renews CHILD_SA and IKE_SA, IKEv1"""
    by_client(t, V1_AES)


@case("ipsec-rekey-client-v2", ipsec={})
def rekey_client_v2(t):
    """the client renews CHILD_SA and IKE_SA, IKEv2"""
    by_client(t, V2_GCM)


@case("ipsec-rekey-client-nat", ipsec={})
def rekey_client_nat(t):
    """the same from behind a NAT, CBC"""
    by_client(t, V2_CBC, nat=True)


@case("ipsec-rekey-appliance-v1", ipsec={})
def rekey_appliance_v1(t):
    """the appliance renews CHILD_SA and IKE_SA, IKEv1"""
    by_appliance(t, V1_AES)


@case("ipsec-rekey-appliance-v2", ipsec={})
def rekey_appliance_v2(t):
    """the appliance renews CHILD_SA and IKE_SA, IKEv2"""
    by_appliance(t, V2_GCM)


# Each SA carries 200 packets a second: at the default margin of 10 % the new one had to be there in 0.75 s.
@case("ipsec-rekey-by-packets", ipsec={"lifetime-packets": 1500, "rekey-margin": 50,
                                       "initiate-rekey": True})
def rekey_by_packets(t):
    """an SA whose packets are counted out is renewed by the appliance in time, again and again"""
    g = t.ipsec_dial()
    old = spis(g)
    pings = [Flood(t, g, POOL_LOCAL, 10).check() for _ in range(2)]
    new = spis(g) - old
    assert len(new) >= 2, g.ipsec_log()
    m = t.metrics()
    assert m["ipsec_soft_expires_total"] >= 1 and m["ipsec_hard_expires_total"] == 0, m
    assert t.conn().state == "up"
    t.note(f"{'; '.join(pings)}; {m['ipsec_child_rekeys_total']} rekeyings")


def nat_forgets(t, variant):
    g = t.ipsec_dial(nat=True, variant=variant)
    t.pings(g, sizes=(56,))
    conn = t.conn()
    for _ in range(3):
        t.lab.forget_nat()
        # The appliance learns the new port from the client's next packet, which is not lost.
        assert wait_until(lambda: g.ping(POOL_LOCAL, count=1).ok, 10), g.ipsec_log()
        t.pings(g)
    now = t.conn()
    assert now.id == conn.id and now.peer != conn.peer, (conn, now)
    assert t.metric("ipsec_nat_moves_total") >= 1
    g.ipsec_rekey()
    t.pings(g)
    g.hang_up()
    assert g.wait_down() and g.ipsec_wait_gone(8), g.ipsec_log()
    t.wait_conns(0)


@case("ipsec-nat-moves-v1", ipsec={})
def nat_moves_v1(t):
    """E8: the NAT gives the client other ports, three times; the session runs on, IKEv1"""
    nat_forgets(t, V1_AES)


@case("ipsec-nat-moves-v2", ipsec={})
def nat_moves_v2(t):
    """E8: the same with IKEv2"""
    nat_forgets(t, V2_GCM)
