/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Children and security associations as workers need them, and the table of SPIs.
 *
 * A child's worker is the only one that touches its SAs: control makes an SA and sends it through that
 * worker's FIFO; from then on it is the worker's, until control has seen that its removal is applied.
 */
#pragma once

#include "dataplane/dp.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ip.h>
#include <rte_prefetch.h>

/*
 * An SPI: a generation of 8 bits that is never 0 in those that we choose (so that they are above 255,
 * RFC 4303 2.1), a slot of 18, and the worker.
 */
#define SPI_WORKER_BITS 6
#define SPI_SLOT_BITS   18
#define SPI_SLOTS       (1u << SPI_SLOT_BITS)
#define SPI_MIN         256 /* RFC 4303 2.1 */

static_assert(DP_MAX_WORKERS <= 1 << SPI_WORKER_BITS, "an SPI names its worker");
static_assert(DP_SPI_WORKER_MASK == (1u << SPI_WORKER_BITS) - 1, "ports' flow rules know the bits");

#define CHILD_MAX   131072
#define SA_IDX_BITS 19 /* of a dp_sa_id: two directions, and as many again while keys change */
#define SA_MAX      (1u << SA_IDX_BITS)

static inline uint32_t spi_slot(uint32_t spi)
{
	return spi >> SPI_WORKER_BITS & (SPI_SLOTS - 1);
}

static inline uint16_t spi_worker(uint32_t spi)
{
	return (uint16_t)(spi & ((1u << SPI_WORKER_BITS) - 1));
}

struct sa;

struct spi_slot {
	struct sa *sa; /* worker: rw; NULL: not installed yet */
	uint32_t spi; /* control: wo, workers: ro, atomic; 0: not handed out */
};

struct child {
	uint64_t conn; /* control: wo while it is not in use, then ro */
	uint32_t local_ip, peer_ip; /* .. inner addresses, host order */
	uint16_t local_port, peer_port;
	uint16_t worker;
	struct sa *out; /* worker: rw, control: ro, atomic; outbound SA in use */
	uint32_t out_peer_ip; /* worker: rw; of it, as is .. */
	bool out_tunnel_mode; /* .. this: what l2tp_out asks, so that it need not wait for its lines */
	struct sa *ins, *outs; /* worker: rw; newest first */
} __attribute__((aligned(64)));
static_assert(sizeof(struct child) == 64, "one line a child");

/* IPv4 (20), UDP (8) */
#define OUTER_MAX 28
/* An ESP header in front (SPI, sequence number, the longest IV), and all behind that lib/esp may add */
#define ESP_FRONT_MAX 24
#define ESP_BEHIND    64

/* The way outside of the tunnel: made by control, copied by the worker. */
struct sa_outer {
	uint32_t local_ip, peer_ip; /* host order */
	uint16_t peer_port; /* of the encapsulation */
	bool encap;
	uint8_t tmpl_len;
	/* No length, no number, and the sum of the rest; the UDP checksum is none (RFC 3948 2.1). */
	uint8_t tmpl[OUTER_MAX];
};

/* UINT64_MAX: none. Few SAs have any: they keep it in a line of its own, the last one. */
struct sa_limits {
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
};
extern const struct sa_limits dp_sa_unlimited;

/*
 * What few packets need of an SA. It stands in the gap of lib/esp's SA, where that has one, which comes with the keys;
 * else behind it. Threads: the worker's, but for what is said to be control's.
 */
struct sa_cold {
	union { /* control's */
		void *user; /* as long as dp.sas names the SA .. */
		struct sa *next_dead; /* .. and when it is buried */
	};
	uint64_t buried; /* control's; seq of the last order that may name it */
	dp_sa_id id; /* ro */
	struct sa *next; /* in its child's list */
	struct sa *next_event; /* in worker.sa_events, while any are pending */
	union {
		struct { /* inbound */
			/* worker: wo, control: ro, atomic; what DP_SA_MAPPING said: ip << 16 | port */
			uint64_t mapping;
			uint64_t home; /* where control knows the peer to be: as mapping */
		};
		dp_sa_id pair; /* outbound; ro */
	};
	uint32_t child; /* ro */
	uint8_t said; /* events that have been raised: bits of enum dp_sa_event */
	uint8_t pending; /* .. and those that control's ring had no room for */
	uint8_t lines; /* ro; of memory, the SA of lib/esp included */
	bool inbound : 1, limited : 1; /* ro; limited: it has limits, sa_limits */
};
static_assert(sizeof(struct sa_cold) <= ESP_GAP, "it fits the gap");

/*
 * An inbound SA's packets that came to nothing, by the slot of its SPI, which is its own until its worker has let go of
 * it: few SAs ever have any. Single writer: its worker; control reads with relaxed loads.
 */
struct sa_drops {
	dp_sa_id of; /* whose they are; of any other SA they say nothing: dp_sa_drops */
	uint64_t auth_errors, replays, pad_errors, selector_errors, latched;
} __attribute__((aligned(64))); /* SAs of two workers never share a line */

/*
 * The line of every packet; the SA of lib/esp stands right behind, keys and all, so that a packet goes from line to
 * line. Then come, of one line each, what is cold, where that has not found its place within, and the limits, if there
 * are any. Threads: the worker's. Counters: single writer, control reads with relaxed loads.
 */
struct sa {
	uint64_t packets __attribute__((aligned(64)));
	uint64_t bytes;
	uint64_t last; /* TSC of the last packet */
	uint32_t credit; /* packets before a limit may be near: dp_sa_watch */
	/* PKT_ENCAP of the packets that it takes, or SA_TAKES_NONE: one look before they are worked on. */
	uint8_t takes;
	bool tunnel_mode; /* ro */
	uint8_t cold; /* ro; where struct sa_cold is: lines from here */
	uint8_t head; /* ro; of lib/esp */
	union {
		struct {
			uint32_t peer_ip, local_ip; /* ro, copied from the child, as in metadata */
			uint32_t
			        ports; /* ro; the peer's and ours as they stand in a UDP header .. */
			uint32_t
			        ports_mask; /* .. and what counts of them: not a port that may be any */
			uint64_t conn; /* ro; the child's */
			uint32_t child; /* ro */
			uint8_t opens; /* ro; of lib/esp: esp_sa_opens */
		} in; /* inbound */
		struct {
			uint8_t tmpl[OUTER_MAX]; /* of struct sa_outer */
			uint8_t tmpl_len;
			uint8_t block, tail_max; /* ro; of lib/esp */
			uint8_t around; /* tmpl_len, head and the ICV */
		} out; /* outbound */
	};
};
static_assert(sizeof(struct sa) == 64, "one line a packet, and the SA of lib/esp behind it");

#define SA_TAKES_NONE 0xff /* it is past a hard limit */

#define SA_LINE  RTE_CACHE_LINE_SIZE
#define SA_LINES 64 /* of memory: less than that */
/*
 * Where the soft limit of a 32-bit sequence number stands: at 10 Mpps the rest lasts for 27 seconds,
 * time enough for a rekey and its retransmissions.
 */
#define SA_SEQ_SOFT (UINT64_C(0x100000000) - UINT64_C(0x10000000))

static inline void *sa_line(const struct sa *sa, uint32_t line)
{
	return (uint8_t *)(uintptr_t)sa + line * (size_t)SA_LINE;
}

static inline struct sa_cold *sa_cold(const struct sa *sa)
{
	return sa_line(sa, sa->cold);
}

static inline const struct sa_limits *sa_limits(const struct sa *sa)
{
	const struct sa_cold *c = sa_cold(sa);

	return c->limited ? sa_line(sa, c->lines - 1u) : &dp_sa_unlimited;
}

/* Outbound: where its packets go, in host order. */
static inline uint32_t sa_peer_ip(const struct sa *sa)
{
	rte_be32_t ip;

	memcpy(&ip, sa->out.tmpl + offsetof(struct rte_ipv4_hdr, dst_addr), sizeof(ip));
	return rte_be_to_cpu_32(ip);
}

static inline struct esp_sa *esp_of(const struct sa *sa)
{
	return (struct esp_sa *)(uintptr_t)(sa + 1);
}

static inline struct sa *sa_by_esp(const struct esp_sa *esp)
{
	return (struct sa *)(uintptr_t)esp - 1;
}

/* What esp_encrypt makes of len bytes (see esp_sa_block), and the outer headers. */
static inline uint32_t sa_sealed_len(const struct sa *sa, uint32_t len)
{
	const uint32_t block = sa->out.block;

	return sa->out.around + ((len + 2 + block - 1) & -block);
}

static inline uint64_t sa_soft_seq(const struct sa *sa)
{
	return esp_sa_esn(esp_of(sa)) ? UINT64_MAX : SA_SEQ_SOFT;
}

/*
 * The line above and the first one of lib/esp. Not by __builtin_prefetch: gcc takes a function that does
 * nothing else for one without effects, and drops the calls of it.
 */
static inline void sa_prefetch(const struct sa *sa)
{
	rte_prefetch0(&sa->packets);
	rte_prefetch0(sa + 1);
}

/* Memory of SAs: sa_mem.c */
struct sa_mem { /* control: rw */
	struct sa_chunk *chunks;
	uint8_t *at; /* what of the newest has not been used yet */
	uint32_t left;
	pthread_t spare; /* makes the next one */
	bool has_spare;
	struct free_block *free[SA_LINES]; /* by size */
};
