/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * loop.{up,down}.*: the most that one worker's loop forwards, and loop.latency: what it adds.
 *
 * The frames of a window are made before it. Then generator and sink, which are one loop on CPU 0, put
 * them into the worker's receive ring and take them from the other port's. Rate: as fast as the ring,
 * which is never overrun, takes them: all that goes in comes out. Latency: one by one, evenly spaced, from
 * ring to ring; what finds the ring full is lost, and counted. A window in which the worker or this loop
 * was held up is disturbed, and its packets count in all_* alone. window_p99_us is the median of the
 * quiet windows' own 99th percentiles; ref_* are of a bare forwarder in the worker's place, in turn.
 *
 * Half load is half of what the machine does now: it moves between states whose rates differ by half, so
 * each block of windows has a rate of its own, found right before it. And the machine stands still: what
 * of that the bare forwarder has seen, which does nothing itself that takes so long, is stall_*.
 */
#include "bench/loop.h"
#include "bench/row.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#define FLOOD      512 /* packets of a window */
#define WINDOW_US  200 /* of latency's */
#define TAKE       32 /* packets that generator and sink move at once */
#define TIMEOUT_MS 200
#define STALL_US   10 /* a generator that stands still so long has disturbed its window */
#define BLOCK      50 /* windows of the worker, and as many of the bare forwarder, in turn */
#define BLOCKS_MAX 40
#define RATE_BLOCK 15 /* windows that find a block's rate */
#define TICKS      64 /* of one bucket of latencies */
#define BUCKETS    65536

/* ---- the worker ---- */

static void worker_run(void *dp)
{
	dp_worker_main(&(struct dp_worker_arg){.dp = dp, .worker = 0});
}

void worker_start(struct world *w)
{
	hand_go(1, worker_run, w->dp);
}

void worker_stop(struct world *w)
{
	dp_stop(w->dp);
	hand_wait(1);
	w->dp->stop = false;
}

static struct batch counters(struct world *w)
{
	struct dp_stats s;

	dp_stats_get(w->dp, 0, &s);
	return (struct batch){.busy = s.busy_cycles, .rx = s.rx, .vectors = s.vectors};
}

/* ---- rate ---- */

struct batch loop_flood(struct world *w, enum way way, uint32_t n)
{
	struct rte_ring *in = loop_rx(way == UP ? 0 : 1, 0), *out = loop_tx(way == UP ? 1 : 0, 0);
	uint64_t until, start, end = 0;
	uint32_t sent = 0, got = 0, pick = world_random(w) % n;
	struct rte_mbuf *v[TAKE], *sample = NULL;
	struct batch a = counters(w), b;

	start = rte_rdtsc();
	until = start + rte_get_tsc_hz() * TIMEOUT_MS / 1000;
	while (got < n) {
		unsigned k = rte_ring_sc_dequeue_burst(out, (void **)v, TAKE, NULL);

		if (k > 0) {
			end = rte_rdtsc();
			if (pick - got < k)
				sample = v[pick - got];
			got += k;
		}
		if (sent < n)
			sent += rte_ring_sp_enqueue_burst(in, (void **)&w->m[sent],
			                                  RTE_MIN(n - sent, (uint32_t)TAKE), NULL);
		if (k == 0 && rte_rdtsc() > until) {
			world_no_drops(w);
			bench_fail("%u of %u packets did not come out.", n - got, n);
		}
	}
	rte_delay_us_block(2); /* the worker's turn has ended, and is in its counters */
	b = counters(w);
	world_verify(w, way, sample);
	return (struct batch){.ticks = end - start,
	                      .busy = b.busy - a.busy,
	                      .rx = b.rx - a.rx,
	                      .vectors = b.vectors - a.vectors};
}

/* The most that the worker, which runs, forwards now. */
static double pps_now(struct world *w, enum way way)
{
	double ticks[RATE_BLOCK];

	for (uint32_t i = 0; i < RATE_BLOCK + 1; i++) {
		struct batch b;

		world_fill(w, way, 0, FLOOD, -1);
		b = loop_flood(w, way, FLOOD);
		if (i > 0) /* the worker's engine has just been made */
			ticks[i - 1] = (double)b.ticks / FLOOD;
	}
	return (double)rte_get_tsc_hz() / median(ticks, RATE_BLOCK);
}

struct rate {
	double pps; /* of the median window */
	struct pairs_sum cycles;
	double vector;
};

static void rate(struct world *w, enum way way, uint32_t windows, struct rate *r)
{
	double *ticks = calloc(windows, sizeof(*ticks));
	uint64_t rx = 0, vectors = 0;
	struct pairs p;

	pairs_new(&p, windows);
	for (uint32_t i = 0; i < windows + 3; i++) {
		struct batch b;

		world_fill(w, way, 0, FLOOD, -1);
		b = loop_flood(w, way, FLOOD);
		if (i < 3) /* caches and branches warm up */
			continue;
		ticks[i - 3] = (double)b.ticks / FLOOD;
		pairs_add(&p, (double)b.busy / (double)b.rx, 0);
		rx += b.rx;
		vectors += b.vectors;
	}
	pairs_sum(&p, &r->cycles);
	r->vector = (double)rx / (double)vectors;
	r->pps = (double)rte_get_tsc_hz() / median(ticks, windows);
	pairs_free(&p);
	free(ticks);
}

/* ---- latency ---- */

struct histogram {
	uint64_t n, max;
	uint32_t bucket[BUCKETS];
};

static void histogram_add(struct histogram *h, uint64_t ticks)
{
	h->n++;
	h->max = RTE_MAX(h->max, ticks);
	h->bucket[RTE_MIN(ticks / TICKS, (uint64_t)BUCKETS - 1)]++;
}

static double us(uint64_t ticks)
{
	return (double)ticks * 1e6 / (double)rte_get_tsc_hz();
}

/* The time that a share q of all does not exceed: the end of its bucket. */
static double histogram_us(const struct histogram *h, double q)
{
	uint64_t rank = (uint64_t)((double)h->n * q), sum = 0;

	for (uint32_t i = 0; i < BUCKETS; i++) {
		sum += h->bucket[i];
		if (sum > rank)
			return RTE_MIN(us((uint64_t)(i + 1) * TICKS), us(h->max));
	}
	return us(h->max);
}

struct latency {
	struct histogram quiet, all, ref; /* ref: quiet windows of the bare forwarder */
	double pps[BLOCKS_MAX]; /* offered in each block */
	uint64_t still, still_max,
	        ref_ticks; /* of the forwarder: times over STALL_US; all its time */
	double *p99; /* us; of each quiet window */
	uint32_t n_p99;
	uint32_t blocks, windows, disturbed;
	uint64_t lost, rx, vectors;
	double steal_ms;
};

struct paced {
	uint64_t in[BATCH_MAX], out[BATCH_MAX]; /* TSC */
	uint32_t lost;
	uint64_t stall; /* the longest time between two looks at the rings */
};

/* One window at so many ticks a packet. out[i] is valid when nothing was lost. bare: not the worker. */
static void paced_run(struct world *w, enum way way, uint32_t n, double gap, struct paced *r,
                      bool bare)
{
	struct rte_ring *in = loop_rx(way == UP ? 0 : 1, 0), *out = loop_tx(way == UP ? 1 : 0, 0);
	struct rte_mbuf *v[TAKE], *sample = NULL;
	uint64_t start = rte_rdtsc(), now = start, last = start, until;
	uint32_t sent = 0, got = 0, pick = world_random(w) % n;

	until = start + (uint64_t)(gap * n) + rte_get_tsc_hz() * TIMEOUT_MS / 1000;
	r->lost = 0;
	r->stall = 0;
	while (got + r->lost < n) {
		unsigned k;

		now = rte_rdtsc();
		r->stall = RTE_MAX(r->stall, now - last);
		last = now;
		if (sent < n && (double)(now - start) >= gap * sent) {
			r->in[sent] = now;
			if (rte_ring_sp_enqueue(in, w->m[sent]) != 0)
				r->lost++;
			sent++;
		}
		k = rte_ring_sc_dequeue_burst(out, (void **)v, TAKE, NULL);
		if (k > 0)
			now = rte_rdtsc();
		for (unsigned i = 0; i < k; i++, got++) {
			r->out[v[i]->hash.usr] = now;
			if (got == pick)
				sample = v[i];
		}
		if (k == 0 && now > until) {
			world_no_drops(w);
			bench_fail("%u of %u packets did not come out.", n - got, n);
		}
	}
	if (sample != NULL && !bare)
		world_verify(w, way, sample);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One window into the figures; quiet: neither the worker nor this loop was held up. */
static void window_add(struct latency *l, struct paced *r, uint32_t n, bool quiet)
{
	for (uint32_t i = 0; i < n; i++) {
		r->out[i] -= r->in[i];
		histogram_add(&l->all, r->out[i]);
		if (quiet)
			histogram_add(&l->quiet, r->out[i]);
	}
	if (quiet) {
		qsort(r->out, n, sizeof(r->out[0]), compare);
		l->p99[l->n_p99++] = us(r->out[(uint64_t)n * 99 / 100]);
	}
}

static bool quiet_run(struct world *w, enum way way, uint32_t n, double gap, struct paced *r,
                      bool bare)
{
	long switches;

	world_fill(w, way, 0, n, -1);
	switches = hand_switches(1) + hand_switches(-1);
	paced_run(w, way, n, gap, r, bare);
	return hand_switches(1) + hand_switches(-1) == switches && us(r->stall) < STALL_US;
}

static void block(struct world *w, enum way way, double gap, uint32_t n, struct latency *l,
                  struct paced *r)
{
	for (uint32_t k = 0; k < BLOCK; k++) {
		struct batch a = counters(w), b;
		bool quiet = quiet_run(w, way, n, gap, r, false);

		rte_delay_us_block(2);
		b = counters(w);
		l->windows++;
		l->disturbed += !quiet;
		l->lost += r->lost;
		l->rx += b.rx - a.rx;
		l->vectors += b.vectors - a.vectors;
		if (r->lost == 0)
			window_add(l, r, n, quiet);
	}
}

/* In the worker's place: what the rings and the machine alone add. */
struct forwarder {
	uint16_t in, out;
	bool stop; /* atomic */
	uint64_t still, still_max, ticks; /* as in struct latency */
};

static void forward(void *arg)
{
	struct forwarder *f = arg;
	struct rte_mbuf *v[TAKE];
	const uint64_t start = rte_rdtsc(), stall = rte_get_tsc_hz() * STALL_US / 1000000;
	uint64_t last = start, now;

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
		uint16_t n = rte_eth_rx_burst(f->in, 0, v, TAKE);

		if (n > 0 && rte_eth_tx_burst(f->out, 0, v, n) != n)
			bench_fail("a ring is full.");
		now = rte_rdtsc();
		if (now - last > stall) {
			f->still += now - last;
			f->still_max = RTE_MAX(f->still_max, now - last);
		}
		last = now;
	}
	f->ticks = last - start;
}

static void block_ref(struct world *w, enum way way, double gap, uint32_t n, struct latency *l,
                      struct paced *r)
{
	struct forwarder f = {.in = way == UP ? 0 : 1, .out = way == UP ? 1 : 0};

	hand_go(1, forward, &f);
	for (uint32_t k = 0; k < BLOCK; k++) {
		if (!quiet_run(w, way, n, gap, r, true) || r->lost > 0)
			continue;
		for (uint32_t i = 0; i < n; i++)
			histogram_add(&l->ref, r->out[i] - r->in[i]);
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELEASE);
	hand_wait(1);
	l->still += f.still;
	l->still_max = RTE_MAX(l->still_max, f.still_max);
	l->ref_ticks += f.ticks;
}

static uint32_t window_packets(double pps)
{
	return RTE_MAX(64, RTE_MIN((uint32_t)(pps * WINDOW_US / 1e6), (uint32_t)BATCH_MAX));
}

static void latency(struct world *w, enum way way, int load, uint32_t blocks, struct latency *l)
{
	struct paced *r = calloc(1, sizeof(*r));
	double steal = cpu_steal_ms(), *p99 = l->p99;

	memset(l, 0, sizeof(*l));
	l->p99 = p99;
	for (uint32_t k = 0; k < blocks; k++) {
		double pps, gap;

		worker_start(w);
		pps = pps_now(w, way) * load / 100;
		gap = (double)rte_get_tsc_hz() / pps;
		block(w, way, gap, window_packets(pps), l, r);
		worker_stop(w);
		block_ref(w, way, gap, window_packets(pps), l, r);
		l->pps[k] = pps;
	}
	l->blocks = blocks;
	l->steal_ms = cpu_steal_ms() - steal;
	free(r);
}

/* ---- rows ---- */

static void row_path(struct row *r, const char *name, const struct world *w)
{
	row_begin(r, name);
	row_int(r, "size", w->conf.size);
	row_int(r, "sessions", SESSIONS);
	row_int(r, "vector", 32);
	row_bool(r, "checksum", false);
	row_bool(r, "ff03", true);
	row_str(r, "pages", loop_pages());
	row_str(r, "cpu", BENCH_CPU);
}

static void row_rate(const struct world *w, enum way way, const char *suite, const struct rate *r)
{
	char name[64];
	struct row row;

	snprintf(name, sizeof(name), "loop.%s.%s", way == UP ? "up" : "down", suite);
	row_path(&row, name, w);
	row_pairs(&row, &r->cycles, NULL);
	row_num(&row, "pps", r->pps);
	row_num(&row, "vector_mean", r->vector);
	row_end(&row);
}

static void row_latency(const struct world *w, enum way way, const char *suite, int load,
                        struct latency *l)
{
	char path[64];
	struct row row;

	snprintf(path, sizeof(path), "%s.%s", way == UP ? "up" : "down", suite);
	row_path(&row, "loop.latency", w);
	row_str(&row, "path", path);
	row_int(&row, "load", load);
	row_num(&row, "pps", median(l->pps, l->blocks));
	row_num(&row, "p50_us", histogram_us(&l->quiet, 0.5));
	row_num(&row, "p99_us", histogram_us(&l->quiet, 0.99));
	row_num(&row, "p999_us", histogram_us(&l->quiet, 0.999));
	row_num(&row, "max_us", us(l->quiet.max));
	row_num(&row, "window_p99_us", median(l->p99, l->n_p99));
	row_num(&row, "ref_p50_us", histogram_us(&l->ref, 0.5));
	row_num(&row, "ref_p99_us", histogram_us(&l->ref, 0.99));
	row_str(&row, "ref", "bare forwarder");
	row_num(&row, "stall_percent", 100 * (double)l->still / (double)l->ref_ticks);
	row_num(&row, "stall_max_us", us(l->still_max));
	row_num(&row, "all_p99_us", histogram_us(&l->all, 0.99));
	row_int(&row, "windows", l->windows);
	row_int(&row, "disturbed", l->disturbed);
	row_num(&row, "steal_ms", l->steal_ms);
	row_int(&row, "lost", (int64_t)l->lost);
	row_num(&row, "vector_mean", (double)l->rx / (double)l->vectors);
	row_end(&row);
}

static void path_rows(const struct suite_name *s, uint16_t size, bool quick)
{
	struct latency *l = calloc(1, sizeof(*l));
	struct world *w = world_new(&(struct world_conf){
	        .n_workers = 1, .suite = s->suite, .size = size, .idle = DP_IDLE_SPIN});

	l->p99 = calloc(BLOCK * BLOCKS_MAX, sizeof(*l->p99));
	for (enum way way = UP; way <= DOWN; way++) {
		struct rate r;

		worker_start(w);
		rate(w, way, quick ? 300 : 1000, &r);
		worker_stop(w);
		row_rate(w, way, s->name, &r);
		for (int load = 50; load <= 90; load += 40) {
			latency(w, way, load, quick ? 8 : BLOCKS_MAX, l);
			if (l->n_p99 == 0 || l->ref.n == 0)
				bench_say("no quiet window for the latency of %s", s->name);
			else
				row_latency(w, way, s->name, load, l);
		}
	}
	world_no_drops(w);
	world_free(w);
	free(l->p99);
	free(l);
}

void rows_rate(bool quick)
{
	static const uint16_t sizes[] = {64, 1400};

	for (int s = 0; loop_suites[s].name != NULL && (!quick || s < 3); s++) {
		for (int k = 0; k < (quick ? 1 : 2); k++)
			path_rows(&loop_suites[s], sizes[k], quick);
	}
}
