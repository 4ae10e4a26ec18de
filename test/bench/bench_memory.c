/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What the machine's memory costs whoever has many things to look up: no code of the data plane is in it, so
 * rows of the path at 64,000 sessions can be held against it. Rows are JSON lines on stdout.
 *
 *   memory.line     ticks a line of a set whose lines are taken in random order, each once a round, as sessions
 *                   are: read and written, and prefetched while the vector before is at work
 *   memory.idle     ticks that a line which no one has touched for a while takes longer to load than
 *                   one that has just been loaded
 *   memory.kept     how many of a vector's lines, asked for one by one, memory brings: a CPU drops prefetches that it
 *                   has no room for, and stages ask again for what may be (frames_again in up.c, SA_AGAIN)
 *   memory.page_kb  size of the pages that are behind the guest's large ones
 *
 *   bench_memory [--quick]
 *
 * The memory is the EAL's, as what bench_path has in it. Where that is of small pages, tables of the data plane
 * are not in it, but in transparent large ones (mem.c).
 */
#include "bench/path.h"
#include "bench/row.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <rte_random.h>

#define LINE        64
#define PAGE        4096
#define CACHE_SETS  1024 /* of the second-level cache, or fewer */
#define AHEAD       32 /* lines: a vector */
#define WINDOW      4096 /* lines; a window of the path takes as long */
#define WINDOWS_SET 4 /* of a set, each time its turn comes */
#define WARM        131072 /* lines */
#define ROUNDS_MAX  1000
#define MEMORY      ((size_t)64 << 20) /* bytes: those of the largest set */

/* As of a session: what finds it, and what counts. */
struct line {
	uint64_t key[6];
	uint64_t packets, bytes;
};

/* Lines that are taken in turn. */
struct set {
	uint32_t lines, stride; /* bytes from one to the next */
	uint32_t *order; /* where they are, in lines of the memory */
	uint32_t at; /* the next one */
	/* Ticks a line; of a strided set also those of the dense one in the same round. */
	struct pairs windows;
};

struct memory {
	const char *pages; /* "4k", "2m" */
	bool quick;
	uint8_t *at;
};

static inline struct line *line_at(const struct memory *m, uint32_t i)
{
	return (struct line *)(m->at + (size_t)i * LINE);
}

/* ---- sets ---- */

/*
 * Where line i is. Apart from each other they stand in other places of what each has to itself, such that
 * a cache that chooses its sets by the address's bits from 6 on holds them as well as lines side by side.
 */
static uint32_t place(uint32_t i, uint32_t stride)
{
	const uint32_t apart = stride / LINE;

	return i * apart + i / (CACHE_SETS / apart) % apart;
}

static void set_new(struct set *s, uint32_t lines, uint32_t stride)
{
	*s = (struct set){.lines = lines, .stride = stride};
	s->order = calloc(lines, sizeof(*s->order));
	if (s->order == NULL)
		fail("No memory for the order of lines.");
	for (uint32_t i = 0; i < lines; i++)
		s->order[i] = place(i, stride);
	for (uint32_t i = lines - 1; i > 0; i--) {
		uint32_t k = (uint32_t)rte_rand_max(i + 1);

		RTE_SWAP(s->order[i], s->order[k]);
	}
	pairs_new(&s->windows, ROUNDS_MAX * WINDOWS_SET);
}

static void set_free(struct set *s)
{
	free(s->order);
	pairs_free(&s->windows);
}

/* Those of the next window, and of the vector behind it. */
static void set_next(struct set *s, uint32_t at[WINDOW + AHEAD])
{
	for (uint32_t i = 0; i < WINDOW + AHEAD; i++)
		at[i] = s->order[(s->at + i) & (s->lines - 1)];
	s->at = (s->at + WINDOW) & (s->lines - 1);
}

/* ---- memory.line ---- */

static void use(struct line *l)
{
	l->packets++;
	l->bytes += 64;
}

/* Ticks a line. The prefetches are spread over the vector before, as the stages' are. */
static double window(const struct memory *m, struct set *s)
{
	uint32_t at[WINDOW + AHEAD];
	uint64_t t;

	set_next(s, at);
	for (uint32_t i = 0; i < AHEAD; i++)
		rte_prefetch0(line_at(m, at[i]));
	t = ticks();
	for (uint32_t i = 0; i < WINDOW; i++) {
		rte_prefetch0(line_at(m, at[i + AHEAD]));
		use(line_at(m, at[i]));
	}
	return (double)(ticks() - t) / WINDOW;
}

/*
 * Through the whole set, so that its lines are where such a set is at rest, then what counts. Once is too little for
 * a small set: a cache does not give up at once what the set before has left there.
 */
static void windows(const struct memory *m, struct set *s, double v[WINDOWS_SET])
{
	for (uint32_t n = 0; n < RTE_MAX(s->lines, (uint32_t)WARM); n += WINDOW)
		window(m, s);
	for (int i = 0; i < WINDOWS_SET; i++)
		v[i] = window(m, s);
}

static void print_line(const struct memory *m, const struct set *s)
{
	struct pairs_sum sum;
	struct row r;

	pairs_sum(&s->windows, &sum);
	row_begin(&r, "memory.line");
	row_int(&r, "footprint_kb", (int64_t)s->lines * s->stride / 1024);
	row_int(&r, "lines", s->lines);
	row_int(&r, "stride", s->stride);
	row_str(&r, "pages", m->pages);
	row_pairs(&r, &sum, NULL);
	row_end(&r);
}

/* ---- memory.page_kb ---- */

#define PAGES_SMALL 1.5 /* times what dense lines cost, and more: the pages are small */
#define PAGES_LARGE 1.25 /* times and less: they are large */

/*
 * The guest has its lines in pages of 2 MB. Then lines a page of 4 KB each differ from as many side by side
 * in the number of small pages alone: they are as many, fit the caches as well, and lie in few large pages (32
 * here, which any TLB holds). But a TLB holds what the guest's and the host's page tables make of an address
 * together, for the smaller of both pages. So when the strided lines are clearly dearer, the host has small pages
 * behind the guest's large ones, more of them than the TLB holds. When they cost the same, its pages are
 * large, or its TLB holds as many small ones as there are lines. Measured where the host's pages are small: 2.6
 * to 3.2 times, but 1.02 to 1.10 times with strides at which the TLB holds all of them.
 * Nothing is said between the two bounds, nor when medians and minima do not agree, nor when the guest's
 * pages are small, which hide the host's.
 */
static void print_pages(const struct memory *m, const struct set *strided)
{
	struct pairs_sum sum;
	double min_ratio;
	struct row r;
	int kb;

	if (strcmp(m->pages, "2m") != 0)
		return;
	pairs_sum(&strided->windows, &sum);
	min_ratio = sum.path_min / sum.ref_min;
	if (sum.ratio >= PAGES_SMALL && min_ratio >= PAGES_SMALL)
		kb = 4;
	else if (sum.ratio <= PAGES_LARGE && min_ratio <= PAGES_LARGE)
		kb = 2048;
	else
		return;
	row_begin(&r, "memory.page_kb");
	row_int(&r, "value", kb);
	row_str(&r, "unit", "KB");
	row_int(&r, "lines", strided->lines);
	row_str(&r, "pages", m->pages);
	row_num(&r, "dense_min", sum.ref_min);
	row_num(&r, "dense_median", sum.ref_median);
	row_num(&r, "strided_min", sum.path_min);
	row_num(&r, "strided_median", sum.path_median);
	row_num(&r, "ratio", sum.ratio);
	row_int(&r, "windows", sum.n);
	row_end(&r);
}

/* ---- all sets ---- */

/* A strided set comes right behind the dense one of as many lines, which it is compared with. */
static const struct {
	uint32_t lines, stride;
} sets[] = {{1024, LINE},  {4096, LINE},  {4096, PAGE},   {16384, LINE},
            {16384, PAGE}, {65536, LINE}, {131072, LINE}, {524288, LINE}};
#define PAGES_SET 4 /* the one that tells the size of pages */

static void rows_line(const struct memory *m)
{
	const uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 10 * (m->quick ? 3 : 22);
	double v[RTE_DIM(sets)][WINDOWS_SET];
	struct set s[RTE_DIM(sets)];

	for (size_t k = 0; k < RTE_DIM(sets); k++)
		set_new(&s[k], sets[k].lines, sets[k].stride);
	for (int round = 0; round < ROUNDS_MAX && (round == 0 || rte_rdtsc() < end); round++) {
		for (size_t k = 0; k < RTE_DIM(sets); k++) {
			bool strided = s[k].stride != LINE;

			windows(m, &s[k], v[k]);
			for (int i = 0; i < WINDOWS_SET; i++)
				pairs_add(&s[k].windows, v[k][i], strided ? v[k - 1][i] : 0);
		}
	}
	for (size_t k = 0; k < RTE_DIM(sets); k++)
		print_line(m, &s[k]);
	print_pages(m, &s[PAGES_SET]);
	for (size_t k = 0; k < RTE_DIM(sets); k++)
		set_free(&s[k]);
}

/* ---- memory.idle ---- */

#define IDLE_LINES 16384 /* 1 MB */
#define IDLE_TIMED 64 /* of each kind a round */

/* Ticks, those of the clock among them. Clocks have steps: two dozen ticks on some machines. */
struct idle {
	uint32_t n;
	double *loads; /* of a line by itself */
	double *agains; /* of the same line, at once */
	double *vectors; /* of a vector that is prefetched and used */
};

static uint64_t load(const struct line *l)
{
	uint64_t t = ticks();

	(void)*(const volatile uint64_t *)&l->packets;
	return ticks() - t;
}

static uint64_t vector(const struct memory *m, const uint32_t at[AHEAD])
{
	uint64_t t = ticks();

	for (uint32_t i = 0; i < AHEAD; i++)
		rte_prefetch0(line_at(m, at[i]));
	for (uint32_t i = 0; i < AHEAD; i++)
		use(line_at(m, at[i]));
	return ticks() - t;
}

/*
 * A round: all lines in their order, evenly spread over the time that it takes, so each was last touched a
 * round ago. Of every so many vectors one is timed, and of another one its first line.
 */
static void idle_round(const struct memory *m, const struct set *s, uint64_t round, struct idle *d)
{
	const uint32_t every = s->lines / AHEAD / IDLE_TIMED;
	const uint64_t begin = rte_rdtsc();

	for (uint32_t v = 0; v < s->lines / AHEAD; v++) {
		const uint32_t *at = s->order + v * AHEAD;
		uint64_t t;

		while (rte_rdtsc() - begin < round * v / (s->lines / AHEAD))
			rte_pause();
		if (v % every == 0) {
			d->loads[d->n] = (double)load(line_at(m, *at));
			d->agains[d->n] = (double)load(line_at(m, *at));
		}
		t = vector(m, at);
		if (v % every == every / 2)
			d->vectors[d->n++] = (double)t;
	}
}

/* Ticks that the clock itself takes. */
static double clock_ticks(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10000; i++) {
		uint64_t t = ticks();

		t = ticks() - t;
		least = RTE_MIN(t, least);
	}
	return (double)least;
}

static void print_idle(const struct memory *m, const struct set *s, uint32_t us, struct idle *d)
{
	const double again = median(d->agains, d->n);
	struct row r;

	row_begin(&r, "memory.idle");
	row_int(&r, "footprint_kb", (int64_t)s->lines * s->stride / 1024);
	row_int(&r, "lines", s->lines);
	row_int(&r, "stride", s->stride);
	row_int(&r, "idle_us", us);
	row_str(&r, "pages", m->pages);
	row_num(&r, "value", median(d->loads, d->n) - again);
	row_str(&r, "unit", "ticks");
	row_num(&r, "p90", quantile(d->loads, d->n, 0.9) - again);
	row_num(&r, "just_loaded", again - clock_ticks());
	row_num(&r, "prefetched", (median(d->vectors, d->n) - clock_ticks()) / AHEAD);
	row_int(&r, "loads", d->n);
	row_end(&r);
}

static void row_idle(const struct memory *m, const struct set *s, uint32_t us, uint32_t rounds)
{
	const uint64_t round = rte_get_tsc_hz() / 1000000 * us;
	const uint32_t most = rounds * IDLE_TIMED;
	double *v = calloc(3 * (size_t)most, sizeof(*v));
	struct idle d = {.loads = v, .agains = v + most, .vectors = v + 2 * (size_t)most};

	if (v == NULL)
		fail("No memory for %u loads.", most);
	idle_round(m, s, round, &d); /* no one knows when these were touched before */
	d.n = 0;
	for (uint32_t i = 0; i < rounds; i++)
		idle_round(m, s, round, &d);
	print_idle(m, s, us, &d);
	free(v);
}

static void rows_idle(const struct memory *m)
{
	struct set s;

	set_new(&s, IDLE_LINES, LINE);
	row_idle(m, &s, 100, m->quick ? 100 : 1000);
	row_idle(m, &s, 10000, m->quick ? 8 : 50);
	set_free(&s);
}

/* ---- memory.kept ---- */

#define KEPT_LINES 524288 /* 32 MB: as many pages as SAs have */
#define KEPT_WAIT  20000 /* ticks, in which all that is on its way comes */

/* Flushes a vector of lines from all caches. */
static void flush(const struct memory *m, const uint32_t at[AHEAD])
{
	for (uint32_t i = 0; i < AHEAD; i++)
		_mm_clflush(line_at(m, at[i]));
	_mm_mfence();
}

/* Ticks of a line that is in no cache. */
static double far_ticks(const struct memory *m, const struct set *s, uint32_t rounds)
{
	double *v = calloc(rounds, sizeof(*v)), far;

	if (v == NULL)
		fail("No memory for %u loads.", rounds);
	for (uint32_t i = 0; i < rounds; i++) {
		const uint32_t *at = s->order + i * AHEAD % s->lines;

		flush(m, at);
		v[i] = (double)load(line_at(m, *at));
	}
	far = median(v, rounds);
	free(v);
	return far;
}

/* What has come loads in less than half the time of a line that is far. */
static void row_kept(const struct memory *m, const struct set *s, uint32_t gap, uint32_t rounds)
{
	const double far = far_ticks(m, s, rounds);
	uint64_t n = 0;
	struct row r;

	for (uint32_t k = 0; k < rounds; k++) {
		const uint32_t *at = s->order + k * AHEAD % s->lines;
		uint64_t begin;

		flush(m, at);
		begin = ticks();
		for (uint32_t i = 0; i < AHEAD; i++) {
			while (gap > 0 && rte_rdtsc() - begin < (uint64_t)gap * i)
				;
			rte_prefetch0(line_at(m, at[i]));
		}
		while (rte_rdtsc() - begin < KEPT_WAIT)
			;
		for (uint32_t i = 0; i < AHEAD; i++)
			n += (double)load(line_at(m, at[i])) < far / 2;
	}
	row_begin(&r, "memory.kept");
	row_int(&r, "footprint_kb", (int64_t)s->lines * s->stride / 1024);
	row_int(&r, "lines", AHEAD);
	row_int(&r, "gap", gap);
	row_str(&r, "pages", m->pages);
	row_num(&r, "value", 100.0 * (double)n / ((double)rounds * AHEAD));
	row_str(&r, "unit", "%");
	row_num(&r, "far", far);
	row_end(&r);
}

static void rows_kept(const struct memory *m)
{
	static const uint32_t gaps[] = {0, 10, 20, 40};
	struct set s;

	set_new(&s, KEPT_LINES, LINE);
	for (size_t i = 0; i < RTE_DIM(gaps); i++)
		row_kept(m, &s, gaps[i], m->quick ? 500 : 5000);
	set_free(&s);
}

int main(int argc, char **argv)
{
	struct memory m = {.quick = argc == 2 && strcmp(argv[1], "--quick") == 0};

	if (argc != 1 && !m.quick)
		fail("usage: bench_memory [--quick]");
	m.pages = eal_start();
	m.at = rte_malloc("bench_memory", MEMORY, DP_LARGE_PAGE);
	if (m.at == NULL)
		fail("No memory for lines.");
	memset(m.at, 0, MEMORY); /* so that each page is there */
	rows_line(&m);
	rows_idle(&m);
	rows_kept(&m);
	rte_free(m.at);
	rte_eal_cleanup();
	return 0;
}
