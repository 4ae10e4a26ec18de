/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "bench/row.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a row ---- */

static void __attribute__((format(printf, 2, 3))) put(struct row *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->text + r->len, sizeof(r->text) - r->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(r->text) - r->len) {
		fprintf(stderr, "bench: A row is longer than %d bytes.\n", ROW_MAX);
		exit(1);
	}
	r->len += (size_t)n;
}

void row_begin(struct row *r, const char *name)
{
	r->len = 0;
	put(r, "{\"name\":\"%s\"", name);
}

void row_str(struct row *r, const char *key, const char *value)
{
	put(r, ",\"%s\":\"%s\"", key, value);
}

void row_int(struct row *r, const char *key, int64_t value)
{
	put(r, ",\"%s\":%lld", key, (long long)value);
}

void row_num(struct row *r, const char *key, double value)
{
	/* JSON knows no infinity and no NaN: a figure that is none is a fault of the caller's. */
	if (!isfinite(value)) {
		fprintf(stderr, "bench: %s is not a number.\n", key);
		exit(1);
	}
	put(r, ",\"%s\":%.10g", key, round(value * 1000) / 1000);
}

void row_bool(struct row *r, const char *key, bool value)
{
	put(r, ",\"%s\":%s", key, value ? "true" : "false");
}

void row_end(struct row *r)
{
	put(r, "}");
	puts(r->text);
	fflush(stdout);
}

/* ---- windows ---- */

void pairs_new(struct pairs *p, uint32_t max)
{
	*p = (struct pairs){.max = max};
	p->path = calloc(max, sizeof(*p->path));
	p->ref = calloc(max, sizeof(*p->ref));
	if (p->path == NULL || p->ref == NULL) {
		fprintf(stderr, "bench: No memory for %u windows.\n", max);
		exit(1);
	}
}

void pairs_free(struct pairs *p)
{
	free(p->path);
	free(p->ref);
	*p = (struct pairs){0};
}

void pairs_add(struct pairs *p, double path, double ref)
{
	if (p->n == p->max)
		return;
	p->path[p->n] = path;
	p->ref[p->n++] = ref;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

double quantile(double *v, uint32_t n, double q)
{
	uint32_t rank = (uint32_t)ceil(q * n);

	qsort(v, n, sizeof(*v), compare);
	return v[rank == 0 ? 0 : rank - 1];
}

void pairs_sum(const struct pairs *p, struct pairs_sum *out)
{
	double *t = calloc(p->n, sizeof(*t));

	if (t == NULL) {
		fprintf(stderr, "bench: No memory for %u windows.\n", p->n);
		exit(1);
	}
	out->n = p->n;
	for (uint32_t i = 0; i < p->n; i++)
		t[i] = p->ref[i] > 0 ? p->path[i] / p->ref[i] : 0;
	out->ratio = median(t, p->n);
	for (uint32_t i = 0; i < p->n; i++)
		t[i] = p->path[i] - p->ref[i];
	out->over = median(t, p->n);
	for (uint32_t i = 0; i < p->n; i++)
		t[i] = p->path[i];
	out->path_median = median(t, p->n);
	out->path_min = t[0];
	for (uint32_t i = 0; i < p->n; i++)
		t[i] = p->ref[i];
	out->ref_median = median(t, p->n);
	out->ref_min = t[0];
	out->over_min = out->path_min - out->ref_min;
	free(t);
}

void row_pairs(struct row *r, const struct pairs_sum *s, const char *ref)
{
	row_num(r, "cycles_min", s->path_min);
	row_num(r, "cycles_median", s->path_median);
	if (ref != NULL) {
		row_num(r, "limit_cycles", s->ref_median);
		row_num(r, "limit_min", s->ref_min);
		row_num(r, "ratio", s->ratio);
		row_str(r, "ref", ref);
	}
	row_int(r, "windows", s->n);
}
