/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A world for tests of control: the real src/control with a data plane of the test's own, and a LAC
 * with clients (test/load/lac.h) behind a network in virtual time.
 */
#pragma once

#include "control/ctl.h"
#include "control/ipsec.h"
#include "load/lac.h"

#include <stdbool.h>
#include <stdint.h>

#define RIG_EVENTS 8192

struct rig;
struct rig_packet;

/* What the fake data plane knows of a session. */
struct rig_dps {
	struct dp_session s;
	bool used, deleted;
	bool closed; /* with its tunnel; it is still to be deleted */
};

#define RIG_CHILDREN 2048
#define RIG_SAS      8192
#define RIG_SPIS     16384
#define RIG_MSGS     512
#define RIG_IKES     1024
#define RIG_WORKERS  2
#define RIG_CONNS    65536

struct rig_child {
	struct dp_child c;
	bool used, latched;
	uint32_t n_in, n_out, n_sessions;
};

struct rig_sa {
	struct dp_sa s;
	dp_sa_id id; /* 0: free */
};

/* What the fake data plane was told, in order. */
enum rig_op { RIG_LATCH, RIG_SEND, RIG_SA_ADD, RIG_SA_DEL, RIG_SA_USE, RIG_TERMINATE };

struct rig_event {
	enum rig_op op;
	uint32_t child;
	uint16_t type; /* of the message sent; 0: ZLB */
};

/* The fake charon: what the daemon sent, and what it was last answered. */
struct rig_charon {
	uint64_t instance;
	uint32_t seq;
	bool answered;
	struct sslink_answer answer;
	struct sslink_msg msgs[RIG_MSGS]; /* unasked ones */
	uint32_t n_msgs, n_terminate, n_delete_child, n_soft, n_hard, n_mapping;
	uint32_t ikes[RIG_IKES], n_ikes; /* up */
	uint32_t next_spi;
	bool stuck; /* does not read */
	void (*hook)(struct rig *r, const struct sslink_msg *m);
};

struct rig {
	struct config conf;
	struct cfg_pool pool;
	struct cfg_user users[8];
	struct cfg_interface_profile ifprof;
	struct cfg_dest_profile profile;
	struct cfg_host hosts[4];
	struct timerq lns_timers, lac_timers;
	struct log log;
	struct ctl *ctl;
	struct lac *lac;
	uint64_t now_ms, seed;
	struct rig_packet *net_first, **net_last;
	bool cut; /* the link between is down: everything is lost */
	uint32_t loss_percent, dup_percent, jitter_ms;
	struct rig_dps dps[65536];
	uint64_t n_dps; /* of them used */
	uint64_t n_closed; /* .. of which pass nothing any more */
	uint32_t turn_deletes, most_deletes; /* in one call of control */
	uint32_t turn_updates, most_updates; /* .. of sessions */
	uint32_t update_room; /* orders of that kind in one call that fit; 0: all */
	bool tunnel_known[65536];
	uint64_t tunnel_conn[65536];
	struct rig_child child[RIG_CHILDREN]; /* 0: none */
	struct rig_sa sa[RIG_SAS]; /* by id */
	bool spi_used[RIG_SPIS];
	uint32_t next_spi, n_spis, n_children, n_sas;
	dp_sa_id next_sa;
	uint32_t sa_limit; /* 0: none */
	bool fifo_full; /* orders about SAs do not fit */
	struct rig_event events[RIG_EVENTS];
	uint32_t n_events;
	uint64_t forwarded, latched_drops, no_sa_drops; /* data and SCCRQs that came in */
	/* by connection (its low bits), for what must never be */
	uint16_t conn_sessions[RIG_CONNS], conn_signals[RIG_CONNS];
	uint16_t conn_renewals
	        [RIG_CONNS]; /* authentications of its peer after the first: main modes */
	bool conn_goodbye[RIG_CONNS]; /* a CDN or StopCCN of its single-shot tunnel was sent */
	struct rig_charon charon;
	uint64_t tickets;
	bool hold_tickets; /* the workers do not acknowledge */
	uint64_t applied;
	uint64_t icmp_sent;
	uint8_t last_ip[2048];
	size_t last_ip_len;
	/* what happened, for assertions */
	uint32_t tunnels_up, tunnels_gone, calls_up, networks_up, sessions_gone;
	struct l2tp_result last_tunnel_result, last_session_result;
	enum ppp_reason last_ppp_reason;
	uint64_t disconnected[16]; /* connections that IPsec was told to end, in order */
	uint64_t disconnected_at[16];
	uint32_t n_disconnected;
	void (*on_lac)(struct rig *r, enum lac_event ev, struct lac_tunnel *t,
	               struct lac_session *s); /* may be NULL */
	void *user;
};

/* A world with hosts "std", "ss", "std-ipsec" and "ss-ipsec", and users user1..user4/pass1... */
struct rig *rig_new(void);
/* Makes control and the LAC; the test may change r->conf before. */
void rig_start(struct rig *r);
/* Fails the test when something is left over; then frees. */
void rig_free(struct rig *r);
/* The same without a word to anybody and without those checks: what is up is freed as it is. */
void rig_drop(struct rig *r);

/* Lets ms milliseconds pass. */
void rig_run(struct rig *r, uint64_t ms);

/* Dials with n sessions of user1 from a port; conn 0 is plain UDP. */
struct lac_tunnel *rig_dial(struct rig *r, const char *host, uint16_t port, uint64_t conn,
                            uint32_t n, const char *password);
uint64_t rig_count_dps(const struct rig *r); /* sessions that the data plane has */
