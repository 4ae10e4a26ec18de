/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Quiet windows. A CPU that shares its core with another guest takes 1.2 to 1.8 times as long for everything
 * while that one works, for milliseconds or for minutes. So around each batch of windows a calibrator is
 * run, which knows nothing of what is measured: a fixed loop within the nearest cache that keeps the core's
 * units busy, and so takes longer when someone else uses them, or when the clock is slower. A batch is
 * quiet when no calibration of it took longer than QUIET_MOST of the least: of the process, or of what the loop
 * takes by the core's clock, which is measured in a way that no one else disturbs. So a process that sees only
 * a shared core knows that. A row goes on until it has its windows from quiet batches, or has waited long enough.
 */
#pragma once

#include "bench/row.h"

#include <x86intrin.h>

/* Between the two states: calibrations of a quiet core are within 8 % of the least, of a shared one 14 % over it. */
#define QUIET_MOST(least) ((least) + (least) / 10)

/* Ticks of the time-stamp counter; all before has been done, nothing after has begun. */
static inline uint64_t ticks(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

struct quiet {
	double hz; /* ticks a second */
	uint64_t least; /* ticks of all calibrations */
	uint64_t spare, row_spare; /* ticks that all rows, and the one at work, may still wait */
	uint64_t began, worst; /* of the batch at work: when, and the longest of its calibrations */
	uint32_t words[1024]; /* what the calibrator reads */
};

/* Calibrates for a while. All rows together may wait for that many seconds. */
void quiet_new(struct quiet *q, double hz, double seconds);
/* A row begins, which may wait for that many seconds. */
void quiet_row(struct quiet *q, double seconds);
/* A batch begins. */
void quiet_batch(struct quiet *q);
/* One calibration of the batch: some 12 microseconds. */
void quiet_calibrate(struct quiet *q);
/* Whether a batch with this worst calibration was quiet, by all that is known now. */
bool quiet_was(const struct quiet *q, uint64_t worst);
/* The batch was in vain: whether there is time for another one. */
bool quiet_wait(struct quiet *q);

/* ---- the windows of a row ---- */

struct window {
	double path, ref;
	uint64_t worst; /* calibration of its batch */
};

struct windows {
	uint32_t want, n, n_quiet, room;
	uint64_t least; /* by which n_quiet was counted */
	struct window *v;
};

/* For a row that wants so many quiet ones, at least 1. */
void windows_new(struct windows *w, uint32_t want);
void windows_free(struct windows *w);
/* A window of the batch that has just been measured. Ends the program when there is no memory. */
void windows_add(struct windows *w, const struct quiet *q, double path, double ref);
/* After each batch: whether another one is wanted. */
bool windows_more(struct windows *w, struct quiet *q);
/*
 * What became of them: of as many quiet ones as are wanted, and true; or, when there are not even a third of
 * that, of all, and false.
 */
bool windows_sum(struct windows *w, const struct quiet *q, struct pairs_sum *out);
