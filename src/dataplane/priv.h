/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The inside of the data plane: the instance, the worker, and the stages.
 *
 * Threads: "control" is the one thread that calls dp.h; "worker" is the lcore that runs the worker.
 * Fields say who writes (wo, rw) and who reads (ro).
 */
#pragma once

#include "dataplane/pkt.h"
#include "dataplane/worker.h"

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_hash.h>
#include <rte_ip_frag.h>
#include <rte_lpm.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <stddef.h>

#define USUAL_LEN 48 /* bytes of a usual frame that classify compares: up to the session id */
#define FRAGS_MAX 64 /* fragments of one packet at most */
#define LARGE_ROOM                                                                                 \
	10240 /* data room of a large buffer: a jumbo frame, or a datagram of 7 fragments */
#define NH_MAX        4096 /* different next hops of routes; 0 is none */
#define NEIGH_MAX     16384
#define FRAMED_MAX    65536
#define RT_NONE       0xff /* kind of the entry that a failed lookup gives */
#define L2TP_PORT     1701 /* RFC 2661 8.1 */
#define REASSEMBLY_MS 3000
#define NODES_MAX     8
#define SA_EVENT_BITS 2 /* a number in the ring SA: id, event */

/* A next hop as routes name it; constant while any route or worker can see it. */
struct nh { /* control: wo, workers: ro */
	uint8_t kind; /* enum dp_route_kind or RT_NONE */
	uint16_t ifidx;
	uint32_t gateway; /* host order; VIA */
	uint32_t neigh; /* VIA: index into neigh */
};

/* MAC in the low 48 bits, first byte lowest; 0: unresolved. */
#define MAC_KNOWN (1ull << 63)

struct neigh { /* control: wo, workers: ro */
	uint64_t mac; /* atomic */
	uint32_t ip; /* host order */
	uint32_t refs; /* control: routes through it */
	uint16_t ifidx;
};

struct neigh_key {
	uint32_t ip;
	uint32_t ifidx;
};

/* Indices that are used again only when every worker has passed a quiescent state. */
struct slots { /* control: rw */
	uint32_t n_free, n_dead, dead_head, size;
	uint32_t *free;
	struct {
		uint32_t idx;
		uint64_t token;
	} * dead; /* ring of size entries */
};

#define SUBS_MANY 4096

/* dp.subs: subscriber addresses by their upper 16 bits. */
struct subs_leaf { /* control: wo, workers: ro */
	uint16_t session[65536]; /* by the lower 16 bits; 0: none */
};

struct interface { /* before workers run: rw, then ro */
	struct dp_if_conf conf;
	uint8_t l2[18]; /* Ethernet header without the destination, tag included */
	uint8_t l2_len;
};

struct port { /* before workers run: rw, then ro */
	bool used;
	uint16_t n_rxq, n_txq;
	uint16_t *vlan_if; /* by 802.1Q VLAN id, 0: untagged */
	uint8_t usual
	        [USUAL_LEN]; /* what a usual frame to the interface without a tag begins with */
};

struct tunnel { /* control: wo, workers: ro; each word is written atomically */
	uint64_t addrs; /* peer << 32 | local */
	uint64_t conn;
	uint32_t known; /* TUNNEL_KNOWN | peer port */
};
#define TUNNEL_KNOWN 0x10000u

struct ctl_session { /* control: rw */
	uint32_t gen;
	uint32_t sub_ip;
	union {
		uint32_t child; /* live */
		uint64_t del_ticket; /* not live; 0: never used */
	};
	uint16_t tunnel_id;
	uint8_t worker;
	bool live;
	bool closed; /* by dp_tunnel_close */
	bool hidden; /* packets to sub_ip are not its */
};

struct ctl_child { /* control: rw */
	uint64_t buried; /* seq of the last order that may name it */
	uint32_t next; /* among the dead, then among the free; 0: none */
	uint32_t users : 31; /* SAs and sessions */
	bool live : 1;
};

/* What has been freed waits, in the order in which it was, until its worker has let go of it. */
struct dead_sas { /* control: rw */
	struct sa *first, *last;
};
struct dead_children { /* control: rw */
	uint32_t first, last; /* 0: none */
};

struct spi_ctl { /* control: rw */
	uint32_t *queue; /* ring of slots, the one to be used next at head */
	uint32_t head, n;
	uint8_t *gen; /* by slot: the last one handed out */
	struct {
		uint64_t token : 61; /* of the QSBR variable, when it was given back */
		bool queued : 1, busy : 1, installed : 1;
	} * slot;
};

struct dp {
	struct dp_conf conf; /* ro */
	struct log *log; /* control */
	uint64_t tsc_hz;
	bool stop; /* any: rw, atomic */
	struct worker *workers[DP_MAX_WORKERS];
	struct node node[NODES_MAX]; /* the first one is the tables' */
	struct node *worker_node[DP_MAX_WORKERS];
	uint32_t n_nodes;
	struct rte_mempool *pool, *large; /* of the first node */

	/* what packets are looked up in */
	uint8_t *owner; /* by session id; control: wo, workers: ro */
	struct sess_rx *rx; /* owner: rw */
	struct sess_tx *tx; /* owner: rw */
	struct sess_ctr *ctr; /* owner: wo, control: ro */
	uint32_t *gen; /* of live sessions; control: wo, workers: ro */
	struct tunnel *tunnels;
	struct spi_slot *spi;
	struct child *child;
	struct sa **child_out; /* child.out once more, close together; worker: rw */
	uint8_t *fired; /* the latches of children, a bit each; control: wo, workers: ro, atomic */
	struct sa_drops *sa_drops; /* by slot of the SPI; worker: wo, control: ro */
	struct rte_lpm *lpm;
	uint32_t default_nh; /* atomic: rte_lpm has no prefix of length 0 */
	struct nh *nh;
	struct neigh *neigh;
	struct rte_hash *neigh_hash;
	struct subs_leaf **subs; /* by upper 16 bits of the address; NULL: they are no one's */
	struct subs_leaf *no_subs; /* stands there for framed addresses alone; empty */
	struct rte_hash *framed; /* other subscriber addresses */
	uint32_t
	        n_hidden; /* sessions with an address that is ours, or never forwarded to; atomic */
	uint8_t *framed_filter; /* one bit a hash value: rarely are both set by chance */
	struct rte_rcu_qsbr *qsbr;
	uint32_t n_live; /* sessions; control: wo, workers: ro, atomic */
	struct interface *ifs;
	uint32_t n_ifs;
	struct port ports[RTE_MAX_ETHPORTS];

	/* control only */
	uint64_t seq;
	uint64_t last_order[DP_MAX_WORKERS]; /* seq of it */
	uint64_t fence; /* seq of the order that messages of control wait for; 0: none */
	bool fence_owed; /* something has been latched since */
	struct ctl_session *ctl;
	uint32_t n_sessions[DP_MAX_WORKERS];
	uint16_t *framed_count; /* by hash value: when to clear a bit of the filter */
	uint32_t *framed_in; /* by upper 16 bits: when to take no_subs out */
	uint32_t n_routes;
	uint32_t n_local_nets; /* routes to ourselves with a prefix of less than 32 bits */
	uint32_t *nh_refs;
	struct slots nh_slots, neigh_slots;
	struct esp *esp; /* control's engine: SAs are made with it */
	struct spi_ctl spi_ctl;
	struct ctl_child *ctl_child;
	uint32_t child_free; /* the last one that was freed; 0: none */
	uint32_t child_unused; /* the first one that has never been in use */
	struct sa **sas; /* by the low bits of the id */
	uint32_t *sa_free, n_sa_free;
	uint64_t sa_serial;
	struct dead_sas dead_sas[DP_MAX_WORKERS];
	struct dead_children dead_children[DP_MAX_WORKERS];

	struct loads *loads; /* of workers, second by second */

	/* the event */
	int event_fd;
	bool armed; /* atomic: control sets, a worker or control clears */
	bool control_armed; /* control: since it last polled */
	uint64_t events_due; /* control: writes that workers have made or will make */
};

/* ---- stages: survivors are compacted in v, their number is returned ---- */

uint16_t dp_classify(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_esp_in(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_esp_usual(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_up(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_l2tp_in(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_ppp_in(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_ip4_lookup(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_down_usual(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_l2tp_out(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_esp_out(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_ip4_out(struct worker *w, struct rte_mbuf **v, uint16_t n);
uint16_t dp_tx(struct worker *w, struct rte_mbuf **v, uint16_t n);

/* ---- stages in their order (worker.c) ---- */

void dp_input(struct worker *w, struct rte_mbuf **v, uint16_t n); /* from classify on */
void dp_input_esp(struct worker *w, struct rte_mbuf **v, uint16_t n); /* from esp_in on */
/* The same with usual frames of sessions of this worker, and with what is in w->esp and w->transit. */
void dp_input_frames(struct worker *w, struct rte_mbuf **v, uint16_t n);
void dp_route(struct worker *w, struct rte_mbuf **v, uint16_t n); /* from ip4_lookup on */
void dp_down(struct worker *w, struct rte_mbuf **v, uint16_t n); /* from l2tp_out on */
void dp_protect(struct worker *w, struct rte_mbuf **v, uint16_t n); /* from esp_out on */
void dp_output(struct worker *w, struct rte_mbuf **v, uint16_t n); /* from ip4_out on */

/*
 * Everything of the turn so far is gone from this worker, so that an order can rely on it: to the ports
 * and into the rings of the other workers.
 */
void dp_flush(struct worker *w);

/* ---- pieces of stages ---- */

/* classify: the port has an interface without a tag, of that MAC address. */
void dp_usual_make(struct port *port, const uint8_t *mac);

/*
 * An L2TP message of len bytes, off bytes into m and right behind its UDP header. Returns m at the L2TP
 * header when it is a data message that this worker can handle.
 */
struct rte_mbuf *dp_l2tp_message(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len);
/* The same for a control message, of which 2 bytes are there: it goes to control, or is dropped. */
void dp_l2tp_control(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len);
/*
 * Leaves a usual frame, as classify leaves it to up, as it leaves all other messages. False when it was
 * dropped.
 */
bool dp_frame_message(struct worker *w, struct rte_mbuf *m);
/* The same for one with an ESP packet, that esp_usual has not taken. */
void dp_frame_esp(struct worker *w, struct rte_mbuf *m, const uint8_t *esp);
/* The same for one that down has not taken: among transit packets, at its IPv4 header. */
void dp_frame_transit(const struct worker *w, struct rte_mbuf *m);
/* The way to dst (host order) into the metadata: false when there is none. */
bool dp_outer_route(struct worker *w, struct rte_mbuf *m, uint32_t dst);

/* Puts headers around a PPP frame of control. Returns false when it was dropped. */
bool dp_l2tp_out_ppp(struct worker *w, struct rte_mbuf *m, uint16_t session_id);
/* Puts the Ethernet header of interface ifidx in front. Returns false when it was dropped. */
bool dp_l2_write(struct worker *w, struct rte_mbuf *m, uint16_t ifidx, uint64_t mac);
void dp_tx_flush(struct worker *w);

/*
 * Cuts the IPv4 packet m into fragments of at most mtu bytes; out[0] is m itself. Returns how many;
 * 0: m was dropped, counted.
 */
uint16_t dp_ip4_fragment(struct worker *w, struct rte_mbuf *m, uint16_t mtu,
                         struct rte_mbuf *out[FRAGS_MAX]);
/* Takes a fragment at its Ethernet header. Returns the datagram in one buffer when complete. */
struct rte_mbuf *dp_reassemble(struct worker *w, struct rte_mbuf *m, uint16_t ip_hdr_len);
void dp_reassembly_timer(struct worker *w);
/* Copies a chain into one large buffer, metadata included, and frees it. NULL: nothing is freed. */
struct rte_mbuf *dp_linearize(struct worker *w, struct rte_mbuf *m);

/* Lowers the MSS option of a TCP SYN to at most mss (RFC 879, RFC 6691). m is at the IPv4 header. */
void dp_mss_clamp(struct rte_mbuf *m, uint16_t mss);

/* Keeps m until its next hop is known. */
void dp_hold(struct worker *w, struct rte_mbuf *m, uint16_t ifidx, uint32_t ip);
void dp_hold_release(struct worker *w, uint16_t ifidx, uint32_t ip, uint64_t mac);
/* What is of sessions that control has deleted, or whose tunnel it has closed, before this order. */
void dp_hold_purge(struct worker *w);
void dp_hold_timer(struct worker *w);

/* Keeps an ESP packet until the SA of its SPI is there. */
void dp_esp_hold(struct worker *w, struct rte_mbuf *m, uint32_t spi);
void dp_esp_held_release(struct worker *w, uint32_t spi); /* it is there */
void dp_esp_hold_timer(struct worker *w);

/* The addresses of all buffers of that pool fit a ring's elements. */
bool dp_handoff_fits(struct rte_mempool *pool);
void dp_handoff_free(struct worker *w); /* with the packets that are in rings */
/* Gives m to another worker, with a number of up to 20 bits. */
void dp_handoff(struct worker *w, struct rte_mbuf *m, uint16_t to, enum resume resume,
                uint32_t number);
void dp_handoff_flush(struct worker *w);
/* What others have given: ahead fetches the first ones, take does them all. Returns how many. */
void dp_handoff_ahead(struct worker *w);
uint32_t dp_handoff_take(struct worker *w);
void dp_handoff_timer(struct worker *w);

/* A usual frame with an ESP packet whose SPI is this worker's: to w->esp, as classify puts it there. */
void dp_esp_frame(struct worker *w, struct rte_mbuf *m);

/* Gives m to control, or drops it: over its rate for reason, with DP_DROP_NONE for PUNT_LIMIT. */
void dp_punt(struct worker *w, struct rte_mbuf *m, enum dp_punt_class class, enum dp_drop reason);
/* False when this tunnel (L2TP) or session (PPP) has used up its own part of the rate: dp_punt comes next. */
bool dp_punt_sender(struct worker *w, enum dp_punt_class class, uint16_t id);
/* The same for what has a limit of its own, which was asked. */
void dp_punt_granted(struct worker *w, struct rte_mbuf *m, enum dp_punt_class class);
void dp_punt_icmp(struct worker *w, struct rte_mbuf *m, enum dp_icmp_error error, uint16_t mtu,
                  enum dp_drop reason);
/* False when the rate is used up: ask later. */
bool dp_punt_neigh(struct worker *w, uint16_t ifidx, uint32_t ip);
void dp_punt_event(struct worker *w); /* at the end of a turn */

/* ---- SAs: the worker's side ---- */

void dp_sa_order_add(struct worker *w, struct sa *sa);
void dp_sa_order_update(struct worker *w, struct sa *sa, const struct sa_outer *outer);
void dp_sa_order_use(struct worker *w, struct sa *sa);
void dp_sa_order_del(struct worker *w, struct sa *sa);
void dp_sa_first(struct worker *w, struct sa *sa); /* the first authenticated packet came */
/* Counts how many packets, of any length, will reach no limit. */
void dp_sa_watch(struct sa *sa);
void dp_sa_expire(struct worker *w, struct sa *sa); /* a hard limit has been reached */
void dp_sa_outer_set(struct sa *sa,
                     const struct sa_outer *outer); /* control too, as it makes one */
void dp_sa_event_once(struct worker *w, struct sa *sa, enum dp_sa_event e);
/* The peer's packets come from ip << 16 | port now; 0: from where control knows them to be. */
void dp_sa_moved(struct worker *w, struct sa *sa, uint64_t mapping);
__rte_cold struct sa_drops *dp_sa_drops(struct worker *w, const struct sa *sa); /* inbound */
void dp_sa_timer(struct worker *w); /* events that found no room */

/* ---- the FIFO ---- */

/* True when every worker (or worker w) can take one more order. */
bool dp_fifo_room(const struct dp *dp, int w);
/* After dp_fifo_room: cannot fail. Returns the order's sequence number. */
uint64_t dp_fifo_put(struct dp *dp, uint16_t w, struct fifo_msg *msg);
uint64_t dp_fifo_put_all(struct dp *dp, struct fifo_msg *msg);
uint32_t dp_fifo_run(struct worker *w); /* worker: takes and does orders */
/*
 * What control says of an end (CDN, StopCCN) leaves when no worker can forward a packet of it any more: the
 * order to send carries the number of an order to all that stood behind the latch or the removal in each
 * FIFO, and its worker keeps it until all have done that. No one else waits. An order waits for older ones
 * only, so that no two workers wait for each other.
 */
bool dp_fifo_fence(struct dp *dp, uint64_t *after); /* false: no room */

/* A ticket for dp_applied: of an order to one worker. That of an order to all is its number. */
static inline uint64_t dp_ticket(uint16_t w, uint64_t seq)
{
	return (uint64_t)(w + 1) << 56 | seq;
}

/* ---- how busy workers are ---- */

int dp_load_init(struct dp *dp);
void dp_load_free(struct dp *dp);
void dp_load_tick(struct dp *dp, uint64_t now_ms);

/* Between two turns, after one without work. */
void dp_idle(struct worker *w);
void dp_idle_init(const struct dp *dp); /* by the worker's own thread */
/* What dp_idle does after so many empty turns: sleep, else pause so often. */
uint32_t dp_idle_sleep_us(const struct dp *dp, uint32_t empty);
uint32_t dp_idle_pauses(uint32_t empty);

/* The owner's alone: the counters of the session that has that id now. */
__rte_cold struct sess_ctr *sess_ctr_of(struct dp *dp, uint16_t sid);

/* ---- SAs and SPIs: control's side ---- */

int dp_sa_init(struct dp *dp);
void dp_sa_free(struct dp *dp);
int dp_spi_init(struct dp *dp);
void dp_spi_free(struct dp *dp);
void dp_spi_close(struct dp *dp, uint32_t spi);
void dp_spi_release(struct dp *dp, uint32_t spi); /* its worker has let go of it */
struct sa *dp_sa_find(const struct dp *dp, dp_sa_id id);
void dp_sa_reclaim(struct dp *dp); /* frees what no worker sees any more */
/* Memory of whole large pages, where the system has them: mem.c */
#define DP_LARGE_PAGE (2u << 20)
/* Not touched yet. NULL: there is none. */
void *dp_large_map(size_t bytes);
void dp_large_unmap(void *p, size_t bytes);
/* Zeros of which few will ever be written: a page of it is made when it is, for a worker too. */
void *dp_sparse_new(size_t bytes);
void dp_sparse_free(void *p, size_t bytes);
/* A table of a megabyte or more, zeroed; the EAL's when that has huge pages. */
void *dp_table_new(const char *name, size_t bytes, int socket);
void dp_table_free(void *p, size_t bytes);

/* A number of cache lines; NULL: none left. What was in them is undefined. */
void *dp_sa_mem_get(struct node *node, uint32_t lines);
void dp_sa_mem_put(struct node *node, void *p, uint32_t lines);
void dp_sa_mem_free(struct node *node);
bool dp_child_live(const struct dp *dp, uint32_t child);
/* True when a session of that worker and connection can be in that child. */
bool dp_child_fits(const struct dp *dp, uint32_t child, uint16_t worker, uint64_t conn);
void dp_child_use(struct dp *dp, uint32_t child, int n);

/* ---- tables (tables.c, neigh.c, subs.c) ---- */

int dp_tables_init(struct dp *dp);
void dp_tables_free(struct dp *dp);
int dp_neigh_init(struct dp *dp);
int dp_subs_init(struct dp *dp);
void dp_subs_free(struct dp *dp);

int dp_slots_init(struct slots *s, uint32_t first, uint32_t n);
void dp_slots_free(struct slots *s);
void dp_slots_reclaim(struct slots *s, struct rte_rcu_qsbr *qsbr);
uint32_t dp_slots_get(struct slots *s, struct rte_rcu_qsbr *qsbr); /* UINT32_MAX: none */
void dp_slots_put(struct slots *s, struct rte_rcu_qsbr *qsbr, uint32_t idx);

/* The entry of a neighbour, made when it is not there; its refs go up by one. UINT32_MAX: full. */
uint32_t dp_neigh_ref(struct dp *dp, uint16_t ifidx, uint32_t ip);
void dp_neigh_unref(struct dp *dp, uint32_t idx);
/* Any thread. MAC_KNOWN | address, or 0. */
uint64_t dp_neigh_mac(const struct dp *dp, uint16_t ifidx, uint32_t ip);

/* Moves a subscriber's address to session (newest wins), or takes it from that session. */
int dp_subs_set(struct dp *dp, uint32_t ip, uint16_t session);
void dp_subs_clear(struct dp *dp, uint32_t ip, uint16_t session);
/*
 * One of our own addresses is ours even when a session has it, and a martian is no one's. dp.n_hidden counts such
 * sessions: while there is one, classify asks of every packet whose its destination is before who has it, else
 * only of those that no one has. After a change of the session, and of routes that can have made an address ours or
 * no longer ours, before another order is given.
 */
void dp_subs_hide(struct dp *dp, uint16_t session);
void dp_subs_hide_in(struct dp *dp, uint32_t prefix, uint8_t len);
/* Any thread. The session that answers for ip; 0: none. */
uint16_t dp_framed_lookup(const struct dp *dp, uint32_t ip);

/* A buffer that holds len bytes behind the usual headroom, metadata zeroed; NULL: none. */
struct rte_mbuf *dp_alloc(struct dp *dp, size_t len);
/* The same of a node's memory. */
struct rte_mbuf *dp_node_alloc(const struct node *node, size_t len);

/* ---- small ones that are on the hot path ---- */

static inline void dp_drop(struct worker *w, struct rte_mbuf *m, enum dp_drop reason)
{
	w->st.drop[reason]++;
	rte_pktmbuf_free(m);
}

static inline void vec_push(struct vec *v, struct rte_mbuf *m)
{
	assert(v->n < VEC_MAX);
	v->v[v->n++] = m;
}

/* The index of the next hop for a destination in host order; 0: no route. */
static inline uint32_t dp_nh_lookup(const struct dp *dp, uint32_t dst)
{
	uint32_t nh;

	if (likely(rte_lpm_lookup(dp->lpm, dst, &nh) == 0))
		return nh;
	return __atomic_load_n(&dp->default_nh, __ATOMIC_ACQUIRE);
}

static inline uint16_t framed_hash(uint32_t ip)
{
	return (uint16_t)((ip * 0x9e3779b1u) >> 16);
}

/* The same of an address where framed ones are. */
static inline uint16_t dp_framed(const struct dp *dp, uint32_t ip)
{
	uint16_t h = framed_hash(ip);

	if (likely((__atomic_load_n(&dp->framed_filter[h >> 3], __ATOMIC_RELAXED) &
	            1u << (h & 7)) == 0))
		return 0;
	return dp_framed_lookup(dp, ip);
}

/* The session that answers for a destination in host order; 0: none. */
static inline uint16_t dp_subs_lookup(const struct dp *dp, uint32_t ip)
{
	const struct subs_leaf *leaf = __atomic_load_n(&dp->subs[ip >> 16], __ATOMIC_ACQUIRE);
	uint16_t session;

	if (leaf == NULL)
		return 0;
	session = __atomic_load_n(&leaf->session[ip & 0xffff], __ATOMIC_RELAXED);
	return session != 0 || likely(leaf != dp->no_subs) ? session : dp_framed(dp, ip);
}

/*
 * True with more subscribers than the first cache has places for beside all else: then their places are fetched for
 * all frames of a vector, at their Ethernet header, before they are looked at one by one.
 */
static inline bool dp_subs_many(const struct dp *dp)
{
	return __atomic_load_n(&dp->n_live, __ATOMIC_RELAXED) > SUBS_MANY;
}
void dp_subs_ahead(const struct dp *dp, struct rte_mbuf *const *v, uint16_t n);

/*
 * Ids of outer packets: workers take turns, so that fragments of two workers never mix. The one behind id of the worker
 * who begins with first, of step workers, for a loop that has them all at hand.
 */
static inline uint32_t dp_ip_id_behind(uint32_t id, uint32_t step, uint32_t first)
{
	return unlikely(id + step > UINT16_MAX) ? first : id + step;
}

static inline uint16_t dp_next_ip_id(struct worker *w)
{
	w->ip_id = (uint16_t)dp_ip_id_behind(w->ip_id, w->dp->conf.n_workers, w->id);
	return w->ip_id;
}

static inline bool dp_child_fired(const struct dp *dp, uint32_t child)
{
	return __atomic_load_n(&dp->fired[child / 8], __ATOMIC_ACQUIRE) >> (child % 8) & 1;
}

/*
 * True when the latch holds the packet back, on whichever side of it the connection is that has fired:
 * what control itself sends always leaves.
 */
static inline bool dp_latched(const struct dp *dp, const struct pkt_meta *meta)
{
	if (likely((meta->in_child | meta->out_child) == 0) || (meta->flags & PKT_CONTROL) != 0)
		return false;
	return (meta->in_child != 0 && dp_child_fired(dp, meta->in_child)) ||
	       (meta->out_child != 0 && dp_child_fired(dp, meta->out_child));
}

/*
 * A packet that came out of a session carries no right to go on when the session has ended in the
 * meantime: no ring and no wait for a next hop must outlive the order to stop. Any thread.
 */
static inline bool dp_still_live(const struct dp *dp, const struct pkt_meta *meta)
{
	return meta->in_session == 0 ||
	       __atomic_load_n(&dp->gen[meta->in_session], __ATOMIC_ACQUIRE) == meta->in_gen;
}

static inline uint8_t dp_owner(const struct dp *dp, uint16_t session_id)
{
	return __atomic_load_n(&dp->owner[session_id], __ATOMIC_RELAXED);
}

/* The same as dp_owner(w->dp, session_id) == w->id. */
static inline bool dp_mine(const struct worker *w, uint32_t session_id)
{
	return __atomic_load_n(&w->mine[session_id / 64], __ATOMIC_RELAXED) >> (session_id % 64) &
	       1;
}
