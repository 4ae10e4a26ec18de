/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "tests.h"

#include "base/poison.h"
#include "base/slab.h"
#include "base/texts.h"

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECTS 5000 /* of several chunks */
#define LENGTHS 300

struct thing {
	uint64_t value;
	uint8_t rest[48];
};

static bool is_zero(const struct thing *t)
{
	static const struct thing none;

	return memcmp(t, &none, sizeof(none)) == 0;
}

static void test_slab(void)
{
	struct thing **t = calloc(OBJECTS, sizeof(struct thing *));
	struct slab s;
	uint32_t bad = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	slab_init(&s, sizeof(struct thing));
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < OBJECTS; i++) {
			if (t[i] != NULL)
				continue;
			t[i] = slab_get(&s);
			CU_ASSERT_PTR_NOT_NULL_FATAL(t[i]);
			bad += !is_zero(t[i]) || (uintptr_t)t[i] % sizeof(void *) != 0;
			memset(t[i], 0xa5, sizeof(*t[i]));
			t[i]->value = i;
		}
		/* None has taken another's place. */
		for (uint32_t i = 0; i < OBJECTS; i++)
			bad += t[i]->value != i;
		for (uint32_t i = (uint32_t)round; i < OBJECTS; i += 3) {
			slab_put(&s, t[i]);
			t[i] = NULL;
		}
	}
	CU_ASSERT_EQUAL(bad, 0);
	slab_put(&s, NULL);
	for (uint32_t i = 0; i < OBJECTS; i++)
		slab_put(&s, t[i]);
	slab_fini(&s);
	slab_fini(&s);
	free(t);
}

struct linked {
	struct ref_link link;
	uint32_t next;
	char name;
};

#define LINK offsetof(struct linked, link)
#define NEXT offsetof(struct linked, next)

static void check_list(const struct ref_list *l, const char *wanted)
{
	char forth[8] = "", back[8] = "";
	const struct linked *x;
	size_t n = 0, len = strlen(wanted);

	REF_FOREACH (x, l->first, link.next)
		forth[n++] = x->name;
	CU_ASSERT_STRING_EQUAL(forth, wanted);
	n = 0;
	REF_FOREACH (x, l->last, link.prev)
		back[n++] = x->name;
	CU_ASSERT_EQUAL_FATAL(n, len);
	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(back[i], wanted[len - 1 - i]);
}

static void check_chain(uint32_t first, const char *wanted)
{
	char names[8] = "";
	const struct linked *x;
	size_t n = 0;

	REF_FOREACH (x, first, next)
		names[n++] = x->name;
	CU_ASSERT_STRING_EQUAL(names, wanted);
}

/* References lead back to what they are of, and lists of them keep their order. */
static void test_refs(void)
{
	struct ref_list l = {0};
	struct linked *x[4];
	uint32_t chain = 0;
	struct slab s;

	slab_init(&s, sizeof(struct linked));
	CU_ASSERT_EQUAL(slab_ref(NULL), 0);
	CU_ASSERT_PTR_NULL(slab_at(0));
	for (int i = 0; i < 4; i++) {
		x[i] = slab_get(&s);
		CU_ASSERT_PTR_NOT_NULL_FATAL(x[i]);
		x[i]->name = (char)('a' + i);
		CU_ASSERT_NOT_EQUAL(slab_ref(x[i]), 0);
		CU_ASSERT_PTR_EQUAL(slab_at(slab_ref(x[i])), x[i]);
		ref_push(&chain, x[i], NEXT);
	}
	check_list(&l, "");
	ref_append(&l, x[1], LINK);
	ref_append(&l, x[2], LINK);
	ref_prepend(&l, x[0], LINK);
	ref_append(&l, x[3], LINK);
	check_list(&l, "abcd");
	ref_remove(&l, x[1], LINK);
	check_list(&l, "acd");
	ref_remove(&l, x[3], LINK);
	check_list(&l, "ac");
	ref_remove(&l, x[0], LINK);
	check_list(&l, "c");
	ref_remove(&l, x[2], LINK);
	check_list(&l, "");
	ref_prepend(&l, x[3], LINK);
	check_list(&l, "d");
	check_chain(chain, "dcba");
	ref_unlink(&chain, x[1], NEXT);
	check_chain(chain, "dca");
	ref_unlink(&chain, x[3], NEXT);
	check_chain(chain, "ca");
	ref_unlink(&chain, x[0], NEXT);
	check_chain(chain, "c");
	ref_unlink(&chain, x[2], NEXT);
	CU_ASSERT_EQUAL(chain, 0);
	for (int i = 0; i < 4; i++)
		slab_put(&s, x[i]);
	slab_fini(&s);
}

#ifdef SANITIZED
/* How a process ends that frees a slab with one object still out. */
static int end_of_leak(void)
{
	struct slab s;
	pid_t pid;
	int status = 0;

	pid = fork();
	if (pid == 0) {
		close(STDERR_FILENO);
		slab_init(&s, sizeof(struct thing));
		slab_get(&s);
		slab_fini(&s);
		_exit(0);
	}
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	return status;
}

/* What is free is out of bounds, and stays so for a while; what never comes back is told. */
static void test_sanitized(void)
{
	struct thing *first, *t;
	struct slab s;
	uint32_t bad = 0;
	int status;

	slab_init(&s, sizeof(struct thing));
	first = slab_get(&s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_EQUAL(__asan_address_is_poisoned(&first->rest), 0);
	slab_put(&s, first);
	CU_ASSERT_EQUAL(__asan_address_is_poisoned(&first->rest), 1);
	for (int i = 0; i < 200; i++) {
		t = slab_get(&s);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		bad += t == first;
		slab_put(&s, t);
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(__asan_address_is_poisoned(&first->rest), 1);
	slab_fini(&s);
	status = end_of_leak();
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
#endif

static void test_texts(void)
{
	struct texts *set = texts_new();
	const char *a, *b, *c, *d;

	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
	a = texts_get(set, "access", 6);
	b = texts_get(set, "access@1", 6);
	c = texts_get(set, "access\0more", 11);
	d = texts_get(set, "access@1", 8);
	CU_ASSERT_STRING_EQUAL(a, "access");
	CU_ASSERT_PTR_EQUAL(a, b);
	CU_ASSERT_PTR_EQUAL(a, c);
	CU_ASSERT_STRING_EQUAL(d, "access@1");
	texts_put(set, a);
	texts_put(set, c);
	CU_ASSERT_STRING_EQUAL(b, "access");
	CU_ASSERT_PTR_EQUAL(texts_get(set, "access", 6), b);
	texts_put(set, b);
	texts_put(set, b);
	texts_put(set, d);
	texts_put(set, NULL);
	CU_ASSERT_STRING_EQUAL(texts_get(set, "", 0), "");
	texts_free(set); /* with the last one */
	texts_free(NULL);
}

/* Each length has its room, and none takes another's. */
static void test_text_lengths(void)
{
	const char *kept[LENGTHS];
	char text[LENGTHS + 1];
	struct texts *set = texts_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
	memset(text, 'x', sizeof(text));
	for (int round = 0; round < 2; round++) {
		for (size_t len = 0; len < LENGTHS; len++)
			kept[len] = texts_get(set, text, len);
		for (size_t len = 0; len < LENGTHS; len++) {
			CU_ASSERT_EQUAL(strlen(kept[len]), len);
			CU_ASSERT_EQUAL(strncmp(kept[len], text, len), 0);
			texts_put(set, kept[len]);
		}
	}
	CU_ASSERT_STRING_EQUAL(texts_get(set, text, LENGTHS - 1),
	                       texts_get(set, text, LENGTHS - 1));
	texts_free(set);
}

void register_slab(void)
{
	CU_pSuite s = CU_add_suite("slab", NULL, NULL);

	CU_add_test(s, "objects of a slab", test_slab);
	CU_add_test(s, "references and lists", test_refs);
#ifdef SANITIZED
	CU_add_test(s, "what is free, and what leaks, to the sanitizer", test_sanitized);
#endif
	CU_add_test(s, "shared texts", test_texts);
	CU_add_test(s, "lengths of texts", test_text_lengths);
}
