# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The edges of single-shot tunnels over real IPsec, by raw clients behind a guest's charon and
ESP; T and E numbers are those of test/LEDGER.md."""
import time

from guest import ping_from
from harness import case
from lab import CORE_HOST, wait_until
from packets import icmp_echo
from rawclient import ICRP, P_IP, SCCRP, STOPCCN
from test_ipsec import session
from test_ipsec_latch import SHORT, first_session


def fired(t, reason):
    return t.metric(f'ss_fired_total{{reason="{reason}"}}')


@case("ipsec-after-end", ipsec={}, config={"l2tp": {"tunnel-idle-timeout": 86400}})
def after_end(t):
    """T7, T16, T24: no idle wait; then the old tunnel takes no ICRQ, and nothing is forwarded"""
    g, p = t.ipsec_raw()
    tun, c = first_session(p)
    assert c.ping(CORE_HOST) == 3
    ip = c.ppp.ip
    cap = t.lab.capture(t.folder + "/core.pcap", ns=t.lab.core, dev="core0p", expr="icmp")
    tun.auto_ack = False  # its StopCCN stays unacknowledged: IPsec is there still
    c.cdn()
    tun.expect(STOPCCN, 1)
    before = t.drops("single-shot-fired")
    c.frames.clear()
    for i in range(20):
        c.send_ppp(P_IP, icmp_echo(ip, CORE_HOST, 77, i))
    r = ping_from(t.lab.core, ip)
    assert r.sent == 5 and r.received == 0, r
    p.quiet(0.5)
    cap.stop()
    assert not cap.tshark("-Y", f"icmp.type == 8 && ip.src == {ip}"), "forwarded upstream"
    assert not c.ip_frames(), "forwarded downstream"
    wait_until(lambda: t.drops("single-shot-fired") - before == 20, 5)
    assert t.drops("single-shot-fired") - before == 20, t.drops("single-shot-fired") - before
    tun.icrq()  # it acknowledges the StopCCN, so that IPsec goes
    tun.none(ICRP, 1)
    assert t.guesses() == (1, 1)
    t.ended(g, time.monotonic(), 3)


@case("ipsec-std-two-tunnels", ipsec={}, config=SHORT)
def std_two_tunnels(t):
    """T13a: two standard tunnels of one connection: IPsec ends with the later one's record"""
    g, (p, q) = t.ipsec_raw(sources=(1701, 10001), up=False)
    g.ipsec_up()
    g.ipsec_up("l2tp1")
    first, _ = first_session(p, "ipsec")
    second, c = first_session(q, "ipsec")
    assert t.guesses() == (1, 2) and t.conn().tunnels == 2, t.conn()
    first.stop()
    first.wait_ack()
    q.quiet(12)  # its record goes
    assert c.ping() == 3
    assert t.metric("ipsec_disconnect_signals_total") == 0
    t0 = time.monotonic()
    second.stop()
    second.wait_ack()
    t.ended(g, t0, 13, not_before=9.0)
    assert t.metric("ipsec_disconnect_signals_total") == 1


@case("ipsec-restart-new-id", ipsec={}, config={"l2tp": {"retransmission-not-established": 2}})
def restart_new_id(t):
    """E11: a client that forgets its half-open tunnel gets no other, and is latched"""
    g, p = t.ipsec_raw()
    tun = p.tunnel(host="ipsec-ss")
    tun.auto_ack = False
    tun.sccrq()
    tun.expect(SCCRP)
    t0 = time.monotonic()
    new = p.tunnel(host="ipsec-ss")
    new.sccrq()
    assert new.expect(STOPCCN, 2).result[0] == 4
    t.ended(g, t0, 15)
    assert fired(t, "tunnel-timeout") == 1 and t.guesses() == (1, 0)
    g.ipsec_up()
    first_session(p)


@case("ipsec-first-session-timeout", ipsec={}, config={"l2tp": {"first-session-timeout": 10}})
def first_session_timeout(t):
    """E13: no call in time is a failure, and takes IPsec away"""
    g, p = t.ipsec_raw()
    t0 = time.monotonic()
    tun = p.open(host="ipsec-ss")
    m = tun.expect(STOPCCN, 12)
    assert m.at - t0 > 9
    t.ended(g, time.monotonic(), 3)
    assert fired(t, "first-session-timeout") == 1 and t.guesses() == (1, 0)


def only_single_shot(config):
    hosts = config["destination-profiles"][0]["hosts"]
    hosts[:] = [h for h in hosts if h["name"] == "ipsec-ss"]


@case("ipsec-unknown-host", ipsec={}, config=only_single_shot)
def unknown_host(t):
    """E14: an unknown Host Name, where all there is are single-shot hosts in IPsec, latches"""
    g, p = t.ipsec_raw()
    tun = p.tunnel(host="nobody")
    tun.sccrq()
    tun.expect(STOPCCN, 2)
    t.ended(g, time.monotonic(), 3)
    assert t.guesses() == (1, 0) and t.tunnels() == 0
    g.ipsec_up()
    first_session(p)


@case("ipsec-transport-decides", ipsec={})
def transport_decides(t):
    """E16: single-shot without enable-ipsec-transport: inside IPsec it latches, in the clear not"""
    g, p = t.ipsec_raw()
    tun, c = first_session(p, "lac-ss")
    assert t.conn().single_shot == "in-use", t.conn()
    c.cdn()
    tun.expect(STOPCCN, 1)
    t.ended(g, time.monotonic(), 3)
    plain = t.raw(1)
    for _ in range(2):
        tun, c = first_session(plain, "lac-ss")
        c.cdn()
        tun.expect(STOPCCN, 1)
        plain.quiet(0.3)


@case("ipsec-deaf-peer", ipsec={}, config={"l2tp": {"retransmission-established": 2}})
def deaf_peer(t):
    """E31: the peer has gone when its session is cleared: the SAs go all the same"""
    g, p = t.ipsec_raw()
    first_session(p)
    g.ipsec_kill()
    t.console("clear l2tp session all")
    t0 = time.monotonic()
    t.wait_conns(0, timeout=20)
    after = time.monotonic() - t0
    m = t.metrics()
    assert m["ipsec_sas"] == 0 and m["ipsec_disconnect_signals_total"] == 1, m["ipsec_sas"]
    t.wait_counts(0, 0)
    g.ipsec_start()
    g.ipsec_up()
    first_session(p)
    t.note(f"gone after {after:.1f} s")


@case("ipsec-stop-deaf-peer", ipsec={})
def stop_deaf_peer(t):
    """the daemon stops in good order although its peer has gone, and the next one serves it"""
    g, p = t.ipsec_raw()
    first_session(p)
    g.ipsec_kill()
    t0 = time.monotonic()
    assert t.daemon.stop() == 0
    took = time.monotonic() - t0
    t.new_daemon().start()
    assert wait_until(lambda: t.metric("ipsec_link_up") == 1, 5)
    g.ipsec_start()
    g.ipsec_up()
    first_session(p)
    t.note(f"stopped after {took:.1f} s")


@case("ipsec-null", ipsec={"esp-proposals": ["null-sha256"]})
def null(t):
    """RFC 3193 2.1: encryption NULL with authentication, where an operator wants it"""
    session(t, t.ipsec_dial(esp="null-sha256"), ["hmac(sha256)"])  # NULL has no key to be listed
