# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Edge cases of single-shot and standard tunnels over plain UDP; T and E are LEDGER.md's."""
import re
import time

from daemon import settle
from harness import USERS, case
from lab import POOL_LOCAL, wait_until
from rawclient import (A_HOST, A_RESULT, A_TUNNEL_ID, CDN, HELLO, NoAnswer, SCCRP, STOPCCN)
from test_single_shot import first_session, stopped


@case("ss-duplicate-sccrq")
def ss_duplicate_sccrq(t):
    """E9: a repeated SCCRQ, before and after the SCCRP, is the same tunnel"""
    p = t.raw()
    tun = p.tunnel(host="lac-ss")
    tun.sccrq()
    tun.resend()
    m = tun.expect(SCCRP)
    tun.resend()
    p.quiet(0.3)
    tun.scccn(m)
    tun.wait_ack()
    tun.resend(tun.sent[0])
    p.quiet(0.3)
    assert not p.others, p.others
    c = tun.call()
    c.ppp_up()
    assert c.ping() == 3
    t.wait_counts(1, 1)


@case("ss-lost-sccrp")
def ss_lost_sccrp(t):
    """E9: the SCCRP is sent again while nobody acknowledges it; the tunnel comes up late"""
    p = t.raw()
    tun = p.tunnel(host="lac-ss")
    tun.auto_ack = False
    tun.sccrq()
    m = tun.expect(SCCRP)
    p.wait(lambda: tun.duplicates >= 2, 5, "the SCCRP after 1 s, and after 2 s more")
    tun.resend()
    tun.auto_ack = True
    tun.scccn(m)
    tun.wait_ack()
    c = tun.call()
    c.ppp_up()
    t.wait_counts(1, 1)


@case("ss-duplicate-icrq")
def ss_duplicate_icrq(t):
    """E10: a repeated ICRQ is the same call, no second one"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    c = tun.icrq()
    tun.resend()
    c.icrp()
    tun.resend()
    p.quiet(0.3)
    assert not tun.take(CDN)
    c.iccn()
    tun.resend()
    tun.resend(c.icrq)
    c.ppp_up()
    assert c.ping() == 3
    tun.none(CDN, 0.5)
    t.wait_counts(1, 1)


@case("ss-first-session-timeout", config={"l2tp": {"first-session-timeout": 10}})
def ss_first_session_timeout(t):
    """E13: a single-shot tunnel without a call ends after first-session-timeout"""
    p = t.raw()
    t0 = time.monotonic()
    tun = p.open(host="lac-ss")
    stopped(tun, 11, not_before=9, since=t0)
    t.wait_counts(0, 0)
    first_session(p)


@case("ss-iccn-never", config={"l2tp": {"tunnel-idle-timeout": 86400}})
def ss_iccn_never(t):
    """E13: a call that never connects does not hold a single-shot tunnel for ever"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    tun.icrq().icrp()
    stopped(tun, 65)
    t.wait_counts(0, 0)


def without_default(config):
    hosts = config["destination-profiles"][0]["hosts"]
    hosts[:] = [h for h in hosts if h["name"] != "default"]


@case("unknown-host", config=without_default)
def unknown_host(t):
    """E14: an unknown host name is refused with StopCCN 4 and makes no tunnel"""
    p = t.raw()
    tun = p.tunnel(host="nobody")
    tun.sccrq()
    m = stopped(tun, 2)
    assert m.result[0] == 4, m.result
    assert m.u16(A_TUNNEL_ID) is not None
    t.wait_counts(0, 0)
    first_session(p)


def refused(t, what):
    """The appliance's count: silence alone could be that of a request that never came."""
    text = t.console("show l2tp detail")
    m = re.search(rf"^ *{what} +(\d+)", text, re.M)
    assert m, text
    return int(m[1])


@case("no-profile", config={"destination-profiles": {"address": "192.0.2.250"}})
def no_profile(t):
    """E14: a peer of no destination profile gets no state"""
    p = t.raw()
    tun = p.tunnel(host="lac-ss")
    tun.sccrq()
    try:
        assert tun.expect(STOPCCN, 2).result[0] in (2, 4)
    except NoAnswer:
        pass
    assert not tun.take(SCCRP)
    assert wait_until(lambda: refused(t, "Requests without a profile") == 1, 5)
    t.wait_counts(0, 0)


@case("ipsec-only-host")
def ipsec_only(t):
    """E15: plain UDP to a host with enable ipsec-transport is refused without a tunnel"""
    p = t.raw()
    tun = p.tunnel(host="lac-ipsec")
    tun.sccrq()
    try:
        tun.expect(STOPCCN, 2)
    except NoAnswer:
        pass
    assert not tun.take(SCCRP)
    assert wait_until(lambda: refused(t, "Requests without required IPsec") == 1, 5)
    t.wait_counts(0, 0)
    first_session(p)  # no latch: other hosts are served


@case("ss-wrong-password-pap")
def ss_wrong_pap(t):
    """E25: one wrong PAP password ends session and tunnel; a second guess is not heard"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    c = tun.call()
    ppp = c.ppp_up(password="wrong", method="pap", wait=False)
    p.wait(lambda: ppp.auth_ok is False, 5, "Authenticate-Nak")
    ppp.pap(password="pass1")
    stopped(tun, 3)
    assert ppp.auth_answers == 1 and not ppp.network, ppp
    t.wait_counts(0, 0)
    # over plain UDP a new tunnel gets a new guess
    first_session(p)


@case("ss-wrong-password-chap")
def ss_wrong_chap(t):
    """E25: one wrong CHAP response ends it; no second challenge comes"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    c = tun.call()
    ppp = c.ppp_up(password="wrong", wait=False)
    stopped(tun, 5)
    assert ppp.auth_ok is False and len(ppp.challenges) == 1 and ppp.auth_answers == 1, ppp


@case("std-wrong-password")
def std_wrong_password(t):
    """T23 without IPsec: on a standard tunnel the next call may try again"""
    p = t.raw()
    tun = p.open()
    c = tun.call()
    ppp = c.ppp_up(password="wrong", wait=False)
    p.wait(lambda: ppp.auth_ok is False, 5, "CHAP Failure")
    c.cdn_in(10)
    c = tun.call()
    c.ppp_up()
    assert c.ping() == 3


@case("ss-two-answers")
def ss_two_answers(t):
    """E37: a challenge answered twice, differently, gives one verdict: the first"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    c = tun.call()
    ppp = c.ppp_up(wait=False, hold_auth=True)
    number, challenge = p.wait(lambda: ppp.challenges and ppp.challenges[0], 5, "Challenge")
    ppp.chap(number, challenge, password="wrong")
    ppp.chap(number, challenge, password="pass1")
    stopped(tun, 5)
    assert ppp.auth_ok is not True and not ppp.network, ppp
    t.wait_counts(0, 0)


@case("ss-lcp-again")
def ss_lcp_again(t):
    """E37: LCP negotiated anew after the authentication began ends a single-shot session"""
    p = t.raw()
    tun = p.open(host="lac-ss")
    c = tun.call()
    ppp = c.ppp_up(wait=False, hold_auth=True)
    p.wait(lambda: ppp.challenges, 5, "Challenge")
    ppp.magic = b"anew"  # not the old request once more
    ppp.start()
    stopped(tun, 5)
    assert len(ppp.challenges) == 1, ppp


@case("std-lcp-again")
def std_lcp_again(t):
    """a standard session may negotiate LCP anew and comes up again"""
    p = t.raw()
    c = p.open().call()
    ppp = c.ppp_up()
    assert c.ping() == 3
    c.ppp_up()
    assert c.ppp is not ppp and c.ping() == 3


@case("ss-both-stop")
def ss_both_stop(t):
    """E36: CDN and StopCCN of the peer cross our StopCCN; both are acknowledged"""
    p = t.raw()
    for _ in range(3):
        tun, c = first_session(p)
        c.cdn()
        tun.stop()
        tun.wait_ack(2)
        p.quiet(0.3)
        t.wait_counts(0, 0)
    _, c = first_session(p)
    assert c.ping() == 3


@case("ss-peer-stops")
def ss_peer_stops(t):
    """E19 without IPsec: the peer's StopCCN ends the session; repeated, it is acknowledged again"""
    p = t.raw()
    tun, _ = first_session(p)
    tun.stop()
    tun.wait_ack(2)
    tun.acked = 0
    tun.resend()
    tun.wait_ack(2)
    t.wait_counts(0, 0)
    first_session(p)


@case("ss-show")
def ss_show(t):
    """T3: show l2tp destination profile says so for single-shot hosts only"""
    text = t.console("show l2tp destination profile access")
    blocks = text.split("Remote host is ")
    assert len(blocks) == 6, text
    for b in blocks[1:]:
        name = b.split("\n")[0].strip()
        assert ("Tunnels are single-shot" in b) == ("-ss" in name), text


@case("destruct-record", config={"l2tp": {"destruct-timeout": 10}})
def destruct_record(t):
    """the record of an ended tunnel is shown for destruct-timeout, then it is gone"""
    p = t.raw()
    tun, c = first_session(p)
    c.cdn()
    stopped(tun, 1)
    p.quiet(0.3)

    def shown():
        return "lac-ss" in t.console("show l2tp tunnel detail")
    assert shown(), t.console("show l2tp tunnel detail")
    settle(6)
    assert shown()
    assert wait_until(lambda: not shown(), 6), t.console("show l2tp tunnel detail")


@case("many-sessions")
def many_sessions(t):
    """thirty sessions in one standard tunnel, each with its address; all carry data"""
    p = t.raw()
    tun = p.open(rws=32)
    calls = [tun.call() for _ in range(30)]
    for i, c in enumerate(calls):
        c.ppp_up(*USERS[i % 4])
    assert len({c.ppp.ip for c in calls}) == 30
    t.wait_counts(1, 30)
    for c in calls:
        assert c.ping(count=2) == 2
    for c in calls[::2]:
        c.cdn()
    t.wait_counts(1, 15)
    for c in calls[1::2]:
        assert c.ping(POOL_LOCAL, count=2) == 2
    tun.stop()
    t.wait_counts(0, 0)


@case("peer-hello", config={"l2tp": {"hello-interval": 1}})
def peer_hello(t):
    """a silent tunnel gets Hellos; a peer that does not answer them is given up"""
    p = t.raw()
    tun = p.open(host="raw")
    tun.expect(HELLO, 3)
    tun.send(HELLO)
    tun.wait_ack()
    t.wait_counts(1, 0)


@case("host-name-exact")
def host_name_bytes(t):
    """a host name that only begins like a configured one is not that one"""
    p = t.raw()
    for name in ("lac-ss2", "lac-s", "xlac-secret"):
        tun = p.tunnel(host=name)
        tun.sccrq()
        m = tun.expect(SCCRP)
        assert A_HOST in m.avps and A_RESULT not in m.avps
        tun.scccn(m)
        tun.wait_ack()
        a, b = tun.call(), tun.call()
        assert a.remote_id and b.remote_id
        tun.stop()
        tun.wait_ack()
