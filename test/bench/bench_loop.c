/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The worker's real loop between two ports of rings: rate, latency, what an empty turn and a hand-off
 * cost, two workers, and what two threads of ipsec-mb cost each other. Rows are JSON lines on stdout.
 *
 *   bench_loop [--quick] [rate|idle|handoff|workers|errno ..]
 */
#include "bench/loop.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bench_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bench_loop: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	_exit(1);
}

void bench_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}

static const struct {
	const char *name;
	void (*rows)(bool quick);
} parts[] = {
        {"errno", rows_errno}, /* first: it forks, which EAL does not bear */
        {"rate", rows_rate},       {"idle", rows_idle},
        {"handoff", rows_handoff}, {"workers", rows_workers},
};

int main(int argc, char **argv)
{
	bool quick = false, want[RTE_DIM(parts)] = {0}, any = false;

	for (int i = 1; i < argc; i++) {
		size_t k;

		if (strcmp(argv[i], "--quick") == 0) {
			quick = true;
			continue;
		}
		for (k = 0; k < RTE_DIM(parts) && strcmp(argv[i], parts[k].name) != 0; k++)
			;
		if (k == RTE_DIM(parts))
			bench_fail(
			        "usage: bench_loop [--quick] [rate|idle|handoff|workers|errno ..]");
		want[k] = any = true;
	}
	if (want[0] || !any)
		rows_errno(quick);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		bench_fail("two CPUs are needed: one for the worker, one for generator and sink.");
	if (loop_eal() != 0)
		bench_fail("EAL or ports do not start.");
	hands_start();
	for (size_t k = 1; k < RTE_DIM(parts); k++) {
		if (want[k] || !any)
			parts[k].rows(quick);
	}
	return 0;
}
