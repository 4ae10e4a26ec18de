/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/hugepages.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t read_number(const char *dir, const char *sub, const char *file)
{
	char path[512];
	uint64_t value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%" SCNu64, &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

int hugepages_read(const char *dir, struct hugepages *out)
{
	const struct dirent *e;
	DIR *d;

	memset(out, 0, sizeof(*out));
	d = opendir(dir);
	if (d == NULL)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		uint64_t free_pages, n_pages;
		uint32_t kb;

		if (sscanf(e->d_name, "hugepages-%" SCNu32 "kB", &kb) != 1 || kb == 0)
			continue;
		free_pages = read_number(dir, e->d_name, "free_hugepages");
		n_pages = read_number(dir, e->d_name, "nr_hugepages");
		out->free_mb += free_pages * kb / 1024;
		out->total_mb += n_pages * kb / 1024;
		if (out->size_kb == 0 || kb < out->size_kb) {
			out->size_kb = kb;
			out->n_pages = n_pages;
		}
	}
	closedir(d);
	return 0;
}

uint64_t hugepages_wanted(const struct hugepages *h, uint64_t need_mb)
{
	uint64_t short_kb;

	if (h->free_mb >= need_mb || h->size_kb == 0)
		return h->n_pages;
	short_kb = (need_mb - h->free_mb) * 1024;
	return h->n_pages + (short_kb + h->size_kb - 1) / h->size_kb;
}
