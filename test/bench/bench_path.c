/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Ticks a packet through the worker's stages, from classify to tx, against what nobody can do without:
 * bare IPv4 forwarding of the same frames (ref.ip4), or the bare calls of the multi-buffer library over
 * the same bytes with the same keys (crypto.*). What a window is, and what is hot in it: path_window.c.
 */
#include "bench/path.h"
#include "bench/row.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct sum {
	struct pairs_sum pairs;
	bool quiet;
};

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

static void row_windows(const struct bench *b, struct row *r, const struct sum *sum,
                        const char *ref)
{
	row_pairs(r, &sum->pairs, ref);
	row_bool(r, "quiet", sum->quiet);
	row_int(r, "calibration", (int64_t)b->quiet.least);
}

static void print_ref(const struct bench *b, const struct spec *s, const char *name,
                      const struct sum *sum)
{
	const struct pairs_sum *p = &sum->pairs;
	struct sum own = {{.n = p->n, .path_min = p->ref_min, .path_median = p->ref_median},
	                  sum->quiet};
	struct row r;

	row_begin(&r, name);
	row_str(&r, "direction", s->dir == UP ? "up" : "down");
	describe(b, s, &r);
	row_windows(b, &r, &own, NULL);
	row_end(&r);
}

static void print(const struct bench *b, const struct plan *p, const struct spec *s,
                  const struct sum *sum)
{
	char name[ROW_NAME], ref[ROW_NAME];
	struct row r;

	path_name(s, name);
	ref_name(s, ref);
	if (plan_prints(p, ref))
		print_ref(b, s, ref, sum);
	if (!plan_prints(p, name))
		return;
	row_begin(&r, name);
	describe(b, s, &r);
	row_windows(b, &r, sum, ref);
	row_num(&r, "over_cycles", sum->pairs.over);
	row_num(&r, "over_min", sum->pairs.over_min);
	row_end(&r);
}

static void measure(struct bench *b, const struct plan *p, const struct spec *s)
{
	struct windows w;
	struct sum sum;

	windows_new(&w, p->windows);
	bench_begin(b, p, s);
	do {
		double path[WINDOWS], ref[WINDOWS];

		bench_batch(b, s, path, ref);
		for (int i = 0; i < WINDOWS; i++)
			windows_add(&w, &b->quiet, path[i], ref[i]);
	} while (windows_more(&w, &b->quiet));
	sum.quiet = windows_sum(&w, &b->quiet, &sum.pairs);
	print(b, p, s, &sum);
	windows_free(&w);
}

/* The table by stage is a program of its own: here no stage is slowed down by a clock. */
static void stages(char **argv)
{
	static char program[4096];

	snprintf(program, sizeof(program), "%s/bench_stages", dirname(strdup(argv[0])));
	execv(program, argv);
	fail("%s does not start.", program);
}

int main(int argc, char **argv)
{
	static struct bench b;
	static struct plan p;

	plan_read(&p, argc, argv);
	if (p.stages)
		stages(argv);
	bench_new(&b, &p);
	bench_run(&b, &p, measure);
	bench_free(&b);
	return 0;
}
