/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files of src/control share; nobody else includes it. */
#pragma once

#include "base/idpool.h"
#include "base/slab.h"
#include "control/aaa.h"
#include "control/conn.h"
#include "control/ctl.h"
#include "control/halfopen.h"
#include "control/pool.h"

#include <sys/queue.h>

#define N_SLOTS 65536 /* slot 0 is not used: a record's slot + 1 fits no table of its own */

/* A remote L2TP system: the level above tunnels in JunosE's shows. */
struct dest {
	SLIST_ENTRY(dest) link;
	uint32_t tunnels; /* records that refer to it */
	uint32_t active; /* of them established */
	struct ipaddr addr;
	bool was_active;
};
SLIST_HEAD(dest_list, dest);
#define DEST_BUCKETS 65536

TAILQ_HEAD(session_tailq, session);
TAILQ_HEAD(tunnel_tailq, tunnel);

/* A tunnel, from the accepted SCCRQ until its destruct period is over. */
struct tunnel {
	uint64_t serial;
	struct ctl *ctl;
	struct conn *conn;
	struct dest *dest;
	uint32_t profile, host; /* indices into the configuration */
	uint16_t slot;
	uint16_t id; /* ours; not any more when no longer live */
	bool single_shot : 1; /* sampled at the SCCRQ (E22) */
	bool established : 1; /* counted as active */
	bool went_down : 1; /* tunnel_down was seen */
	bool live : 1; /* false in the destruct period */
	bool lingers : 1; /* workers still hand over what comes for the id (RFC 2661 5.7) */
	uint8_t reason; /* enum l2tp_reason; this and what follows: why it ended */
	uint16_t result, error;
	uint32_t n_live;
	struct tunnel_last *last; /* made when the tunnel goes; NULL: no memory */
	uint64_t up_ms, down_ms; /* 0: never */
	struct session_tailq sessions; /* live and records */
	union {
		struct { /* live */
			struct halfopen_entry half_open;
			LIST_ENTRY(tunnel) conn_link;
		};
		struct { /* not any more */
			uint64_t destruct_ms, linger_ms; /* when these end */
			TAILQ_ENTRY(tunnel) dead_link, linger_link; /* oldest first */
		};
	};
};

/* What is kept of a tunnel for its record. */
struct tunnel_last {
	struct l2tp_path path;
	struct l2tp_tunnel_info info;
	char message[sizeof(((struct l2tp_result *)0)->message)];
};

/* What a worker knows of a session that its tunnel and the configuration do not say. */
struct session_dp {
	uint16_t session_id, peer_session_id, peer_tunnel_id;
	uint16_t worker;
	uint32_t gen;
	uint16_t mtu, mss_clamp;
	uint32_t peer_ip;
	bool open : 1, sequencing : 1, check_sequence : 1, tx_acfc : 1, tx_pfc : 1;
};

/* What is kept of a session for its record. */
struct session_last {
	struct l2tp_call_info call;
	struct ppp_info ppp; /* all zero: there was no link */
	struct dp_session_stats stats;
};

enum session_phase {
	SESSION_LIVE,
	SESSION_CLOSING, /* waits for the workers' acknowledgement */
	SESSION_RECORD, /* destruct period */
};

/* A session, from the accepted ICRQ until its destruct period is over. */
struct session {
	uint64_t serial;
	struct tunnel *tunnel;
	struct ppp *ppp; /* freed when the workers have let go of the session */
	struct child *child; /* NULL: plain UDP, or the order to delete was given */
	const struct cfg_interface_profile *ifprof;
	const struct cfg_user *user; /* authenticated; counted against its limit */
	union {
		struct pool *pool; /* the pool that peer_ip is from; NULL: none */
		const struct cfg_user *framed; /* .. has_framed: whose own address it is */
	};
	struct aaa_job *job; /* a password check under way on the helper thread */
	uint8_t *early; /* a PPP frame that overtook the ICCN; NULL: none */
	struct session_last *last; /* made when the call goes; NULL: no memory */
	struct session_dp dps;
	uint32_t peer_ip; /* reserved for the session; 0: none */
	uint16_t early_len;
	uint16_t slot;
	uint8_t phase; /* enum session_phase */
	uint8_t reason; /* enum l2tp_reason */
	uint8_t ppp_reason; /* enum ppp_reason */
	bool has_framed : 1;
	bool established : 1;
	bool delete_again : 1; /* the order did not fit into the FIFO yet */
	uint64_t up_ms, down_ms;
	TAILQ_ENTRY(session) link; /* in its tunnel */
	union {
		uint64_t ticket; /* closing: of the order to delete it */
		uint64_t destruct_ms; /* record: when its period ends */
	};
	TAILQ_ENTRY(session) wait_link; /* closing: all; record: oldest first */
};

#define CONN_BUCKETS 131072
#define CONN_SLOTS   131072 /* tunnels and records, and as many on their way */

struct conns {
	struct conn **bucket; /* by id */
	struct conn **slot; /* for the walk of shows */
	uint32_t *free_slot;
	uint32_t n_slots, n_free; /* n_slots: ever used */
	uint64_t last_id;
	struct slab slab;
};

struct ipsec;

struct ctl {
	const struct config *conf;
	const struct ctl_ops *ops;
	void *ops_ctx;
	struct dp *dp;
	struct timerq *timers;
	struct log *log;
	struct l2tp *l2tp;
	struct ppp_confs *ppp_confs;
	uint64_t now_ms; /* of the call under way: callbacks of the engines have no time */
	bool closing;

	struct slab tunnel_slab, session_slab, dest_slab;
	struct idpool *tunnel_ids, *session_ids;
	uint64_t next_serial;
	uint32_t next_gen;

	struct tunnel *tunnel_slot[N_SLOTS];
	struct session *session_slot[N_SLOTS];
	uint16_t free_tunnel_slots[N_SLOTS], free_session_slots[N_SLOTS];
	uint32_t n_free_tunnel_slots, n_free_session_slots;
	struct session *session_of_id[N_SLOTS]; /* live ones */
	struct tunnel *tunnel_of_id[N_SLOTS];

	struct tunnel_tailq dead_tunnels, lingering;
	struct session_tailq closing_sessions, dead_sessions;
	struct timer tunnel_record, tunnel_linger, session_record; /* of the first in each */
	struct halfopen *half_open;
	struct dest_list dests[DEST_BUCKETS];
	uint64_t hash_seed;

	struct conn udp; /* the connection of all plain UDP */
	struct conns conns;
	struct ipsec *ipsec;

	struct pool *pools;
	uint32_t n_pools;
	struct aaa *aaa;

	uint32_t *profile_sessions;
	uint32_t **host_sessions;
	uint32_t *user_sessions; /* by index into conf->users */
	struct session **framed_holder; /* .. who has the user's own address */
	uint32_t if_address[DP_MAX_IFS];
	uint64_t icmp_next_ms; /* token bucket of ICMP errors */
	struct log_limit limit_refused, limit_rejected, limit_refused_calls, limit_restart;
	struct ctl_stats st;
	enum ctl_step turn_longest; /* with st.turn_longest_ns */
};

/* ctl.c */
extern const struct l2tp_ops ctl_l2tp_ops;

/* conns.c */
int conns_init(struct conns *t);
void conns_fini(struct ctl *c); /* with their children and SAs, without a word */
struct conn *ctl_conn_find(const struct ctl *c, uint64_t id);
/* The worker for something new: a session outside of IPsec, or an IKE_SA and what comes of it. */
uint16_t ctl_pick_worker(struct ctl *c);
/* Fires the latch, in the data plane too. True when this call fired it. */
bool ctl_conn_fire(struct ctl *c, struct conn *k, enum ss_reason r);
/* Gives the disconnect signal if it is due; frees a connection that nobody refers to. */
void ctl_conn_disconnect(struct ctl *c, struct conn *k);
void ctl_conn_release(struct ctl *c, struct conn *k);
/* A tunnel has ended. */
void conn_tunnel_gone(struct ctl *c, struct conn *k);
/* Does what was put off until nothing more will be sent. */
void conns_settle(struct ctl *c);

/* child.c: what carries L2TP between these ports in a connection; NULL: nothing does. */
struct child *ipsec_child_of(const struct conn *k, const struct endpoint *local,
                             const struct endpoint *peer);
/* Sessions hold it: until the order to delete them is given. */
void ipsec_child_hold(struct child *ch);
void ipsec_child_put(struct child *ch);
uint32_t ipsec_child_index(const struct child *ch);
bool ipsec_child_tunnel_mode(const struct child *ch);
/* early.c: true: a message came before it could be answered; it is kept, or lost. k may be NULL. */
bool early_keep(struct ctl *c, const struct conn *k, const struct dp_punt *p);
/* True: an SCCRQ on it may be looked at; false when it has had its answers (E32). */
bool ipsec_may_answer(const struct conn *k, uint64_t now_ms);
void ipsec_began_anew(struct ctl *c, const struct conn *k); /* counts its authentication */
void ipsec_answered(struct conn *k, uint64_t now_ms);

/* ipsec.c */
int ipsec_init(struct ctl *c);
void ipsec_fini(struct ctl *c);
void ipsec_punt(struct ctl *c, const struct dp_punt *p);
bool ipsec_poll(struct ctl *c); /* true: it has left something for the next turn */

/* dest.c: matching a peer with the configuration, and the destinations of shows. */
bool dest_match(const struct ctl *c, const struct l2tp_path *path,
                const struct l2tp_bytes *host_name, uint32_t *profile, uint32_t *host);
/* The profile of an address alone; for messages without a usable Host Name (E14). */
const struct cfg_dest_profile *dest_profile_of(const struct ctl *c, const struct ipaddr *addr);
struct dest *dest_get(struct ctl *c, const struct ipaddr *addr);
void dest_put(struct ctl *c, struct dest *d);
void dest_active(struct ctl *c, struct dest *d, int change);

/* tunnel.c */
enum l2tp_verdict tunnel_request(void *ctx, const struct l2tp_path *path,
                                 const struct l2tp_msg *msg, struct l2tp_tunnel_conf *conf,
                                 struct l2tp_result *res, void **user);
void tunnel_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                     const struct l2tp_result *res);
void tunnel_up(void *ctx, struct l2tp_tunnel *t);
void tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res);
void tunnel_gone(void *ctx, struct l2tp_tunnel *t);
/* Ends the destruct period. False: a session of it still waits for the workers. */
bool tunnel_record_free(struct tunnel *tn);
void tunnel_drop(struct tunnel *tn); /* without ceremony; for ctl_free */
void tunnel_fire(struct tunnel *tn, enum ss_reason r);
const struct cfg_host *tunnel_host(const struct tunnel *tn);
/* Where its peer is; of a record for which there was no memory: nowhere. */
const struct l2tp_path *tunnel_path(const struct tunnel *tn);
/* The engine's object of a live tunnel; NULL in the destruct period. */
struct l2tp_tunnel *tunnel_engine(const struct tunnel *tn);

/* record.c: destruct periods and what lingers, each in a list whose first one has the timer */
void records_init(struct ctl *c);
/* The destruct period begins; keep: it has one. */
void tunnel_destruct(struct tunnel *tn, bool keep);
void session_destruct(struct session *s);
void tunnel_linger(struct tunnel *tn);
/* Harmless when it does not. */
void tunnel_stop_lingering(struct tunnel *tn);

/* session.c */
enum l2tp_verdict session_request(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                                  struct l2tp_call_conf *conf, struct l2tp_result *res,
                                  void **user);
void session_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                     const struct l2tp_result *res);
void session_up(void *ctx, struct l2tp_call *call, const struct l2tp_msg *msg);
void session_gone(void *ctx, struct l2tp_call *call, const struct l2tp_result *res);
void session_reply(void *ctx, struct l2tp_call *call);
/* Tells the worker what has changed. As dp_session_update. */
int session_update(const struct session *s);
/* The engine's object of a live session, else NULL. */
struct l2tp_call *session_engine(const struct session *s);
/* True when it has left some that could go on at once. */
bool session_poll_closing(struct ctl *c);
/* Its child has lost its last SA. 0; -ENOENT: no other one carries it; or as session_update. */
int session_change_child(struct session *s);
void session_record_free(struct session *s);
/* Frees a session without ceremony; for ctl_free. */
void session_drop(struct session *s);
void session_auth_result(struct session *s, const struct ppp_auth_reply *reply,
                         const struct cfg_user *user);

/* session_ppp.c: the link of a session */
int session_ppp_start(struct session *s, const struct l2tp_msg *iccn);
/* A frame came before the ICCN: the first one is kept for session_ppp_start. */
void session_ppp_early(struct session *s, const uint8_t *frame, size_t len);
void session_early_free(struct session *s);
void session_release_address(struct session *s);

/* icmp.c */
void icmp_error(struct ctl *c, const struct dp_punt *p);
