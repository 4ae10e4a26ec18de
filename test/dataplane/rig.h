/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A data plane on two in-memory ports, with workers that the test itself turns. A test puts frames
 * in, turns the workers until nothing moves, and looks at frames, punts and counters.
 *
 *	port 0: if 0 untagged 192.0.2.1/24, if 1 VLAN 100 198.51.100.1/24: where LACs are
 *	port 1: if 2 untagged 203.0.113.1/24, default route via .254: the world
 *	subscribers: 10.64.0.0/16 with a pool, 172.16.5.5 outside of it
 */
#pragma once

#include "dataplane/dp.h"
#include "dataplane/priv.h"

#include <CUnit/CUnit.h>

#define RIG_PORTS   2
#define RIG_FRAMES  256
#define RIG_BYTES   10500
#define IF_LAC      0
#define IF_LAC_VLAN 1
#define IF_CORE     2

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define LNS            IP(192, 0, 2, 1)
#define LAC            IP(192, 0, 2, 10)
#define LNS_VLAN       IP(198, 51, 100, 1)
#define LAC_VLAN       IP(198, 51, 100, 10)
#define CORE_US        IP(203, 0, 113, 1)
#define CORE_GW        IP(203, 0, 113, 254)
#define CORE_HOST      IP(203, 0, 113, 77) /* on the link, its MAC not known */
#define WORLD          IP(8, 8, 8, 8)
#define SUB            IP(10, 64, 0, 5)
#define SUB2           IP(10, 64, 0, 6)
#define SUB_FREE       IP(10, 64, 0, 99)
#define FRAMED         IP(172, 16, 5, 5)
#define BLACKHOLE      IP(198, 18, 0, 1)

#define TID      0x0101
#define SID      0x1001
#define SID2     0x1002
#define PEER_TID 0x2202
#define PEER_SID 0x3303
#define GEN      77

struct bytes {
	size_t len;
	uint8_t b[RIG_BYTES];
};

struct rig_frame {
	uint16_t port;
	struct bytes d;
};

struct rig_punt {
	struct dp_punt p;
	struct bytes d;
};

struct rig {
	struct dp *dp;
	uint16_t n_workers;
	uint16_t
	        owner; /* of the sessions that tests make: not the worker that frames reach first */
	struct rte_ring *rx[RIG_PORTS][2], *tx[RIG_PORTS][2];
	uint32_t n_frames, n_punts;
	struct rig_frame frames[RIG_FRAMES];
	struct rig_punt punts[RIG_FRAMES];
	struct dp_stats before; /* counters when the test last asked */
	uint64_t dropped[DP_DROP_MAX]; /* over all tests */
};

struct rig *rig(void);
int rig_start(void); /* once: EAL and ports */

/* For each test. conf: NULL for the usual. Ends by checking the law of accounting. */
void rig_open(const struct dp_conf *conf);
void rig_close(void);
struct dp_conf rig_conf(void);
const struct dp_session *rig_session(void); /* the usual one, not added */
void rig_add(const struct dp_session *s); /* adds and applies */
void rig_update(const struct dp_session *s);

void rig_put(uint16_t port, uint16_t queue, const struct bytes *d);
void rig_put_mbuf(uint16_t port, uint16_t queue, struct rte_mbuf *m);
void rig_turn(void); /* until nothing moves; then frames and punts are there */
void rig_poll(void); /* the same, but leaves punts where they are */
void rig_clear(void); /* forgets frames and punts */
uint64_t rig_drops(enum dp_drop d); /* since rig_mark */
void rig_mark(void);
void rig_law(void);
void rig_wait_ms(uint32_t ms);
/* Milliseconds since some start: a machine may stand still longer than a test waits. */
uint64_t rig_ms(void);

/* ---- packets ---- */

void put(struct bytes *d, const void *p, size_t n);
void put8(struct bytes *d, uint8_t v);
void put16(struct bytes *d, uint16_t v);
void put32(struct bytes *d, uint32_t v);

/* An IPv4 packet; payload n bytes of a pattern. */
struct ipspec {
	uint32_t src, dst;
	uint8_t proto, ttl; /* 0: UDP, 64 */
	uint16_t frag; /* flags and offset as on the wire */
	uint16_t id;
	uint8_t n_options; /* bytes: a multiple of 4 */
	const uint8_t *options;
	uint16_t payload;
	const uint8_t *bytes; /* of the payload; NULL: a pattern */
};
void ip4_make(struct bytes *d, const struct ipspec *s);
/* Recomputes the header checksum of the IPv4 packet at offset. */
void ip4_fix(struct bytes *d, size_t off);
bool ip4_sum_right(const uint8_t *p);
void tcp_syn_make(struct bytes *d, uint32_t src, uint32_t dst, uint16_t mss, bool odd);
bool tcp_sum_right(const uint8_t *ip);

void eth(struct bytes *d, uint16_t ifidx, uint16_t type); /* a frame to us begins */
void eth_ip4(struct bytes *d, uint16_t ifidx, const struct ipspec *s); /* a whole frame */

/* An L2TP message in a frame. */
struct l2tpspec {
	uint16_t ifidx;
	uint32_t src, dst; /* 0: LAC, LNS */
	uint16_t sport, dport; /* 0: 1701 */
	uint16_t flags; /* 0x0002 and bits */
	uint16_t tid, sid, ns, nr; /* ids 0: TID, SID; use raw for others */
	bool zero_ids; /* ids are as they stand, 0 too */
	int16_t length_add; /* to the L2TP length */
	uint16_t offset;
	int16_t udp_add; /* to the UDP length */
	enum { SUM_RIGHT, SUM_NONE, SUM_WRONG } sum;
	uint16_t ip_id;
	const struct bytes *body; /* from the PPP header on */
	uint16_t pad; /* Ethernet padding behind the packet */
};
void l2tp_make(struct bytes *d, const struct l2tpspec *s);
/* The body: PPP header and a packet. */
void ppp_make(struct bytes *d, const char *hex, const struct bytes *packet);
void hex_make(struct bytes *d, const char *hex);

/* The tests. */
CU_TestInfo *up_tests(void);
CU_TestInfo *ways_up_tests(void);
CU_TestInfo *ways_down_tests(void);
CU_TestInfo *ways_esp_tests(void);
CU_TestInfo *short_cuts_tests(void);
CU_TestInfo *down_tests(void);
CU_TestInfo *path_tests(void);
CU_TestInfo *reassembly_tests(void);
CU_TestInfo *control_tests(void);
CU_TestInfo *session_tests(void);
CU_TestInfo *worker_tests(void);
CU_TestInfo *numa_tests(void);
