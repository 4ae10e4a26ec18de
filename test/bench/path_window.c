/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * bench_path: windows of the path and of its reference.
 *
 * A batch is some hundreds of packets, and a window some vectors of it. Before each vector, untimed,
 * comes what a driver and the worker's rx do: they write the mbuf and prefetch the frame's first line, so
 * these are hot; no one has written the metadata. The frames, a batch being larger than the second-level cache,
 * are where a NIC leaves them: in the third level, or in the end of the second.
 *
 * Making a batch fills the caches with other things. So its first half is run like the second but not
 * counted: after it sessions, SAs, keys and branch predictors are as warm or as cold as in a worker
 * that runs all the time. The second half is cut into windows. Subscribers come in a random order that
 * has each of them once, so with many of them a packet finds nothing of its own in a cache, with one
 * all.
 *
 * The reference follows at once, with buffers and keys of its own: neither warms the other's.
 */
#include "bench/path.h"

#include <stdlib.h>

#include <rte_eal.h>
#include <rte_prefetch.h>
#include <rte_random.h>

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
	if (b->timed != NULL && b->window >= 0)
		b->timed(b->window, true);
	t = ticks();
	dp_input(w, v, n);
	dp_flush(w);
	t = ticks() - t - b->empty;
	if (b->timed != NULL && b->window >= 0)
		b->timed(b->window, false);
	return t;
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
	ref_crypto_load(b->crypto, at, n);
	t = ticks();
	ref_crypto_run(b->crypto);
	return ticks() - t - b->empty;
}

typedef uint64_t (*vector_fn)(struct bench *b, const struct spec *s, uint32_t at, uint16_t n);

/* Ticks of the packets from at to end. */
static uint64_t run(struct bench *b, const struct spec *s, vector_fn vector, uint32_t at,
                    uint32_t end)
{
	uint64_t sum = 0;

	for (; at < end; at += s->vector)
		sum += vector(b, s, at, (uint16_t)RTE_MIN(end - at, (uint32_t)s->vector));
	return sum;
}

static void make(struct bench *b, const struct spec *s)
{
	for (uint32_t i = 0; i < b->path.n; i++) {
		b->who[i] = b->order[b->at];
		b->at = b->at + 1 == s->sessions ? 0 : b->at + 1;
	}
	b->serial += b->path.n;
	frames_make(b->w, s, &b->path, b->who, b->serial);
	if (s->suite != PLAIN && s->dir == DOWN)
		texts_make(b->w, s, &b->ref, b->who, b->serial);
	else
		frames_copy(&b->ref, &b->path);
	if (s->suite != PLAIN)
		ref_crypto_prepare(b->crypto, b->w, s, &b->ref, b->who);
}

static void sent_check(const struct bench *b, uint16_t port, const struct batch *want)
{
	const struct bench_port *p = &b->w->ports[port];

	if (p->n != want->n || drops(b->w) != 0)
		fail("Of %u packets %u left, %lu were dropped.", want->n, p->n, drops(b->w));
	if (memcmp(p->sent, want->m, want->n * sizeof(*p->sent)) != 0)
		fail("Packets left in another order.");
}

/* Runs the whole batch: ticks a packet of each window in its second half. */
static void batch_run(struct bench *b, const struct spec *s, vector_fn vector,
                      double ticks[WINDOWS])
{
	uint32_t mid = b->path.n / 2, each = b->path.n / 2 / WINDOWS;

	b->window = -1;
	run(b, s, vector, 0, mid);
	for (b->window = 0; b->window < WINDOWS; b->window++) {
		uint32_t at = mid + (uint32_t)b->window * each;

		ticks[b->window] = (double)run(b, s, vector, at, at + each) / each;
	}
}

/* One packet of each window. */
static void verify(struct bench *b, const struct spec *s)
{
	uint32_t mid = b->path.n / 2, each = b->path.n / 2 / WINDOWS;

	for (uint32_t k = 0; k < WINDOWS; k++) {
		uint32_t i = mid + k * each + (uint32_t)rte_rand_max(each);

		frame_verify(b->w, s, b->path.m[i], b->who[i], b->serial + i);
		if (s->suite == PLAIN)
			ref_ip4_verify(s, b->ref.m[i]);
		else
			ref_crypto_verify(b->w, s, b->ref.m[i], b->path.m[i], b->who[i]);
	}
}

void bench_batch(struct bench *b, const struct spec *s, double path[WINDOWS], double ref[WINDOWS])
{
	quiet_batch(&b->quiet);
	make(b, s);
	quiet_calibrate(&b->quiet);
	b->w->ports[LAC_PORT].n = b->w->ports[WORLD_PORT].n = 0;
	batch_run(b, s, path_vector, path);
	sent_check(b, s->dir == UP ? WORLD_PORT : LAC_PORT, &b->path);
	quiet_calibrate(&b->quiet);
	b->w->ports[LAC_PORT].n = 0;
	batch_run(b, s, ref_vector, ref);
	quiet_calibrate(&b->quiet);
	if (s->suite == PLAIN)
		sent_check(b, LAC_PORT, &b->ref);
	verify(b, s);
	world_settle(b->w);
}

/* ---- rows and worlds ---- */

/*
 * Every SA's first packet is another one's work: it is an event, and the child sends by the SA from then on. With tens
 * of thousands of them the first windows would have nothing else in them.
 */
static void past_first(struct bench *b, const struct spec *s)
{
	void (*timed)(int window, bool on) = b->timed;
	double path[WINDOWS], ref[WINDOWS];

	b->timed = NULL;
	for (uint32_t n = 0; n < s->sessions; n += b->path.n)
		bench_batch(b, s, path, ref);
	b->timed = timed;
}

void bench_begin(struct bench *b, const struct plan *p, const struct spec *s)
{
	/* A long packet's window is as long in time as a short one's. */
	b->path.n = s->size <= 256 ? BATCH_MAX : s->size <= 768 ? BATCH_MAX / 2 : BATCH_MAX / 4;
	b->ref.n = b->path.n;
	for (uint32_t i = 0; i < s->sessions; i++)
		b->order[i] = i;
	for (uint32_t i = s->sessions - 1; i > 0; i--) {
		uint32_t k = (uint32_t)rte_rand_max(i + 1);

		RTE_SWAP(b->order[i], b->order[k]);
	}
	b->at = 0;
	world_set(b->w, s->checksum, s->ff03);
	past_first(b, s);
	quiet_row(&b->quiet, plan_row_patience(p));
}

static void empty(struct bench *b)
{
	b->empty = UINT64_MAX;
	for (int i = 0; i < 10000; i++) {
		uint64_t t = ticks();

		t = ticks() - t;
		b->empty = RTE_MIN(t, b->empty);
	}
}

void bench_new(struct bench *b, const struct plan *p)
{
	memset(b, 0, sizeof(*b));
	b->pages = eal_start();
	b->crypto = ref_crypto_new();
	b->order = calloc(SUBS_MAX, sizeof(*b->order));
	if (b->order == NULL)
		fail("No memory for the order of subscribers.");
	empty(b);
	quiet_new(&b->quiet, (double)rte_get_tsc_hz(), p->patience);
}

/* Buffers in no order of addresses, as from a pool that is in use. */
static void buffers(struct bench *b)
{
	struct rte_mbuf *m[2 * BATCH_MAX];

	if (rte_pktmbuf_alloc_bulk(dp_mbuf_pool(b->w->dp), m, RTE_DIM(m)) != 0)
		fail("There are no buffers.");
	for (uint32_t i = RTE_DIM(m) - 1; i > 0; i--) {
		uint32_t k = (uint32_t)rte_rand_max(i + 1);

		RTE_SWAP(m[i], m[k]);
	}
	memcpy(b->path.m, m, sizeof(b->path.m));
	memcpy(b->ref.m, m + BATCH_MAX, sizeof(b->ref.m));
}

/* The last one, if there was one, is freed. */
static void world(struct bench *b, enum suite s, uint32_t n_subs)
{
	if (b->w != NULL)
		world_free(b->w);
	b->w = world_new(s, n_subs);
	buffers(b);
}

void bench_run(struct bench *b, const struct plan *p, measure_fn measure)
{
	for (int suite = 0; suite < SUITES; suite++) {
		uint32_t n = plan_sessions(p, (enum suite)suite);

		if (n == 0)
			continue;
		world(b, (enum suite)suite, n);
		for (uint32_t i = 0; i < p->n; i++) {
			if (p->v[i].suite == (enum suite)suite)
				measure(b, p, &p->v[i]);
		}
	}
}

void bench_free(struct bench *b)
{
	if (b->w != NULL)
		world_free(b->w);
	ref_crypto_free(b->crypto);
	free(b->order);
	rte_eal_cleanup();
}
