/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A world for tests of control: the real src/control with a data plane of the test's own, and a LAC
 * with clients (test/load/lac.h) behind a network in virtual time.
 */
#pragma once

#include "control/ctl.h"
#include "load/lac.h"

#include <stdbool.h>
#include <stdint.h>

#define RIG_EVENTS 8192

struct rig_packet;

/* What the fake data plane knows of a session. */
struct rig_dps {
	struct dp_session s;
	bool used, deleted;
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
	uint32_t loss_percent;
	struct rig_dps dps[65536];
	bool tunnel_known[65536];
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
};

/* A world with hosts "std", "ss", "std-ipsec" and "ss-ipsec", and users user1..user4/pass1... */
struct rig *rig_new(void);
/* Makes control and the LAC; the test may change r->conf before. */
void rig_start(struct rig *r);
/* Fails the test when something is left over; then frees. */
void rig_free(struct rig *r);

/* Lets ms milliseconds pass. */
void rig_run(struct rig *r, uint64_t ms);

/* Dials with n sessions of user1 from a port; conn 0 is plain UDP. */
struct lac_tunnel *rig_dial(struct rig *r, const char *host, uint16_t port, uint64_t conn,
                            uint32_t n, const char *password);
uint64_t rig_count_dps(const struct rig *r); /* sessions that the data plane has */
