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

#include <rte_common.h>
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

/* What has been freed waits here until its worker has let go of it. */
struct dead { /* control: rw */
	struct dead *next;
	uint64_t seq; /* of the last order that may name it */
};

/* Where the peer is, of an SA whose template stands in its line of every packet. */
struct sa_ends {
	uint32_t local_ip, peer_ip; /* as struct sa_outer */
	uint16_t peer_port;
	bool encap;
};

/* UINT64_MAX: none. Few SAs have any: they keep it in a line of its own, the last one. */
struct sa_limits {
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
};
extern const struct sa_limits dp_sa_unlimited;

/*
 * The SA of lib/esp stands right behind, keys and all: a packet goes from line to line. Threads: the
 * worker's, but for what is said to be control's.
 */
struct sa {
	struct dead grave; /* control's */
	void *user; /* control's */
	dp_sa_id id; /* ro */
	struct sa *next; /* in its child's list */
	struct sa *next_event;
	uint64_t soft_seq; /* ro */
	uint32_t child; /* ro */
	uint8_t pending; /* events that control's ring had no room for */
	bool waiting; /* in worker.sa_events */
	bool inbound; /* ro */
	uint8_t lines; /* ro; of memory, the SA of lib/esp included */
	union {
		struct { /* inbound */
			uint64_t auth_errors, replays, pad_errors, selector_errors, latched;
			/* worker: wo, control: ro, atomic; what DP_SA_MAPPING said: ip << 16 | port */
			uint64_t mapping;
		};
		dp_sa_id pair; /* outbound; ro */
	};
	struct sa_ends outer;
	uint8_t dead; /* past a hard limit */
	uint8_t said; /* events that have been raised: bits of enum dp_sa_event */
	bool limited; /* ro; it has limits: sa_limits */

	/*
	 * The line of every packet, with that of lib/esp behind it. Counters: single writer, control reads with
	 * relaxed loads.
	 */
	uint64_t packets __attribute__((aligned(64)));
	uint64_t bytes;
	uint64_t last; /* TSC of the last packet */
	uint32_t credit; /* packets before a limit may be near: dp_sa_watch */
	/* PKT_ENCAP of the packets that it takes, or SA_TAKES_NONE: one look before they are worked on. */
	uint8_t takes;
	bool tunnel_mode; /* ro */
	uint8_t head, tail_max; /* ro; of lib/esp */
	union {
		struct {
			uint32_t peer_ip, local_ip; /* ro, copied from the child, as in metadata */
			uint32_t
			        ports; /* ro; the peer's and ours as they stand in a UDP header .. */
			uint32_t
			        ports_mask; /* .. and what counts of them: not a port that may be any */
			uint64_t conn; /* ro; the child's */
			uint32_t child; /* ro; as above */
			uint8_t opens; /* ro; of lib/esp: esp_sa_opens */
		} in; /* inbound */
		struct {
			uint8_t tmpl[OUTER_MAX]; /* of outer */
			uint8_t tmpl_len;
			uint8_t block; /* ro; of lib/esp */
			uint8_t around; /* tmpl_len, head and the ICV */
		} out; /* outbound */
	};
};
static_assert(sizeof(struct sa) == 192 && offsetof(struct sa, packets) == 128,
              "one line a packet, and the SA of lib/esp behind it");

#define SA_TAKES_NONE 0xff

#define SA_LINES 64 /* of memory: less than that */
/*
 * Where the soft limit of a 32-bit sequence number stands: at 10 Mpps the rest lasts for 27 seconds,
 * time enough for a rekey and its retransmissions.
 */
#define SA_SEQ_SOFT (UINT64_C(0x100000000) - UINT64_C(0x10000000))

static inline const struct sa_limits *sa_limits(const struct sa *sa)
{
	const uint8_t *end = (const uint8_t *)sa + sa->lines * RTE_CACHE_LINE_SIZE;

	return sa->limited ? (const void *)(end - RTE_CACHE_LINE_SIZE) : &dp_sa_unlimited;
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
