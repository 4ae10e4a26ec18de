/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A deterministic world for the L2TP engine: the engine as LNS with an owner that plays control,
 * LACs written independently of it on the wire codec alone, and a network that loses, doubles,
 * delays and reorders. All of it hangs on one seed.
 */
#pragma once

#include "base/addr.h"
#include "base/idpool.h"
#include "base/timerq.h"
#include "l2tp/l2tp.h"
#include "l2tp/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SIM_LACS    3
#define SIM_TUNNELS 8 /* of one LAC at once, half-dead ones included */
#define SIM_CALLS   6 /* of one tunnel at once */
#define SIM_QUEUE   64
/* Ids of the LNS: few, so that they are used again; each boot has others, as it has by chance. */
#define SIM_BOOT_IDS 500
#define SIM_IDS      (8 * SIM_BOOT_IDS)

#define SIM_SECRET "open sesame"

struct sim;
struct lac;

/* How a LAC is treated by the LNS, drawn once per seed. */
struct profile {
	bool single_shot;
	bool secret; /* tunnel authentication */
	bool lac_knows; /* the LAC has the right secret */
	bool hide;
	bool refuse; /* by the owner, always */
	uint16_t max_calls;
	uint32_t idle_ms;
};

struct lac_call {
	enum { LC_FREE, LC_REQUEST, LC_UP } state;
	uint16_t sid, peer_sid;
};

struct lac_msg {
	size_t len;
	uint8_t pkt[768];
};

struct lac_tunnel {
	struct lac *lac;
	enum { LT_FREE, LT_DIALING, LT_UP, LT_STOPPING, LT_LINGER } state;
	uint16_t tid, peer_tid;
	/* a plain go-back-N sender with a fixed window */
	struct lac_msg *queue[SIM_QUEUE];
	unsigned n_queue, n_flight;
	uint16_t una, nr; /* Ns of queue[0]; next expected */
	unsigned tries;
	struct timer rto, hello, end;
	uint64_t heard, dialed;
	struct lac_call calls[SIM_CALLS];
	uint8_t challenge[16];
	/*
	 * The id was used before a crash: what is still on the way from the old tunnel cannot be told from
	 * the new one's, and nothing is promised but that all comes to rest.
	 */
	bool again;
	bool sent_stop, stop_heard; /* the LNS has told its owner of our StopCCN */
	unsigned icrps; /* calls that the LNS has accepted on this tunnel */
};

struct lac {
	struct sim *s;
	int index;
	struct l2tp_path path; /* as the LNS sees it */
	struct profile profile;
	uint16_t next_tid, next_sid;
	unsigned again; /* so many ids to come were used before a crash */
	unsigned window;
	bool challenges, has_tie_breaker;
	struct lac_tunnel tunnels[SIM_TUNNELS];
	struct l2tp_msg msg; /* the one being read */
};

/* What the owner keeps of a tunnel and of a call of the engine. */
struct own_tunnel {
	struct l2tp_tunnel *t;
	struct lac *lac;
	uint16_t id, peer_tid;
	bool up, down, single_shot;
	unsigned requests, live_calls, up_calls;
	LIST_ENTRY(own_tunnel) link;
};

struct own_call {
	struct own_tunnel *on;
	struct l2tp_call *c;
	uint16_t id;
	bool up;
	LIST_ENTRY(own_call) link;
};

struct sim {
	uint64_t seed, random;
	uint64_t now;
	bool verbose, failed, calm;
	uint64_t calm_since; /* from here on nothing is lost */
	struct timerq engine_timers; /* the engine's alone: must be empty in the end */
	struct timerq world_timers; /* network, LACs, script */

	/* network */
	unsigned loss, duplication; /* percent */
	uint32_t delay_ms, jitter_ms;
	unsigned on_the_way;

	/* LNS */
	struct l2tp *l2tp;
	struct l2tp_ops ops;
	struct idpool *tunnel_ids, *call_ids;
	struct own_tunnel *tunnels[SIM_IDS + 1]; /* by id; NULL: none */
	struct own_call *calls[SIM_IDS + 1];
	LIST_HEAD(, own_tunnel) own_tunnels;
	LIST_HEAD(, own_call) own_calls;
	unsigned boots;
	unsigned refuse_calls, drop_calls; /* percent */
	struct l2tp_msg msg;

	struct lac lacs[SIM_LACS];
	unsigned n_lacs;
	struct timer script;
	uint64_t script_end;

	/* what happened, over the whole run */
	uint64_t tunnels_up, calls_up, datagrams, crashes;
};

/* sim.c */
uint32_t sim_random(struct sim *s, uint32_t below);
bool sim_chance(struct sim *s, unsigned percent);
void sim_log(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A broken promise: the run has failed. */
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The net has been good for so long that a message and its answer must have come through. */
bool sim_reliable(const struct sim *s);

/* net.c */
void net_to_lns(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len);
void net_to_lac(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len);

/* lns.c */
void lns_boot(struct sim *s);
void lns_crash(struct sim *s); /* and boot again at once */
void lns_rx(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len);
/* True when the engine has this tunnel of the LAC, and it is up. */
bool lns_has(const struct sim *s, const struct lac_tunnel *t);
void lns_act(struct sim *s); /* something at random */
void lns_close_all(struct sim *s);
void lns_check_quiet(struct sim *s); /* nothing may be left */

/* lac.c */
void lac_init(struct lac *lac, struct sim *s, int index);
void lac_rx(struct lac *lac, const uint8_t *pkt, size_t len);
void lac_act(struct lac *lac);
void lac_dial(struct lac *lac);
void lac_close_all(struct lac *lac);
void lac_crash(struct lac *lac);
struct lac_tunnel *lac_tunnel_by_id(struct lac *lac, uint16_t tid);
const struct lac_call *lac_call_by_id(const struct lac_tunnel *t, uint16_t sid);

/* scale.c */
int sim_scale(unsigned tunnels, bool verbose);
