/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A LAC in a hurry, for guessing passwords: sends all that it has to say without waiting for a window
 * or an acknowledgement, repeats what is not acknowledged, and never takes a no for an answer. Every
 * SCCRQ of a burst leaves at once; the SCCRP is answered by SCCCN and every ICRQ; each ICRP by ICCN
 * and a PPP client of its own with a password of its own. No socket and no clock.
 */
#pragma once

#include "base/log.h"
#include "base/timerq.h"
#include "l2tp/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct burst;

struct burst_ops {
	/* Sends a control or data message along the path-th path of the burst. */
	void (*send)(void *ctx, uint32_t path, const uint8_t *pkt, size_t len);
	void (*random)(void *ctx, uint8_t *buf, size_t len);
	/* The password that guess number n (0..) tries. */
	void (*password)(void *ctx, uint32_t n, char *buf, size_t size);
};

struct burst_conf {
	const char *host_name, *user;
	uint32_t tunnels, calls; /* calls in each tunnel: tunnels * calls guesses */
	uint32_t at_once; /* unanswered ICRQs in a tunnel; 0: all */
	uint32_t paths; /* tunnel i goes along path i % paths */
	uint32_t auth_methods;
};

struct burst_stats {
	uint32_t guesses, sccrp, tunnels_refused, tunnels_stopped, icrp, cdn;
	uint32_t links; /* PPP links that were begun */
	uint32_t rejected, let_in; /* passwords that were judged */
	uint64_t tx, rx, again;
};

/* Strings of conf are the caller's and outlive it. NULL: no memory. */
struct burst *burst_new(const struct burst_conf *conf, const struct burst_ops *ops, void *ctx,
                        struct timerq *timers, struct log *log);
void burst_free(struct burst *b);

/* Says everything that can be said before anything came back. */
void burst_start(struct burst *b, uint64_t now_ms);
void burst_rx(struct burst *b, uint32_t path, const uint8_t *pkt, size_t len, uint64_t now_ms);
/* Repeats what is not acknowledged; call it every few hundred milliseconds. */
void burst_again(struct burst *b, uint64_t now_ms);

/* Nothing is left that could still be judged: every call has an end, or its tunnel. */
bool burst_over(const struct burst *b);
/* When something came back last. */
uint64_t burst_heard_ms(const struct burst *b);
void burst_stats_get(const struct burst *b, struct burst_stats *out);

/* An SCCRQ and an ICRQ as they are sent here; they return the length. buf holds 256 bytes. */
size_t burst_sccrq(uint8_t *buf, uint16_t tunnel_id, const char *host_name);
size_t burst_icrq(uint8_t *buf, uint16_t peer_tunnel_id, uint16_t session_id);
