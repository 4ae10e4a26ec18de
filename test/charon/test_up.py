# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""SAs come up, or do not."""
import os
import time

from cases import (BUSY, IP, PSK, PUBKEY, REFUSED, UNSUPPORTED, case, expect, gone, no_child_left,
                   same_sas)
from lab import sh, until


def check_requests(p, version, connection, peer_id):
    """What B's daemon was asked, in order, and what it was told of the IKE_SA."""
    spi, = p.fb.all("get-spi")
    expect((spi["src"], spi["dst"]) == (IP["A"], IP["B"]), "get-spi has other addresses")
    adds = p.fb.all("add-sa")
    expect([m["inbound"] for m in adds] == ["1", "0"], "not one SA in, one out")
    expect(adds[0].spi == "cb000001" and adds[0]["update"] == "1",
           "the inbound SPI is not the daemon's")
    expect(adds[1].spi == "ca000001" and adds[1]["update"] == "0",
           "the outbound SPI is not the peer's")
    up, = p.fb.all("ike-up")
    for m in (spi, *adds, up):
        for k, v in {"ike": up["ike"], "version": version, "auth": PSK, "connection": connection,
                     "id": peer_id}.items():
            expect(m[k] == v, f"{m['type']}: {k} is {m[k]}, not {v}")
        expect(m["ike_remote"].split(":")[0] == IP["A"], "ike_remote is not the peer")
    for m in adds:
        expect(m["local_ts"] == f"{IP['B']}-{IP['B']}/17/1701-1701", "local_ts is not ours")
        expect(m["remote_ts"] == f"{IP['A']}-{IP['A']}/17/1701-1701", "remote_ts is not the peer's")
        expect((m["tunnel"], m["encap"], m["esn"], m["resync"]) == ("0", "0", "0", "0"), "flags")
        expect(m["hard"] == "3600", f"hard lifetime {m['hard']}")
        # rekey_time = 0 there: charon would hand down a negative time.
        expect(m["soft"] == "0", f"soft lifetime {m['soft']}")
    a = p.fa.all("add-sa", inbound=1)[0]
    expect(0 < int(a["soft"]) < int(a["hard"]), f"soft {a['soft']}, hard {a['hard']} at A")


@case("v1-up")
def v1_up(p):
    """IKEv1: the daemon's SPIs, equal keys, IKE_SA known at each request"""
    p.up(1)
    same_sas(p)
    check_requests(p, "1", "road", IP["A"])
    expect(p.fb.all("add-sa")[0]["enc_len"] == "16", "not AES-128")


@case("v2-up")
def v2_up(p):
    """IKEv2 with AES-GCM and ECP in IKE: the daemon's SPIs, equal keys, IKE_SA known"""
    p.up(2)
    same_sas(p)
    check_requests(p, "2", "road", "lacclient")
    first = p.fa.all("get-spi")[0]
    expect(first["auth"] == "0", "A knows its peer's authentication before it happened")
    m = p.fb.all("add-sa")[0]
    expect((m["enc"], m["enc_len"], m["int_len"]) == ("20", "36", "0"), "not AES-256-GCM")


@case("v1-3des", v1_ike="3des-sha1-modp1024", v1_esp="3des-sha1")
def v1_3des(p):
    """IKEv1 with what old clients offer: 3DES, SHA-1, MODP-1024"""
    p.up(1)
    same_sas(p)
    m = p.fb.all("add-sa")[0]
    expect((m["enc"], m["enc_len"], m["int"]) == ("3", "24", "2"), "not 3DES with SHA-1")


def make_keys(p):
    for n in "AB":
        os.mkdir(os.path.join(p.folder(n), "private"))
        key = os.path.join(p.folder(n), "private", "key.pem")
        sh("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
           key)
        sh("openssl", "pkey", "-in", key, "-pubout", "-out", os.path.join(p.dir, n + ".pub"))


@case("v2-pubkey", started=False, auth="pubkey", b_peer="lacclient")
def v2_pubkey(p):
    """IKEv2 with public keys: the daemon is told so"""
    make_keys(p)
    p.values["local_extra"] = f"pubkeys = {p.dir}/A.pub"
    p.values["remote_extra"] = f"pubkeys = {p.dir}/B.pub"
    p.start()
    p.up(2)
    same_sas(p)
    for m in p.fb.all("add-sa") + p.fb.all("ike-up") + p.fa.all("add-sa"):
        expect(m["auth"] == PUBKEY, f"auth is {m['auth']} in {m['type']}")


@case("encap", encap="yes")
def encap(p):
    """UDP encapsulation: the flag and both ports"""
    for version in (1, 2):
        marks = p.fa.mark(), p.fb.mark()
        p.up(version)
        same_sas(p, marks)
        m = p.fb.all("add-sa", marks[1], inbound=1)[0]
        expect(m["encap"] == "1", "no encap")
        expect((m["src"], m["dst"]) == (f"{IP['A']}:4500", f"{IP['B']}:4500"), "ports are not 4500")


def refused(p, child, request, status):
    p.fb.tell("answer", request, status)
    mark = p.fb.mark()
    begin = time.monotonic()
    expect(not p.a.initiate(child), "it came up all the same")
    p.fb.wait(request, mark)
    p.a.wait_log("NO_PROPOSAL_CHOSEN|NO_PROP")
    expect(time.monotonic() - begin < 5, "the refusal took too long")
    no_child_left(p.a, p.b)
    p.fb.tell("answer", request, 0)
    return mark


@case("v1-refused-spi")
def v1_refused_spi(p):
    """IKEv1: the daemon gives no SPI; the peer hears NO_PROPOSAL_CHOSEN, nothing stays"""
    mark = refused(p, "one", "get-spi", REFUSED)
    p.fb.none("add-sa", mark)
    p.b.wait_log("sallyport: get-spi of SPI 00000000 failed: the daemon refuses it")
    p.up(1)


@case("v2-refused-spi")
def v2_refused_spi(p):
    """IKEv2: the daemon is busy; the peer hears NO_PROPOSAL_CHOSEN, nothing stays"""
    mark = refused(p, "two", "get-spi", BUSY)
    p.fb.none("add-sa", mark)
    p.b.wait_log("failed: the daemon is not ready")
    p.up(2)


@case("v2-refused-sa")
def v2_refused_sa(p):
    """IKEv2: the daemon refuses an SA; its SPI is given back, no SA stays"""
    mark = refused(p, "two", "add-sa", UNSUPPORTED)
    p.b.wait_log("sallyport: add-sa of SPI cb000001 failed: the daemon does not support it")
    gone(p.fb, mark, "cb000001")
    p.fb.none("del-sa", mark, inbound=0)
    p.up(2)


@case("v1-refused-sa")
def v1_refused_sa(p):
    """IKEv1: the daemon refuses an SA; its SPI is given back, no SA stays at either end"""
    p.fb.tell("answer", "add-sa", REFUSED)
    mb, ma = p.fb.mark(), p.fa.mark()
    p.a.initiate("one", 3)
    # The initiator has installed by the time the responder does: it hears a DELETE.
    p.fb.wait("add-sa", mb)
    gone(p.fb, mb, "cb000001")
    gone(p.fa, ma, "ca000001", "cb000001")
    no_child_left(p.b, p.a)


@case("ike-down-without-child")
def ike_down_without_child(p):
    """IKE_SA that never had an SA: its end is told, once"""
    refused(p, "two", "get-spi", REFUSED)
    mark = p.fb.mark()
    ike = p.fb.all("ike-up")[0]["ike"]
    p.a.swanctl("--terminate", "--ike", "v2", "--force", check=False)
    p.fb.wait("ike-down", mark, ike=ike)
    until("end of the IKE_SA", lambda: "road" not in p.b.sas())
    time.sleep(0.2)
    expect(len(p.fb.all("ike-down", mark)) == 1, "told more than once")


@case("ike-down-without-up", b_secret="another")
def ike_down_without_up(p):
    """IKE_SA that asked for an SPI and never came up: its end is told, the SPI given back"""
    mark = p.fa.mark()
    expect(not p.a.initiate("two"), "it came up with another secret")
    spi = p.fa.wait("get-spi", mark)
    p.fa.wait("ike-down", mark, ike=spi["ike"])
    gone(p.fa, mark, "ca000001")
    p.fa.none("ike-up", mark)
    p.fa.none("add-sa", mark)
    # The other end never asked for anything, so there is nothing to tell.
    time.sleep(0.2)
    p.fb.none("ike-down")
