/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * An LNS on lib/l2tp and lib/ppp that knows one password and counts whom it judged: the other side of
 * the password guesser's tests. Host "ss" is single-shot: one tunnel on a connection, one call in it.
 */
#pragma once

#include "l2tp/l2tp.h"

#include <stdbool.h>
#include <stdint.h>

#define LNS_PASSWORD "right"

struct lns;

struct lns_stats {
	uint32_t tunnels, tunnels_refused, calls, calls_refused;
	uint32_t judged, accepted;
};

/* send: a message for the path. */
struct lns *lns_new(struct timerq *timers,
                    void (*send)(void *ctx, const struct l2tp_path *path, const uint8_t *pkt,
                                 size_t len),
                    void *ctx);
void lns_free(struct lns *l);
void lns_rx(struct lns *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
            uint64_t now_ms);
void lns_stats_get(const struct lns *l, struct lns_stats *out);
