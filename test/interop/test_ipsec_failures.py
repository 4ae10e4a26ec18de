# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Clients, charon and the appliance go away without a word, and come back."""
import time

from daemon import settle
from guest import ping_from
from guest_ipsec import V1_AES, V2_GCM
from harness import USERS, case
from lab import NAT_IP, NAT_OTHER_IP, POOL_LOCAL, wait_until

# A dead peer is found out in about five seconds.
QUICK = {"dpd-delay": 2, "dpd-timeout": 5}
ECHO = ("lcp-echo-interval 1", "lcp-echo-failure 3")


def rounds(t):
    return 50 if t.long else 1


def vanishes(t, variant):
    g = t.ipsec_dial(variant=variant)
    h = t.ipsec_dial(1, variant=variant)
    g.kill()
    t0 = time.monotonic()
    t.wait_conns(1, timeout=20)
    after = time.monotonic() - t0
    t.wait_counts(1, 1)  # E17: its session went with the connection
    t.pings(h, sizes=(56,))
    t.note(f"found out after {after:.1f} s")


@case("ipsec-client-vanishes-v1", ipsec=QUICK)
def vanishes_v1(t):
    """DPD finds a client that is gone, IKEv1; its tunnel and session go, others stay"""
    vanishes(t, V1_AES)


@case("ipsec-client-vanishes-v2", ipsec=QUICK)
def vanishes_v2(t):
    """the same with IKEv2"""
    vanishes(t, V2_GCM)


def dial_again(t, g, users=(USERS[0],)):
    """A client that has forgotten everything dials at once."""
    g.l2tp_stop("KILL")
    g.ipsec_kill()
    g.ipsec_start()
    t.ipsec_l2tp(g, list(users))
    g.ipsec_up()
    g.up()


def lingers(t, variant):
    g = t.ipsec_dial(variant=variant)
    old = t.conn().id
    for _ in range(rounds(t)):
        dial_again(t, g)
        t.pings(g, sizes=(56,), count=3)
    # Under IKEv1 charon may have moved the old children to the new IKE_SA: then it is one connection.
    assert [c for c in t.conns() if c.single_shot == "in-use"
            and (c.id != old or variant is V1_AES)], t.conns()
    assert t.guesses() == (rounds(t) + 1, rounds(t) + 1), t.guesses()
    t.wait_conns(1, timeout=25)  # the others are found dead
    t.pings(g)
    t.wait_counts(1, 1)


@case("ipsec-client-killed-v1", ipsec=QUICK)
def client_killed_v1(t):
    """E6: kill -9 of a client's charon, xl2tpd and pppd; it dials again beside its old connection"""
    lingers(t, V1_AES)


@case("ipsec-client-killed-v2", ipsec=QUICK)
def client_killed_v2(t):
    """E6: the same with IKEv2"""
    lingers(t, V2_GCM)


@case("ipsec-client-begins-anew", ipsec={})
def begins_anew(t):
    """E6: the same with IKEv1 before DPD has noticed: charon's new IKE_SA adopts the old children"""
    g = t.ipsec_dial(variant=V1_AES)
    for i in range(rounds(t)):
        dial_again(t, g)
        t.pings(g)
        t.wait_counts(1, 1)
        assert t.guesses() == (i + 2, i + 2), t.guesses()
    assert t.metric("ipsec_child_migrations_total") >= 1
    g.hang_up()
    assert g.wait_down() and g.ipsec_wait_gone(8), g.ipsec_log()
    t.wait_conns(0)


@case("ipsec-client-reboots", ipsec=QUICK)
def client_reboots(t):
    """the whole client machine is cut off and boots anew, and dials from the same address"""
    for _ in range(10 if t.long else 1):
        g = t.ipsec_dial(1)
        t.pings(g, sizes=(56,), count=3)
        g.kill()
    g = t.ipsec_dial(1)
    t.pings(g)
    t.wait_conns(1, timeout=25)
    t.wait_counts(1, 1)
    t.pings(g, sizes=(56,))


@case("ipsec-charon-killed", ipsec={})
def charon_killed(t):
    """charon is killed: sessions run on, and within 5 s of its return a new client is on line"""
    g = t.ipsec_dial(0)
    h, p = t.ipsec_raw(1, variant=V1_AES, up=False)  # a real pppd waits 3 s for a lost LCP request
    took = []
    for _ in range(rounds(t)):
        t.charon.kill()
        t.pings(g, sizes=(56, 1200))
        t.charon.back()
        t0 = time.monotonic()
        # What a client does: it asks again until it is heard.
        assert wait_until(lambda: h.ipsec_dial(timeout=2), 10), h.ipsec_log()
        tun = p.open(host="ipsec-ss")
        c = tun.call()
        c.ppp_up()
        took.append(time.monotonic() - t0)
        assert c.ping() == 3
        t.pings(g, sizes=(56,))
        c.cdn()
        t.ended(h, time.monotonic(), 8)
    assert max(took) < 5, took
    t.wait_counts(1, 1)
    g.hang_up()  # an orphan ends as any other: its SAs go
    assert g.wait_down()
    t.wait_counts(0, 0)
    t.wait_conns(0)
    t.note(f"on line {max(took):.1f} s after its return")


@case("ipsec-charon-stopped", ipsec={})
def charon_stopped(t):
    """charon is stopped in good order: its clients are told, and can dial when it is back"""
    g = t.ipsec_dial()
    t.charon.stop()
    assert g.ipsec_wait_gone(8), g.ipsec_log()
    t.wait_counts(0, 0)
    t.charon.start()
    g.l2tp_stop("KILL")
    t.ipsec_l2tp(g, [USERS[0]])
    g.ipsec_up()
    g.up()
    t.pings(g)


@case("ipsec-appliance-killed", ipsec={})
def appliance_killed(t):
    """the daemon is killed: the new one has every old IKE_SA ended, and clients dial in again"""
    for i in range(max(2, rounds(t))):
        g = t.ipsec_dial(variant=(V2_GCM, V1_AES)[i % 2], options=ECHO)
        old = {sa.spi for sa in g.ipsec_state()}
        t.pings(g, sizes=(56,), count=2)
        t.daemon.kill()
        t.new_daemon().start()
        assert wait_until(lambda: t.metric("ipsec_link_up") == 1, 5)
        assert g.ipsec_wait_gone(8), g.ipsec_log() + t.charon.log()[-2000:]
        assert g.wait_down(timeout=20), g.l2tp_logs()
        dial_again(t, g)
        assert not old & {sa.spi for sa in g.ipsec_state()}
        t.pings(g)
        g.ipsec_kill()
        g.l2tp_stop("KILL")


@case("ipsec-appliance-restarted", ipsec={})
def appliance_restarted(t):
    """the daemon is stopped and started: the tunnels are closed first, then IPsec"""
    g = t.ipsec_dial()
    assert t.daemon.stop() == 0
    assert g.wait_down(timeout=5), g.l2tp_logs()
    t.new_daemon().start()
    assert wait_until(lambda: t.metric("ipsec_link_up") == 1, 5)
    assert g.ipsec_wait_gone(8), g.ipsec_log()
    g.ipsec_up()
    g.up()
    t.pings(g)


@case("ipsec-cut-link", ipsec={})
def cut_link(t):
    """a cut of three seconds costs packets, not the session"""
    g = t.ipsec_dial()
    ip = g.ppp_ip()
    g.link(False)
    settle(3)
    g.link(True)
    assert wait_until(lambda: g.ping(POOL_LOCAL, count=1).ok, 10), g.l2tp_logs()
    t.pings(g)
    assert g.ppp_ip() == ip
    t.wait_counts(1, 1)


def moves_unheard(t, variant, by_ike):
    """The link between charon and the daemon breaks; the client's NAT gets another address, and one of
    the two sees it: the daemon by the client's packets, charon by IKE."""
    g = t.ipsec_dial(nat=True, variant=variant)
    t.pings(g, sizes=(56,))
    conn = t.conn()
    old = {sa.spi for sa in g.ipsec_state()}
    try:
        t.charon.cut_off()
        assert wait_until(lambda: t.metric("ipsec_link_up") == 0, 5)
        t.lab.move_nat(NAT_OTHER_IP)
        if by_ike:
            assert g.ipsec_rekey("ike")
            assert wait_until(lambda: f"changed from {NAT_IP}" in t.charon.log(), 10), t.charon.log()
            assert t.conn().peer.startswith(NAT_IP), t.conn()
        else:
            assert wait_until(lambda: g.ping(POOL_LOCAL, count=1).ok, 10), g.ipsec_log()
            assert t.conn().peer.startswith(NAT_OTHER_IP), t.conn()
            assert NAT_OTHER_IP not in t.charon.log()
        t.charon.join()
        assert wait_until(lambda: t.metric("ipsec_link_up") > t.metric("ipsec_link_syncing"), 5)
        # What goes to the client goes to where it is, before it has sent anything.
        assert wait_until(lambda: ping_from(t.lab.core, g.ppp_ip(), count=1).ok, 3), t.conns()
        t.pings(g)
        assert wait_until(lambda: NAT_OTHER_IP in t.charon.swanctl("--list-sas"), 5)
        now = t.conn()
        assert now.id == conn.id and now.state == "up", (conn, now)
        assert now.peer.startswith(NAT_OTHER_IP), now
        assert {sa.spi for sa in g.ipsec_state()} == old, g.ipsec_log()
        refused = {k: n for k, n in t.metrics().items() if "requests_refused" in k and n}
        assert not refused, refused
        g.ipsec_rekey()
        t.pings(g)
        g.hang_up()
        assert g.wait_down() and g.ipsec_wait_gone(8), g.ipsec_log()
        t.wait_conns(0)
    finally:
        t.charon.join()
        t.lab.move_nat(NAT_IP)


@case("ipsec-moves-unheard-v1", ipsec={})
def moves_unheard_v1(t):
    """E8: a client gets another address while the daemon cannot tell charon, IKEv1"""
    moves_unheard(t, V1_AES, False)


@case("ipsec-moves-unheard-v2", ipsec={})
def moves_unheard_v2(t):
    """E8: the same with IKEv2"""
    moves_unheard(t, V2_GCM, False)


@case("ipsec-moves-unheard-ike", ipsec={})
def moves_unheard_ike(t):
    """E8: .. and while charon, which has seen it, cannot tell the daemon"""
    moves_unheard(t, V2_GCM, True)
