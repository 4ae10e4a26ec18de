/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A table of objects of one size, each with a number from 1 on by which others refer to it in two bytes
 * where a pointer takes eight, and lists of them linked in the same way. No object moves. The room for all
 * is reserved, but takes memory only from when a number is used first; table_fini gives it back. A freed
 * object is out of bounds to the address sanitizer until its number is used again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_MAX 65535 /* the greatest number */

struct table {
	size_t size;
	uint8_t *objects; /* [0] is nobody's */
	uint8_t *used; /* a bit for each number */
	uint16_t highest; /* number that was ever used */
	uint16_t free; /* number of the one that was freed last; 0: none below highest */
};

/* size: of an object; its alignment is that of whatever divides it. 0, or -ENOMEM. */
int table_init(struct table *t, size_t size);
/* Whatever objects are still there go with it. Harmless on a zeroed one. */
void table_fini(struct table *t);

/* True when all numbers are in use. */
bool table_full(const struct table *t);
/* An object, zeroed, with a number that is free; NULL: the table is full. */
void *table_get(struct table *t);
/* Secrets in it are the caller's to wipe. NULL is fine. */
void table_put(struct table *t, void *object);

/* The object with a number; NULL: none, as for 0. */
void *table_at(const struct table *t, uint16_t number);
/* The number of an object; 0: of NULL. */
uint16_t table_number(const struct table *t, const void *object);

/* ---- lists of a table's objects ---- */

/* In the object, at an offset that all calls for a list are given. */
struct table_link {
	uint16_t next, prev; /* 0: none */
};

/* Zeroed it is empty. */
struct table_list {
	uint16_t first, last; /* 0: none */
};

void table_append(struct table *t, struct table_list *l, void *object, size_t link);
void table_prepend(struct table *t, struct table_list *l, void *object, size_t link);
/* It must be in this list. */
void table_remove(struct table *t, struct table_list *l, void *object, size_t link);
