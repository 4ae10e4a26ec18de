/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * How busy workers are, and which of them gets what is new.
 *
 * Control keeps a sample of the workers' counters for each second of the last minute.
 *
 * New sessions and connections go by number, since what they will carry no one knows: to the worker that has
 * the fewest. But one fat tunnel may fill a worker: one that was much busier than the least busy in the last
 * seconds gets nothing more until it is near the others again. Between those two marks all stays as it is,
 * so that nothing swings when the load of two workers is about that far apart. Nothing that is there moves.
 */
#include "dataplane/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MS 1000
#define SAMPLES   (DP_LOAD_MAX_S + 1)

/* Permille of busy cycles, over so many seconds. */
#define BUSY_S    5
#define BUSY_FULL 500 /* below it no one is left out */
#define BUSY_LEAD 250 /* .. and from so far ahead of the least busy on one is .. */
#define BUSY_NEAR 100 /* .. until it is as near as that */

#define READ(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

struct sample {
	uint64_t busy, idle, rx, handed_off, taken_over;
};

struct loads {
	uint64_t next_ms; /* when the next one is due; 0: none was taken */
	uint32_t newest, n; /* index of a ring, and how many are in it */
	bool full[DP_MAX_WORKERS]; /* gets nothing new */
	struct sample s[]; /* n_workers of each second */
};

static struct sample *at(const struct dp *dp, uint32_t i, uint16_t w)
{
	return &dp->loads->s[(size_t)i * dp->conf.n_workers + w];
}

static struct sample now_of(const struct worker *w)
{
	return (struct sample){
	        .busy = READ(w->st.busy_cycles),
	        .idle = READ(w->st.idle_cycles),
	        .rx = READ(w->st.rx),
	        .handed_off = READ(w->st.handed_off),
	        .taken_over = READ(w->st.taken_over),
	};
}

int dp_load_init(struct dp *dp)
{
	dp->loads = calloc(1, sizeof(struct loads) +
	                              sizeof(struct sample) * SAMPLES * dp->conf.n_workers);
	if (dp->loads == NULL)
		return -ENOMEM;
	dp->loads->n = 1; /* the zeros of the start */
	return 0;
}

void dp_load_free(struct dp *dp)
{
	free(dp->loads);
}

static void find_full(struct dp *dp)
{
	uint32_t busy[DP_MAX_WORKERS], least = UINT32_MAX;
	struct dp_load l;

	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		dp_load_get(dp, w, BUSY_S, &l);
		busy[w] = l.busy_permille;
		least = RTE_MIN(least, busy[w]);
	}
	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		if (busy[w] >= BUSY_FULL && busy[w] >= least + BUSY_LEAD)
			dp->loads->full[w] = true;
		else if (busy[w] <= least + BUSY_NEAR)
			dp->loads->full[w] = false;
	}
}

void dp_load_tick(struct dp *dp, uint64_t now_ms)
{
	struct loads *l = dp->loads;

	if (l->next_ms != 0 && now_ms < l->next_ms)
		return;
	l->next_ms = now_ms + SAMPLE_MS;
	l->newest = (l->newest + 1) % SAMPLES;
	if (l->n < SAMPLES)
		l->n++;
	for (uint16_t w = 0; w < dp->conf.n_workers; w++)
		*at(dp, l->newest, w) = now_of(dp->workers[w]);
	find_full(dp);
}

/* The least busy worker is never full, so there is one. */
uint16_t dp_owner_pick(struct dp *dp, const uint32_t *more)
{
	uint32_t n, least = UINT32_MAX;
	uint16_t best = 0;

	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		n = dp->n_sessions[w] + (more != NULL ? more[w] : 0);
		if (dp->loads->full[w] || n >= least)
			continue;
		least = n;
		best = w;
	}
	return best;
}

static void add(struct dp *dp, uint16_t w, uint32_t oldest, struct sample *sum)
{
	const struct sample *old = at(dp, oldest, w), now = now_of(dp->workers[w]);

	sum->busy += now.busy - old->busy;
	sum->idle += now.idle - old->idle;
	sum->rx += now.rx - old->rx;
	sum->handed_off += now.handed_off - old->handed_off;
	sum->taken_over += now.taken_over - old->taken_over;
}

void dp_load_get(struct dp *dp, int worker, uint32_t seconds, struct dp_load *out)
{
	const struct loads *l = dp->loads;
	/* The newest may be of a moment ago: the one before it makes the window whole. */
	uint32_t back = RTE_MIN(seconds, l->n - 1);
	uint32_t oldest = (l->newest + SAMPLES - back) % SAMPLES;
	struct sample sum = {0};
	uint64_t cycles;

	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		if (worker < 0 || worker == w)
			add(dp, w, oldest, &sum);
	}
	cycles = sum.busy + sum.idle;
	*out = (struct dp_load){
	        .rx = sum.rx,
	        .handed_off = sum.handed_off,
	        .taken_over = sum.taken_over,
	        .busy_permille = cycles != 0 ? (uint32_t)(sum.busy * 1000 / cycles) : 0,
	};
}
