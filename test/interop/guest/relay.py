# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Takes datagrams from the host and sends them on from a port of this guest, so that a raw client on
the host speaks through the guest's ESP; what is answered goes back. An empty datagram is no datagram: it
is there because a guest may leave a packet in its tap until the next one arrives.

Usage: relay.py OUR_ADDRESS TO LISTEN:FROM ..    ports; on LISTEN the host is heard, FROM is our source
Prints "ready" once all sockets stand.
"""
import select
import socket
import sys

PORT = 1701
SO_RCVBUFFORCE = 33  # SO_RCVBUF gives no more than net.core.rmem_max


def opened(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
    s.bind((address, port))
    return s


def main():
    address, to = sys.argv[1], sys.argv[2]
    host_of, other, inner = {}, {}, set()
    for pair in sys.argv[3:]:
        listen, source = map(int, pair.split(":"))
        a, b = opened(address, listen), opened(address, source)
        other[a], other[b] = b, a
        inner.add(a)
    print("ready", flush=True)
    while True:
        for s in select.select(list(other), [], [])[0]:
            try:
                data, source = s.recvfrom(65536)
                if s in inner:
                    host_of[s] = source
                    if data:
                        other[s].sendto(data, (to, PORT))
                elif other[s] in host_of:
                    other[s].sendto(data, host_of[other[s]])
            except OSError:
                pass  # an ICMP error of before, or no SA: the raw client sees that nothing comes


main()
