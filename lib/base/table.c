/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/table.h"
#include "base/poison.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a free object holds. */
struct hole {
	uint16_t next; /* number of the one that was freed before; 0: none */
};

int table_init(struct table *t, size_t size)
{
	assert(size >= sizeof(struct hole));
	*t = (struct table){
	        .size = size,
	        .objects = calloc(TABLE_MAX + 1, size),
	        .used = calloc((TABLE_MAX + 1) / 8, 1),
	};
	if (t->objects == NULL || t->used == NULL) {
		free(t->objects);
		free(t->used);
		*t = (struct table){0};
		return -ENOMEM;
	}
	FORBID(t->objects, (TABLE_MAX + 1) * size);
	return 0;
}

void table_fini(struct table *t)
{
	if (t->objects != NULL)
		ALLOW(t->objects, (TABLE_MAX + 1) * t->size);
	free(t->objects);
	free(t->used);
	*t = (struct table){0};
}

static uint8_t *place(const struct table *t, uint16_t number)
{
	return t->objects + number * t->size;
}

static bool is_used(const struct table *t, uint16_t number)
{
	return (t->used[number / 8] >> number % 8 & 1) != 0;
}

bool table_full(const struct table *t)
{
	return t->free == 0 && t->highest == TABLE_MAX;
}

void *table_get(struct table *t)
{
	uint16_t number;
	uint8_t *p;

	if (table_full(t))
		return NULL;
	number = t->free != 0 ? t->free : (uint16_t)(t->highest + 1);
	p = place(t, number);
	ALLOW(p, t->size);
	if (t->free != 0)
		t->free = ((const struct hole *)p)->next;
	else
		t->highest = number;
	t->used[number / 8] |= (uint8_t)(1u << number % 8);
	memset(p, 0, t->size);
	return p;
}

void table_put(struct table *t, void *object)
{
	uint16_t number = table_number(t, object);

	if (object == NULL)
		return;
	assert(is_used(t, number));
	t->used[number / 8] &= (uint8_t) ~(1u << number % 8);
	((struct hole *)object)->next = t->free;
	t->free = number;
	FORBID(object, t->size);
}

void *table_at(const struct table *t, uint16_t number)
{
	return is_used(t, number) ? place(t, number) : NULL;
}

uint16_t table_number(const struct table *t, const void *object)
{
	return object != NULL ? (uint16_t)((size_t)((const uint8_t *)object - t->objects) / t->size)
	                      : 0;
}

static struct table_link *link_of(const struct table *t, uint16_t number, size_t link)
{
	return (struct table_link *)(place(t, number) + link);
}

/* Makes next the one behind prev; 0: the end of the list on that side. */
static void join(struct table *t, struct table_list *l, uint16_t prev, uint16_t next, size_t link)
{
	if (prev != 0)
		link_of(t, prev, link)->next = next;
	else
		l->first = next;
	if (next != 0)
		link_of(t, next, link)->prev = prev;
	else
		l->last = prev;
}

void table_append(struct table *t, struct table_list *l, void *object, size_t link)
{
	uint16_t number = table_number(t, object);

	join(t, l, l->last, number, link);
	join(t, l, number, 0, link);
}

void table_prepend(struct table *t, struct table_list *l, void *object, size_t link)
{
	uint16_t number = table_number(t, object);

	join(t, l, number, l->first, link);
	join(t, l, 0, number, link);
}

void table_remove(struct table *t, struct table_list *l, void *object, size_t link)
{
	const struct table_link *at = link_of(t, table_number(t, object), link);

	join(t, l, at->prev, at->next, link);
}
