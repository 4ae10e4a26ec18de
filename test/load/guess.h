/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the parts of the password guesser share: a client's charon that dials, its SAs, its ESP. */
#pragma once

#include "load/esp_net.h"
#include "load/ike.h"
#include "load/lac.h"
#include "load/vici.h"

#include <stdbool.h>
#include <stdint.h>

struct guess_opts {
	const char *vici, *sslink; /* paths of sockets */
	struct ipaddr local, lns;
	const char *connection, *child; /* names in the client's swanctl.conf */
	const char *host, *secret, *user,
	        *password; /* password: the last guess is right; or NULL */
	uint32_t guesses, window, children, calls, at_once, auth, timeout_s;
	bool honest; /* every guess is right, and nothing is tried behind the end */
};

struct guess {
	struct guess_opts o;
	struct vici vici;
	struct ike *ike;
	struct esp_net net;
	struct timerq timers;
	struct log log;
	int ep;
	uint64_t now_ms;
	/* The mode's own, and what it does with what happens. */
	void *mode;
	void (*child_up)(struct guess *g, struct ike_child *c);
	void (*rx)(struct guess *g, struct ike_child *c, const uint8_t *pkt, size_t len);
	/* IKE_SAs by charon's unique id */
	uint32_t ike_ups, ike_downs;
	uint8_t ike_is_up[65536 / 8];
};

/* What came of it. */
struct guess_result {
	uint32_t tried, rejected, let_in; /* rejected and let_in: judged */
	uint32_t undecided; /* tried, and neither judged nor refused */
	uint32_t dials_failed; /* CHILD_SAs that never came */
	uint32_t probes; /* SCCRQs and ICRQs behind the end, on the same SA */
	uint32_t probes_refused, probes_accepted; /* .. answered by StopCCN or CDN, SCCRP or ICRP */
	uint32_t not_disconnected; /* IKE_SAs that the appliance has left up at the end */
};

/* Waits up to wait_ms for something and handles it. False: the link to charon is lost. */
bool guess_turn(struct guess *g, int wait_ms);
bool guess_ike_up(const struct guess *g, uint32_t ike_id);
void guess_password(void *g, uint32_t n, char *buf, size_t size);
void guess_random(void *g, uint8_t *buf, size_t len);

/* Counts a control message that answers a probe. */
void guess_probe_answer(struct guess_result *res, const uint8_t *pkt, size_t len);

/* One guess an IKE connection, window connections at a time. False: could not be carried out. */
bool guess_serial(struct guess *g, struct guess_result *res);
/*
 * All guesses at once over one IKE_SA with so many CHILD_SAs: guesses / calls tunnels with calls
 * calls each.
 */
bool guess_burst(struct guess *g, struct guess_result *res);
