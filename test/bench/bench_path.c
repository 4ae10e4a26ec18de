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

static void print_ref(const struct bench *b, const struct spec *s, const char *name,
                      const struct pairs_sum *sum)
{
	struct pairs_sum own = {
	        .n = sum->n, .path_min = sum->ref_min, .path_median = sum->ref_median};
	struct row r;

	row_begin(&r, name);
	row_str(&r, "direction", s->dir == UP ? "up" : "down");
	describe(b, s, &r);
	row_pairs(&r, &own, NULL);
	row_end(&r);
}

static void print(const struct bench *b, const struct plan *p, const struct spec *s,
                  const struct pairs_sum *sum)
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
	row_pairs(&r, sum, ref);
	row_num(&r, "over_cycles", sum->over);
	row_num(&r, "over_min", sum->over_min);
	row_end(&r);
}

static void measure(struct bench *b, const struct plan *p, const struct spec *s)
{
	struct pairs pairs;
	struct pairs_sum sum;

	pairs_new(&pairs, p->windows);
	bench_begin(b, s);
	while (pairs.n < pairs.max) {
		double path[WINDOWS], ref[WINDOWS];

		bench_batch(b, s, path, ref);
		for (int i = 0; i < WINDOWS; i++)
			pairs_add(&pairs, path[i], ref[i]);
	}
	pairs_sum(&pairs, &sum);
	print(b, p, s, &sum);
	pairs_free(&pairs);
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
	bench_new(&b);
	bench_run(&b, &p, measure);
	bench_free(&b);
	return 0;
}
