/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Which windows count, from calibrations that are made up; and that the calibrator says something. */
#include "bench/quiet.h"
#include "suite.h"

#include <string.h>

#define HZ    1e9
#define LEAST 1000
#define NOISY (2 * LEAST)

/* As after quiet_new, with an hour to wait. */
static void quiet_make(struct quiet *q)
{
	memset(q, 0, sizeof(*q));
	q->hz = HZ;
	q->least = LEAST;
	q->spare = (uint64_t)(3600 * HZ);
	quiet_row(q, 3600);
}

/* A batch of n windows, 10 and 5 ticks where it was quiet. */
static void add(struct windows *w, struct quiet *q, uint32_t n, uint64_t worst)
{
	quiet_batch(q);
	q->worst = worst;
	while (n-- > 0)
		windows_add(w, q, worst < NOISY ? 10 : 40, 5);
}

static void calibrations(void)
{
	static struct quiet q;
	uint64_t least;

	quiet_new(&q, HZ, 1);
	least = q.least;
	CU_ASSERT(least > 1000 && least < UINT64_MAX);
	quiet_batch(&q);
	CU_ASSERT(q.worst == 0);
	for (int i = 0; i < 100; i++)
		quiet_calibrate(&q);
	CU_ASSERT(q.least <= least && q.worst >= q.least);
	CU_ASSERT(quiet_was(&q, q.least));
	CU_ASSERT(quiet_was(&q, q.least + q.least / 10));
	CU_ASSERT(!quiet_was(&q, q.least + q.least / 5));
	q.least = 1;
	quiet_calibrate(&q);
	CU_ASSERT(q.least == 1);
}

/* Noise is waited out, and nothing of it is in the figures. */
static void quiet_only(void)
{
	struct pairs_sum sum;
	struct windows w;
	struct quiet q;

	quiet_make(&q);
	windows_new(&w, 6);
	add(&w, &q, 4, LEAST);
	CU_ASSERT(windows_more(&w, &q));
	for (int i = 0; i < 100; i++) {
		add(&w, &q, 4, NOISY);
		CU_ASSERT(windows_more(&w, &q));
	}
	add(&w, &q, 4, LEAST + LEAST / 10);
	CU_ASSERT(!windows_more(&w, &q));
	CU_ASSERT(windows_sum(&w, &q, &sum));
	CU_ASSERT(sum.n == 6);
	CU_ASSERT(sum.path_min == 10 && sum.path_median == 10 && sum.ratio == 2 && sum.over == 5);
	windows_free(&w);
}

/* A third of what is wanted will do, when there is no more time; less will not. */
static void few_quiet(void)
{
	struct pairs_sum sum;
	struct windows w;
	struct quiet q;

	for (uint32_t n = 3; n <= 4; n++) {
		quiet_make(&q);
		quiet_row(&q, 0);
		windows_new(&w, 12);
		add(&w, &q, n, LEAST);
		add(&w, &q, 8, NOISY);
		CU_ASSERT(windows_more(&w, &q) == (n < 4));
		add(&w, &q, 1, NOISY);
		CU_ASSERT(!windows_more(&w, &q));
		CU_ASSERT(windows_sum(&w, &q, &sum) == (n == 4));
		CU_ASSERT(sum.n == (n == 4 ? 4 : 12));
		CU_ASSERT(sum.path_median == (n == 4 ? 10 : 40));
		windows_free(&w);
	}
}

/* What was quiet by the calibrations of a noisy start is not by a later one. */
static void least_falls(void)
{
	struct pairs_sum sum;
	struct windows w;
	struct quiet q;

	quiet_make(&q);
	q.least = NOISY;
	windows_new(&w, 4);
	add(&w, &q, 3, NOISY);
	CU_ASSERT(w.n_quiet == 3);
	q.least = LEAST;
	add(&w, &q, 3, NOISY);
	CU_ASSERT(windows_more(&w, &q) && w.n_quiet == 0);
	add(&w, &q, 4, LEAST);
	CU_ASSERT(!windows_more(&w, &q));
	CU_ASSERT(windows_sum(&w, &q, &sum) && sum.n == 4 && sum.path_median == 10);
	windows_free(&w);
}

/* Time is taken from the row's and from everyone's. */
static void patience(void)
{
	struct quiet q;

	quiet_make(&q);
	quiet_batch(&q);
	CU_ASSERT(quiet_wait(&q));
	CU_ASSERT(q.spare < (uint64_t)(3600 * HZ) && q.spare == q.row_spare);
	quiet_row(&q, 0);
	CU_ASSERT(!quiet_wait(&q));
	quiet_row(&q, 10);
	q.spare = 1;
	CU_ASSERT(quiet_wait(&q) && q.spare == 0);
	CU_ASSERT(!quiet_wait(&q));
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"calibrations", calibrations},   {"quiet windows only", quiet_only},
	        {"few quiet windows", few_quiet}, {"the least falls", least_falls},
	        {"patience", patience},           CU_TEST_INFO_NULL,
	};

	return run_suite("quiet", tests);
}
