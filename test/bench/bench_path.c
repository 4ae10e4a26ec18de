/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Cycles a packet through the worker's stages, from classify to tx, against what nobody could do
 * without: bare IPv4 forwarding of the same frames (ref.ip4), or the bare calls of the multi-buffer
 * library over the same bytes with the same keys (crypto.*).
 *
 * A window is the packets of a batch, some hundreds, in vectors. Each vector is received (untimed: what
 * a driver and the worker's rx leave hot in the cache is the mbuf, its metadata, and a prefetch of the
 * frame's first line), then timed. The first half of a batch is run like the second but not counted:
 * making the batch has filled the caches with other things, and after it sessions, SAs, keys and branch
 * predictors are as warm or cold as in a worker that runs all the time. Sessions come in random order. Frames are
 * then where a NIC leaves them, in the third-level cache or the end of the second. The window of the
 * reference follows at once, with buffers and keys of its own, so neither warms the other's.
 */
#include "bench/path.h"
#include "bench/row.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_prefetch.h>
#include <rte_random.h>

struct bench {
	const char *pages, *only;
	uint32_t windows;
	uint64_t empty; /* ticks of a timed part with nothing in it */
	struct world *w;
	struct ref_crypto *crypto;
	struct batch path, ref;
	uint32_t *order, at; /* subscribers in random order, the next one */
	uint32_t who[BATCH_MAX];
	uint32_t serial;
};

/* ---- one window ---- */

/* What a driver's receive function and the worker's rx have done to a vector before classify. */
static void receive(struct rte_mbuf **v, uint16_t n, uint16_t len, uint16_t port)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];

		m->data_off = RTE_PKTMBUF_HEADROOM;
		m->refcnt = 1;
		m->nb_segs = 1;
		m->port = port;
		m->ol_flags = 0;
		m->packet_type = 0;
		m->pkt_len = len;
		m->data_len = len;
		*pkt_meta(m) = (struct pkt_meta){.in_if = DP_IF_NONE};
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
	}
}

static uint64_t path_vector(struct bench *b, const struct spec *s, uint32_t at, uint16_t n)
{
	struct rte_mbuf *v[VEC_MAX];
	struct worker *w = b->w->w;
	uint64_t t;

	memcpy(v, b->path.m + at, n * sizeof(*v));
	receive(v, n, b->path.len, s->dir == UP ? LAC_PORT : WORLD_PORT);
	w->now = rte_rdtsc();
	t = ticks();
	dp_input(w, v, n);
	dp_flush(w);
	return ticks() - t - b->empty;
}

static uint64_t ref_vector(struct bench *b, const struct spec *s, uint32_t at, uint16_t n)
{
	struct rte_mbuf *v[VEC_MAX];
	uint64_t t;

	memcpy(v, b->ref.m + at, n * sizeof(*v));
	receive(v, n, b->ref.len, LAC_PORT);
	if (s->suite == PLAIN) {
		t = ticks();
		ref_ip4(b->w, v, n);
		return ticks() - t - b->empty;
	}
	ref_crypto_prepare(b->crypto, b->w, s, v, b->who + at, n, b->ref.len);
	t = ticks();
	ref_crypto_run(b->crypto);
	return ticks() - t - b->empty;
}

/* Ticks a packet of the second half. */
static double half(struct bench *b, const struct spec *s,
                   uint64_t (*vector)(struct bench *, const struct spec *, uint32_t, uint16_t))
{
	uint32_t n = b->path.n, timed = 0;
	uint64_t sum = 0;

	for (uint32_t at = 0; at < n; at += s->vector) {
		uint16_t k = (uint16_t)RTE_MIN(n - at, (uint32_t)s->vector);
		uint64_t t = vector(b, s, at, k);

		if (at >= n / 2) {
			sum += t;
			timed += k;
		}
	}
	return (double)sum / timed;
}

static void make(struct bench *b, const struct spec *s)
{
	for (uint32_t i = 0; i < b->path.n; i++) {
		b->who[i] = b->order[b->at];
		b->at = b->at + 1 == s->sessions ? 0 : b->at + 1;
	}
	b->serial += b->path.n;
	frames_make(b->w, s, &b->path, b->who, b->serial);
	if (s->dir == DOWN && s->suite != PLAIN)
		texts_make(b->w, s, &b->ref, b->who, b->serial);
	else
		frames_copy(&b->ref, &b->path);
}

static void check_sent(const struct bench *b, const struct spec *s)
{
	const struct bench_port *p = &b->w->ports[s->dir == UP ? WORLD_PORT : LAC_PORT];
	uint32_t n = b->path.n;

	if (p->n != n || drops(b->w) != 0)
		fail("%u of %u packets left, %lu were dropped.", p->n, n, drops(b->w));
	if (memcmp(p->sent, b->path.m, n * sizeof(*p->sent)) != 0)
		fail("Packets left in another order.");
}

static void window(struct bench *b, const struct spec *s, struct pairs *p)
{
	uint32_t n = b->path.n, i = n / 2 + (uint32_t)rte_rand() % (n / 2);
	double path, ref;

	make(b, s);
	b->w->ports[LAC_PORT].n = b->w->ports[WORLD_PORT].n = 0;
	path = half(b, s, path_vector);
	check_sent(b, s);
	b->w->ports[LAC_PORT].n = 0;
	ref = half(b, s, ref_vector);
	frame_verify(b->w, s, b->path.m[i], b->who[i], b->serial + i);
	if (s->suite != PLAIN)
		ref_crypto_verify(b->w, s, b->ref.m[i], b->path.m[i], b->who[i]);
	pairs_add(p, path, ref);
	world_settle(b->w);
}

/* ---- a row ---- */

static void describe(const struct bench *b, const struct spec *s, struct row *r)
{
	row_int(r, "size", s->size);
	row_int(r, "sessions", s->sessions);
	row_int(r, "vector", s->vector);
	row_bool(r, "checksum", s->checksum);
	row_bool(r, "ff03", s->ff03);
	row_str(r, "pages", b->pages);
	row_str(r, "cpu", BENCH_CPU);
	row_str(r, "arch", esp_arch_name(b->w->peer));
}

static void path_name(const struct spec *s, char *name, size_t size)
{
	snprintf(name, size, "path.%s.%s", s->dir == UP ? "up" : "down", suite_names[s->suite]);
}

static void ref_name(const struct spec *s, char *name, size_t size)
{
	snprintf(name, size, "%s%s", s->suite == PLAIN ? "ref.ip4" : "crypto.",
	         s->suite == PLAIN ? "" : suite_names[s->suite]);
}

static bool named(const struct bench *b, const char *name)
{
	return b->only == NULL || fnmatch(b->only, name, 0) == 0;
}

static void print(const struct bench *b, const struct spec *s, const struct pairs *p)
{
	char name[64], ref[64];
	struct pairs_sum sum, bare;
	struct row r;

	path_name(s, name, sizeof(name));
	ref_name(s, ref, sizeof(ref));
	pairs_sum(p, &sum);
	bare = sum;
	bare.path_min = sum.ref_min;
	bare.path_median = sum.ref_median;
	row_begin(&r, ref);
	row_str(&r, "direction", s->dir == UP ? "up" : "down");
	describe(b, s, &r);
	row_pairs(&r, &bare, NULL);
	if (named(b, ref))
		row_end(&r);
	row_begin(&r, name);
	describe(b, s, &r);
	row_pairs(&r, &sum, ref);
	if (s->suite != PLAIN) {
		row_num(&r, "over_cycles", sum.over);
		row_num(&r, "over_min", sum.over_min);
	}
	if (named(b, name))
		row_end(&r);
}

static void shuffle(struct bench *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		b->order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--)
		RTE_SWAP(b->order[i], b->order[rte_rand_max(i + 1)]);
	b->at = 0;
}

static void measure(struct bench *b, const struct spec *s)
{
	struct pairs p;

	b->path.n = b->ref.n = s->size <= 128   ? BATCH_MAX
	                       : s->size <= 512 ? BATCH_MAX / 2
	                                        : BATCH_MAX / 4;
	shuffle(b, s->sessions);
	world_set(b->w, s->checksum, s->ff03);
	pairs_new(&p, b->windows);
	while (p.n < p.max)
		window(b, s, &p);
	print(b, s, &p);
	pairs_free(&p);
}

/* ---- which rows ---- */

#define SPECS_MAX 1024

struct choice {
	bool quick;
	uint16_t size, vector;
	uint32_t sessions;
};

struct plan {
	uint32_t n;
	struct spec v[SPECS_MAX];
};

static void add(struct plan *p, const struct bench *b, const struct choice *c, struct spec s)
{
	char name[64], ref[64];

	path_name(&s, name, sizeof(name));
	ref_name(&s, ref, sizeof(ref));
	if (!named(b, name) && !named(b, ref))
		return;
	if ((c->size != 0 && c->size != s.size) || (c->vector != 0 && c->vector != s.vector) ||
	    (c->sessions != 0 && c->sessions != s.sessions))
		return;
	if (p->n < SPECS_MAX)
		p->v[p->n++] = s;
}

static const uint32_t all_sessions[] = {1, 1000, 64000};
static const uint16_t all_sizes[] = {64, 512, 1400}, all_vectors[] = {8, 32, 64};

static bool wanted(const struct choice *c, const struct spec *s)
{
	if (c->quick)
		return s->sessions == 1000 && s->vector == 32 && s->size != 512 && !s->checksum &&
		       !s->ff03 && s->suite != GCM256 && s->suite != CBC256_SHA256;
	if (s->suite != PLAIN && (s->checksum || s->ff03))
		return false;
	if (s->ff03)
		return s->size == 64 && s->vector == 32;
	return s->vector == 32 || s->sessions == 1000;
}

static void plan(struct plan *p, const struct bench *b, const struct choice *c)
{
	for (int suite = 0; suite < SUITES; suite++)
		for (int k = 0; k < 4; k++)
			for (size_t n = 0; n < RTE_DIM(all_sessions); n++)
				for (size_t z = 0; z < RTE_DIM(all_sizes); z++)
					for (size_t v = 0; v < RTE_DIM(all_vectors); v++)
						for (int d = UP; d <= DOWN; d++) {
							struct spec s = {.dir = (enum dir)d,
							                 .suite = (enum suite)suite,
							                 .size = all_sizes[z],
							                 .vector = all_vectors[v],
							                 .sessions =
							                         all_sessions[n],
							                 .checksum = k & 1,
							                 .ff03 = k & 2};

							if (wanted(c, &s))
								add(p, b, c, s);
						}
}

/* ---- main ---- */

static void empty(struct bench *b)
{
	b->empty = UINT64_MAX;
	for (int i = 0; i < 10000; i++) {
		uint64_t t = ticks();

		t = ticks() - t;
		b->empty = t < b->empty ? t : b->empty;
	}
}

static void buffers(struct bench *b)
{
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		b->path.m[i] = rte_pktmbuf_alloc(dp_mbuf_pool(b->w->dp));
		b->ref.m[i] = rte_pktmbuf_alloc(dp_mbuf_pool(b->w->dp));
		if (b->path.m[i] == NULL || b->ref.m[i] == NULL)
			fail("No buffers.");
	}
}

static void suite(struct bench *b, const struct plan *p, enum suite s)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->v[i].suite == s)
			most = RTE_MAX(most, p->v[i].sessions);
	}
	if (most == 0)
		return;
	b->w = world_new(s, most);
	buffers(b);
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->v[i].suite == s)
			measure(b, &p->v[i]);
	}
	world_free(b->w);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"quick", no_argument, NULL, 'q'},
	        {"only", required_argument, NULL, 'o'},
	        {"size", required_argument, NULL, 's'},
	        {"sessions", required_argument, NULL, 'n'},
	        {"vector", required_argument, NULL, 'v'},
	        {"windows", required_argument, NULL, 'w'},
	        {NULL, 0, NULL, 0},
	};
	static struct bench b;
	static struct plan p;
	struct choice c = {0};
	int o;

	b.windows = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'q':
			c.quick = true;
			break;
		case 'o':
			b.only = optarg;
			break;
		case 's':
			c.size = (uint16_t)atoi(optarg);
			break;
		case 'n':
			c.sessions = (uint32_t)atoi(optarg);
			break;
		case 'v':
			c.vector = (uint16_t)atoi(optarg);
			break;
		case 'w':
			b.windows = (uint32_t)atoi(optarg);
			break;
		default:
			fail("usage");
		}
	}
	if (b.windows == 0)
		b.windows = c.quick ? 30 : 60;
	b.pages = eal_start();
	b.order = calloc(SUBS_MAX, sizeof(*b.order));
	if (b.order == NULL)
		fail("No memory.");
	b.crypto = ref_crypto_new();
	empty(&b);
	plan(&p, &b, &c);
	for (int s = 0; s < SUITES; s++)
		suite(&b, &p, (enum suite)s);
	return 0;
}
