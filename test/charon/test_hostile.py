# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""A peer that keeps the IKE_SAs that it has renewed: one authentication gives one line of IKE_SAs, and only the last
one of it gets SAs (single-shot.md, E1). charon itself takes no request over a renewed one but for its end; an answer
over it is another matter. The cases ask what the daemon is asked for, and not who has refused."""
import re
import time

from cases import IP, case, expect
from lab import until
from raw_ike import CREATE_CHILD_SA, FIRST_SPI, NO_ADDITIONAL_SAS, NO_PROPOSAL_CHOSEN, Peer, notify

# Most refusals are silence. What comes later is not missed: works() sees what the daemon was asked for.
SILENCE_S = 0.5


def listed(p):
    """charon's IKE_SAs: ids and states."""
    return dict(re.findall(r"road: #(\d+), (\w+), IKEv2", p.b.sas()))


def established(p):
    return [number for number, state in listed(p).items() if state == "ESTABLISHED"]


def has_up(p):
    """The id of the IKE_SA that a peer has just authenticated for."""
    return p.fb.wait("ike-up")["ike"]


def renewed(p, sa, old):
    """sa's successor, and its id."""
    mark = p.fb.mark()
    new = sa.rekey()
    expect(new is not None, "the first renewal was refused")
    return new, p.fb.wait("ike-rekey", mark, ike=old)["new"]


def no_child(sa, port):
    """None is had over sa, now and a moment later."""
    for _ in range(2):
        m = sa.child(port, SILENCE_S)
        expect(m is None or m.spi is None, "a CHILD_SA was had over an IKE_SA that must get none")
        time.sleep(SILENCE_S)


def powerless(sa, port):
    """Nothing comes of sa."""
    no_child(sa, port)
    expect(sa.rekey(SILENCE_S) is None, "an IKE_SA was renewed that must not be")


def works(p, sa, number, since, port):
    """A CHILD_SA over sa is had, under its id; since the mark the daemon was asked for nothing else."""
    m = sa.child(port)
    expect(m is not None and m.spi is not None, f"no CHILD_SA over the good IKE_SA: {m}")
    for inbound in (1, 0):
        p.fb.wait("add-sa", since, inbound=inbound, ike=number)
    asked = [(m["type"], m["ike"]) for m in p.fb.seen[since:] if m["type"] in ("get-spi", "add-sa")]
    expect(asked == [("get-spi", number), ("add-sa", number), ("add-sa", number)], f"the daemon was asked: {asked}")
    expect(established(p) == [number], f"established are {listed(p)}, not {number} alone")


@case("stolen-spi")
def stolen_spi(p):
    """A peer behind the same NAT chooses the SPI of another's SA: it gets none, and the other one keeps its own"""
    spi = FIRST_SPI.hex()
    with Peer(p.lab.ns["A"]) as victim, Peer(p.lab.ns["A"]) as thief:
        a, m = victim.establish()
        expect(m.spi is not None, f"no CHILD_SA with the IKE_SA: {m.notifies}")
        mark = p.fb.mark()
        b, m = thief.establish()
        expect(m.spi is None, "two peers have an SA of one name")
        given = p.fb.wait("get-spi", mark)
        p.fb.wait("del-sa", mark, inbound=1)  # what was given out for it
        expect(b.delete() is not None, "the thief does not end")
        p.fb.wait("ike-down", mark, ike=given["ike"])
        p.fb.none("del-sa", mark, spi=spi)
        p.fb.none("add-sa", mark, spi=spi)
        expect(a.delete() is not None, "the victim does not end")
        p.fb.wait("del-sa", mark, spi=spi)  # by its owner


@case("raw-peer")
def raw_peer(p):
    """The raw peer is one that charon takes: CHILD_SAs, the renewal and the end of an IKE_SA"""
    with Peer(p.lab.ns["A"]) as peer:
        a, m = peer.establish()
        expect(m.spi is not None, f"no CHILD_SA with the IKE_SA: {m.notifies}")
        old = p.fb.wait("add-sa", inbound=1)
        expect((old["id"], old["auth"], old.spi) == ("raw", "1", m.spi.hex()), str(dict(old)))
        b, number = renewed(p, a, old["ike"])
        expect(a.delete() is not None, "the old IKE_SA does not end")
        mark = p.fb.mark()
        works(p, b, number, mark, 10001)
        expect(b.delete() is not None, "the new IKE_SA does not end")
        p.fb.wait("ike-down", mark, ike=number)
        until("end of the IKE_SAs", lambda: not listed(p))


def old_ike_sa_child(p, child):
    with Peer(p.lab.ns["A"]) as peer:
        a, _ = peer.establish(child=child)
        b, number = renewed(p, a, has_up(p))
        mark = p.fb.mark()
        no_child(a, 10001)
        works(p, b, number, mark, 10002)
        # Nor when its successor has ended.
        mark = p.fb.mark()
        b.delete()
        p.fb.wait("ike-down", mark, ike=number)
        no_child(a, 10003)
        p.fb.none("get-spi", mark)


@case("old-ike-sa-child")
def old_ike_sa_with_child(p):
    """A peer wants a CHILD_SA over an IKE_SA that it has renewed: nothing is asked for it"""
    old_ike_sa_child(p, True)


@case("old-ike-sa-child-childless")
def old_ike_sa_childless(p):
    """The same of an IKE_SA that never had one"""
    old_ike_sa_child(p, False)


@case("old-ike-sa-renewed-again")
def old_ike_sa_renewed_again(p):
    """A peer renews an IKE_SA twice: the second renewal gives nothing that lives, the first one works"""
    with Peer(p.lab.ns["A"]) as peer:
        a, _ = peer.establish()
        b, number = renewed(p, a, has_up(p))
        mark = p.fb.mark()
        c = a.rekey(SILENCE_S)
        if c is not None:
            no_child(c, 10001)
        until("end of the second line", lambda: established(p) == [number])
        works(p, b, number, mark, 10003)
        p.fb.none("ike-rekey", mark)
        p.fb.none("ike-down", mark)


@case("old-ike-sa-renewed-at-once")
def old_ike_sa_renewed_at_once(p):
    """The same with both renewals and a CHILD_SA sent before any is answered, and then a third one"""
    with Peer(p.lab.ns["A"]) as peer:
        a, _ = peer.establish()
        old = has_up(p)
        mark = p.fb.mark()
        first, second, child = a.begin_rekey(), a.begin_rekey(), a.begin_child(10001)
        b = a.end_rekey(first)
        expect(b is not None, "the first renewal was refused")
        c = a.end_rekey(second, SILENCE_S)
        d = c.rekey(SILENCE_S) if c is not None else None
        number = p.fb.wait("ike-rekey", mark, ike=old)["new"]
        m = a.answer(child, SILENCE_S)
        expect(m is None or m.spi is None, "a CHILD_SA was had")
        for sa in (d, c):
            if sa is not None:
                no_child(sa, 10002)
        until("end of the second line", lambda: established(p) == [number])
        works(p, b, number, mark, 10003)
        expect(len(p.fb.all("ike-rekey", mark)) == 1, "another renewal was told")


# Of two exchanges that cross, what comes of the one with the lowest nonce is redundant.
LOW, HIGH = bytes(8), b"\xff" * 8


# ---- charon's renewal of a CHILD_SA is answered when its IKE_SA is not the last one any more ----

def late_child(p, end_old, nonce):
    """end_old is what lets charon agree to renew an IKE_SA whose CHILD_SA it is renewing."""
    with Peer(p.lab.ns["A"]) as peer:
        a, _ = peer.establish()
        old = has_up(p)
        p.fb.tell("expire", p.fb.wait("add-sa", inbound=1).spi, "in", "soft", IP["B"])
        request = a.wait_request(CREATE_CHILD_SA)
        expect(end_old(a) is not None, "the old CHILD_SA did not end")
        b, number = renewed(p, a, old)
        mark = p.fb.mark()
        a.accept_child(request, nonce)
        spi = request.spi.hex()
        until("use or end of the SPI", lambda: p.fb.all("add-sa", mark, spi=spi) or p.fb.all("del-sa", mark, spi=spi))
        p.fb.none("add-sa", mark)
        works(p, b, number, mark, 10001)


def renew_child(a):
    return a.answer(a.begin_child(1701, FIRST_SPI, LOW))


@case("late-child-renewal-ours")
def late_child_ours(p):
    """A CHILD_SA's renewals cross, the IKE_SA is renewed, then charon's is answered: no SA of the old IKE_SA"""
    late_child(p, renew_child, HIGH)


@case("late-child-renewal-peers")
def late_child_peers(p):
    """The same, and the peer's renewal of the CHILD_SA counts"""
    late_child(p, renew_child, LOW)


@case("late-child-renewal-deleted")
def late_child_deleted(p):
    """The same, and the peer has deleted the CHILD_SA instead"""
    late_child(p, lambda a: a.delete(FIRST_SPI), HIGH)


# ---- renewals of an IKE_SA by both sides cross ----


def crossing(p, peer, nonce):
    """charon's renewal is not answered yet, the peer's is: the IKE_SA, its id, charon's request, the peer's result."""
    a, _ = peer.establish()
    old = has_up(p)
    mark = p.fb.mark()
    p.b.swanctl("--rekey", "--ike-id", old)
    request = a.wait_request(CREATE_CHILD_SA)
    m = a.child(10000)
    expect(m is not None and m.spi is None, "a CHILD_SA was had during the renewal")
    c = a.end_rekey(a.begin_rekey(nonce))
    expect(c is not None, "the peer's renewal was refused")
    p.fb.none("get-spi", mark)
    return a, old, request, c


def one_left(p, old, good, others, port, since):
    number = p.fb.wait("ike-rekey", since, ike=old)["new"]
    for sa in others:
        powerless(sa, port)
    works(p, good, number, since, port + 1)
    expect(len(p.fb.all("ike-rekey", since)) == 1, "two renewals were told")


@case("renewal-collision-ours")
def renewal_collision_ours(p):
    """Renewals of both sides cross, and charon's counts: the peer's IKE_SA has no powers"""
    with Peer(p.lab.ns["A"]) as peer:
        a, old, request, c = crossing(p, peer, LOW)
        mark = p.fb.mark()
        b = a.accept_rekey(request, HIGH)
        one_left(p, old, b, (a, c), 10001, mark)


@case("renewal-collision-peers")
def renewal_collision_peers(p):
    """The same, and the peer's counts: charon's IKE_SA has no powers"""
    with Peer(p.lab.ns["A"]) as peer:
        a, old, request, c = crossing(p, peer, HIGH)
        mark = p.fb.mark()
        b = a.accept_rekey(request, LOW)
        one_left(p, old, c, (a, b), 10001, mark)


@case("renewal-collision-refused")
def renewal_collision_refused(p):
    """The same, and the peer refuses charon's when its own is answered: its own counts"""
    with Peer(p.lab.ns["A"]) as peer:
        a, old, request, c = crossing(p, peer, HIGH)
        mark = p.fb.mark()
        a.reply(request, [notify(NO_PROPOSAL_CHOSEN)])
        one_left(p, old, c, (a,), 10001, mark)


@case("renewal-collision-unsupported")
def renewal_collision_unsupported(p):
    """The same, and the peer says that it cannot renew: charon ends the IKE_SA, and nothing comes of the peer's"""
    with Peer(p.lab.ns["A"]) as peer:
        a, _, request, c = crossing(p, peer, HIGH)
        mark = p.fb.mark()
        a.reply(request, [notify(NO_ADDITIONAL_SAS)])
        powerless(c, 10001)
        powerless(a, 10002)
        until("end of the IKE_SAs", lambda: not established(p))
        for kind in ("get-spi", "ike-rekey"):
            p.fb.none(kind, mark)
