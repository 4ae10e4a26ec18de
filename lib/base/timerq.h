/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A queue of one-shot timers in virtual time. The engines under lib/ have no clock: whoever drives
 * them owns the queue and says what time it is, so the same code runs under libevent and in a
 * deterministic simulation. Nodes are embedded: nothing is allocated, setting a timer cannot fail, and
 * timers due at the same instant fire in the order in which they were set.
 *
 * What is due within seconds, as retransmissions are, stands in a wheel of a slot a millisecond; all
 * else in a tree, from which it fires when its time has come. No call takes long, however many there
 * are: one that did would hold up everybody's timers. (But for timers of one instant that were set billions of
 * settings apart: their order is not known, and one may be searched for.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer;

/*
 * The timer is no longer queued when this runs; it may be set again or its memory freed here. What it is
 * the timer of, timer_owner tells.
 */
typedef void (*timer_fn)(struct timer *t, uint64_t now_ms);

#define TIMER_FN_BITS    48 /* of an address on x86-64, whose upper half is the kernel's */
#define TIMER_AT_BITS    44 /* milliseconds: five centuries; the last of them stands for never */
#define TIMER_ORDER_BITS 34

/* There are five of them for each subscriber. */
struct timer {
	uint64_t fn : TIMER_FN_BITS;
	uint64_t order_high : 64 - TIMER_FN_BITS; /* tie-break among equal at_ms */
	uint64_t at_ms : TIMER_AT_BITS; /* valid while queued */
	uint64_t order_low : TIMER_ORDER_BITS - (64 - TIMER_FN_BITS);
	uint64_t queued : 1, near : 1; /* near: in the wheel */
	struct timer *left, *right; /* in the tree, or the wheel's ring */
};
_Static_assert(sizeof(struct timer) == 32, "no hole");

/* The object of this type whose member t is. */
#define timer_owner(t, type, member) ((type *)((uintptr_t)(t)-offsetof(type, member)))

#define TIMERQ_SLOTS 4096
#define TIMERQ_WORDS (TIMERQ_SLOTS / 64)

/* Zeroed it is empty. */
struct timerq {
	struct timer *root, *first; /* of the tree */
	uint64_t base_ms; /* the wheel holds what is due from here on, for TIMERQ_SLOTS */
	uint64_t used[TIMERQ_WORDS]; /* slots that are not empty */
	struct timer *slot[TIMERQ_SLOTS];
	uint32_t n_wheel;
	uint64_t order;
	uint32_t n; /* timers queued now */
};

/* Prepares a timer; must come before any other call on it. Nothing to release. */
void timer_init(struct timer *t, timer_fn fn);

/* (Re)arms t to fire at at_ms (milliseconds of the queue's own clock); UINT64_MAX is never but at the end. */
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
