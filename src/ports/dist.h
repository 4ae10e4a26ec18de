/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * How a port spreads packets over its receive queues, and so over workers. Each session and SA has one
 * owner worker; what another worker receives goes to it by a ring, which costs both some hundred cycles. So
 * the best device sends a packet to its owner, the next best spreads what belongs together over all queues,
 * and with one that can do neither it is all software's. Pure: no DPDK.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum dist_traffic {
	DIST_ESP, /* IP protocol 50 */
	DIST_ESP_UDP, /* in UDP port 4500 (RFC 3948) */
	DIST_L2TP, /* data messages outside of IPsec */
	DIST_REST, /* from the network to subscribers, above all */
	DIST_TRAFFIC_MAX
};

/* From the worst to the best. */
enum dist_how {
	DIST_ONE_QUEUE, /* one worker receives all of it */
	DIST_DEVICE, /* several queues, filled as the device likes */
	DIST_HASH_ADDRESSES,
	DIST_HASH_PORTS, /* addresses and UDP ports */
	DIST_HASH_ID, /* SPI, or session id */
	DIST_OWNER, /* a rule for each worker: the low bits of an SPI name it */
};

#define DIST_WHY_MAX  64
#define DIST_TEXT_MAX 192

/* What came of asking the driver for something. */
struct dist_asked {
	int ret; /* 0: done; else -errno */
	bool asked;
	char why[DIST_WHY_MAX]; /* the driver's words, or those for ret */
};

struct dist_caps {
	uint16_t n_workers, n_rxq; /* queues in use */
	uint16_t max_rxq; /* the device's */
	bool hash_ip, hash_udp, hash_esp, hash_l2tp; /* parts of its receive-side scaling */
	struct dist_asked owner[DIST_TRAFFIC_MAX], id[DIST_TRAFFIC_MAX]; /* rules for a flow */
};

struct dist_plan {
	enum dist_how how[DIST_TRAFFIC_MAX];
	char why[DIST_TRAFFIC_MAX]
	        [DIST_TEXT_MAX]; /* .. and nothing better; empty: it is the best */
};

void dist_choose(const struct dist_caps *caps, struct dist_plan *plan);

/* What to say of it in shows and logs. */
const char *dist_traffic_name(enum dist_traffic t);
const char *dist_how_name(enum dist_traffic t, enum dist_how how);

/* Notes an answer; text may be NULL. */
void dist_answer(struct dist_asked *a, int ret, const char *text);
