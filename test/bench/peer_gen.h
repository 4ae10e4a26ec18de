/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Frames on a wire, as fast as they are asked for: what peer_gen sends with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 1600

/* A device of this network namespace, and whom its frames go to. */
struct wire {
	int fd, ifindex;
	uint8_t mac[6], peer_mac[6];
	uint32_t ip, peer_ip; /* host order */
};

struct frame {
	uint16_t len;
	uint8_t b[FRAME_MAX];
};

/*
 * Opens a packet socket that sends past the queueing discipline and receives nothing. peer_mac is
 * text. Returns 0, or -1 with the cause on stderr.
 */
int wire_open(struct wire *w, const char *ifname, const char *peer_mac);

/* A packet socket that receives every frame of the device. -1 on failure. */
int wire_tap(const struct wire *w);

/* An IPv4 packet with a UDP datagram: 28 bytes and payload, checksums right. Returns its length. */
uint16_t udp4_make(uint8_t *p, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
                   const uint8_t *payload, uint16_t len);
/* True: p is an IPv4 packet of exactly len bytes without options, and its checksums are right. */
bool udp4_check(const uint8_t *p, size_t len);

/* The link header before the IPv4 packet. */
void frame_make(const struct wire *w, struct frame *f, const uint8_t *ip, uint16_t len);

/* n frames in turn, each of them repeat times. */
struct flood {
	const struct frame *f;
	uint32_t n, repeat;
	/*
	 * fd is a UDP socket with the frames' own source: it gets what is in the datagrams, many in a
	 * call, and the kernel makes the headers. Linux does that for devices without checksum
	 * offload since 6.11. Otherwise fd is that of a wire, for whole frames.
	 */
	bool segments;
	int fd;
};

/*
 * Sends for ms milliseconds, rate packets a second (0: as fast as they go). sent: packets, ns: the
 * time it took. False: the socket refuses.
 */
bool flood(const struct flood *x, uint32_t rate, uint32_t ms, uint64_t *sent, uint64_t *ns);
