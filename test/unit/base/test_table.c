/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "tests.h"

#include "base/table.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

struct thing {
	uint32_t value;
	struct table_link a, b;
};

#define A offsetof(struct thing, a)
#define B offsetof(struct thing, b)

static struct thing *thing_at(const struct table *t, uint16_t number)
{
	return table_at(t, number);
}

/* All numbers are given, none twice, the one freed last first; others keep what they hold. */
static void test_all(void)
{
	struct table t;
	uint32_t bad = 0;

	CU_ASSERT_EQUAL_FATAL(table_init(&t, sizeof(struct thing)), 0);
	CU_ASSERT_PTR_NULL(table_at(&t, 0));
	CU_ASSERT_PTR_NULL(table_at(&t, 1));
	CU_ASSERT_EQUAL(table_number(&t, NULL), 0);
	for (uint32_t n = 1; n <= TABLE_MAX; n++) {
		struct thing *x = table_get(&t);

		bad += x == NULL || table_number(&t, x) != n || thing_at(&t, (uint16_t)n) != x;
		memset(x, 0xa5, sizeof(*x));
		x->value = n;
		bad += table_full(&t) != (n == TABLE_MAX);
	}
	CU_ASSERT_PTR_NULL(table_get(&t));
	for (uint32_t n = 2; n <= TABLE_MAX; n += 2)
		table_put(&t, table_at(&t, (uint16_t)n));
	table_put(&t, NULL);
	CU_ASSERT_FALSE(table_full(&t));
	for (uint32_t n = 1; n <= TABLE_MAX; n++) {
		const struct thing *x = table_at(&t, (uint16_t)n);

		bad += n % 2 == 0 ? x != NULL : x->value != n;
	}
	for (uint32_t n = TABLE_MAX / 2 * 2; n > 0; n -= 2) {
		const struct thing *x = table_get(&t);

		bad += table_number(&t, x) != n || x->value != 0 || x->a.next != 0 ||
		       x->b.prev != 0;
	}
	CU_ASSERT_TRUE(table_full(&t));
	CU_ASSERT_EQUAL(bad, 0);
	table_fini(&t);
	table_fini(&t);
}

static void check_order(const struct table *t, const struct table_list *l, const char *wanted)
{
	char forth[16] = "", back[16] = "";
	size_t n = 0, len = strlen(wanted);

	for (const struct thing *x = thing_at(t, l->first); x != NULL; x = thing_at(t, x->a.next))
		forth[n++] = (char)x->value;
	CU_ASSERT_STRING_EQUAL(forth, wanted);
	n = 0;
	for (const struct thing *x = thing_at(t, l->last); x != NULL; x = thing_at(t, x->a.prev))
		back[n++] = (char)x->value;
	CU_ASSERT_EQUAL(n, len);
	for (size_t i = 0; i < n && n == len; i++)
		CU_ASSERT_EQUAL(back[i], wanted[len - 1 - i]);
}

static void test_lists(void)
{
	struct table_list l = {0}, other = {0};
	struct thing *x[5];
	struct table t;

	CU_ASSERT_EQUAL_FATAL(table_init(&t, sizeof(struct thing)), 0);
	for (int i = 0; i < 5; i++) {
		x[i] = table_get(&t);
		x[i]->value = (uint32_t)('a' + i);
		table_append(&t, &other, x[i], B);
	}
	table_append(&t, &l, x[1], A);
	check_order(&t, &l, "b");
	table_append(&t, &l, x[2], A);
	table_prepend(&t, &l, x[0], A);
	table_append(&t, &l, x[4], A);
	check_order(&t, &l, "abce");
	table_remove(&t, &l, x[1], A);
	check_order(&t, &l, "ace");
	table_remove(&t, &l, x[4], A);
	check_order(&t, &l, "ac");
	table_remove(&t, &l, x[0], A);
	check_order(&t, &l, "c");
	table_remove(&t, &l, x[2], A);
	check_order(&t, &l, "");
	table_prepend(&t, &l, x[3], A);
	check_order(&t, &l, "d");
	CU_ASSERT_EQUAL(other.first, 1);
	CU_ASSERT_EQUAL(other.last, 5);
	table_fini(&t);
}

void register_table(void)
{
	CU_pSuite s = CU_add_suite("table", NULL, NULL);

	CU_add_test(s, "every number of a table", test_all);
	CU_add_test(s, "lists in a table", test_lists);
}
