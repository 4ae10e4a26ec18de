/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files of src/control share; nobody else includes it. */
#pragma once

#include "base/idpool.h"
#include "base/slab.h"
#include "base/table.h"
#include "control/aaa.h"
#include "control/conn.h"
#include "control/ctl.h"
#include "control/halfopen.h"
#include "control/pool.h"

/* Numbers of tunnels, and of sessions, in their tables; 0 is nobody's. */
#define N_SLOTS (TABLE_MAX + 1)

/* A remote L2TP system: the level above tunnels in JunosE's shows. */
struct dest {
	struct ipaddr addr;
	bool was_active;
	uint16_t next; /* in its bucket; 0: none */
	uint16_t tunnels; /* records that refer to it */
	uint16_t active; /* of them established */
};
#define DEST_BUCKETS 65536

/* A remote host of a destination profile, as the configuration has it. */
struct host {
	const struct cfg_host *conf;
	const struct cfg_interface_profile *ifprof;
	uint32_t profile; /* index into conf->dest_profiles */
	uint32_t sessions; /* now on it */
};

/* A tunnel, from the accepted SCCRQ until its destruct period is over. */
struct tunnel {
	uint64_t serial;
	struct conn *conn;
	struct tunnel_last *last; /* made when the tunnel goes; NULL: no memory */
	union {
		struct { /* live */
			struct halfopen_entry *half_open; /* NULL: it is not */
			struct table_link conn_link;
		};
		struct { /* not any more */
			uint64_t gone_ms; /* since when */
			struct table_link dead_link, linger_link; /* oldest first */
		};
	};
	struct table_list sessions; /* live and records */
	uint32_t host; /* index into ctl's */
	uint16_t id; /* ours; not any more when no longer live */
	uint16_t dest;
	uint16_t n_live;
	uint8_t reason; /* enum l2tp_reason: why it ended */
	bool single_shot : 1; /* sampled at the SCCRQ (E22) */
	bool established : 1; /* counted as active */
	bool went_down : 1; /* tunnel_down was seen */
	bool live : 1; /* false in the destruct period */
	bool lingers : 1; /* workers still hand over what comes for the id (RFC 2661 5.7) */
	bool keep : 1; /* it has a destruct period */
};
_Static_assert(sizeof(struct tunnel) == 56, "there are tens of thousands");

#define TUNNEL_CONN offsetof(struct tunnel, conn_link)
#define TUNNEL_DEAD offsetof(struct tunnel, dead_link)

/* What is kept of a tunnel for its record. */
struct tunnel_last {
	struct l2tp_path path;
	struct l2tp_tunnel_info info;
	uint64_t down_ms;
	uint16_t result, error;
	char message[sizeof(((struct l2tp_result *)0)->message)];
};

/* A PPP frame that overtook the ICCN. */
struct early_frame {
	size_t len;
	uint8_t bytes[];
};

/* What is kept of a session for its record. */
struct session_last {
	struct l2tp_call_info call;
	struct ppp_info ppp; /* all zero: there was no link */
	struct dp_session_stats stats;
	uint64_t down_ms;
};

enum session_phase {
	SESSION_LIVE,
	SESSION_ENDED, /* the order to delete it did not fit into the FIFO yet */
	SESSION_CLOSING, /* waits for the workers' acknowledgement */
	SESSION_RECORD, /* destruct period */
};

/* A session, from the accepted ICRQ until its destruct period is over. */
struct session {
	uint64_t serial; /* its low half, never 0, is the generation that workers know */
	struct tunnel *tunnel;
	struct ppp *ppp; /* freed when the workers have let go of the session */
	struct child *child; /* NULL: plain UDP, or the order to delete was given */
	union {
		struct early_frame *early; /* live, before the link; NULL: none */
		struct aaa_job *job; /* live, with the link: a password is being checked */
		struct session_last *last; /* made when the call goes; NULL: no memory */
	};
	union {
		uint64_t ticket; /* closing: of the order to delete it */
		uint64_t destruct_ms; /* record: when its period ends */
	};
	struct table_link link; /* in its tunnel */
	struct table_link wait_link; /* ended and closing: all; record: oldest first */
	uint32_t user; /* authenticated: 1 + index into conf->users; while live it counts as his */
	uint32_t peer_ip; /* reserved for the session; 0: none */
	uint16_t id;
	uint16_t mtu; /* of the link; 0: it has not been up */
	uint8_t worker;
	uint8_t reason; /* enum l2tp_reason */
	uint8_t ppp_reason; /* enum ppp_reason */
	uint8_t phase : 2; /* enum session_phase */
	bool framed : 1; /* peer_ip is the user's own address */
	bool established : 1;
	bool open : 1; /* what follows is the workers' */
	bool sequencing : 1;
	bool tx_acfc : 1, tx_pfc : 1;
};
_Static_assert(sizeof(struct session) == 72, "there are tens of thousands");
_Static_assert(DP_MAX_WORKERS <= UINT8_MAX, "a session names its worker");

/* What a user has of sessions now. */
struct user_use {
	uint16_t sessions; /* counted against his limit */
	bool address; /* one of them has his own address */
};

#define CONN_BUCKETS 65536 /* ids follow each other */
#define CONN_SLOTS   131072 /* tunnels and records, and as many on their way */

struct conns {
	uint32_t *bucket; /* by id: the first, by conn.next */
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

	struct table tunnels, sessions, dests; /* live and records */
	struct idpool *tunnel_ids, *session_ids;
	uint64_t last_serial;

	struct table_list dead_tunnels, lingering;
	struct table_list closing_sessions, dead_sessions;
	struct timer tunnel_record, tunnel_linger, session_record; /* of the first in each */
	struct halfopen *half_open;
	uint16_t dest_bucket[DEST_BUCKETS];
	uint64_t hash_seed;

	struct conn udp; /* the connection of all plain UDP */
	struct conns conns;
	struct ipsec *ipsec;

	struct pool *pools;
	uint32_t n_pools;
	struct aaa *aaa;

	struct host *hosts; /* of all destination profiles behind each other */
	uint32_t *first_host; /* of each destination profile */
	uint32_t *profile_sessions;
	struct user_use *users; /* by index into conf->users */
	uint32_t if_address[DP_MAX_IFS];
	uint64_t icmp_next_ms; /* token bucket of ICMP errors */
	struct log_limit limit_refused, limit_rejected, limit_refused_calls, limit_restart;
	struct ctl_stats st;
	enum ctl_step turn_longest; /* with st.turn_longest_ns */
};

/* ctl.c */
extern const struct l2tp_ops ctl_l2tp_ops;
/* One that was never given; its low half is not 0. */
uint64_t ctl_serial(struct ctl *c);
/* By number in their tables; NULL: none. */
struct tunnel *tunnel_at(const struct ctl *c, uint16_t number);
struct session *session_at(const struct ctl *c, uint16_t number);
/* The live ones with an id; NULL: none. */
struct tunnel *tunnel_of_id(const struct ctl *c, uint16_t id);
struct session *session_of_id(const struct ctl *c, uint16_t id);

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
/* host: an index into ctl's. False: none matches. */
bool dest_match(const struct ctl *c, const struct l2tp_path *path,
                const struct l2tp_bytes *host_name, uint32_t *host);
/* The profile of an address alone; for messages without a usable Host Name (E14). */
const struct cfg_dest_profile *dest_profile_of(const struct ctl *c, const struct ipaddr *addr);
/* Counts a tunnel to it. Its number; 0: no room. */
uint16_t dest_get(struct ctl *c, const struct ipaddr *addr);
void dest_put(struct ctl *c, uint16_t dest);
void dest_active(struct ctl *c, uint16_t dest, int change);

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
struct ctl *tunnel_ctl(const struct tunnel *tn);
struct host *tunnel_host(const struct tunnel *tn);
const struct cfg_dest_profile *tunnel_profile(const struct tunnel *tn);
/* The live ones of a connection, newest first. */
struct tunnel *tunnel_first(const struct conn *k);
struct tunnel *tunnel_next(const struct tunnel *tn);
/* Where its peer is; of a record for which there was no memory: nowhere. */
const struct l2tp_path *tunnel_path(const struct tunnel *tn);
/* The engine's object of a live tunnel; NULL in the destruct period. */
struct l2tp_tunnel *tunnel_engine(const struct tunnel *tn);

/* record.c: destruct periods and what lingers, each in a list whose first one has the timer */
void records_init(struct ctl *c);
/* The destruct period begins, if it has one. */
void tunnel_destruct(struct tunnel *tn);
uint64_t tunnel_destruct_ms(const struct tunnel *tn); /* when it ends */
void session_destruct(struct session *s);
void tunnel_linger(struct tunnel *tn);
/* Harmless when it does not. */
void tunnel_stop_lingering(struct tunnel *tn);

/* session.c */
struct ctl *session_ctl(const struct session *s);
/* Those of a tunnel, live and records, oldest first. */
struct session *session_first(const struct tunnel *tn);
struct session *session_next(const struct session *s);
uint32_t session_gen(const struct session *s);
/* NULL: nobody has authenticated. */
const struct cfg_user *session_user(const struct session *s);
const struct cfg_interface_profile *session_ifprof(const struct session *s);
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
void early_frame_free(struct early_frame *e);
/* The pool that its address is from; NULL: none, it is the user's own, or released. */
struct pool *session_pool(const struct session *s);
void session_release_address(struct session *s);

/* icmp.c */
void icmp_error(struct ctl *c, const struct dp_punt *p);
