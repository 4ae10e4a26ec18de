/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Configurations that tunnels share: what is the same is one, and each keeps what it began with. */
#include "engine_env.h"

#include <string.h>

static struct l2tp_shared *get(struct env *e, const struct l2tp_tunnel_conf *conf)
{
	struct l2tp_shared *own = l2tp_shared_new(e->l);

	CU_ASSERT_PTR_NOT_NULL_FATAL(own);
	return l2tp_shared_fill(own, conf);
}

static void test_shared(void)
{
	struct l2tp_tunnel_conf conf = {.local_id = 7, .host_name = "lns", .secret_len = 3};
	struct l2tp_shared *a, *b, *c;
	struct env e;

	env_init(&e);
	memcpy(conf.secret, "abc", 3);
	a = get(&e, &conf);
	/* Neither the id nor what stands behind the texts makes another of it. */
	conf.local_id = 8;
	conf.secret[3] = 'x';
	conf.host_name[4] = 'y';
	b = get(&e, &conf);
	CU_ASSERT_PTR_EQUAL(a, b);
	conf.secret[2] = 'd';
	conf.hello_ms = 5000;
	c = get(&e, &conf);
	CU_ASSERT_PTR_NOT_EQUAL(a, c);
	l2tp_shared_put(a);
	CU_ASSERT_EQUAL(memcmp(b->conf.secret, "abc", 4), 0);
	CU_ASSERT_STRING_EQUAL(b->conf.host_name, "lns");
	CU_ASSERT_EQUAL(b->conf.hello_ms, 0);
	CU_ASSERT_EQUAL(c->conf.hello_ms, 5000);
	l2tp_shared_put(b);
	l2tp_shared_put(c);
	l2tp_shared_put(l2tp_shared_new(e.l)); /* one that never was filled */
	env_free(&e);
}

/* The owner's decisions change between two tunnels. */
static void test_tunnels_keep_theirs(void)
{
	struct l2tp_tunnel *first;
	struct env e;

	env_init(&e);
	env_dial(&e);
	first = l2tp_tunnel_by_id(e.l, e.tid);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_EQUAL(l2tp_conf_of(first)->hello_ms, e.conf.hello_ms);
	e.conf.hello_ms += 1000;
	e.path.remote.port++;
	e.ns = e.nr = 0;
	env_dial(&e);
	CU_ASSERT_NOT_EQUAL(e.tid, first->id);
	CU_ASSERT_EQUAL(l2tp_conf_of(l2tp_tunnel_by_id(e.l, e.tid))->hello_ms, e.conf.hello_ms);
	CU_ASSERT_EQUAL(l2tp_conf_of(first)->hello_ms, e.conf.hello_ms - 1000);
	env_free(&e);
}

int main(void)
{
	CU_pSuite s;
	unsigned failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("l2tp shared", NULL, NULL);
	CU_add_test(s, "what is the same is one", test_shared);
	CU_add_test(s, "tunnels keep what they began with", test_tunnels_keep_theirs);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
