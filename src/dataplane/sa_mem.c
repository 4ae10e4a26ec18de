/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Memory of SAs. What a packet reads of one, from its counters to its keys, lies in one piece and within
 * a large page where the system has them: with tens of thousands of SAs the misses of the TLB would cost
 * more than those of the cache. Control alone makes and frees; what was freed serves again.
 *
 * When a large page is first touched, the kernel clears it, and a hypervisor may have to find it: up to
 * 4 ms, which control does not take while thousands dial. So a thread touches the next chunk as soon as half
 * of the newest is used.
 */
#include "dataplane/priv.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#define CHUNK DP_LARGE_PAGE
#define PAGE  4096

struct sa_chunk {
	struct sa_chunk *next;
	void *mem;
	bool mapped; /* not of the EAL */
};

struct free_block {
	struct free_block *next;
};

/* A thread: maps and touches. */
static void *spare_run(void *arg)
{
	volatile uint8_t *p = dp_large_map(CHUNK);

	(void)arg;
	for (size_t i = 0; p != NULL && i < CHUNK; i += PAGE)
		p[i] = 0;
	return (void *)p;
}

/* Without a thread the chunk is made when it is needed. Signals are control's. */
static void spare_start(struct sa_mem *mem)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	mem->has_spare = pthread_create(&mem->spare, NULL, spare_run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* NULL: none is ready. Control does not wait for a thread that gets no time. */
static void *spare_take(struct sa_mem *mem)
{
	void *p = NULL;

	if (!mem->has_spare || pthread_tryjoin_np(mem->spare, &p) != 0)
		return NULL;
	mem->has_spare = false;
	return p;
}

static bool chunk_add(struct node *node)
{
	struct sa_mem *mem = &node->sa_mem;
	struct sa_chunk *c = malloc(sizeof(*c));

	if (c == NULL)
		return false;
	*c = (struct sa_chunk){.next = mem->chunks};
	if (rte_eal_has_hugepages())
		c->mem = rte_malloc_socket("dp_sa", CHUNK, RTE_CACHE_LINE_SIZE, node->socket);
	if (c->mem == NULL) {
		c->mem = spare_take(mem);
		if (c->mem == NULL)
			c->mem = dp_large_map(CHUNK);
		c->mapped = true;
	}
	if (c->mem == NULL) {
		free(c);
		return false;
	}
	mem->chunks = c;
	mem->at = c->mem;
	mem->left = CHUNK;
	return true;
}

void *dp_sa_mem_get(struct node *node, uint32_t lines)
{
	struct sa_mem *mem = &node->sa_mem;
	const uint32_t size = lines * RTE_CACHE_LINE_SIZE;
	struct free_block *b = lines < SA_LINES ? mem->free[lines] : NULL;
	void *p;

	if (lines >= SA_LINES)
		return NULL;
	if (b != NULL) {
		mem->free[lines] = b->next;
		return b;
	}
	if (mem->left < size && !chunk_add(node))
		return NULL;
	p = mem->at;
	mem->at += size;
	mem->left -= size;
	if (mem->left < CHUNK / 2 && !mem->has_spare && mem->chunks->mapped)
		spare_start(mem);
	return p;
}

void dp_sa_mem_put(struct node *node, void *p, uint32_t lines)
{
	struct free_block *b = p;

	b->next = node->sa_mem.free[lines];
	node->sa_mem.free[lines] = b;
}

void dp_sa_mem_free(struct node *node)
{
	struct sa_chunk *c = node->sa_mem.chunks, *next;
	void *spare = NULL;

	if (node->sa_mem.has_spare)
		pthread_join(node->sa_mem.spare, &spare);
	dp_large_unmap(spare, CHUNK);
	for (; c != NULL; c = next) {
		next = c->next;
		if (c->mapped)
			dp_large_unmap(c->mem, CHUNK);
		else
			rte_free(c->mem);
		free(c);
	}
}
