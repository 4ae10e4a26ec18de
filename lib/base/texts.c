/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/texts.h"
#include "base/slab_sizes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS 8192

struct node {
	struct node *next;
	uint32_t refs;
	char text[];
};

struct texts {
	uint64_t seed; /* peers choose their names */
	struct slab_sizes sizes;
	struct node *bucket[BUCKETS];
};

static size_t size_of(size_t len)
{
	return offsetof(struct node, text) + len + 1;
}

static void node_free(struct texts *set, struct node *n)
{
	slab_sizes_put(&set->sizes, n, size_of(strlen(n->text)));
}

static struct node **bucket(struct texts *set, const char *text, size_t len)
{
	uint64_t h = set->seed;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ (uint8_t)text[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return &set->bucket[(h >> 32) % BUCKETS];
}

struct texts *texts_new(void)
{
	struct texts *set = calloc(1, sizeof(*set));

	if (set != NULL &&
	    getrandom(&set->seed, sizeof(set->seed), 0) != (ssize_t)sizeof(set->seed)) {
		free(set);
		return NULL;
	}
	if (set != NULL)
		slab_sizes_init(&set->sizes);
	return set;
}

void texts_free(struct texts *set)
{
	for (size_t i = 0; set != NULL && i < BUCKETS; i++) {
		struct node *n;

		while ((n = set->bucket[i]) != NULL) {
			set->bucket[i] = n->next;
			node_free(set, n);
		}
	}
	if (set != NULL)
		slab_sizes_fini(&set->sizes);
	free(set);
}

const char *texts_get(struct texts *set, const char *text, size_t len)
{
	struct node **b, *n;

	len = strnlen(text, len);
	b = bucket(set, text, len);
	for (n = *b; n != NULL; n = n->next)
		if (strncmp(n->text, text, len) == 0 && n->text[len] == '\0') {
			n->refs++;
			return n->text;
		}
	n = slab_sizes_get(&set->sizes, size_of(len));
	if (n == NULL)
		return NULL;
	n->refs = 1;
	memcpy(n->text, text, len);
	n->text[len] = '\0';
	n->next = *b;
	*b = n;
	return n->text;
}

void texts_put(struct texts *set, const char *text)
{
	struct node *n, **at;

	if (text == NULL)
		return;
	n = (struct node *)((uintptr_t)text - offsetof(struct node, text));
	if (--n->refs > 0)
		return;
	for (at = bucket(set, text, strlen(text)); *at != n; at = &(*at)->next)
		;
	*at = n->next;
	node_free(set, n);
}
