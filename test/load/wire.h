/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The whole network at one end of a veth pair: any number of hosts with IPv4 addresses of their own
 * behind one packet socket, with a ring for what is received and many packets a system call for what is
 * sent, so that a packet costs as little as it may. Their MAC is none of the device, so that the kernel's
 * own IP takes no part. Every ARP request is answered, but the one for the peer.
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_PAYLOAD_MAX 1800

struct wire;

/* An IPv4 packet came: from and to in host order, the payload behind its header; writable. */
typedef void (*wire_rx)(void *ctx, uint32_t from, uint32_t to, uint8_t proto, uint8_t *payload,
                        size_t len);

/*
 * Opens the device and finds the peer's MAC, speaking as the address self. Both in host order. NULL: failed,
 * with a sentence on stderr.
 */
struct wire *wire_open(const char *device, uint32_t self, uint32_t peer, wire_rx rx, void *ctx);
void wire_close(struct wire *w);

/* Readable when wire_receive has something to do. */
int wire_fd(const struct wire *w);
/* At most budget packets. Returns how many there were. */
uint32_t wire_receive(struct wire *w, uint32_t budget);

/* Queues a packet from an address of ours to the peer. It leaves with wire_flush, or when many wait. */
void wire_send(struct wire *w, uint32_t from, uint8_t proto, const uint8_t *payload, size_t len);
/* The same in a UDP datagram with its checksum (RFC 768). */
void wire_send_udp(struct wire *w, uint32_t from, uint16_t from_port, uint16_t to_port,
                   const uint8_t *payload, size_t len);
void wire_flush(struct wire *w);

/* Packets in both directions; lost: those for which the rings had no room. */
uint64_t wire_rx_count(const struct wire *w), wire_tx_count(const struct wire *w);
uint64_t wire_lost(struct wire *w);
