/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Messages that charon's plugin keeps: their order, how long each is kept, and what is refused. */
#include "charon/kept.h"

#include <CUnit/Basic.h>

#define ROOM 65536

static bool keep(struct kept *k, uint32_t id, enum kept_until until)
{
	struct sslink_msg m = {.type = SSLINK_IKE_REKEY, .ike_rekey = {.old_id = id, .new_id = id}};

	return kept_add(k, &m, until);
}

/* The id of the next one; 0: none. */
static uint32_t next(struct kept *k)
{
	const struct kept_msg *e = kept_next(k);
	struct sslink_msg m;

	if (e == NULL)
		return 0;
	CU_ASSERT_EQUAL(sslink_decode(e->bytes, e->len, &m), 0);
	return m.ike_rekey.old_id;
}

/* A link takes the next one; its id. */
static uint32_t take(struct kept *k)
{
	uint32_t id = next(k);

	if (id != 0)
		kept_taken(k, kept_next(k));
	return id;
}

static void test_order(void)
{
	struct kept k;

	kept_init(&k);
	CU_ASSERT_EQUAL(take(&k), 0);
	CU_ASSERT_TRUE(keep(&k, 1, KEPT_READ) && keep(&k, 2, KEPT_LINK) && keep(&k, 3, KEPT_READ));
	CU_ASSERT_EQUAL(next(&k), 1); /* looking takes nothing */
	CU_ASSERT_EQUAL(take(&k), 1);
	CU_ASSERT_EQUAL(take(&k), 2);
	CU_ASSERT_EQUAL(k.n, 2); /* 2 is done */
	CU_ASSERT_EQUAL(take(&k), 3);
	CU_ASSERT_EQUAL(take(&k), 0);
	CU_ASSERT_TRUE(keep(&k, 4, KEPT_LINK));
	CU_ASSERT_EQUAL(take(&k), 4);
	kept_clear(&k);
	CU_ASSERT_EQUAL(k.n, 0);
	CU_ASSERT_EQUAL(next(&k), 0);
}

/* An answer shows what was read: what was taken before its request was sent. */
static void test_read(void)
{
	struct kept k;
	uint64_t asked;

	kept_init(&k);
	keep(&k, 1, KEPT_READ);
	keep(&k, 2, KEPT_READ);
	keep(&k, 3, KEPT_READ);
	take(&k);
	asked = k.n_sent;
	take(&k);
	kept_read(&k, asked);
	CU_ASSERT_EQUAL(k.n, 2);
	kept_read(&k, asked);
	CU_ASSERT_EQUAL(k.n, 2);
	kept_read(&k, UINT64_MAX);
	CU_ASSERT_EQUAL(k.n, 1); /* what no link has taken nobody has read */
	CU_ASSERT_EQUAL(next(&k), 3);
	kept_clear(&k);
}

/* The end of a link: what it has taken is due again, in its place; what was for it alone is gone. */
static void test_unsent(void)
{
	struct kept k;

	kept_init(&k);
	keep(&k, 1, KEPT_READ);
	keep(&k, 2, KEPT_LINK);
	keep(&k, 3, KEPT_READ);
	keep(&k, 4, KEPT_LINK);
	keep(&k, 5, KEPT_READ);
	take(&k);
	take(&k);
	take(&k);
	kept_unsent(&k);
	CU_ASSERT_EQUAL(take(&k), 1);
	CU_ASSERT_EQUAL(take(&k), 3);
	CU_ASSERT_EQUAL(take(&k), 5);
	CU_ASSERT_EQUAL(take(&k), 0);
	kept_clear(&k);
}

static void test_full(void)
{
	struct kept k;
	uint32_t id;

	kept_init(&k);
	for (id = 1; id <= ROOM / 2; id++)
		CU_ASSERT_TRUE_FATAL(keep(&k, id, KEPT_LINK));
	CU_ASSERT_FALSE(keep(&k, id, KEPT_LINK)); /* the rest is for what must not be lost */
	for (; id <= ROOM; id++)
		CU_ASSERT_TRUE_FATAL(keep(&k, id, KEPT_READ));
	CU_ASSERT_FALSE(keep(&k, id, KEPT_READ));
	CU_ASSERT_EQUAL(next(&k), 1);
	for (id = 1; id <= ROOM / 2; id++)
		take(&k);
	take(&k);
	for (id = 1; id <= ROOM / 2; id++)
		CU_ASSERT_TRUE_FATAL(keep(&k, id, KEPT_READ));
	/* One was taken and may not have been read: it is not given up for another. */
	CU_ASSERT_FALSE(keep(&k, id, KEPT_READ));
	while (take(&k) != 0)
		;
	CU_ASSERT_TRUE(keep(&k, id, KEPT_READ)); /* no socket holds all of them */
	CU_ASSERT_EQUAL(k.n, ROOM);
	kept_clear(&k);
}

static void test_not_to_be_encoded(void)
{
	struct sslink_msg m = {.type = SSLINK_CHILDREN_MIGRATE,
	                       .ike_rekey = {.n_spis = SSLINK_SPIS_MAX + 1}};
	struct kept k;

	kept_init(&k);
	CU_ASSERT_FALSE(kept_add(&k, &m, KEPT_READ));
	CU_ASSERT_EQUAL(k.n, 0);
	CU_ASSERT_PTR_NULL(kept_next(&k));
	kept_clear(&k);
}

int main(void)
{
	static CU_TestInfo tests[] = {
	        {"in order", test_order},
	        {"until an answer shows that it was read", test_read},
	        {"the link ends", test_unsent},
	        {"full", test_full},
	        {"not to be encoded", test_not_to_be_encoded},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"kept", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	CU_register_suites(suites);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
