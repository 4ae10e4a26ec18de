/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Are there enough hugepages? Asked before DPDK is, whose own words about it mislead. */
#pragma once

#include <stdint.h>

struct hugepages {
	uint64_t free_mb, total_mb; /* of all sizes */
	uint32_t size_kb; /* the smallest size the kernel offers; 0: none at all */
	uint64_t n_pages; /* reserved of that size now */
};

/* Reads DIR/hugepages-*kB; DIR is /sys/kernel/mm/hugepages but in tests. Returns 0 or -errno. */
int hugepages_read(const char *dir, struct hugepages *out);

/* How many pages of size_kb there must be in all so that need_mb are free. */
uint64_t hugepages_wanted(const struct hugepages *h, uint64_t need_mb);
