/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The data plane as the control lcore sees it. Nothing of DPDK shows here: bytes and numbers go in,
 * punted bytes come out. All functions are for the one control thread unless they say otherwise.
 *
 * What control orders for one worker goes through that worker's FIFO and takes effect in the order of
 * the calls. An order that does not fit returns -EAGAIN and changes nothing.
 */
#pragma once

#include "base/addr.h"
#include "base/log.h"
#include "esp/esp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp;
struct rte_mempool;

#define DP_MAX_WORKERS 64
#define DP_MAX_IFS     256
#define DP_IF_NONE     0xffff

/* ---- reasons: one list for console, logs, metrics and tests ---- */

/* X(symbol, "name in shows", "what it means") */
#include "dataplane/drops.h" /* defines DP_DROP_LIST */

enum dp_drop {
#define X(sym, name, help) DP_DROP_##sym,
	DP_DROP_LIST(X)
#undef X
	        DP_DROP_MAX
};

const char *dp_drop_name(enum dp_drop d);
const char *dp_drop_help(enum dp_drop d);

enum dp_punt_class {
	DP_PUNT_L2TP, /* control message of a tunnel id that is known */
	DP_PUNT_PPP, /* PPP frame of a known session that is not IP */
	DP_PUNT_L2TP_NEW, /* tunnel id 0: SCCRQ; token buckets hashed by source, retries first */
	DP_PUNT_TWIN, /* an Ethernet frame for the kernel twin of its interface */
	DP_PUNT_SUBSCRIBER, /* an IP packet of a subscriber to one of our own addresses: to the tun */
	DP_PUNT_ICMP, /* a transit packet that wants an ICMP error: see dp_punt.icmp */
	DP_PUNT_NEIGH, /* a next hop wants resolving; no bytes, see ifidx and next_hop. Comes again
			  every second while packets wait, 3 s at most: answer with dp_neigh_set */
	DP_PUNT_SA, /* something about an SA: see dp_punt.sa_event; no bytes */
	DP_PUNT_MAX
};

const char *dp_punt_name(enum dp_punt_class c);

/* A security association of the data plane; never used again. 0: none. */
typedef uint64_t dp_sa_id;

enum dp_sa_event {
	DP_SA_SOFT, /* a soft limit of bytes, packets or sequence numbers was passed; once */
	DP_SA_HARD, /* a hard one: the SA passes nothing any more; once */
	DP_SA_MAPPING, /* the peer's newest packet came from another address or port: dp_punt.src */
	DP_SA_FIRST, /* inbound: the first authenticated packet; the outbound one of its pair is used now */
};

enum dp_icmp_error { DP_ICMP_TTL, DP_ICMP_TOO_BIG, DP_ICMP_UNREACHABLE };

struct dp_punt {
	enum dp_punt_class class;
	uint16_t ifidx; /* where it came in, or where the next hop lives */
	const uint8_t
	        *data; /* L2TP: from the L2TP header; PPP: the frame; TWIN: Ethernet, any 802.1Q
				tag of the sub-interface removed; ICMP, SUBSCRIBER: from the IP header */
	uint32_t len;
	struct endpoint src, dst; /* L2TP: outer addresses and ports */
	uint64_t conn; /* transport connection, 0: plain UDP */
	uint16_t session_id; /* PPP, SUBSCRIBER; ICMP from a subscriber, else 0 */
	uint32_t gen; /* .. and its generation: control drops stale ones */
	enum dp_icmp_error icmp;
	uint16_t mtu; /* DP_ICMP_TOO_BIG */
	uint32_t next_hop; /* NEIGH: IPv4, host order */
	dp_sa_id sa; /* SA */
	enum dp_sa_event sa_event;
};

typedef void (*dp_punt_fn)(void *ctx, const struct dp_punt *p);

/* ---- life ---- */

struct dp_conf {
	uint16_t n_workers; /* 1..DP_MAX_WORKERS */
	uint32_t n_mbufs; /* 2 KiB buffers; 0: chosen from ports and workers */
	uint16_t vector; /* packets a burst, 8..64 */
	uint16_t hold_packets; /* a next hop, a worker: 0..64 */
	uint32_t punt_rate[DP_PUNT_MAX]; /* packets a second and worker; 0: default */
	uint32_t new_tunnel_source_rate; /* SCCRQ a second and source; 0: default */
	uint32_t new_tunnel_sa_rate; /* .. and worker, of those that come in an SA; 0: default */
	uint32_t reassembly_entries; /* outer datagrams in reassembly; 0: default */
	bool verify_l2tp_checksum;
	enum { DP_IDLE_SPIN, DP_IDLE_PAUSE, DP_IDLE_SLEEP } idle; /* see dataplane/idle.c */
	uint32_t idle_sleep_us; /* the longest sleep */
	int socket; /* NUMA node for tables that all workers read */
	/*
	 * .. of each worker's CPU, -1: the same. What is one worker's own lies there: its rings, its buffers,
	 * its SAs with their keys. Where that node has no memory left it is with the tables; that is logged.
	 */
	int worker_socket[DP_MAX_WORKERS];
};

/* Makes pools, tables and rings. The EAL must be up. Returns NULL with errno set. */
struct dp *dp_new(const struct dp_conf *conf, struct log *log);
void dp_free(struct dp *dp); /* workers have returned; frees packets that are held */
/* The pool that receive queues must be set up with: its buffers have room for the metadata. */
struct rte_mempool *dp_mbuf_pool(struct dp *dp);
/* The same for a port on that NUMA node (-1: any): of the node's memory where a worker runs there. */
struct rte_mempool *dp_mbuf_pool_on(struct dp *dp, int socket);

/* Runs worker w on the calling thread until dp_stop: the argument of an lcore. */
struct dp_worker_arg {
	struct dp *dp;
	uint16_t worker;
};
int dp_worker_main(void *dp_worker_arg);
void dp_stop(struct dp *dp); /* any thread */
/* One turn of worker w's loop; for tests, which are the worker then. Returns packets handled. */
uint32_t dp_worker_poll(struct dp *dp, uint16_t w);

/* ---- interfaces, addresses, routes, neighbours (called by ports) ---- */

struct dp_if_conf {
	uint16_t port_id; /* ethdev */
	uint16_t vlan; /* 0: untagged */
	uint8_t mac[6];
	uint16_t mtu; /* of IP packets: 1500 */
	char name[32];
};

/* Returns the interface's index, or -errno. Only before workers run. */
int dp_if_add(struct dp *dp, const struct dp_if_conf *conf);
/*
 * A started port has n_rxq and n_txq (at least one for each worker). With a receive queue for each worker
 * queue q is worker q's; else they go to those that have the fewest queues. Only before workers run.
 */
int dp_port_add(struct dp *dp, uint16_t port_id, uint16_t n_rxq, uint16_t n_txq);
/* The worker that polls a receive queue; -ENOENT. */
int dp_queue_worker(const struct dp *dp, uint16_t port_id, uint16_t queue);
/* How many receive queues a worker polls. */
uint32_t dp_worker_queues(const struct dp *dp, uint16_t worker);

enum dp_route_kind {
	DP_RT_LOCAL, /* one of our addresses: L2TP here, the rest to the twin */
	DP_RT_CONNECTED, /* the destination itself is the next hop on ifidx */
	DP_RT_VIA, /* gateway on ifidx */
	DP_RT_SUBSCRIBER, /* a pool or framed prefix: only sessions answer in it */
	DP_RT_BLACKHOLE,
};

struct dp_route {
	uint32_t prefix; /* host order */
	uint8_t len;
	enum dp_route_kind kind;
	uint16_t ifidx;
	uint32_t gateway; /* host order */
};

int dp_route_set(struct dp *dp, const struct dp_route *r); /* adds or replaces */
int dp_route_del(struct dp *dp, uint32_t prefix, uint8_t len);
uint32_t dp_route_count(const struct dp *dp);

/* mac NULL: the neighbour is unknown or failed; packets held for it are dropped, counted. */
int dp_neigh_set(struct dp *dp, uint16_t ifidx, uint32_t ip, const uint8_t *mac);

/* A dense range of subscriber addresses: a flat array serves it (DESIGN: downstream). */
int dp_pool_add(struct dp *dp, uint32_t first, uint32_t n);

/* ---- IPsec transport (called by control) ---- */

/*
 * A child: what carries L2TP inside a transport connection between one pair of ports. It has a
 * CHILD_SA at a time, and for the time of a rekey two or more; where they differ does not show above.
 * All SAs of a child, and all sessions in it, belong to one worker. Index 0 is none: plain UDP.
 */
struct dp_child {
	uint64_t conn; /* of control; never 0 */
	uint16_t worker;
	/*
	 * What the inner packets bear, as their selectors say: the addresses are those that tunnels
	 * and sessions are known by, whatever NAT does to the outer ones later. peer.port 0: any.
	 */
	struct endpoint local, peer;
};

/* -ENOSPC: no index is free. -EINVAL. -EAFNOSUPPORT. -EAGAIN. */
int dp_child_add(struct dp *dp, const struct dp_child *c, uint32_t *child);
/* Its SAs and sessions have been deleted by earlier calls: else -EBUSY. -ENOENT. */
int dp_child_del(struct dp *dp, uint32_t child);
/*
 * The latch (E23, E32): written before the call returns, so before anything that control sends
 * after it. From here on no data message comes in, no forwarded packet goes out, and of the control
 * messages only those of a tunnel of its own connection come through; what a worker has in hand at that
 * moment leaves before any later dp_send_udp does. Idempotent, not to be undone.
 */
void dp_child_latch(struct dp *dp, uint32_t child);

/*
 * Hands out an SPI that belongs to a worker: packets that come on it before its SA is there are
 * held, 64 of them and one second (an initiator may send before the responder has installed).
 * -ENOSPC.
 */
int dp_spi_get(struct dp *dp, uint16_t worker, uint32_t *spi);
/* The same for an SPI that the configuration names. -EBUSY; -EINVAL: see dp_spi_worker. */
int dp_spi_take(struct dp *dp, uint32_t spi);
/* Gives back one that no SA was made for; held packets are dropped. dp_sa_del gives back its own. */
void dp_spi_put(struct dp *dp, uint32_t spi);
/* The worker that an SPI belongs to: its low bits. May be no worker of this data plane. */
#define DP_SPI_WORKER_MASK 0x3fu
uint16_t dp_spi_worker(uint32_t spi);

struct dp_sa {
	uint32_t spi; /* inbound: handed out by dp_spi_get or dp_spi_take */
	uint32_t child;
	bool inbound, tunnel_mode, encap; /* encap: ESP in UDP (RFC 3948) */
	struct endpoint local, peer; /* outer; ports of the encapsulation */
	struct esp_suite suite;
	const uint8_t *enc_key, *auth_key;
	uint16_t enc_key_len, auth_key_len;
	bool esn;
	uint32_t replay_window;
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets; /* 0: none */
	dp_sa_id pair; /* outbound: the inbound SA of its CHILD_SA; 0: none */
	void *user; /* of whoever made it: dp_sa_user */
};

/*
 * Outbound: the child uses it at once when it has no other; else when its pair has seen an
 * authenticated packet, when the SA in use is deleted, or by dp_sa_use (control's 2 seconds).
 * Inbound: packets held on its SPI are processed. ticket (may be NULL): see dp_applied.
 * -EINVAL, -ENOENT (child, SPI), -EEXIST, -ENOSPC, -ENOMEM, -EAFNOSUPPORT, -EAGAIN.
 */
int dp_sa_add(struct dp *dp, const struct dp_sa *sa, dp_sa_id *id, uint64_t *ticket);
/* New outer addresses, ports and encapsulation. -ENOENT, -EAGAIN. */
int dp_sa_update(struct dp *dp, dp_sa_id id, const struct endpoint *local,
                 const struct endpoint *peer, bool encap);
/* From now on the child sends through this outbound SA. -ENOENT, -EAGAIN. */
int dp_sa_use(struct dp *dp, dp_sa_id id);
/* Nothing passes it once ticket is applied; then its keys are wiped. -ENOENT, -EAGAIN. */
int dp_sa_del(struct dp *dp, dp_sa_id id, uint64_t *ticket);

/* What it was made with; NULL: there is no such SA. For what DP_PUNT_SA tells. */
void *dp_sa_user(const struct dp *dp, dp_sa_id id);

struct dp_sa_stats {
	uint64_t packets, bytes; /* ESP payload that passed */
	uint64_t seq; /* outbound: last used; inbound: highest authenticated */
	uint64_t auth_errors, replays, pad_errors, selector_errors, latched; /* inbound drops */
	bool used,
	        in_use; /* has passed a packet; outbound: it is the one that the child sends by */
	uint64_t idle_ms; /* since its last packet; valid when used */
};
int dp_sa_stats(struct dp *dp, dp_sa_id id, struct dp_sa_stats *out); /* -ENOENT */

/* ---- tunnels and sessions (called by control) ---- */

/*
 * A tunnel id of ours is in use: its control messages are class L2TP, when they come from the peer to
 * the local address through conn. Peer port 0: any, until the peer has answered (RFC 2661 8.1); call
 * again to set it. -EAFNOSUPPORT: not IPv4.
 */
int dp_tunnel_add(struct dp *dp, uint16_t tunnel_id, const struct endpoint *local,
                  const struct endpoint *peer, uint64_t conn);
int dp_tunnel_del(struct dp *dp, uint16_t tunnel_id);
/*
 * Its sessions pass nothing any more, either way: written before the call returns, so before anything that
 * control sends after it, and what a worker has in hand at that moment leaves before any later dp_send_udp
 * does. They are still to be deleted, one by one; nothing else can be done with them.
 */
void dp_tunnel_close(struct dp *dp, uint16_t tunnel_id);

struct dp_session {
	uint16_t session_id, tunnel_id; /* ours */
	uint16_t peer_session_id, peer_tunnel_id; /* toward the peer; 0 until known */
	uint32_t gen; /* chosen by control, never 0 */
	uint16_t worker; /* owner: from dp_owner_pick */
	struct endpoint local, peer;
	uint64_t conn;
	uint32_t child; /* that carries it; 0 with conn 0 */
	bool open; /* IP may flow; else only PPP control frames */
	bool udp_checksum; /* fill in the outer UDP checksum of data */
	bool sequencing; /* Ns and Nr in data messages that we send */
	bool check_sequence; /* drop old and duplicate data messages (RFC 2661 5.4) */
	bool length_bit; /* L bit in data messages that we send */
	bool outer_df; /* DF in the outer header: too big is answered, not fragmented */
	bool tx_acfc, tx_pfc;
	uint16_t mtu; /* of inner IP packets toward the peer */
	uint16_t mss_clamp; /* TCP MSS at most; 0: no clamping */
	uint32_t peer_ip; /* the subscriber's address, host order; 0: none yet */
};

/*
 * The worker for something new: of those that are not much busier than the least busy one (see
 * dataplane/load.c) the one with the least sessions and, by worker, whatever more control has given it
 * (NULL: nothing).
 */
uint16_t dp_owner_pick(struct dp *dp, const uint32_t *more);
/*
 * -EEXIST: the id is live. -EBUSY: its removal is not applied yet. -EINVAL: id or generation 0, no such
 * worker, a child of another worker or connection. -EAFNOSUPPORT: not IPv4. A subscriber's address that another session has moves to this one.
 */
int dp_session_add(struct dp *dp, const struct dp_session *s);
/* Changes everything but session_id, gen and worker. Same gen or -ESTALE. */
int dp_session_update(struct dp *dp, const struct dp_session *s);
/*
 * From here on no packet of the session is forwarded in either direction, on any worker, once
 * *ticket is applied: see dp_applied.
 */
int dp_session_del(struct dp *dp, uint16_t session_id, uint32_t gen, uint64_t *ticket);
/* True when the order behind a ticket has taken effect on every worker that it concerns. */
bool dp_applied(struct dp *dp, uint64_t ticket);

struct dp_session_stats {
	uint64_t rx_packets, rx_bytes, tx_packets,
	        tx_bytes; /* inner IP; rx is from the subscriber */
	uint64_t rx_discards, tx_discards;
	uint64_t rx_out_of_sequence, rx_lost;
	uint16_t ns, nr;
};
/* Also after the session's end, until its id is used again. -ENOENT, -ESTALE. */
int dp_session_stats(struct dp *dp, uint16_t session_id, uint32_t gen,
                     struct dp_session_stats *out);

/* ---- packets that control sends ---- */

/*
 * All copy the bytes. -EAGAIN: the worker's FIFO is full. -ENOBUFS: no buffer. -EMSGSIZE: larger than
 * 10,240 bytes with headers, or than the link. -EINVAL: not a packet or frame.
 */

/*
 * A UDP datagram, routed by the data plane, checksum filled in. With a child it leaves through the
 * child's outbound SA and by its worker, in order with that worker's other orders; -ENOENT: no such.
 * It leaves when no worker forwards anything any more of what was latched or deleted before.
 */
int dp_send_udp(struct dp *dp, const struct endpoint *src, const struct endpoint *dst,
                uint32_t child, const uint8_t *payload, size_t len);
/* A PPP frame into a session, by its owner, in order with its other messages. */
int dp_send_ppp(struct dp *dp, uint16_t session_id, uint32_t gen, const uint8_t *frame, size_t len);
/* An Ethernet frame out of an interface (from its twin); the sub-interface's tag is added. */
int dp_send_frame(struct dp *dp, uint16_t ifidx, const uint8_t *frame, size_t len);
/*
 * An IP packet to be routed as if it had come in by a port (from the subscribers' tun; ICMP), but for
 * the TTL: the kernel has counted this hop.
 */
int dp_send_ip(struct dp *dp, const uint8_t *packet, size_t len);

/* ---- what workers give to control ---- */

/* Readable when something is punted while armed. */
int dp_event_fd(struct dp *dp);
/* Hands up to budget punts to fn, most urgent class first. Returns how many. */
uint32_t dp_punt_poll(struct dp *dp, dp_punt_fn fn, void *ctx, uint32_t budget);
/* Before sleeping: false when punts are waiting, so poll again. */
bool dp_arm(struct dp *dp);
/* Timed work of control's part: frees what no worker sees any more, samples loads. About every 10 ms. */
void dp_tick(struct dp *dp, uint64_t now_ms);

/* ---- counters ---- */

/* What each means, and the law that ties them, is in dataplane/stats.c. */
struct dp_stats {
	uint64_t rx, tx, injected, punts, fragments_made, fragments_merged, held, handed_off;
	uint64_t taken_over;
	uint64_t punt[DP_PUNT_MAX], drop[DP_DROP_MAX];
	uint64_t busy_cycles, idle_cycles, vectors;
};

/* Sum over workers (worker -1) or one. Read without stopping anyone: consistent when at rest. */
void dp_stats_get(struct dp *dp, int worker, struct dp_stats *out);

#define DP_LOAD_MAX_S 60

struct dp_load {
	uint32_t busy_permille; /* CPU cycles of turns that had work to do, of all */
	uint64_t rx, handed_off, taken_over; /* packets, as in dp_stats */
};

/*
 * Sum over workers (worker -1) or one, of the last seconds (1 to DP_LOAD_MAX_S), and of the part of a
 * second since; or since the start, when that is nearer. dp_tick takes the samples.
 */
void dp_load_get(struct dp *dp, int worker, uint32_t seconds, struct dp_load *out);
uint16_t dp_n_workers(const struct dp *dp);
uint32_t dp_worker_sessions(const struct dp *dp, uint16_t worker);
