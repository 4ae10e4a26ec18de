#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Counts ICMP echoes: echo.py [-s SOURCE] [-c COUNT] [-i SECONDS] [-b BYTES] ADDRESS

Prints "SENT RECEIVED MAX-MS" and succeeds when all came back. Unlike ping(8), which leaves two round-trip times
after the last request once it has heard anything, it waits 3 s: on a loaded machine a late answer is
late and not lost. DF is set, so nothing is fragmented.
"""
import argparse
import os
import select
import socket
import struct
import sys
import time

IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
LINGER_S = 3


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(ident, seq, size):
    body = bytes((seq + i) & 0xFF for i in range(size))
    head = struct.pack("!BBHHH", 8, 0, 0, ident, seq)
    return struct.pack("!BBHHH", 8, 0, checksum(head + body), ident, seq) + body


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("-s", dest="source", default="")
    arg.add_argument("-c", dest="count", type=int, default=5)
    arg.add_argument("-i", dest="interval", type=float, default=0.1)
    arg.add_argument("-b", dest="size", type=int, default=56)
    arg.add_argument("address")
    opt = arg.parse_args()
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    if opt.source:
        sock.bind((opt.source, 0))
    ident = os.getpid() & 0xFFFF
    sent_at, answered, slowest = {}, set(), 0.0
    start = time.monotonic()
    while True:
        now = time.monotonic()
        if len(sent_at) < opt.count and now >= start + len(sent_at) * opt.interval:
            seq = len(sent_at)
            sent_at[seq] = now
            sock.sendto(request(ident, seq, opt.size), (opt.address, 0))
            continue
        if len(answered) == opt.count:
            break
        last = sent_at[len(sent_at) - 1]
        if len(sent_at) == opt.count:
            wait = last + LINGER_S - now
            if wait <= 0:
                break
        else:
            wait = start + len(sent_at) * opt.interval - now
        if not select.select([sock], [], [], wait)[0]:
            continue
        packet = sock.recv(65535)
        icmp = packet[(packet[0] & 15) * 4:]
        kind, _, _, their_ident, seq = struct.unpack("!BBHHH", icmp[:8])
        if kind == 0 and their_ident == ident and seq in sent_at and len(icmp) == 8 + opt.size:
            answered.add(seq)
            slowest = max(slowest, time.monotonic() - sent_at[seq])
    print(len(sent_at), len(answered), f"{slowest * 1000:.1f}")
    return len(answered) != opt.count


if __name__ == "__main__":
    sys.exit(main())
