/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A queue of one-shot timers in virtual time. The engines under lib/ have no clock: whoever drives
 * them owns the queue and says what time it is, so the same code runs under libevent and in a
 * deterministic simulation. A pairing heap of embedded nodes: nothing is allocated, setting a timer
 * cannot fail, and timers due at the same instant fire in the order in which they were set.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct timer;

/* The timer is no longer queued when this runs; it may be set again or its memory freed here. */
typedef void (*timer_fn)(struct timer *t, void *arg, uint64_t now_ms);

struct timer {
	timer_fn fn;
	void *arg;
	uint64_t at_ms; /* valid while queued */
	uint64_t order; /* tie-break among equal at_ms */
	struct timer *child, *next, *prev; /* heap links; prev is the parent for a first child */
	bool queued;
};

struct timerq {
	struct timer *root;
	uint64_t order;
	uint32_t n; /* timers queued now */
};

/* Prepares a timer; must come before any other call on it. Nothing to release. */
void timer_init(struct timer *t, timer_fn fn, void *arg);

/* (Re)arms t to fire at at_ms (milliseconds of the queue's own clock). */
void timer_set(struct timerq *q, struct timer *t, uint64_t at_ms);

/* Takes t out of the queue; harmless when it is not queued. */
void timer_cancel(struct timerq *q, struct timer *t);

/* When the next timer is due, in ms, or UINT64_MAX when none is queued. */
uint64_t timerq_next(const struct timerq *q);

/*
 * Fires every timer due at or before now_ms, at most budget of them (0: no limit).
 * Returns how many fired. Timers set by a callback for now_ms or earlier fire in the same call.
 */
uint32_t timerq_run(struct timerq *q, uint64_t now_ms, uint32_t budget);
