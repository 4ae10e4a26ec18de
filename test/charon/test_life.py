# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""SAs live, are renewed, and end; the daemon's orders."""
import time

from cases import IP, REFUSED, case, expect, gone, no_child_left, same_sas
from lab import until


@case("query")
def query(p):
    """Counters and time of use reach charon"""
    p.up(2)
    text = until("counters", lambda: (s := p.b.sas()) and "111000 bytes" in s and s)
    # used 7 s ago: the stand-in says so
    expect("111 packets" in text and "222 packets" in text, text)
    expect("7s ago" in text or "8s ago" in text, "time of use: " + text)


def soft_expire(p, version):
    """The daemon says that an SA is to be renewed; a new pair with new keys."""
    sa, sb = p.up(version)
    marks = p.fa.mark(), p.fb.mark()
    p.fb.tell("expire", sb.spi, "in", "soft", IP["B"])
    new = p.fb.wait("add-sa", marks[1], inbound=1)
    p.fb.wait("add-sa", marks[1], inbound=0)
    p.fa.wait("add-sa", marks[0], inbound=0)
    p.fa.wait("add-sa", marks[0], inbound=1)
    same_sas(p, marks)
    expect(new["ike"] == sb["ike"], "another IKE_SA")
    m = p.fb.wait("child-rekey", marks[1], ike=sb["ike"])
    expect((m["old"], m["new"]) == (sb.spi, new.spi), "child-rekey names other SPIs")
    return sa, sb, marks


@case("v2-rekey-child")
def v2_rekey_child(p):
    """IKEv2: EXPIRE soft renews the CHILD_SA; the old pair goes"""
    sa, sb, marks = soft_expire(p, 2)
    gone(p.fb, marks[1], sa.spi)
    until("end of the old inbound SA", lambda: p.fb.all("del-sa", marks[1], spi=sb.spi), 10)


@case("v1-rekey-child")
def v1_rekey_child(p):
    """IKEv1: EXPIRE soft renews the CHILD_SA; the old pair goes with EXPIRE hard"""
    sa, sb, marks = soft_expire(p, 1)
    p.fb.tell("expire", sb.spi, "in", "hard", IP["B"])
    gone(p.fb, marks[1], sa.spi, sb.spi)
    gone(p.fa, marks[0], sa.spi, sb.spi)
    expect("INSTALLED" in p.b.sas(), "the new pair has gone, too")


def ends_both(p, version, *order):
    sa, sb = p.up(version)
    marks = p.fa.mark(), p.fb.mark()
    p.fb.tell(*[{"in-spi": sb.spi, "out-spi": sa.spi}.get(w, w) for w in order])
    gone(p.fb, marks[1], sa.spi, sb.spi)
    gone(p.fa, marks[0], sa.spi, sb.spi)
    no_child_left(p.a, p.b)
    return sb, marks


@case("v1-hard-expire")
def v1_hard_expire(p):
    """IKEv1: EXPIRE hard deletes at both ends"""
    ends_both(p, 1, "expire", "in-spi", "in", "hard", IP["B"])


@case("v2-hard-expire")
def v2_hard_expire(p):
    """IKEv2: EXPIRE hard deletes at both ends; charon makes a new pair under the same IKE_SA"""
    sa, sb = p.up(2)
    marks = p.fa.mark(), p.fb.mark()
    p.fb.tell("expire", sa.spi, "out", "hard", IP["A"])
    gone(p.fb, marks[1], sa.spi, sb.spi)
    gone(p.fa, marks[0], sa.spi, sb.spi)
    new = p.fb.wait("add-sa", marks[1], inbound=1)
    expect(new["ike"] == sb["ike"], "another IKE_SA")
    p.fa.wait("add-sa", marks[0], inbound=1)
    same_sas(p, marks)


@case("v2-delete-child-out")
def v2_delete_child_out(p):
    """IKEv2: DELETE_CHILD by the outbound SPI"""
    ends_both(p, 2, "delete", "out-spi", "out", IP["A"])


@case("v1-delete-child")
def v1_delete_child(p):
    """IKEv1: DELETE_CHILD deletes at both ends"""
    ends_both(p, 1, "delete", "in-spi", "in", IP["B"])


@case("v2-delete-child")
def v2_delete_child(p):
    """IKEv2: DELETE_CHILD deletes at both ends, the IKE_SA stays"""
    sb, marks = ends_both(p, 2, "delete", "in-spi", "in", IP["B"])
    p.fb.none("ike-down", marks[1])
    expect("ESTABLISHED" in p.b.sas(), "the IKE_SA has gone")
    m = p.fb.mark()
    p.a.initiate("two")
    expect(p.fb.wait("add-sa", m)["ike"] == sb["ike"], "another IKE_SA")


def terminated(p, version, force):
    _, sb = p.up(version)
    marks = p.fa.mark(), p.fb.mark()
    p.fb.tell("terminate", sb["ike"], force)
    p.fb.wait("ike-down", marks[1], ike=sb["ike"])
    p.fa.wait("ike-down", marks[0])
    gone(p.fb, marks[1], sb.spi)
    gone(p.fa, marks[0], sb.spi)
    until("end of the IKE_SA", lambda: "road" not in p.b.sas())
    time.sleep(0.2)
    expect(len(p.fb.all("ike-down", marks[1])) == 1, "ike-down came more than once")


@case("v1-terminate")
def v1_terminate(p):
    """IKEv1: TERMINATE_IKE, forced: ends at both ends"""
    terminated(p, 1, 1)


@case("v2-terminate")
def v2_terminate(p):
    """IKEv2: TERMINATE_IKE: ends at both ends"""
    terminated(p, 2, 0)


@case("v2-terminate-forced-dead-peer")
def v2_terminate_dead_peer(p):
    """IKEv2: TERMINATE_IKE, forced, does not wait for a peer that is gone"""
    _, sb = p.up(2)
    p.a.stop(9)
    mark = p.fb.mark()
    p.fb.tell("terminate", sb["ike"], 1)
    gone(p.fb, mark, sb.spi)
    told, went = p.fb.wait("order", mark), p.fb.wait("del-sa", mark, spi=sb.spi)
    expect(float(went["at"]) - float(told["at"]) < 0.5, "it waited for the peer")
    p.a = None


@case("terminate-unknown")
def terminate_unknown(p):
    """Orders about what is not there do nothing"""
    p.up(2)
    mark = p.fb.mark()
    p.fb.tell("terminate", 4711, 1)
    p.fb.tell("delete", "c0ffee00", "in", IP["B"])
    p.fb.tell("expire", "c0ffee00", "in", "hard", IP["B"])
    p.fb.tell("mapping", "c0ffee00", IP["B"], 4500, IP["A"], 4501)
    p.b.wait_log("ID 4711 not found")
    time.sleep(0.2)
    p.fb.none("del-sa", mark)
    p.fb.none("link-lost", mark)
    expect("INSTALLED" in p.b.sas(), "the CHILD_SA has gone")


@case("v2-rekey-ike")
def v2_rekey_ike(p):
    """IKEv2: the IKE_SA's renewal is told; SAs, requests and its end have the new id"""
    _, sb = p.up(2)
    mark = p.fb.mark()
    p.a.swanctl("--rekey", "--ike", "v2")
    m = p.fb.wait("ike-rekey", mark, ike=sb["ike"])
    expect(m["new"] not in ("0", sb["ike"]), f"new id {m['new']}")
    p.fa.wait("ike-rekey")
    until("one IKE_SA", lambda: p.b.sas().count("road: ") == 1)
    time.sleep(0.2)
    p.fb.none("ike-down", mark)
    p.fb.none("del-sa", mark)
    p.fb.tell("expire", sb.spi, "in", "soft", IP["B"])
    new = p.fb.wait("add-sa", mark, inbound=1)
    expect((new["ike"], new["auth"], new["id"]) == (m["new"], "1", "lacclient"), "renewed IKE_SA")
    p.fb.tell("terminate", m["new"], 1)
    p.fb.wait("ike-down", mark, ike=m["new"])
    p.fb.none("ike-down", mark, ike=sb["ike"])


@case("v1-reauth")
def v1_reauth(p):
    """IKEv1: a new main mode adopts the children; both ends are told, before the old one ends, until they listen"""
    sa, sb = p.up(1)
    marks = p.fa.mark(), p.fb.mark()
    p.a.swanctl("--rekey", "--ike", "v1")
    up = p.fb.wait("ike-up", marks[1])
    m = p.fb.wait("children-migrate", marks[1])
    expect((m["ike"], m["new"], m["spis"]) == (sb["ike"], up["ike"], sb.spi),
           f"B: {dict(m)}")
    m = p.fa.wait("children-migrate", marks[0])
    expect((m["ike"], m["spis"]) == (sa["ike"], sa.spi), f"A: {dict(m)}")
    p.fb.wait("ike-down", marks[1], timeout=15, ike=sb["ike"])
    p.fb.none("del-sa", marks[1])
    mark = p.fb.mark()
    p.fb.tell("drop")
    replayed = p.fb.wait("add-sa", mark, resync=1)
    expect(replayed["ike"] == up["ike"], "the SA is not the new IKE_SA's")
    p.fb.wait("sync-end", mark, n=2)
    kinds = [m["type"] for m in p.fb.seen[mark:] if m["type"] in ("hello", "children-migrate", "add-sa")]
    expect(kinds == ["hello", "children-migrate", "add-sa", "add-sa"], f"no answer had shown it: {kinds}")
    p.fb.tell("terminate", up["ike"], 1)
    p.fb.wait("ike-down", marks[1], ike=up["ike"])
    gone(p.fb, marks[1], sa.spi, sb.spi)


@case("mapping", encap="yes")
def mapping(p):
    """MAPPING: the peer's NAT has moved; both SAs get the new address, and are deleted by it"""
    sa, sb = p.up(2)
    mark = p.fb.mark()
    p.fb.tell("mapping", sb.spi, IP["B"], 4500, IP["A"], 4777)
    m = p.fb.wait("update-sa", mark, inbound=1)
    expect((m.spi, m["encap"], m["src"], m["new_src"], m["new_dst"])
           == (sb.spi, "1", f"{IP['A']}:4500", f"{IP['A']}:4777", f"{IP['B']}:4500"), str(dict(m)))
    m = p.fb.wait("update-sa", mark, inbound=0)
    expect((m.spi, m["dst"], m["new_dst"]) == (sa.spi, f"{IP['A']}:4500", f"{IP['A']}:4777"),
           str(dict(m)))
    # What is replayed has the new port.
    p.fb.tell("drop")
    again = p.fb.wait("add-sa", mark, resync=1, inbound=1)
    expect(again["src"] == f"{IP['A']}:4777", "replayed with the old port")
    expect(again["ike_remote"] == f"{IP['A']}:4777", "replayed with the old port of IKE")
    p.fb.wait("sync-end", mark, n=2)
    p.fb.tell("terminate", sb["ike"], 1)
    gone(p.fb, mark, sa.spi, sb.spi)


@case("mapping-other-address", encap="yes")
def mapping_other_address(p):
    """MAPPING to another address: the outbound SA is found by it afterwards"""
    sa, sb = p.up(2)
    mark = p.fb.mark()
    p.fb.tell("mapping", sb.spi, IP["B"], 4500, "10.91.0.77", 4777)
    m = p.fb.wait("update-sa", mark, inbound=0)
    expect(m["new_dst"] == "10.91.0.77:4777", str(dict(m)))
    p.fb.wait("update-sa", mark, inbound=1)
    p.fb.tell("drop")
    p.fb.wait("sync-end", mark, n=2)
    for m in p.fb.all("add-sa", mark, resync=1):
        expect(m["remote_ts"] == "10.91.0.77-10.91.0.77/17/1701-1701", "the selector stayed")
        expect(m["local_ts"] == f"{IP['B']}-{IP['B']}/17/1701-1701", "our selector moved")
    p.fb.tell("terminate", sb["ike"], 1)
    p.fb.wait("del-sa", mark, spi=sa.spi, inbound=0, dst="10.91.0.77")
    gone(p.fb, mark, sb.spi)


@case("mapping-refused", encap="yes")
def mapping_refused(p):
    """The daemon refuses an update: the SA is deleted by its new address all the same"""
    sa, sb = p.up(2)
    mark = p.fb.mark()
    p.fb.tell("answer", "update-sa", REFUSED)
    p.fb.tell("mapping", sb.spi, IP["B"], 4500, "10.91.0.77", 4777)
    p.fb.wait("update-sa", mark, inbound=0)
    p.b.wait_log("sallyport: update-sa of SPI .* failed: the daemon refuses it")
    p.fb.tell("terminate", sb["ike"], 1)
    p.fb.wait("del-sa", mark, spi=sa.spi, inbound=0, dst="10.91.0.77")
    gone(p.fb, mark, sb.spi)


@case("five-children", children=5)
def five_children(p):
    """Five CHILD_SAs of one IKE_SA: all named to be its, replayed, and ended with it"""
    p.up(2)
    for i in range(5):
        expect(p.a.initiate(f"more{i}"), f"child {i} did not come up")
    until("twelve SAs", lambda: len(p.fb.all("add-sa")) == 12)
    adds = p.fb.all("add-sa")
    expect(len(adds) == 12 and len({m.spi for m in adds}) == 12, f"{len(adds)} SAs")
    expect(len({m["ike"] for m in adds}) == 1, "not all of one IKE_SA")
    ports = {m["remote_ts"].split("/")[2] for m in adds}
    expect(ports == {"1701-1701"} | {f"1000{i}-1000{i}" for i in range(5)}, str(ports))
    mark = p.fb.mark()
    p.fb.tell("drop")
    p.fb.wait("sync-end", mark, n=12)
    expect({m.spi for m in p.fb.all("add-sa", mark)} == {m.spi for m in adds}, "other SAs")
    p.fb.tell("terminate", adds[0]["ike"], 1)
    gone(p.fb, mark, *(m.spi for m in adds))
    p.fb.wait("ike-down", mark, ike=adds[0]["ike"])


@case("v1-reauth-children", children=3)
def v1_reauth_children(p):
    """IKEv1: the adopted children are all named, in one message"""
    p.up(1)
    for i in range(3):
        expect(p.a.initiate(f"more1{i}"), f"child {i} did not come up")
    # The one who dials is ready with its last message, the other one when that has come.
    until("four inbound SAs", lambda: len(p.fb.all("add-sa", inbound=1)) == 4)
    spis = {m.spi for m in p.fb.all("add-sa", inbound=1)}
    mark = p.fb.mark()
    p.a.swanctl("--rekey", "--ike", "v1")
    m = p.fb.wait("children-migrate", mark)
    expect(set(m["spis"].split(",")) == spis, f"{m['spis']}, not {spis}")
