/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Counters for Prometheus: GET /metrics over HTTP, on the control thread's event loop. Totals only,
 * so that an answer's size depends on the configuration and not on how many sessions there are.
 *
 * There is no password, and nothing can be changed here. A client gets a few seconds for its request
 * and for reading the answer; a request with a body or with long headers is refused.
 */
#pragma once

#include "base/log.h"
#include "config/config.h"

#include <stdint.h>

struct ctl;
struct dp;
struct evbuffer;
struct event_base;
struct metrics;

/*
 * Starts to listen as conf says, which has an address. All arguments must outlive the result. Returns
 * NULL with errno set, after it has logged why. The process must ignore SIGPIPE.
 */
struct metrics *metrics_new(struct event_base *base, const struct cfg_metrics *conf,
                            struct ctl *ctl, struct dp *dp, struct log *log);
/* Closes every connection. m may be NULL. */
void metrics_free(struct metrics *m);

/* The port it listens on (useful when the configured one is 0); connections open now. */
uint16_t metrics_port(const struct metrics *m);
uint32_t metrics_connections(const struct metrics *m);

/* Appends all counters as they are now, in Prometheus' text format 0.0.4. */
void metrics_text(struct evbuffer *out, const struct ctl *ctl, struct dp *dp);
