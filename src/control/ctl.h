/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The control lcore: tunnels, sessions, their connections and the latch, pools and local AAA. It
 * drives lib/l2tp and lib/ppp and orders the data plane about through dataplane/dp.h. It has no
 * sockets and no clock: punts, the time and timer expiries come in by calls. One thread.
 */
#pragma once

#include "base/addr.h"
#include "base/log.h"
#include "base/timerq.h"
#include "config/config.h"
#include "control/conn.h"
#include "dataplane/dp.h"
#include "l2tp/l2tp.h"
#include "ppp/ppp.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct sslink_msg;

/* The size of the tables: tunnels and sessions at once, records in their destruct period included. */
#define CTL_MAX_TUNNELS  65535
#define CTL_MAX_SESSIONS 65535

/* What control wants from outside itself. */
struct ctl_ops {
	/*
	 * An IPsec connection must go (E18: once a connection). Never called for plain UDP. For who
	 * wants to know: what it takes to end it is done. May be NULL.
	 */
	void (*ipsec_disconnect)(void *ctx, uint64_t conn);
	/*
	 * One message to charon's plugin. The link is up; the message may hold no keys. -EAGAIN: the
	 * plugin does not read; it is then as good as dead, and the link goes down. May be NULL: no IKE.
	 */
	int (*ike_send)(void *ctx, const struct sslink_msg *m);
	/* Called from another thread when a password check ended: have ctl_tick run soon. May be NULL. */
	void (*wake)(void *ctx);
	/* Fills buf with unpredictable bytes. */
	void (*random)(void *ctx, uint8_t *buf, size_t len);
};

/* conf, ops, dp, timers and log stay the caller's and must outlive it. NULL: no memory. */
struct ctl *ctl_new(const struct config *conf, const struct ctl_ops *ops, void *ctx, struct dp *dp,
                    struct timerq *timers, struct log *log, uint64_t now_ms);

/* Frees everything without a word to the peers. */
void ctl_free(struct ctl *c);

/* A punt of class L2TP, L2TP_NEW, PPP, ICMP or SA. Any bytes are safe. */
void ctl_punt(struct ctl *c, const struct dp_punt *p, uint64_t now_ms);

/*
 * One turn: due timers, then what waits for the data plane (ids, addresses and counters of ended
 * sessions). To be called when timerq_next says so, and every 10 ms. The timers run only in here. What
 * one call does is bounded: true when it has left something that could be done at once.
 */
bool ctl_tick(struct ctl *c, uint64_t now_ms);

/* True while something waits for a worker: call ctl_tick soon, who asked for it waits for the answer. */
bool ctl_waits(const struct ctl *c);

/* What a turn of the event loop does; other: console, metrics, ports. */
enum ctl_step { CTL_STEP_OTHER, CTL_STEP_PUNTS, CTL_STEP_WORK, CTL_STEP_IKE, CTL_STEP_MAX };

const char *ctl_step_name(enum ctl_step step);

/* The event loop has had a turn that took the control lcore so much CPU time, most of it in a step. */
void ctl_turn(struct ctl *c, uint64_t cpu_ns, enum ctl_step most);
/* What most of the longest turn went into. */
enum ctl_step ctl_turn_longest(const struct ctl *c);
/* Forgets the longest turn so far. */
void ctl_clear_turns(struct ctl *c);

/* Which of our addresses stands for an interface in ICMP errors (host order). */
void ctl_set_if_address(struct ctl *c, uint16_t ifidx, uint32_t ip);

/* Closes every tunnel with StopCCN result 6 and takes no new ones. */
void ctl_shutdown(struct ctl *c, uint64_t now_ms);

/* True when no tunnel is left but records in their destruct period: nothing is owed to any peer. */
bool ctl_is_quiet(const struct ctl *c);

/* ---- transport connections (E1): see control/ipsec.h ---- */

/*
 * Makes a connection that has no IKE_SA and whose one child takes any path, for tests of what is above;
 * those of peers are made by control/ipsec.h. Its id is never used again. 0: no room.
 */
uint64_t ctl_conn_open(struct ctl *c);
/* The connection is gone (delete, DPD, expiry): its tunnels end at once (E17). */
void ctl_conn_closed(struct ctl *c, uint64_t conn, uint64_t now_ms);
/* A view of a connection; NULL: unknown. */
const struct conn *ctl_conn(const struct ctl *c, uint64_t conn);

/* ---- for shows ---- */

/* Counters of show l2tp: total created, now established, ended without, failed authentication. */
struct ctl_count {
	uint64_t total, failed, auth_errors;
	uint32_t active; /* established */
	uint32_t live; /* existing: active and on their way up or down */
};

/* A turn of the event loop that others may notice. */
#define CTL_TURN_LONG_NS 5000000

struct ctl_stats {
	struct ctl_count destinations, tunnels, sessions;
	uint64_t ss_tunnels, ss_fired[SS_REASON_MAX], ss_refused_sccrq, ss_refused_icrq;
	uint64_t ipsec_disconnects;
	uint64_t ppp_auths; /* credentials judged */
	uint64_t ppp_auth_failures;
	uint64_t sccrq_no_profile; /* no destination profile or remote host matched */
	uint64_t sccrq_needs_ipsec; /* E15 */
	uint64_t half_open_evicted;
	uint64_t records_reclaimed; /* T28 */
	uint64_t icmp_sent, icmp_suppressed;
	uint64_t stale_punts;
	uint32_t half_open, half_open_limit;
	uint32_t tunnel_ids_used, session_ids_used;
	/* Turns of the event loop: CPU time, and how many were longer than CTL_TURN_LONG_NS. */
	uint64_t turns, turns_long, turns_ns;
	uint64_t turn_longest_ns; /* since ctl_clear_turns */
	struct l2tp_stats l2tp;
};

void ctl_stats_get(const struct ctl *c, struct ctl_stats *out);
const struct config *ctl_config(const struct ctl *c);

enum ctl_ss_state { CTL_SS_NONE, CTL_SS_UNUSED, CTL_SS_CARRYING, CTL_SS_FIRED };

struct ctl_tunnel_view {
	uint64_t serial;
	uint16_t id; /* ours */
	bool destructing;
	uint32_t destruct_left_s;
	const char *profile, *host; /* destination profile, and the remote host entry's name */
	struct l2tp_path path;
	uint64_t conn;
	enum ctl_ss_state single_shot;
	uint32_t sessions; /* now on it */
	struct l2tp_tunnel_info info; /* the last one when destructing */
	enum l2tp_reason reason; /* why it ended; NONE while it lives */
	uint16_t result, error;
	char message[128];
	uint64_t uptime_s; /* established time, so far or in all */
};

struct ctl_session_view {
	uint64_t serial;
	uint16_t id, tunnel_id;
	uint64_t tunnel_serial;
	uint32_t gen;
	bool closing; /* ended, the data plane's acknowledgement is awaited */
	bool destructing; /* a record of an ended session */
	uint32_t destruct_left_s;
	uint16_t worker;
	const char *profile, *host, *interface_profile;
	struct l2tp_call_info call;
	struct ppp_info ppp;
	char user[PPP_NAME_MAX];
	uint32_t peer_ip, local_ip;
	const char *pool; /* NULL: framed address */
	uint16_t mtu;
	struct dp_session_stats stats;
	enum l2tp_reason reason;
	enum ppp_reason ppp_reason;
	uint64_t uptime_s;
};

/*
 * Walk the records by slot: *cursor starts at 0 and is the caller's to keep over any time; entries
 * that come and go in between do no harm. False at the end.
 */
bool ctl_tunnel_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                     struct ctl_tunnel_view *out);
bool ctl_session_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                      struct ctl_session_view *out);
/* The live tunnel or session with this id. */
bool ctl_tunnel_get(const struct ctl *c, uint16_t id, uint64_t now_ms, struct ctl_tunnel_view *out);
bool ctl_session_get(const struct ctl *c, uint16_t id, uint64_t now_ms,
                     struct ctl_session_view *out);

/* "session rx cdn", "ppp authentication failed", ..: one string for a session's end. */
const char *ctl_session_reason_name(const struct ctl_session_view *v);

struct ctl_pool_view {
	const char *name;
	uint32_t first, last, size, used, reserved; /* reserved: users' own addresses */
};
bool ctl_pool_next(const struct ctl *c, uint32_t *cursor, struct ctl_pool_view *out);

/* Sessions now on a destination profile, and on one of its hosts (by index). */
uint32_t ctl_profile_sessions(const struct ctl *c, uint32_t profile);
uint32_t ctl_host_sessions(const struct ctl *c, uint32_t profile, uint32_t host);

/* ---- for clear; 0, or -ENOENT ---- */

int ctl_clear_tunnel(struct ctl *c, uint16_t id, uint64_t now_ms);
int ctl_clear_session(struct ctl *c, uint16_t id, uint64_t now_ms);
/* All of them, resumable: *cursor as above, at most budget a call; true when done. */
bool ctl_clear_tunnels(struct ctl *c, uint32_t *cursor, uint32_t budget, uint64_t now_ms);
bool ctl_clear_sessions(struct ctl *c, uint32_t *cursor, uint32_t budget, uint64_t now_ms);
