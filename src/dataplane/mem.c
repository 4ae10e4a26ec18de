/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Memory that workers look things up in at random. Without huge pages of its own the EAL's memory is of small
 * ones: each line of a large table would then cost a walk through page tables, and a prefetch does not
 * retire before its walk has ended. What is here lies in transparent huge pages then, where there are any.
 */
#include "dataplane/priv.h"

#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_malloc.h>

static size_t whole_pages(size_t bytes)
{
	return (bytes + DP_LARGE_PAGE - 1) & ~(size_t)(DP_LARGE_PAGE - 1);
}

void *dp_large_map(size_t bytes)
{
	const size_t size = whole_pages(bytes), all = size + DP_LARGE_PAGE;
	uint8_t *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (size_t)(-(uintptr_t)p & (DP_LARGE_PAGE - 1));
	if (before > 0)
		munmap(p, before);
	munmap(p + before + size, DP_LARGE_PAGE - before);
	madvise(p + before, size, MADV_HUGEPAGE); /* without it: small pages, all the same */
	return p + before;
}

void dp_large_unmap(void *p, size_t bytes)
{
	if (p != NULL)
		munmap(p, whole_pages(bytes));
}

void *dp_sparse_new(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

void dp_sparse_free(void *p, size_t bytes)
{
	if (p != NULL)
		munmap(p, bytes);
}

void *dp_table_new(const char *name, size_t bytes, int socket)
{
	void *p;

	if (rte_eal_has_hugepages())
		return rte_zmalloc_socket(name, bytes, RTE_CACHE_LINE_SIZE, socket);
	p = dp_large_map(bytes);
	/* The kernel clears a page when it is first touched, for which no worker has the time. */
	if (p != NULL)
		memset(p, 0, bytes);
	return p;
}

void dp_table_free(void *p, size_t bytes)
{
	if (rte_eal_has_hugepages())
		rte_free(p);
	else
		dp_large_unmap(p, bytes);
}
