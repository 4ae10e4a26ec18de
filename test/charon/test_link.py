# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The link: a daemon that goes, comes back, is another one, is silent or hostile."""
import os
import re
import threading
import time

from cases import IP, REFUSED, case, expect, gone, no_child_left
from lab import Charon, Fake, PLUGIN, Wrong, until


@case("daemon-gone")
def daemon_gone(p):
    """No daemon: a new dial fails at once, what is up stays; with it back a dial comes up"""
    p.up(2)
    p.fb.tell("away")
    p.b.wait_log("sallyport: the link is lost")
    begin = time.monotonic()
    expect(not p.a.initiate("one"), "it came up without a daemon")
    expect(time.monotonic() - begin < 2, "it did not fail fast")
    p.b.wait_log("failed: there is no link to the daemon")
    expect(p.b.sas().count("INSTALLED") == 1, "what was up has gone")
    mark = p.fb.mark()
    p.fb.tell("back")
    p.fb.wait("sync-end", mark, timeout=2, n=2)
    p.up(1)


@case("no-daemon-at-start", started=False)
def no_daemon_at_start(p):
    """charon starts first; the daemon is found when it comes"""
    p.b = Charon(p.lab.ns["B"], p.folder("B"))
    p.b.start()
    p.b.wait_log("sallyport: no daemon at ")
    time.sleep(0.7)
    expect(p.b.log().count("sallyport: no daemon at ") == 1, "it complains at each try")
    p.fb = Fake(p.folder("B"), 0xb1, 0xcb000001)
    p.fb.wait("sync-end", timeout=2, n=0)


@case("resync")
def resync(p):
    """The same daemon is back: it gets the SAs as they were, and only those"""
    sas = p.up(1) + p.up(2)
    before = {m.spi: m for m in p.fb.all("add-sa")}
    p.fb.tell("away")
    p.b.wait_log("sallyport: the link is lost")
    # One ends meanwhile.
    p.a.swanctl("--terminate", "--ike", "v1")
    until("end of the IKEv1 SA", lambda: p.b.sas().count("INSTALLED") == 1)
    mark = p.fb.mark()
    p.fb.tell("back")
    p.fb.wait("sync-end", mark, n=2)
    first = p.fb.seen[mark:]
    kinds = [m["type"] for m in first if m["type"] not in ("order", "listening", "accepted")]
    expect(kinds == ["hello", "add-sa", "add-sa", "sync-end"], f"the replay is {kinds}")
    for m in p.fb.all("add-sa", mark):
        old = before[m.spi]
        for k, v in old.items():
            if k not in ("at", "resync"):
                expect(m[k] == v, f"{k} of SPI {m.spi}: {v} before, {m[k]} now")
        expect(m["resync"] == "1", "resync is not set")
    expect({m.spi for m in p.fb.all("add-sa", mark)} == {sas[2].spi, sas[3].spi}, "other SAs")
    p.b.sas()
    p.fb.wait("query-sa", mark)


@case("resync-refused")
def resync_refused(p):
    """The same daemon does not have an SA any more: its CHILD_SA is deleted at both ends"""
    sa, sb = p.up(2)
    marks = p.fa.mark(), p.fb.mark()
    p.fb.tell("forget")
    p.fb.tell("drop")
    p.fb.wait("sync-end", marks[1], n=0)
    gone(p.fa, marks[0], sa.spi, sb.spi)
    gone(p.fb, marks[1], sb.spi)
    no_child_left(p.a, p.b)
    expect("ESTABLISHED" in p.b.sas(), "the IKE_SA has gone, too")


@case("resync-after-ike-rekey")
def resync_after_ike_rekey(p):
    """An IKE_SA is renewed while the daemon is away: the replay has its new id"""
    _, sb = p.up(2)
    p.fb.tell("away")
    p.b.wait_log("sallyport: the link is lost")
    p.a.swanctl("--rekey", "--ike", "v2")
    p.fa.wait("ike-rekey")
    until("one IKE_SA", lambda: p.b.sas().count("road: ") == 1)
    number, = re.findall(r"road: #(\d+)", p.b.sas())
    expect(number != sb["ike"], "the id did not change")
    mark = p.fb.mark()
    p.fb.tell("back")
    p.fb.wait("sync-end", mark, n=2)
    for m in p.fb.all("add-sa", mark):
        expect(m["ike"] == number, f"replayed with IKE_SA {m['ike']}")
    told, = p.fb.all("ike-rekey", mark)
    expect((told["ike"], told["new"]) == (sb["ike"], number), f"the rekeying is told as {told}")
    kinds = [m["type"] for m in p.fb.seen[mark:] if m["type"] in ("hello", "ike-rekey", "add-sa")]
    expect(kinds == ["hello", "ike-rekey", "add-sa", "add-sa"], f"the order is {kinds}")


@case("resync-after-childless-rekey")
def resync_after_childless_rekey(p):
    """The same for an IKE_SA without a child: nothing of it is replayed, its latch has to follow it"""
    _, sb = p.up(2)
    p.a.swanctl("--terminate", "--child", "two")
    until("no child", lambda: "INSTALLED" not in p.b.sas())
    p.fb.tell("away")
    p.b.wait_log("sallyport: the link is lost")
    for i in range(2):
        p.a.swanctl("--rekey", "--ike", "v2")
        until("a renewed IKE_SA", lambda: len(p.fa.all("ike-rekey")) == i + 1)
        until("one IKE_SA", lambda: p.b.sas().count("road: ") == 1)
    number, = re.findall(r"road: #(\d+)", p.b.sas())
    mark = p.fb.mark()
    p.fb.tell("back")
    p.fb.wait("sync-end", mark, n=0)
    told = [(m["ike"], m["new"]) for m in p.fb.all("ike-rekey", mark)]
    expect(len(told) == 2 and told[0][0] == sb["ike"] and told[0][1] == told[1][0] and
           told[1][1] == number, f"the rekeyings are told as {told}")


@case("resync-after-unread-rekey")
def resync_after_unread_rekey(p):
    """A renewal that no later answer shows to be read is told again; one that is, is not"""
    _, sb = p.up(2)
    mark = p.fb.mark()
    p.a.swanctl("--rekey", "--ike", "v2")
    first = p.fb.wait("ike-rekey", mark, ike=sb["ike"])
    mark = p.fb.mark()
    p.fb.tell("drop")
    p.fb.wait("sync-end", mark, n=2)
    told, = p.fb.all("ike-rekey", mark)
    expect((told["ike"], told["new"]) == (first["ike"], first["new"]), f"told again as {told}")
    kinds = [m["type"] for m in p.fb.seen[mark:] if m["type"] in ("hello", "ike-rekey", "add-sa")]
    expect(kinds == ["hello", "ike-rekey", "add-sa", "add-sa"], f"the order is {kinds}")
    mark = p.fb.mark()
    p.fb.tell("drop")
    p.fb.wait("sync-end", mark, n=2)
    p.fb.none("ike-rekey", mark)


def long_replay(p):
    """Four children of an IKE_SA are being replayed, for four seconds; the mark before that, and the IKE_SA's id."""
    _, sb = p.up(2)
    for i in range(3):
        expect(p.a.initiate(f"more{i}"), f"child {i} did not come up")
    until("eight SAs", lambda: len(p.fb.all("add-sa")) == 8)
    mark = p.fb.mark()
    p.fb.tell("slow", 500)  # charon gives each answer a second
    p.fb.tell("drop")
    p.fb.wait("add-sa", mark)
    return mark, sb


@case("rekey-during-replay", children=3)
def rekey_during_replay(p):
    """A renewal during a long replay is told behind it, before any request"""
    mark, sb = long_replay(p)
    p.a.swanctl("--rekey", "--ike", "v2")
    told = p.fb.wait("ike-rekey", mark, timeout=10)
    expect(told["ike"] == sb["ike"], f"told as {told}")
    kinds = [m["type"] for m in p.fb.seen[mark:] if m["type"] in ("add-sa", "sync-end", "ike-rekey")]
    expect(kinds == ["add-sa"] * 8 + ["sync-end", "ike-rekey"], f"the order is {kinds}")
    mark = p.fb.mark()
    until("one IKE_SA", lambda: p.b.sas().count("road: ") == 1)
    p.fb.tell("expire", sb.spi, "in", "soft", IP["B"])
    expect(p.fb.wait("add-sa", mark, inbound=1)["ike"] == told["new"], "renewed IKE_SA")


@case("delete-during-replay", children=3)
def delete_during_replay(p):
    """CHILD_SAs that end during a long replay: IKE does not wait for that, the daemon is told behind it"""
    mark, _ = long_replay(p)
    for i in range(3):
        p.a.swanctl("--terminate", "--child", f"more{i}")
    until("one child", lambda: p.b.sas().count("INSTALLED") == 1)
    p.fb.none("sync-end", mark)
    p.fb.wait("sync-end", mark, timeout=10)
    told = {m.spi for m in p.fb.all("add-sa", mark)}
    until("two SAs left", lambda: len(told - {m.spi for m in p.fb.all("del-sa", mark)}) == 2)
    kinds = [m["type"] for m in p.fb.seen[mark:] if m["type"] in ("sync-end", "del-sa")]
    expect(kinds == ["sync-end"] + ["del-sa"] * 6, f"the order is {kinds}")


def renewed_in_purge(p, i):
    """True when the daemon, another one now, was there before the renewal that was under way was over. charon looks
    for it each 300 ms: i shifts the renewal, by 20 ms each."""
    _, sb = p.up(2)
    mark = p.fb.mark()
    lost = p.b.log().count("sallyport: the link is lost") + 1
    p.fb.tell("away")
    until("end of the link", lambda: p.b.log().count("sallyport: the link is lost") == lost)
    time.sleep(i * 0.02)
    begin = len(p.b.log())
    p.b.swanctl("--rekey", "--ike-id", sb["ike"])
    # The answer is there, and a thread is busy with the Diffie-Hellman of modp8192, for a tenth of a second or more.
    until("answer to the rekeying", lambda: "parsed CREATE_CHILD_SA response" in p.b.log()[begin:], 20)
    p.fb.tell("back", f"b{i + 2}")
    p.fb.wait("sync-end", mark, n=0, timeout=10)
    expect("road:" not in p.b.sas(), "the renewed IKE_SA is there still")
    log = p.b.log()[begin:]
    return log.index("sallyport: connected to") < log.index("] rekeyed between")


@case("renewal-during-purge", v2_ike="aes256gcm16-prfsha256-modp8192")
def renewal_during_purge(p):
    """Another daemon while an IKE_SA is being renewed: what that becomes ends, too"""
    expect(any(renewed_in_purge(p, i) for i in range(30)), "the link came too late each time")


@case("other-instance")
def other_instance(p):
    """Another daemon: all IKE_SAs end, peers are told, before SYNC_END; nothing is replayed"""
    p.up(1)
    p.up(2)
    ma = p.fa.mark()
    p.fb.tell("away")
    p.b.wait_log("sallyport: the link is lost")
    expect(p.b.sas().count("ESTABLISHED") == 2, "not two IKE_SAs before")
    mark = p.fb.mark()
    p.fb.tell("back", "b2")
    end = p.fb.wait("sync-end", mark, n=0)
    # Charon says so when it has the answer, which is after the daemon's line of the request.
    p.b.wait_log(r"(?s)terminated 2 IKE_SAs.*sallyport: the link is up")
    log = p.b.log()
    begin = log.rindex("sallyport: connected to")
    ready = log.index("sallyport: the link is up", begin)
    ended = [m.start() for m in re.finditer(r"state change: .* => DESTROYING", log[:ready])
             if m.start() > begin]
    expect(len(ended) == 2, f"{len(ended)} IKE_SAs ended before SYNC_END")
    expect("terminated 2 IKE_SAs" in log[begin:ready], "it does not say so")
    p.fb.none("add-sa", mark)
    p.fb.none("del-sa", mark)
    until("two ends at the peer", lambda: len(p.fa.all("ike-down", ma)) == 2)
    expect(float(end["at"]) - float(p.fb.wait("hello", mark)["at"]) < 2, "it took too long")
    # The new one works as the old one did.
    marks = p.fb.mark()
    p.up(2)
    p.fb.tell("drop")
    p.fb.wait("sync-end", marks, n=2)


@case("other-instance-dead-peer")
def other_instance_dead_peer(p):
    """Another daemon, and peers that do not answer: the end of the IKE_SAs does not wait for them"""
    p.up(1)
    p.up(2)
    p.a.stop(9)
    p.a = None
    mark = p.fb.mark()
    p.fb.tell("away")
    p.fb.tell("back", "b2")
    p.fb.wait("sync-end", mark, timeout=3, n=0)
    expect("road" not in p.b.sas(), "an IKE_SA is there still")


@case("silent-daemon")
def silent_daemon(p):
    """A daemon that does not answer: requests time out, then the link is dropped"""
    p.up(2)
    p.fb.tell("mute")
    begin = time.monotonic()
    expect(not p.a.initiate("one", 5), "it came up without an answer")
    expect(time.monotonic() - begin < 5, "the dial waited too long")
    p.b.wait_log("failed: the daemon has not answered in time")
    mark = p.fb.mark()
    p.b.swanctl("--list-sas")
    p.b.wait_log("the daemon does not answer, dropping the link")
    p.fb.wait("hello", mark)
    p.fb.tell("speak")
    p.fb.wait("sync-end", mark, timeout=4, n=2)
    p.up(1)


@case("sigterm")
def sigterm(p):
    """SIGTERM: deletes are sent, SAs removed, charon ends within 3 s"""
    p.up(1)
    p.up(2)
    mark, ma = p.fb.mark(), p.fa.mark()
    took = p.b.stop()
    expect(took is not None and took < 3, f"took {took} s")
    expect(p.b.proc.returncode == 0, f"status {p.b.proc.returncode}")
    p.fb.wait("link-lost", mark)  # behind all that charon has said
    expect(len(p.fb.all("del-sa", mark)) == 4, "not four SAs removed")
    until("two ends at the peer", lambda: len(p.fa.all("ike-down", ma)) == 2)


@case("sigterm-silent-daemon")
def sigterm_silent_daemon(p):
    """SIGTERM with a daemon that does not answer: charon ends within 3 s all the same"""
    p.up(2)
    p.fb.tell("mute")
    took = p.b.stop()
    expect(took is not None and took < 3, f"took {took} s")


@case("sigterm-no-daemon")
def sigterm_no_daemon(p):
    """SIGTERM without a daemon: charon ends within 3 s"""
    p.up(2)
    p.fb.tell("away")
    p.b.wait_log("sallyport: the link is lost")
    took = p.b.stop()
    expect(took is not None and took < 3, f"took {took} s")


HOSTILE = {
    "a byte": ["00"],
    "noise": ["ffffffffffffffffffffffffffffffff"],
    "too long": ["00010000", 4096],
    "another version": ["00020001001600000001" + "00" * 12],
    "a request": ["00010001001600000001" + "00" * 12],
    "status out of range": ["0001000e002700000001ff" + "00" * 28],
    "a byte too many": ["0001000e002800000001" + "00" * 30],
    "cut short": ["0001000e002700000001" + "00" * 10],
    "flag out of range": ["00010011000f0000000000000001ff"],
    "family out of range": ["0001000f001500000000c000000301010" + "5c0000201"],
}


@case("hostile")
def hostile(p):
    """Malformed messages of the daemon: the link is dropped and made again, charon lives"""
    p.up(2)
    for name, words in HOSTILE.items():
        mark = p.fb.mark()
        p.fb.tell("raw", *words)
        try:
            p.fb.wait("link-lost", mark, timeout=2)
        except Wrong:
            raise Wrong(f"{name}: the link was kept") from None
        p.fb.wait("sync-end", mark, timeout=2, n=2)
        expect(p.b.alive(), f"{name}: charon is gone")
    expect("INSTALLED" in p.b.sas(), "the CHILD_SA has gone")
    # An answer that nobody waits for is late, not wrong.
    mark = p.fb.mark()
    p.fb.tell("raw", "0001000e00270000ffff" + "00" * 29)
    time.sleep(0.3)
    p.fb.none("link-lost", mark)


@case("reserved-spi")
def reserved_spi(p):
    """A daemon that gives a reserved SPI, or one in use: refused"""
    p.fb.stop()
    p.fb = Fake(p.folder("B"), 0xb2, 255)
    p.fb.wait("sync-end", timeout=2)
    expect(not p.a.initiate("two"), "SPI 255 was taken")
    p.b.wait_log("SPI 000000ff, which is reserved")
    p.up(1)
    p.fb.tell("next-spi", p.fb.all("add-sa", inbound=1)[0].spi)
    expect(not p.a.initiate("two"), "an SPI was taken twice")
    p.b.wait_log("SPI 00000100, which is in use")


@case("hello-refused")
def hello_refused(p):
    """A daemon that refuses HELLO gets nothing, and is asked again"""
    p.up(2)
    mark = p.fb.mark()
    p.fb.tell("answer", "hello", REFUSED)
    p.fb.tell("drop")
    until("second try", lambda: len(p.fb.all("hello", mark)) >= 2)
    p.fb.none("add-sa", mark)
    p.fb.tell("answer", "hello", 0)
    p.fb.wait("sync-end", mark, n=2)


@case("wrong-user", started=False)
def wrong_user(p):
    """A socket of another user's process: not a word, no key"""
    os.chmod(p.folder("B"), 0o777)
    p.b = Charon(p.lab.ns["B"], p.folder("B"))
    open(os.path.join(p.folder("B"), "fake.log"), "w", encoding="utf-8").close()
    p.fb = Fake(p.folder("B"), 0xb1, 0xcb000001, uid=65534)
    p.b.start()
    p.b.wait_log("belongs to a process of user 65534, refusing it")
    p.fb.wait("accepted")
    time.sleep(0.5)
    p.fb.none("hello")


@case("charon-killed")
def charon_killed(p):
    """charon dies and comes back: it says another instance, and replays nothing"""
    p.up(2)
    first = p.fb.all("hello")[0]["instance"]
    p.b.stop(9)
    p.fb.wait("link-lost")
    mark = p.fb.mark()
    os.unlink(os.path.join(p.folder("B"), "vici"))
    p.b.start()
    p.fb.wait("sync-end", mark, n=0)
    expect(p.fb.all("hello", mark)[0]["instance"] != first, "the instance is the same")


def installed(text):
    """The SPIs of both directions that charon has."""
    return {spi for spi in re.findall(r"^ +(?:in|out) +([0-9a-f]{8})", text, re.M)}


@case("churn", peers=24, b_conf="half_open_timeout = 5")
def churn(p):
    """Many peers dial while links break and daemons change; then charon and daemon agree"""
    stop = threading.Event()

    def dial(first):
        while not stop.is_set():
            for i in range(first, 24, 6):
                p.a.initiate(f"many{i}", 2)
                if i % 3 == 0:
                    p.a.swanctl("--terminate", "--ike", f"peer{i}", "--timeout", "1", check=False)

    dialers = [threading.Thread(target=dial, args=(i,)) for i in range(6)]
    for t in dialers:
        t.start()
    instance = 0xb2
    for i in range(12):
        time.sleep(0.4)
        if i % 4 == 3:
            p.fb.tell("away")
            time.sleep(0.2)
            p.fb.tell("back", f"{instance:x}")
            instance += 1
        else:
            p.fb.tell("drop")
    stop.set()
    for t in dialers:
        t.join()
    expect(p.b.alive(), "charon is gone")
    until("end of half-open IKE_SAs", lambda: "CONNECTING" not in p.b.sas(), 10)
    for i in range(0, 24, 3):
        # On a busy machine one message may be late, and the next one is sent after seconds.
        until(f"many{i} to come up", lambda i=i: p.a.initiate(f"many{i}", 2), 10)
    # Of IKEv1 the one who dials is ready before the other one.
    until("eight children", lambda: p.b.sas().count("INSTALLED") >= 8)
    mark = p.fb.mark()
    p.fb.tell("drop")
    end = p.fb.wait("sync-end", mark)
    replayed = {m.spi for m in p.fb.all("add-sa", mark, resync=1)}
    expect(len(replayed) >= 16, f"only {len(replayed)} SAs came up")
    expect(int(end["n"]) == len(replayed), f"{end['n']} SAs, {len(replayed)} were replayed")

    def known():
        """What was replayed, and what has come and gone since: an initiator that has given up may go on"""
        return ({m.spi for m in p.fb.all("add-sa", mark)} -
                {m.spi for m in p.fb.all("del-sa", mark)})

    until("charon and daemon to agree on SAs", lambda: installed(p.b.sas()) == known(), 5)
    took = p.b.stop()
    expect(took is not None and took < 5, f"SIGTERM took {took} s")


def refuses_to_start(charon, sentence):
    """Else SAs would go to the kernel, and packets past the daemon."""
    charon.start(wait=False)
    until("end of charon", lambda: not charon.alive())
    expect(charon.proc.returncode != 0, "status 0")
    charon.wait_log("sallyport: " + sentence)
    expect("connected to" not in charon.log(), "it went on all the same")
    charon.proc = None


@case("other-version", started=False)
def other_version(p):
    """A charon of another version than the plugin's: a sentence, and charon does not start"""
    with open(PLUGIN, "rb") as f:
        code = f.read()
    version = re.search(rb"(?<![\d.])5\.\d+\.\d+(?=\0)", code).group()
    other = version[:-1] + b"0"
    path = os.path.join(p.folder("B"), "libstrongswan-sallyport.so")
    with open(path, "wb") as f:
        f.write(code.replace(version + b"\0", other + b"\0"))
    p.b = Charon(p.lab.ns["B"], p.folder("B"), plugin=path)
    refuses_to_start(p.b, f"built for strongSwan {other.decode()}, which this charon is not")


@case("not-first", started=False)
def not_first(p):
    """Another plugin is asked first for IPsec: a sentence, and charon does not start"""
    p.b = Charon(p.lab.ns["B"], p.folder("B"), load=1)
    with open(p.b.env["STRONGSWAN_CONF"], encoding="utf-8") as f:
        text = f.read()
    with open(p.b.env["STRONGSWAN_CONF"], "w", encoding="utf-8") as f:
        f.write(text.replace("    vici {", "    kernel-netlink {\n      load = 20\n    }\n    vici {", 1))
    refuses_to_start(p.b, "another plugin has taken IPsec; set load = 10 or more")


@case("long-path", started=False)
def long_path(p):
    """A path that no socket can have: a sentence, and charon does not start"""
    folder = os.path.join(p.folder("B"), "x" * 100)
    os.mkdir(folder)
    p.b = Charon(p.lab.ns["B"], folder)
    refuses_to_start(p.b, ".* is too long")


@case("preload-ends", started=False)
def preload_ends(p):
    """What charon runs is not preloaded with the plugin, whose symbols nothing else has"""
    path, script = (os.path.join(p.folder("B"), name) for name in ("env", "script"))
    with open(script, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\nenv > {path}.new\nmv {path}.new {path}\n")
    os.chmod(script, 0o755)
    p.b = Charon(p.lab.ns["B"], p.folder("B"),
                 extra=f"start-scripts {{\n    x = {script}\n  }}")
    p.fb = Fake(p.folder("B"), 0xb1, 0xcb000001)
    p.b.start()
    until("environment of the script", lambda: os.path.exists(path))
    with open(path, encoding="utf-8") as f:
        text = f.read()
    expect("LD_PRELOAD" not in text, text)
    expect("STRONGSWAN_CONF" in text, "not charon's script")
    p.fb.wait("sync-end")
