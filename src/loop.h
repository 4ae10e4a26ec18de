/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The control lcore's event loop: punts from the workers, timers, signals. */
#pragma once

#include "base/log.h"
#include "base/timerq.h"
#include "control/ctl.h"

#include <stdint.h>

struct event_base;
struct event;
struct dp;
struct ports;

struct loop {
	struct event_base *base;
	struct timerq timers;
	struct dp *dp; /* set before loop_start */
	struct ctl *ctl; /* .. */
	struct ports *ports; /* .. */
	struct log *log;
	struct event *punts, *tick, *sigint, *sigterm, *woken;
	struct event *more_punts, *more_work; /* what a turn has left for the next */
	int wake_fd;
	uint32_t conn_cursor; /* of the connections that a stop ends */
	uint64_t told_at_ms, linger_until_ms; /* the last of them, and for what it leads to */
	uint64_t spent_ns[CTL_STEP_MAX]; /* of this turn; not CTL_STEP_OTHER, which is the rest */
	uint64_t stop_at_ms; /* graceful stop under way: not later than this; 0: none */
};

/* Milliseconds of the monotonic clock, which is the time of all engines. */
uint64_t loop_now_ms(void);

/* What is between the two is a step of this turn's; begin's answer goes to end. */
uint64_t loop_step_begin(void);
void loop_step_end(struct loop *l, enum ctl_step step, uint64_t begin);

/* Makes the event base. 0, or -errno. */
int loop_init(struct loop *l, struct log *log);
/* Makes the events. 0, or -errno. */
int loop_start(struct loop *l);
/*
 * Runs until SIGINT or SIGTERM was answered: tunnels are closed in good order, then their IPsec
 * connections, within 5 s.
 */
void loop_run(struct loop *l);
/* Has the control lcore take a turn soon; from any thread. */
void loop_wake(struct loop *l);
void loop_fini(struct loop *l);
