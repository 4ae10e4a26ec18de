/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Rows of the benchmarks: one JSON object a line on stdout, which test/bench/report.py reads. And what
 * is made of windows in which a path and its reference were measured in turn.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a row ---- */

#define ROW_MAX 2048

struct row {
	size_t len;
	char text[ROW_MAX];
};

/* Begins a row. Keys then come in the order of the calls, each once; they and strings are plain words. */
void row_begin(struct row *r, const char *name);
void row_str(struct row *r, const char *key, const char *value);
void row_int(struct row *r, const char *key, int64_t value);
void row_num(struct row *r, const char *key, double value); /* rounded to 1/1000 */
void row_bool(struct row *r, const char *key, bool value);
/* Prints the row as one line and flushes stdout. A row longer than ROW_MAX ends the program. */
void row_end(struct row *r);

/* ---- windows ---- */

/* Two figures a window: of the path and of its reference, right after each other. */
struct pairs {
	uint32_t n, max;
	double *path, *ref;
};

/* What became of them, in the unit of the figures. */
struct pairs_sum {
	uint32_t n;
	double path_min, path_median;
	double ref_min, ref_median;
	double ratio; /* median of path / ref, window by window */
	double over; /* median of path - ref, window by window */
	double over_min; /* least of path - least of ref: in quiet windows */
};

/* Room for max windows; ends the program when there is no memory. */
void pairs_new(struct pairs *p, uint32_t max);
void pairs_free(struct pairs *p);
/* Beyond max nothing is added. A path without a reference has 0 for it: then ratio is 0. */
void pairs_add(struct pairs *p, double path, double ref);
/* At least one window has been added. */
void pairs_sum(const struct pairs *p, struct pairs_sum *out);

/* Median of n > 0 figures, the mean of the middle two when n is even; v is sorted. */
double median(double *v, uint32_t n);
/* The figure that a share q (0..1) of n > 0 does not exceed; v is sorted. */
double quantile(double *v, uint32_t n, double q);

/* The keys of windows: cycles_min, cycles_median and, with ref, limit_cycles, limit_min, ratio, ref. */
void row_pairs(struct row *r, const struct pairs_sum *s, const char *ref);
