# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""What cases share. A case is a function with the decorator @case(name, ..) that takes a Pair."""
from lab import IP, Wrong, until

CASES = []
PSK, PUBKEY = "1", "2"  # enum sslink_auth
REFUSED, BUSY, UNSUPPORTED = 1, 2, 3  # enum sslink_status


class Case:
    def __init__(self, fn, name, started, values):
        self.fn, self.name, self.started, self.values = fn, name, started, values
        self.doc = (fn.__doc__ or "").strip().split("\n")[0]


def case(name, started=True, **values):
    """values go into the configuration of both (lab.Pair); started=False starts nothing."""
    def mark(fn):
        CASES.append(Case(fn, name, started, values))
        return fn
    return mark


def expect(ok, text):
    if not ok:
        raise Wrong(text)


def same_sas(p, since=(0, 0), count=2):
    """Both ends have the same SAs: SPIs, algorithms, keys, and selectors the other way round."""
    # The line of the one may be read before that of the other.
    until(f"{count} SAs at both ends", lambda: all(
        len({m.spi for m in f.all("add-sa", mark)}) >= count for f, mark in zip((p.fa, p.fb), since)))

    def mirrored():
        a = {m.spi: m for m in p.fa.all("add-sa", since[0])}
        b = {m.spi: m for m in p.fb.all("add-sa", since[1])}
        expect(len(a) == count and len(b) == count, f"{len(a)} and {len(b)} SAs, not {count}")
        for spi, x in a.items():
            y = b.get(spi)
            expect(y is not None, f"SPI {spi} only at A")
            for k in ("enc", "enc_len", "enc_sha256", "int", "int_len", "int_sha256", "esn",
                      "tunnel", "src", "dst"):
                expect(x[k] == y[k], f"{k} of SPI {spi}: {x[k]} at A, {y[k]} at B")
            expect(x["inbound"] != y["inbound"], f"SPI {spi} has one direction at both ends")
            expect(x["local_ts"] == y["remote_ts"] and x["remote_ts"] == y["local_ts"],
                   f"selectors of SPI {spi} do not mirror")
        keys = {m["enc_sha256"] for m in a.values()}
        expect(len(keys) == count, "two SAs have one key")
    mirrored()


def no_child_left(*charons):
    for c in charons:
        until(f"end of all CHILD_SAs of {c.ns}", lambda c=c: "INSTALLED" not in c.sas())


def gone(f, since, *spis):
    """The daemon was told to delete these."""
    for spi in spis:
        f.wait("del-sa", since, spi=spi)


__all__ = ["BUSY", "IP", "PSK", "PUBKEY", "REFUSED", "UNSUPPORTED", "Wrong", "case", "expect", "gone",
           "no_child_left", "same_sas"]
