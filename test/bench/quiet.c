/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "bench/quiet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS     (sizeof(((struct quiet *)0)->words) / sizeof(uint32_t))
#define ROUNDS    36
#define CHAIN     16000
#define SETTLE_S  0.2
#define FEW_QUIET 3 /* one of so many that are wanted has to be quiet */

/* ---- the calibrator ---- */

/* Three instructions, of which only one multiplies: nothing waits for anything but its own sum. */
#define STEP(at, sum, mix)                                                                         \
	do {                                                                                       \
		uint32_t m;                                                                        \
                                                                                                   \
		__asm__ volatile("imull $7, %[word], %[m]\n\t"                                     \
		                 "addl %[word], %[s]\n\t"                                          \
		                 "xorl %[x], %[y]"                                                 \
		                 : [m] "=&r"(m), [s] "+r"(sum), [y] "+r"(mix)                      \
		                 : [word] "m"(words[at]), [x] "r"(x));                             \
	} while (0)

/*
 * CPUs begin one multiplication a cycle: alone on its core this takes as many cycles as it has of them. What was
 * measured has left little in the caches: rounds before the first bring loop and words back.
 */
static uint64_t calibrate(const uint32_t *words)
{
	uint32_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, x = 7;
	uint64_t t = 0;

	for (int round = -2; round < ROUNDS; round++, words -= WORDS) {
		if (round == 0)
			t = ticks();
		for (uint32_t i = 0; i < WORDS; i += 8, words += 8) {
			STEP(0, a, b);
			STEP(1, c, d);
			STEP(2, e, f);
			STEP(3, a, b);
			STEP(4, c, d);
			STEP(5, e, f);
			STEP(6, a, b);
			STEP(7, c, d);
		}
	}
	return ticks() - t;
}

/* Each addition waits for the one before: a cycle each, whoever else is on the core. */
static uint64_t chain(void)
{
	uint64_t sum = 1, x = 3, t = ticks();

	for (int i = 0; i < CHAIN / 8; i++)
		__asm__ volatile("addq %1, %0\n\taddq %1, %0\n\taddq %1, %0\n\taddq %1, %0\n\t"
		                 "addq %1, %0\n\taddq %1, %0\n\taddq %1, %0\n\taddq %1, %0"
		                 : "+r"(sum)
		                 : "r"(x));
	return ticks() - t;
}

void quiet_calibrate(struct quiet *q)
{
	uint64_t t = calibrate(q->words);

	if (t < q->least)
		q->least = t;
	if (t > q->worst)
		q->worst = t;
}

void quiet_new(struct quiet *q, double hz, double seconds)
{
	uint64_t start = ticks(), cycles = UINT64_MAX, t;

	memset(q, 0, sizeof(*q));
	q->hz = hz;
	q->least = UINT64_MAX;
	q->spare = (uint64_t)(seconds * hz);
	while ((double)(ticks() - start) < SETTLE_S * hz) {
		quiet_calibrate(q);
		t = chain();
		cycles = t < cycles ? t : cycles;
	}
	/* The machine may not have been quiet all this time: what it would have needed then. */
	t = cycles * (WORDS * ROUNDS) / CHAIN;
	q->least = t < q->least ? t : q->least;
}

/* ---- rows and batches ---- */

void quiet_row(struct quiet *q, double seconds)
{
	q->row_spare = (uint64_t)(seconds * q->hz);
}

void quiet_batch(struct quiet *q)
{
	q->began = ticks();
	q->worst = 0;
}

bool quiet_was(const struct quiet *q, uint64_t worst)
{
	return worst <= QUIET_MOST(q->least);
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

bool quiet_wait(struct quiet *q)
{
	uint64_t spent = ticks() - q->began;

	if (q->spare == 0 || q->row_spare == 0)
		return false;
	q->spare = less(q->spare, spent);
	q->row_spare = less(q->row_spare, spent);
	return true;
}

/* ---- the windows of a row ---- */

void windows_new(struct windows *w, uint32_t want)
{
	*w = (struct windows){.want = want};
}

void windows_free(struct windows *w)
{
	free(w->v);
	*w = (struct windows){0};
}

void windows_add(struct windows *w, const struct quiet *q, double path, double ref)
{
	if (w->n == w->room) {
		w->room = w->room == 0 ? w->want : 2 * w->room;
		w->v = realloc(w->v, w->room * sizeof(*w->v));
		if (w->v == NULL) {
			fprintf(stderr, "bench: No memory for %u windows.\n", w->room);
			exit(1);
		}
	}
	w->v[w->n++] = (struct window){.path = path, .ref = ref, .worst = q->worst};
	w->n_quiet += quiet_was(q, q->worst);
}

/* A calibration that took less than all before may unmake quiet windows. */
static void recount(struct windows *w, const struct quiet *q)
{
	if (w->least == q->least)
		return;
	w->least = q->least;
	w->n_quiet = 0;
	for (uint32_t i = 0; i < w->n; i++)
		w->n_quiet += quiet_was(q, w->v[i].worst);
}

bool windows_more(struct windows *w, struct quiet *q)
{
	recount(w, q);
	if (w->n_quiet >= w->want)
		return false;
	return w->n < w->want || quiet_wait(q);
}

bool windows_sum(struct windows *w, const struct quiet *q, struct pairs_sum *out)
{
	struct pairs pairs;
	bool quiet;

	recount(w, q);
	quiet = (uint64_t)w->n_quiet * FEW_QUIET >= w->want;
	pairs_new(&pairs, quiet ? w->want : w->n);
	for (uint32_t i = 0; i < w->n; i++) {
		if (!quiet || quiet_was(q, w->v[i].worst))
			pairs_add(&pairs, w->v[i].path, w->v[i].ref);
	}
	pairs_sum(&pairs, out);
	pairs_free(&pairs);
	return quiet;
}
