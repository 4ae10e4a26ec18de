# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Clients, the appliance and wires go away without a word; everything comes back by itself."""
from daemon import settle
from harness import case
from lab import POOL_LOCAL, wait_until

# Short enough that a dead peer is found out within seconds: a Hello after 2 s, then 1 + 2 s.
QUICK = {"l2tp": {"hello-interval": 2, "retransmission-established": 2, "destruct-timeout": 10},
         "interface-profiles": {"echo-interval": 2, "echo-failures": 2}}
ECHO = ("lcp-echo-interval 1", "lcp-echo-failure 3")


def rounds(t):
    return 50 if t.long else 5


@case("kill-client", config=QUICK)
def kill_client(t):
    """xl2tpd and pppd are killed and started again: 5 rounds; the old tunnels are found out"""
    for i in range(rounds(t)):
        g = t.client()
        g.up()
        t.pings(g, sizes=(56,), count=2)
        g.l2tp_stop("KILL")
    t.wait_counts(0, 0, timeout=20)


@case("power-cut", config=QUICK)
def power_cut(t):
    """the whole client machine goes and comes back"""
    for i in range(10 if t.long else 2):
        g = t.client(i=1)
        g.up()
        t.pings(g, sizes=(56,), count=2)
        g.kill()
    t.wait_counts(0, 0, timeout=20)


@case("kill-appliance", config=QUICK)
def kill_appliance(t):
    """the daemon is killed and started again: 5 rounds; clients dial in again"""
    for i in range(rounds(t)):
        g = t.client(redial=True, options=ECHO)
        g.up()
        t.pings(g, sizes=(56,), count=2)
        t.daemon.kill()
        t.new_daemon().start()
        # The client finds out by its LCP echoes; xl2tpd's own retries would take half a minute.
        assert g.wait_down(timeout=20), g.l2tp_logs()
        g.l2tp_stop("KILL")
    g = t.client()
    g.up()
    t.pings(g)


@case("redial-after-crash", config=QUICK)
def redial_after_crash(t):
    """after a crash of the daemon a client with redial comes back without help"""
    g = t.client(redial=True, options=ECHO)
    g.up()
    t.daemon.kill()
    t.new_daemon().start()
    assert g.wait_down(timeout=20), g.l2tp_logs()
    assert g.wait_up(timeout=70), g.l2tp_logs()
    t.pings(g)


@case("cut-link", config=QUICK)
def cut_link(t):
    """the wire is cut until both sides notice, and mended: 5 rounds"""
    for i in range(rounds(t)):
        g = t.client(options=ECHO)
        g.up()
        t.pings(g, sizes=(56,), count=2)
        g.link(False)
        t.wait_counts(0, 0, timeout=20)
        assert g.wait_down(timeout=20), g.l2tp_logs()
        g.link(True)
        g.l2tp_stop("KILL")
    g = t.client()
    g.up()
    t.pings(g)


@case("short-cut")
def short_cut(t):
    """a cut of three seconds costs packets, not the session"""
    g = t.client()
    g.up()
    ip = g.ppp_ip()
    for i in range(rounds(t) // 5 + 1):
        g.link(False)
        settle(3)
        g.link(True)
        assert wait_until(lambda: g.ping(POOL_LOCAL, count=1).ok, 10), g.l2tp_logs()
        t.pings(g, sizes=(56,), count=3)
    assert g.ppp_ip() == ip
    t.wait_counts(1, 1)
