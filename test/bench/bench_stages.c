/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Where the ticks go: the windows of bench_path, with a clock around each stage. The linker leads the
 * calls of the stages through here (--wrap), so they run in the order and with the packets that the
 * worker gives them. The clock keeps a stage from overlapping with the next one, so the sum is
 * more than what bench_path prints: read the shares.
 */
#include "bench/path.h"
#include "bench/row.h"

#include <stdio.h>
#include <stdlib.h>

/* X(function) with the usual arguments of a stage */
#define STAGES(X)                                                                                  \
	X(dp_classify)                                                                             \
	X(dp_esp_usual)                                                                            \
	X(dp_down_usual)                                                                           \
	X(dp_up)                                                                                   \
	X(dp_l2tp_in)                                                                              \
	X(dp_ppp_in)                                                                               \
	X(dp_ip4_lookup)                                                                           \
	X(dp_l2tp_out)                                                                             \
	X(dp_esp_out)                                                                              \
	X(dp_ip4_out)                                                                              \
	X(dp_tx)

enum {
	OUTSIDE, /* worker.c: what is between the stages */
#define X(fn) AT_##fn,
	STAGES(X)
#undef X
	        AT_dp_flush,
	AT_esp_decrypt_set,
	AT_esp_open,
	AT_esp_open_join,
	AT_esp_open_joined,
	AT_esp_encrypt,
	AT_esp_seal,
	AT_esp_seal_end,
	PLACES
};

static const char *const place_names[PLACES] = {
        [OUTSIDE] = "between stages",
#define X(fn) [AT_##fn] = #fn,
        STAGES(X)
#undef X
                [AT_dp_flush] = "dp_flush",
        [AT_esp_decrypt_set] = "lib/esp esp_decrypt_set",
        [AT_esp_open] = "lib/esp esp_open",
        [AT_esp_open_join] = "lib/esp esp_open_join",
        [AT_esp_open_joined] = "lib/esp esp_open_joined",
        [AT_esp_encrypt] = "lib/esp esp_encrypt",
        [AT_esp_seal] = "lib/esp esp_seal",
        [AT_esp_seal_end] = "lib/esp esp_seal_end",
};

#define DEPTH_MAX 8

struct clock {
	bool on;
	uint64_t empty;
	uint64_t since; /* when the place at work began, or began again */
	uint64_t ticks[WINDOWS][PLACES];
	int window, depth, at[DEPTH_MAX]; /* places that call each other; the last one is at work */
};

/* The linker's wrappers have no argument to find it by. */
static struct clock *the_clock(void)
{
	static struct clock c;

	return &c;
}

static void book(struct clock *c)
{
	uint64_t t = ticks() - c->since;

	c->ticks[c->window][c->at[c->depth]] += t > c->empty ? t - c->empty : 0;
}

static void enter(struct clock *c, int place)
{
	book(c);
	c->at[++c->depth] = place;
	c->since = ticks();
}

static void leave(struct clock *c)
{
	book(c);
	c->depth--;
	c->since = ticks();
}

/* ---- wrappers ---- */

#define X(fn)                                                                                      \
	uint16_t __real_##fn(struct worker *w, struct rte_mbuf **v, uint16_t n);                   \
	uint16_t __wrap_##fn(struct worker *w, struct rte_mbuf **v, uint16_t n);                   \
	uint16_t __wrap_##fn(struct worker *w, struct rte_mbuf **v, uint16_t n)                    \
	{                                                                                          \
		struct clock *c = the_clock();                                                     \
                                                                                                   \
		if (!c->on)                                                                        \
			return __real_##fn(w, v, n);                                               \
		enter(c, AT_##fn);                                                                 \
		n = __real_##fn(w, v, n);                                                          \
		leave(c);                                                                          \
		return n;                                                                          \
	}
STAGES(X)
#undef X

void __real_dp_flush(struct worker *w);
void __wrap_dp_flush(struct worker *w);
void __wrap_dp_flush(struct worker *w)
{
	struct clock *c = the_clock();

	if (c->on)
		enter(c, AT_dp_flush);
	__real_dp_flush(w);
	if (c->on)
		leave(c);
}

#define X(fn, pkt, packets)                                                                        \
	void __real_##fn(struct esp *e, pkt *v, packets n);                                        \
	void __wrap_##fn(struct esp *e, pkt *v, packets n);                                        \
	void __wrap_##fn(struct esp *e, pkt *v, packets n)                                         \
	{                                                                                          \
		struct clock *c = the_clock();                                                     \
                                                                                                   \
		if (c->on)                                                                         \
			enter(c, AT_##fn);                                                         \
		__real_##fn(e, v, n);                                                              \
		if (c->on)                                                                         \
			leave(c);                                                                  \
	}
X(esp_decrypt_set, struct esp_pkt, uint64_t)
X(esp_open_joined, const struct esp_pkt, uint32_t)
X(esp_encrypt, struct esp_pkt, uint16_t)
#undef X

/* A packet at a time: what overlaps with its neighbours otherwise is in the table twice. */
enum esp_sealed __real_esp_seal(struct esp *e, struct esp_sa *sa, uint8_t *data, uint16_t len,
                                uint8_t next_header);
enum esp_sealed __wrap_esp_seal(struct esp *e, struct esp_sa *sa, uint8_t *data, uint16_t len,
                                uint8_t next_header);
enum esp_sealed __wrap_esp_seal(struct esp *e, struct esp_sa *sa, uint8_t *data, uint16_t len,
                                uint8_t next_header)
{
	struct clock *c = the_clock();
	enum esp_sealed done;

	if (c->on)
		enter(c, AT_esp_seal);
	done = __real_esp_seal(e, sa, data, len, next_header);
	if (c->on)
		leave(c);
	return done;
}

#define X(fn)                                                                                      \
	void __real_##fn(struct esp *e, struct esp_pkt *p);                                        \
	void __wrap_##fn(struct esp *e, struct esp_pkt *p);                                        \
	void __wrap_##fn(struct esp *e, struct esp_pkt *p)                                         \
	{                                                                                          \
		struct clock *c = the_clock();                                                     \
                                                                                                   \
		if (c->on)                                                                         \
			enter(c, AT_##fn);                                                         \
		__real_##fn(e, p);                                                                 \
		if (c->on)                                                                         \
			leave(c);                                                                  \
	}
X(esp_open)
X(esp_open_join)
#undef X

/* What is left of those that came one by one. */
void __real_esp_seal_end(struct esp *e);
void __wrap_esp_seal_end(struct esp *e);
void __wrap_esp_seal_end(struct esp *e)
{
	struct clock *c = the_clock();

	if (c->on)
		enter(c, AT_esp_seal_end);
	__real_esp_seal_end(e);
	if (c->on)
		leave(c);
}

/* ---- the table ---- */

static void timed(int window, bool on)
{
	struct clock *c = the_clock();

	if (!on) {
		book(c);
		c->on = false;
		return;
	}
	c->window = window;
	c->depth = 0;
	c->at[0] = OUTSIDE;
	c->on = true;
	c->since = ticks();
}

/* Of each place the windows' ticks a packet; and those of the bare reference. */
struct table {
	uint32_t n, max;
	double *of[PLACES], *ref;
};

static double *column(uint32_t n)
{
	double *v = calloc(n, sizeof(*v));

	if (v == NULL)
		fail("No memory for %u windows.", n);
	return v;
}

static void batch(struct bench *b, const struct spec *s, struct table *t)
{
	const double each = b->path.n / 2 / WINDOWS;
	double path[WINDOWS], ref[WINDOWS];
	struct clock *c = the_clock();

	memset(c->ticks, 0, sizeof(c->ticks));
	bench_batch(b, s, path, ref);
	if (!quiet_was(&b->quiet, b->quiet.worst) && quiet_wait(&b->quiet))
		return;
	for (int k = 0; k < WINDOWS && t->n < t->max; k++, t->n++) {
		for (int i = 0; i < PLACES; i++)
			t->of[i][t->n] = (double)c->ticks[k][i] / each;
		t->ref[t->n] = ref[k];
	}
}

static void line(const char *name, double min, double middle, double whole)
{
	if (min >= 0.05)
		printf("  %-22s %9.1f %9.1f %6.1f %%\n", name, min, middle, 100 * min / whole);
}

/* Shares are of the quiet windows: a disturbance hits one place a window, not each in proportion. */
static void print(const struct bench *b, const struct spec *s, struct table *t)
{
	double middle[PLACES], min = 0, sum = 0;
	char name[ROW_NAME], ref[ROW_NAME];

	path_name(s, name);
	ref_name(s, ref);
	for (int i = 0; i < PLACES; i++) {
		middle[i] = median(t->of[i], t->n);
		min += t->of[i][0];
		sum += middle[i];
	}
	printf("%s, %u bytes, %u sessions, vector %u%s%s, %s pages, %s, %s\n", name, s->size,
	       s->sessions, s->vector, s->checksum ? ", checksum" : "", s->ff03 ? ", ff03" : "",
	       b->pages, BENCH_CPU, esp_arch_name(b->w->peer));
	printf("  %-22s %9s %9s %8s\n", "ticks a packet", "min", "median", "share");
	for (int i = 1; i < PLACES; i++)
		line(place_names[i], t->of[i][0], middle[i], min);
	line(place_names[OUTSIDE], t->of[OUTSIDE][0], middle[OUTSIDE], min);
	line("sum", min, sum, min);
	sum = median(t->ref, t->n);
	line(ref, t->ref[0], sum, min);
	printf("\n");
	fflush(stdout);
}

static void measure(struct bench *b, const struct plan *p, const struct spec *s)
{
	struct table t = {.max = p->windows, .ref = column(p->windows)};

	for (int i = 0; i < PLACES; i++)
		t.of[i] = column(p->windows);
	bench_begin(b, p, s);
	while (t.n < t.max)
		batch(b, s, &t);
	print(b, s, &t);
	for (int i = 0; i < PLACES; i++)
		free(t.of[i]);
	free(t.ref);
}

int main(int argc, char **argv)
{
	static struct bench b;
	static struct plan p;

	plan_read(&p, argc, argv);
	bench_new(&b, &p);
	b.timed = timed;
	the_clock()->empty = b.empty;
	bench_run(&b, &p, measure);
	bench_free(&b);
	return 0;
}
