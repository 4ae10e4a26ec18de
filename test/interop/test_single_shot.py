# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Single-shot and standard tunnels over plain UDP; T and E numbers are those of test/LEDGER.md."""
import time

from guest import ping_from
from harness import SECRET, USERS, case
from lab import CORE_HOST
from packets import icmp_echo
from rawclient import CDN, ICRP, P_IP, SCCRP, STOPCCN

FIRED = "single-shot tunnel already fired"


def never_idle(seconds):
    return {"l2tp": {"tunnel-idle-timeout": seconds}}


def first_session(p, **kw):
    """A single-shot tunnel with its session up."""
    t = p.open(host="lac-ss", **kw)
    c = t.call()
    c.ppp_up()
    return t, c


def stopped(tunnel, within, not_before=0.0, since=None):
    """Waits for the StopCCN; checks when it came, counted from since (a monotonic time)."""
    since = since or time.monotonic()
    m = tunnel.expect(STOPCCN, max(0.1, since + within - time.monotonic()))
    after = time.monotonic() - since
    assert after >= not_before, f"StopCCN after {after:.2f} s, not before {not_before} wanted"
    return m


# ---- 3.1 core ----

@case("ss-first-session")
def ss_first_session(t):
    """T4: the first call of a single-shot tunnel is established, data flows both ways"""
    p = t.raw()
    _, c = first_session(p)
    assert c.ppp.ip.startswith("10.64.")
    assert c.ping() == 3 and c.ping(CORE_HOST, size=1300) == 3
    t.wait_counts(1, 1)


@case("ss-real-client")
def ss_real_client(t):
    """T4: the same with a real Linux client; it dials again after hanging up (T21)"""
    for _ in range(2):
        g = t.client(host_name="lac-ss")
        g.up()
        t.pings(g)
        g.hang_up()
        assert g.wait_down()
        t.wait_counts(0, 0)
        g.l2tp_stop()


@case("ss-real-client-secret")
def ss_real_client_secret(t):
    """T4: single-shot with a tunnel password, a real client"""
    g = t.client(host_name="lac-ss-secret", secret=SECRET)
    g.up()
    t.pings(g)


@case("ss-real-logout")
def ss_real_logout(t):
    """T7: pppd logs out; the tunnel follows at once, and redial makes a new one"""
    g = t.client(host_name="lac-ss", redial=True)
    g.up()
    g.kill_programs("pppd", sig="TERM", wait=0)
    assert g.wait_down()
    assert g.wait_up(timeout=30), g.l2tp_logs()
    t.pings(g, sizes=(56,))
    t.wait_counts(1, 1)


@case("ss-real-wrong-password")
def ss_real_wrong_password(t):
    """E25: one MS-CHAPv2 failure with R=0 ends the session and the tunnel of a real client"""
    g = t.client([(USERS[0][0], "wrong")], host_name="lac-ss", methods=("mschap-v2",))
    g.dial()
    assert g.wait_ppp_log("CHAP Failure"), g.l2tp_logs()
    log = g.ppp_log()
    assert "E=691 R=0" in log and log.count("CHAP Failure") == 1, log
    assert log.count("sent [CHAP Response") == 1, log
    t.wait_counts(0, 0)


@case("ss-second-icrq")
def ss_second_icrq(t):
    """T5: a second call while the first is up gets a CDN; the first is not disturbed"""
    p = t.raw()
    tun, c = first_session(p)
    assert c.ping() == 3
    for _ in range(3):
        second = tun.icrq()
        m = second.cdn_in()
        assert m.result[0] == 5, m.result
        assert c.ping() == 3
    tun.none(STOPCCN, 1)
    t.wait_counts(1, 1)
    assert c.ping(CORE_HOST) == 3


@case("ss-second-icrq-override",
      config=lambda c: [h.update({"session-out-of-resource-result-code-override": True})
                        for h in c["destination-profiles"][0]["hosts"]])
def ss_second_icrq_override(t):
    """T5: with the result code override the CDN has result 2, error 4 and says why"""
    p = t.raw()
    tun, c = first_session(p)
    m = tun.icrq().cdn_in()
    assert m.result[:2] == (2, 4), m.result
    assert FIRED in m.result[2], m.result
    assert c.ping() == 3


@case("ss-second-icrq-connecting")
def ss_second_icrq_connecting(t):
    """T6: a second call while the first is connecting gets a CDN; the first proceeds"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    c = tun.icrq()
    c.icrp()
    assert tun.icrq().cdn_in().result[0] == 5
    c.iccn()
    c.ppp_up()
    assert c.ping() == 3


@case("ss-burst")
def ss_burst(t):
    """T6, T25 without IPsec: eight ICRQs in one burst: one call, seven CDNs"""
    p = t.raw()
    tun = p.open(host="lac-ss", rws=16)
    calls = [tun.icrq() for _ in range(8)]
    calls[0].icrp()
    for c in calls[1:]:
        assert c.cdn_in().result[0] == 5
    calls[0].iccn()
    calls[0].ppp_up()
    assert calls[0].ping() == 3
    t.wait_counts(1, 1)


@case("ss-cdn-ends-tunnel", config=never_idle(86400))
def ss_cdn_ends_tunnel(t):
    """T7: the session's CDN is followed by the StopCCN at once, though idle-timeout is a day"""
    p = t.raw()
    tun, c = first_session(p)
    c.cdn()
    stopped(tun, 1)
    t.wait_counts(0, 0)


@case("ss-cdn-ends-tunnel-idle-0", config=never_idle(0))
def ss_cdn_idle_0(t):
    """T8: the same with idle-timeout 0"""
    p = t.raw()
    tun, c = first_session(p)
    c.cdn()
    stopped(tun, 1)
    t.wait_counts(0, 0)


@case("ss-terminate-ends-tunnel", config=never_idle(86400))
def ss_terminate(t):
    """T7: LCP Terminate ends the session, the session ends the tunnel"""
    p = t.raw()
    tun, c = first_session(p)
    c.ppp.terminate()
    c.cdn_in(5)
    stopped(tun, 1)


@case("std-idle", config=never_idle(3))
def std_idle(t):
    """T9: a standard tunnel goes idle-timeout seconds after its last session"""
    p = t.raw()
    tun = p.open()
    c = tun.call()
    c.ppp_up()
    p.quiet(4)  # longer than the time-out: a session holds the tunnel
    t0 = time.monotonic()
    c.cdn()
    stopped(tun, 4, not_before=2.5, since=t0)


@case("std-idle-real-client", config=never_idle(3))
def std_idle_real(t):
    """T9: the same with a real client that only ends its PPP"""
    g = t.client()
    g.up()
    g.kill_programs("pppd", sig="TERM", wait=0)
    assert g.wait_down()
    t.wait_counts(0, 0, timeout=15)


@case("std-idle-never-used", config=never_idle(3))
def std_idle_never_used(t):
    """E13: the idle timer of a standard tunnel runs from its establishment"""
    p = t.raw()
    t0 = time.monotonic()
    tun = p.open()
    stopped(tun, 4, not_before=2.5, since=t0)


@case("std-idle-restart", config=never_idle(4))
def std_idle_restart(t):
    """T10: a call one second before the time is accepted; the timer starts again when it leaves"""
    p = t.raw()
    tun = p.open()
    c = tun.call()
    c.ppp_up()
    t0 = time.monotonic()
    c.cdn()
    p.quiet(t0 + 3 - time.monotonic())
    c = tun.call()
    c.ppp_up()
    tun.none(STOPCCN, 3)
    assert c.ping() == 3
    t0 = time.monotonic()
    c.cdn()
    stopped(tun, 5, not_before=3.5, since=t0)


@case("std-idle-last", config=never_idle(3))
def std_idle_last(t):
    """T11: of several sessions only the last one's end starts the timer"""
    p = t.raw()
    tun = p.open()
    calls = [tun.call() for _ in range(3)]
    for i, c in enumerate(calls):
        c.ppp_up(*USERS[i])
    for c in calls[:2]:
        c.cdn()
    tun.none(STOPCCN, 4.5)
    assert calls[2].ping() == 3
    t0 = time.monotonic()
    calls[2].cdn()
    stopped(tun, 4, not_before=2.5, since=t0)


@case("std-idle-0", config=never_idle(0))
def std_idle_0(t):
    """T12: with idle-timeout 0 an unused standard tunnel stays"""
    p = t.raw()
    tun = p.open()
    c = tun.call()
    c.ppp_up()
    c.cdn()
    tun.none(STOPCCN, 6)
    assert tun.call().ppp_up().network


@case("ss-icrq-after-end")
def ss_icrq_after_end(t):
    """T16, E35: after the session a further ICRQ on the old tunnel gets no call"""
    p = t.raw()
    tun, c = first_session(p)
    tun.auto_ack = False  # its StopCCN stays unacknowledged: disconnecting
    c.cdn()
    p.wait(lambda: tun.take(STOPCCN), 1, "StopCCN")
    again = tun.icrq()
    again.ppp = None
    tun.none(ICRP, 2)
    tun.auto_ack = True
    tun.zlb()
    p.quiet(0.5)
    tun.resend()
    tun.none(ICRP, 1)
    t.wait_counts(0, 0)
    first_session(p)
    t.wait_counts(1, 1)


@case("ss-cdn-and-icrq-together")
def ss_cdn_icrq(t):
    """T16, E35: CDN and the next ICRQ in one burst: the ICRQ is refused, no error stays behind"""
    p = t.raw()
    tun, c = first_session(p)
    c.cdn()
    tun.icrq()
    p.wait(lambda: tun.take(STOPCCN), 1, "StopCCN")
    tun.none(ICRP, 1)
    t.wait_counts(0, 0)
    first_session(p)


@case("ss-no-latch-udp")
def ss_no_latch(t):
    """T21: over plain UDP the next SCCRQ from the same address and port is accepted at once"""
    p = t.raw()
    for _ in range(5):
        tun, c = first_session(p)
        c.cdn()
        stopped(tun, 1)
    _, c = first_session(p)
    assert c.ping() == 3
    t.wait_counts(1, 1)


@case("ss-tunnel-failure-udp")
def ss_tunnel_failure(t):
    """T22: a wrong tunnel password gets StopCCN 4; a right one afterwards gets a tunnel"""
    p = t.raw()
    for _ in range(2):
        tun = p.tunnel(host="lac-ss-secret", secret=SECRET)
        tun.sccrq()
        m = tun.expect(SCCRP)
        tun.check_sccrp(m)
        tun.scccn(m, secret="wrong")
        assert stopped(tun, 2).result[0] == 4
        t.wait_counts(0, 0)
    # no response at all
    tun = p.tunnel(host="lac-ss-secret", challenge=False)
    tun.sccrq()
    tun.expect(SCCRP)
    tun.send(3)
    assert stopped(tun, 2).result[0] == 4
    tun = p.open(host="lac-ss-secret", secret=SECRET)
    tun.call().ppp_up()
    t.wait_counts(1, 1)


@case("ss-no-data-after-end", config=never_idle(86400))
def ss_no_data(t):
    """T24: after the session nothing of it is forwarded, in either direction"""
    p = t.raw()
    tun, c = first_session(p)
    ip = c.ppp.ip
    assert c.ping(CORE_HOST) == 3
    cap = t.lab.capture(t.folder + "/core.pcap", ns=t.lab.core, dev="core0p", expr="icmp")
    c.cdn()
    stopped(tun, 1)
    c.frames.clear()
    for i in range(20):
        c.send_ppp(P_IP, icmp_echo(ip, CORE_HOST, 77, i))
    r = ping_from(t.lab.core, ip)
    assert r.sent == 5 and r.received == 0, r
    p.quiet(0.5)
    cap.stop()
    assert not cap.tshark("-Y", f"icmp.type == 8 && ip.src == {ip}"), "forwarded upstream"
    assert not c.ip_frames(), "forwarded downstream"
