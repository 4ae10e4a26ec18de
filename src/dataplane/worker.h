/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A worker, and what is its own: the orders it gets, the packets it holds, its counters.
 *
 * Fields say who writes (wo, rw) and who reads (ro): "control" is the one thread that calls dp.h, "worker" the
 * lcore that runs the worker.
 */
#pragma once

#include "dataplane/dp.h"
#include "dataplane/limit.h"
#include "dataplane/sa.h"
#include "dataplane/sess.h"

#include <rte_ip_frag.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <stddef.h>

#define VEC_MAX       64 /* packets in one vector at most */
#define FIFO_SIZE     4096 /* orders for one worker */
#define FIFO_BURST    64 /* orders taken in one turn */
#define HANDOFF_SIZE  1024
#define HOLD_WAYS     8
#define HOLD_SETS     32
#define HOLD_MAX      64
#define HOLD_MS       3000 /* a packet waits for its next hop at most */
#define ASK_MS        1000 /* a next hop is asked for again */
#define TIMER_MS      10
#define ESP_HOLD_WAYS 8
#define ESP_HOLD_SETS 32
#define ESP_HOLD_MAX  64 /* packets that wait for one SA */
#define ESP_HELD_MAX  1024 /* .. for all of a worker */
#define ESP_HOLD_MS   1000
#define SENDERS       4096 /* buckets that tunnels, and sessions, share by their ids */

struct vec {
	uint16_t n;
	struct rte_mbuf *v[VEC_MAX];
};

/* Where the worker goes on that a packet is handed over to, and a number that goes along. */
enum resume {
	RESUME_CLASSIFY, /* a frame as it came */
	RESUME_UP, /* a usual frame as classify leaves it to up; its session */
	RESUME_DOWN, /* as classify leaves it to down; its session */
	RESUME_ESP, /* a frame with an ESP packet in IPv4 without options; the SPI's slot */
	RESUME_L2TP_OUT, /* a packet with its metadata; its session */
};

/* Packets for one other worker, as they stand in the ring (handoff.c). */
struct handed {
	uint16_t n;
	uint64_t v[VEC_MAX];
};

enum fifo_op {
	FIFO_SESSION_ADD,
	FIFO_SESSION_UPDATE,
	FIFO_SESSION_DEL, /* to every worker */
	FIFO_NEIGH, /* to every worker */
	FIFO_SA_ADD,
	FIFO_SA_UPDATE,
	FIFO_SA_USE,
	FIFO_SA_DEL,
	FIFO_FENCE, /* to every worker: what it has in hand leaves now */
	FIFO_SEND_PPP, /* from here on with a packet */
	FIFO_SEND_IP,
	FIFO_SEND_FRAME,
};

struct fifo_msg {
	uint64_t seq; /* dp.seq when it was ordered */
	uint16_t op; /* enum fifo_op */
	uint16_t id; /* session, or interface */
	uint32_t gen;
	union {
		struct {
			struct sess_rx rx;
			struct sess_tx tx;
		} sess;
		struct {
			uint64_t mac;
			uint32_t ip;
		} neigh;
		struct {
			struct sa *sa;
			struct sa_outer outer; /* UPDATE */
		} sa;
		uint16_t owner; /* DEL */
		struct {
			struct rte_mbuf *m;
			uint64_t
			        after; /* an order to all that all must have done before; 0: none */
		};
	};
};
static_assert(sizeof(struct fifo_msg) % 4 == 0, "rte_ring takes elements of whole words");

/* Packets that wait for one next hop. */
struct hold { /* worker: rw */
	bool used;
	uint16_t ifidx, n;
	uint32_t ip;
	uint64_t expires, ask_at; /* TSC */
	struct rte_mbuf *pkt[HOLD_MAX];
};

/* Packets that wait for one SA. */
struct esp_hold { /* worker: rw */
	uint32_t spi; /* 0: not used */
	uint16_t n;
	uint64_t expires; /* TSC */
	struct rte_mbuf *pkt[ESP_HOLD_MAX];
};

/* Single writer; control reads with relaxed loads. */
struct worker_stats {
	uint64_t rx, tx, injected, punts, fragments_made, fragments_merged, held, handed_off;
	uint64_t taken_over;
	uint64_t punt[DP_PUNT_MAX], drop[DP_DROP_MAX];
	uint64_t busy_cycles, idle_cycles, vectors;
};

struct rxq {
	uint16_t port, queue;
};

/* What one tunnel or session may have of its class. */
struct sender_limit { /* worker: rw */
	uint64_t cost, burst; /* TSC cycles; ro */
	uint64_t due[SENDERS];
};
static_assert(DP_PUNT_L2TP < 2 && DP_PUNT_PPP < 2, "worker.sender is by class");

/* What lies on a NUMA node that workers run on. */
struct node {
	int socket; /* ro */
	uint16_t n_workers; /* that run there; ro */
	struct rte_mempool *pool, *large; /* ro */
	struct sa_mem sa_mem; /* control: rw */
};

/*
 * A worker's lines are written by it alone, but for these; each stands by itself. None of ours is written
 * for every packet by two workers, save the packet's own, which a hand-off takes along.
 *
 * | line                  | written by                    | how often                          |
 * | --------------------- | ----------------------------- | ---------------------------------- |
 * | handoff_due           | the fillers; the owner        | a ring begins, or ceases, to be used |
 * | ring, producer's end  | the filler, or control (fifo) | a vector; an order                 |
 * | ring, consumer's end  | the owner, or control (punts) | a vector; a poll                   |
 * | dp.armed, events_due  | control, a worker             | an event                           |
 * | dp.child_out          | the workers of 8 children     | a child's SA is another one        |
 * | mbuf, its packet      | giver, then owner             | a packet handed over (handoff.c)   |
 */
struct worker {
	struct dp *dp;
	struct node *node; /* where its own memory lies */
	uint16_t id;
	uint16_t vector;
	uint16_t ip_id; /* of outer headers: ids of different workers never meet */
	bool online; /* reports to the QSBR variable */
	bool punted; /* in this turn */
	uint32_t local; /* classify: the address of ours that last took a packet, host order */
	uint64_t
	        frames; /* classify to up: packets of the vector that are usual frames, as they came */
	uint64_t now; /* TSC at the start of this turn */
	uint64_t timer_at, turn_started;
	uint32_t empty; /* turns without work since the last one with */
	uint32_t n_rxq;
	struct rxq *rxq;
	uint16_t
	        n_esp_out; /* l2tp_out, control: packets of the vector that esp_out has to do with */
	struct esp *esp_engine; /* made by the worker's own thread */
	struct vec esp; /* classify: ESP packets of this worker's SPIs */
	uint64_t
	        esp_frames; /* classify to esp_usual: bits of those of them that are as they came .. */
	/* .. and of these, where the packet is and its length; as mark, PKT_ENCAP or 0. */
	struct esp_pkt esp_pkt[VEC_MAX];
	struct vec transit; /* classify: IPv4 packets that are not for us */
	uint64_t frames_down; /* classify to down: bits of those of them that are as they came */
	uint16_t down_to[VEC_MAX]; /* .. and the session of each; 0: none of this worker's */
	struct vec down; /* ip4_lookup: for sessions */
	struct vec *tx; /* by port */
	struct handed *handoff; /* by worker */
	struct handed taken; /* from another worker, before any stage; of this turn */
	uint64_t tx_filled, handoff_filled; /* bits of those that have packets */
	uint64_t
	        handoff_from; /* bits of workers whose rings are still to be looked at in this turn */
	uint64_t
	        handoff_lingers; /* bits of workers whose rings are looked at until the next timer */
	struct worker_stats st __rte_cache_aligned;

	uint64_t applied __rte_cache_aligned; /* worker: wo, control: ro; seq of the last order */
	/* Bits of workers whose rings to this one are looked at; set and cleared by handoff.c's rule. */
	uint64_t handoff_due __rte_cache_aligned; /* all workers: rw, atomic */
	struct rte_ring *fifo __rte_cache_aligned; /* control to worker */
	struct fifo_msg order; /* worker: rw; the one in hand */
	bool order_waits; /* .. until the other workers have caught up */
	struct rte_ring **handoff_to; /* by worker */
	struct rte_ring *punt[DP_PUNT_MAX]; /* worker to control; NEIGH and SA hold numbers */
	struct gcra punt_limit[DP_PUNT_MAX];
	struct gcra twin_ip_limit; /* half of TWIN: the other half is ARP's and multicast's */
	struct gcra ike_limit; /* apart from both */
	struct newtun *newtun,
	        *newtun_sa; /* plain UDP's, and that of requests that come in an SA */
	struct sender_limit sender[2]; /* L2TP in an SA, PPP: by class */
	struct rte_ip_frag_tbl *reass;
	struct rte_ip_frag_death_row *dead_frags;
	uint32_t n_holds;
	struct hold *holds; /* HOLD_SETS sets of HOLD_WAYS */
	uint32_t n_esp_holds, n_esp_held;
	struct esp_hold *esp_holds; /* ESP_HOLD_SETS sets of ESP_HOLD_WAYS */
	struct sa *sa_events; /* those with events that control's ring had no room for */
	/* A bit by session id: dp.owner says so. Control: wo. A look at it costs a cache less than one there. */
	uint64_t mine[SESS_IDS / 64] __rte_cache_aligned;
};

#define LINE_ALONE(type, field, next)                                                              \
	static_assert(offsetof(type, field) % RTE_CACHE_LINE_SIZE == 0 &&                          \
	                      offsetof(type, next) % RTE_CACHE_LINE_SIZE == 0,                     \
	              #field " shares no line")
LINE_ALONE(struct worker, st, applied);
LINE_ALONE(struct worker, applied, handoff_due);
LINE_ALONE(struct worker, handoff_due, fifo);
static_assert(sizeof(struct worker) % RTE_CACHE_LINE_SIZE == 0, "workers share no line");
