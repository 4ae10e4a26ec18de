# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Single-shot and standard tunnels over real IPsec; T and E numbers are those of test/LEDGER.md. The raw
clients speak through a guest's charon and ESP, by a relay."""
import re
import time

from daemon import settle
from guest_ipsec import V1_AES, V2_GCM
from harness import USERS, case
from lab import CORE_HOST, wait_until
from rawclient import SCCRP, STOPCCN

SHORT = {"l2tp": {"tunnel-idle-timeout": 3, "destruct-timeout": 10}}
DELETES = "received DELETE for IKE_SA"


def first_session(p, host="ipsec-ss", **kw):
    tun = p.open(host=host, **kw)
    c = tun.call()
    c.ppp_up()
    assert c.ping() == 3
    return tun, c


def no_answer(p, seconds):
    """Nothing at all may come within so many seconds."""
    before = len(p.others), [len(t.inbox) + t.duplicates for t in p.tunnels.values()]
    p.quiet(seconds)
    after = len(p.others), [len(t.inbox) + t.duplicates for t in p.tunnels.values()]
    assert before == after, (p.others, [t.inbox for t in p.tunnels.values()])


# ---- 2: when IPsec ends ----

@case("ipsec-std-destruct", ipsec={}, config=SHORT)
def std_destruct(t):
    """T13: standard: IPsec ends when the destruct period does, not before, and is told once"""
    g, p = t.ipsec_raw()
    tun, c = first_session(p, "ipsec")
    t0 = time.monotonic()
    c.cdn()
    stopped = tun.expect(STOPCCN, 5).at
    assert 2.5 <= stopped - t0 <= 4, stopped - t0
    p.quiet(0.3)
    after = t.ended(g, stopped, 12, not_before=9.0)
    t.wait_conns(0)
    assert t.metric("ipsec_disconnect_signals_total") == 1
    assert g.ipsec_marks(DELETES) == 1, g.ipsec_log()
    t.note(f"StopCCN after {stopped - t0:.1f} s, IPsec {after:.1f} s later")


@case("ipsec-ss-destruct", ipsec={}, config=SHORT)
def ss_destruct(t):
    """T14: single-shot: IPsec ends when the destruct period begins; the record stays, told once"""
    g, p = t.ipsec_raw()
    tun, c = first_session(p)
    c.cdn()
    t0 = time.monotonic()
    tun.expect(STOPCCN, 1)
    after = t.ended(g, t0, 3)
    assert "ipsec-ss" in t.console("show l2tp tunnel detail")
    settle(max(0, t0 + 8 - time.monotonic()))
    assert "ipsec-ss" in t.console("show l2tp tunnel detail")
    assert wait_until(lambda: "ipsec-ss" not in t.console("show l2tp tunnel detail"), 6)
    assert t.metric("ipsec_disconnect_signals_total") == 1
    assert g.ipsec_marks(DELETES) == 1, g.ipsec_log()
    t.note(f"IPsec {after:.1f} s after the CDN")


@case("ipsec-std-again", ipsec={}, config=SHORT)
def std_again(t):
    """T13b, T23: standard: after a failure and in the destruct period the same IPsec serves again"""
    g, p = t.ipsec_raw()
    tun = p.open(host="ipsec")
    c = tun.call()
    ppp = c.ppp_up(password="wrong", wait=False)
    p.wait(lambda: ppp.auth_ok is False, 5, "CHAP Failure")
    c.cdn_in(10)
    tun.stop()
    tun.wait_ack()
    first, c = first_session(p, "ipsec")
    p.quiet(11)  # the record of the first tunnel goes, IPsec stays
    assert c.ping() == 3
    assert t.guesses() == (1, 2) and t.metric("ipsec_disconnect_signals_total") == 0
    t0 = time.monotonic()
    first.stop()
    first.wait_ack()
    t.ended(g, t0, 12, not_before=9.0)


# ---- 3: what a latched connection still does ----

def latched_but_alive(t, **kw):
    """A single-shot session has ended, and its StopCCN is not acknowledged: the connection has
    fired and is still there. Returns the guest, the peer and the tunnel."""
    g, p = t.ipsec_raw(**kw)
    tun, c = first_session(p)
    tun.auto_ack = False
    c.cdn()
    tun.expect(STOPCCN, 2)
    assert t.conn().single_shot == "fired", t.conn()
    return g, p, tun


@case("ipsec-latch", ipsec={})
def latch(t):
    """T15, E32: after the session no new SCCRQ is heard, nor answered; each is counted"""
    g, p, tun = latched_but_alive(t)
    before = t.drops("single-shot-fired")
    tun.inbox.clear()
    for host in ("ipsec-ss", "ipsec", "default"):
        for _ in range(4):
            p.tunnel(host=host).sccrq()
    new = [x for x in p.tunnels.values() if x is not tun]
    wait_until(lambda: t.drops("single-shot-fired") - before >= len(new), 5)
    p.quiet(1)
    assert len(new) == 12 and not p.others and not any(x.inbox for x in new), p.others
    dropped = t.drops("single-shot-fired") - before
    assert dropped == 12, dropped
    assert t.tunnels() == 0 and t.guesses() == (1, 1)
    t.note(f"{dropped} SCCRQs dropped as single-shot-fired")
    tun.zlb()  # now it is disconnected, and IPsec goes
    t.ended(g, time.monotonic(), 3)
    # E6: a new connection of the same client works at once
    g.ipsec_up()
    first_session(p)
    assert t.guesses() == (2, 2)


@case("ipsec-latch-other-child", ipsec={})
def latch_other_child(t):
    """E1, E5: the latch holds for a CHILD_SA on another port, and no further one is had"""
    g, (p, q) = t.ipsec_raw(sources=(1701, 10001), up=False)
    g.ipsec_up()
    g.ipsec_up("l2tp1")
    tun, c = first_session(p)
    tun.auto_ack = False
    c.cdn()
    tun.expect(STOPCCN, 2)
    other = q.tunnel(host="ipsec-ss")
    other.sccrq()
    no_answer(q, 1)
    spis = {sa.spi for sa in g.ipsec_state()}
    g.ipsec_rekey()  # E3: rekeying a latched connection buys nothing
    p.quiet(1.5)
    assert not {sa.spi for sa in g.ipsec_state()} - spis, g.ipsec_log()
    other.resend()
    no_answer(q, 1)
    assert t.guesses() == (1, 1)
    tun.zlb()
    t.ended(g, time.monotonic(), 5)


@case("ipsec-second-tunnel", ipsec={})
def second_tunnel(t):
    """T20, E38: a second SCCRQ while the tunnel is healthy is refused, the first is undisturbed"""
    g, p = t.ipsec_raw()
    _, c = first_session(p)
    for host in ("ipsec-ss", "ipsec"):
        tun = p.tunnel(host=host)
        tun.sccrq()
        m = tun.expect(STOPCCN, 2)
        assert m.result[0] == 4 and m.tunnel == tun.local_id, m
        tun.zlb()
        assert c.ping() == 3 and c.ping(CORE_HOST) == 3
    t.wait_counts(1, 1)
    assert t.conn().single_shot == "in-use"


@case("ipsec-new-beside-latched", ipsec={})
def new_beside_latched(t):
    """E6: while the old connection is latched a new IKE_SA of the same client works"""
    g, _, tun = latched_but_alive(t)
    # As a client that has lost its state: the old IKE_SA and SAs are forgotten without a word.
    g.ipsec_kill()
    g, p = t.ipsec_raw()
    _, c = first_session(p)
    states = sorted(x.single_shot for x in t.conns())
    assert states in (["in-use"], ["fired", "in-use"]), states
    p.quiet(2)
    assert c.ping() == 3 and c.ping(CORE_HOST) == 3
    assert t.guesses() == (2, 2)


@case("ipsec-tunnel-fails", ipsec={}, config={"l2tp": {"retransmission-not-established": 2}})
def tunnel_fails(t):
    """T17: a single-shot tunnel that is never completed fires the latch; right credentials are late"""
    g, p = t.ipsec_raw()
    tun = p.tunnel(host="ipsec-ss")
    tun.auto_ack = False
    tun.sccrq()
    tun.expect(SCCRP)
    t.ended(g, time.monotonic(), 15)
    assert t.metric('ss_fired_total{reason="tunnel-timeout"}') == 1
    late = p.tunnel(host="ipsec-ss")  # in the clear now: the guest's kernel has no SA any more
    late.sccrq()
    p.quiet(1)
    assert not late.take(SCCRP) and t.guesses() == (1, 0)
    g.ipsec_up()
    first_session(p)


# ---- guesses ----

@case("ipsec-burst", ipsec={})
def burst(t):
    """T25: SCCRQ, SCCCN and eight ICRQs in one burst: one call, one PPP authentication"""
    g, p = t.ipsec_raw()
    tun = p.tunnel(host="ipsec-ss", rws=16)
    tun.sccrq()
    m = tun.expect(SCCRP)
    tun.scccn(m)
    calls = [tun.icrq() for _ in range(8)]
    calls[0].icrp()
    for c in calls[1:]:
        assert c.cdn_in().result[0] == 5
    calls[0].iccn()
    ppp = calls[0].ppp_up(password="wrong", wait=False)
    p.wait(lambda: ppp.auth_ok is False, 5, "CHAP Failure")
    for c in calls[1:]:  # as if they had been accepted
        c.iccn()
        c.ppp_up(wait=False)
    p.quiet(1)
    assert t.guesses() == (1, 1)
    t.ended(g, time.monotonic(), 5)


@case("ipsec-burst-blind", ipsec={}, config={"system": {"workers": 2}})
def burst_blind(t):
    """T25, E23: eight SCCRQs in one burst on two workers: one tunnel"""
    g, p = t.ipsec_raw()
    tuns = [p.tunnel(host="ipsec-ss") for _ in range(8)]
    for tun in tuns:
        tun.sccrq()
    p.wait(lambda: any(tun.remote_id for tun in tuns), 5, "an SCCRP")
    p.quiet(1)  # a second one
    answers = [tun.inbox[0].type if tun.inbox else None for tun in tuns]
    # Refusals are rationed: some get none.
    assert answers.count(SCCRP) == 1 and set(answers) <= {SCCRP, STOPCCN, None}, answers
    tun = tuns[answers.index(SCCRP)]
    tun.scccn(tun.take(SCCRP))
    tun.call().ppp_up()
    assert t.guesses() == (1, 1) and t.tunnels() == 1


@case("ipsec-pap-again", ipsec={})
def pap_again(t):
    """E37: four further PAP passwords behind the first, in one burst: one is judged"""
    g, p = t.ipsec_raw()
    tun = p.open(host="ipsec-ss")
    c = tun.call()
    ppp = c.ppp_up(method="pap", wait=False, hold_auth=True)
    p.wait(lambda: ppp.lcp_open, 5, "LCP")
    for guess in ("one", "two", "three", "pass1", "four"):
        ppp.pap(password=guess)
    t0 = time.monotonic()
    tun.expect(STOPCCN, 5)
    t.ended(g, t0, 5)
    assert not ppp.network and t.guesses() == (1, 1), t.guesses()


@case("ipsec-fifty-children", ipsec={})
def fifty_children(t):
    """E1: fifty CHILD_SAs on as many source ports of one IKE_SA buy one PPP authentication"""
    n = 50
    g, peers = t.ipsec_raw(sources=[1701, *range(10001, 10000 + n)], start=True, up=False)
    if not wait_until(lambda: len(g.ipsec_state()) == 2 * n, 20, 0.3):
        raise AssertionError(f"{len(g.ipsec_state())} SAs\n{g.ipsec_log()}\n{t.charon.log()[-2000:]}")
    assert t.metric("ipsec_children") == n and t.conn().single_shot == "unused"
    tuns = [p.tunnel(host="ipsec-ss") for p in peers]
    for tun in tuns:
        tun.sccrq()

    def heard():
        for p in peers:
            p.quiet(0.02)
        return [tun for tun in tuns if tun.remote_id]
    wait_until(heard, 10, 0)
    heard()  # a second one, and refusals
    won = heard()
    assert len(won) == 1, len(won)
    refused = [tun for tun in tuns if tun is not won[0] and tun.take(STOPCCN)]
    tun = won[0]
    tun.scccn(tun.take(SCCRP))
    c = tun.call()
    ppp = c.ppp_up(password="wrong", method="pap", wait=False)
    tun.peer.wait(lambda: ppp.auth_ok is False, 5, "Authenticate-Nak")
    for other in tuns:  # each tries once more on its own CHILD_SA
        if other is not tun:
            other.peer.tunnel(host="ipsec-ss").sccrq()
    t.ended(g, time.monotonic(), 8)
    assert t.guesses() == (1, 1), t.guesses()
    t.note(f"{n} CHILD_SAs: 1 tunnel, {len(refused)} refused, (IKE, PPP) authentications "
           f"{t.guesses()}")


def wrong_guesses(t, g, n, dial_ipsec):
    """n dials with a wrong password each; the log of pppd says that each was refused."""
    for i in range(1, n + 1):
        if dial_ipsec:
            g.ipsec_up()
        g.dial()
        assert g.wait_ppp_log(rf"(?s)(rcvd .CHAP Failure.*){{{i}}}", 15), g.l2tp_logs()
        assert len(re.findall("rcvd .CHAP Failure", g.ppp_log())) == i, g.ppp_log()
        assert g.wait_down()
        if dial_ipsec:
            assert g.ipsec_wait_gone(8), g.ipsec_log()
    return t.guesses()


WRONG = [(USERS[0][0], "wrong")]


@case("ipsec-brute-force", ipsec={})
def brute_force(t):
    """T26: five wrong passwords of a real client: each costs an IKE authentication"""
    g = t.ipsec_guest(users=WRONG)
    ike, ppp = wrong_guesses(t, g, 5, True)
    assert ike == ppp == 5, (ike, ppp)
    assert t.metric('ss_fired_total{reason="ppp-auth-failed"}') == 5
    t.note(f"single-shot: {ppp} PPP authentications cost {ike} of IKE")


@case("ipsec-brute-force-standard", ipsec={})
def brute_force_standard(t):
    """T27: the same against a standard tunnel: one IKE authentication buys all five"""
    g = t.ipsec_guest(users=WRONG, host="ipsec", variant=V1_AES)
    g.ipsec_up()
    ike, ppp = wrong_guesses(t, g, 5, False)
    assert (ike, ppp) == (1, 5), (ike, ppp)
    t.note(f"standard: {ppp} PPP authentications cost {ike} of IKE")


@case("ipsec-clear", ipsec={})
def clear(t):
    """E20: an operator's clear of the session ends tunnel and IPsec of a single-shot client"""
    g = t.ipsec_dial(variant=V2_GCM)
    t.console("clear l2tp session all")
    t0 = time.monotonic()
    assert g.wait_down(timeout=10), g.l2tp_logs()
    t.ended(g, t0, 10)
    t.wait_conns(0)
