/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What links have in common, and what is gone once it has served. */
#include "unit/ppp/harness.h"
#include "ppp/ppp_int.h"

#include <stdio.h>

static struct net net;

static uint32_t no_address(void *ctx, uint32_t requested)
{
	return 0;
}

static void no_random(void *ctx, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)i;
}

static const struct ppp_ops ops = {.peer_address = no_address, .random = no_random};

static struct ppp *make(struct ppp_confs *set, const struct ppp_conf *c)
{
	struct ppp *p = ppp_new_in(set, c, &ops, NULL, &net.q, &net.log);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

static void test_set(void)
{
	struct ppp_confs *set = ppp_confs_new();
	struct ppp_conf c = conf_auth(PPP_AUTH_CHAP_MD5), other = c, peer = conf_peer(7);
	struct ppp *a, *b, *x, *y, *z;

	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
	net_init(&net, 1);
	snprintf(other.local_name, sizeof(other.local_name), "another");
	a = make(set, &c);
	b = make(set, &c);
	x = make(set, &other);
	CU_ASSERT_PTR_EQUAL(a->conf, b->conf);
	CU_ASSERT_PTR_NOT_EQUAL(a->conf, x->conf);
	other = c;
	other.mtu--;
	y = make(set, &other);
	CU_ASSERT_PTR_NOT_EQUAL(a->conf, y->conf);
	ppp_free(a);
	CU_ASSERT_STRING_EQUAL(b->conf->local_name, c.local_name);
	CU_ASSERT_STRING_EQUAL(x->conf->local_name, "another");
	/* Whoever has a password has it to himself; so has who is in no set. */
	a = make(set, &peer);
	z = make(set, &peer);
	CU_ASSERT_PTR_NOT_EQUAL(a->conf, z->conf);
	ppp_free(z);
	z = make(NULL, &c);
	CU_ASSERT_PTR_NOT_EQUAL(b->conf, z->conf);
	ppp_free(a);
	ppp_free(b);
	ppp_free(x);
	ppp_free(y);
	ppp_free(z);
	ppp_confs_free(set);
}

/* The challenge is wanted until the answer is judged; by a client longer, for repeats. */
static void test_try_is_freed(void)
{
	static const uint32_t methods[] = {PPP_AUTH_CHAP_MD5, PPP_AUTH_MSCHAPV2};
	struct ppp_conf b = conf_peer(7);

	for (int i = 0; i < 2; i++) {
		struct ppp_conf a = conf_auth(methods[i]);

		net_init(&net, 2);
		net_pair(&net, &a, &b);
		net.a.verdict = LATER;
		net_start(&net);
		net_run(&net, 5000);
		CU_ASSERT_EQUAL(info(&net.a).phase, PPP_PH_AUTHENTICATE);
		CU_ASSERT_PTR_NOT_NULL(net.a.p->auth.try);
		net_free(&net);

		net_init(&net, 2);
		net_pair(&net, &a, &b);
		net_start(&net);
		net_run(&net, 20000);
		CU_ASSERT_EQUAL(info(&net.a).phase, PPP_PH_NETWORK);
		CU_ASSERT_PTR_NULL(net.a.p->auth.try);
		CU_ASSERT_PTR_NOT_NULL(net.b.p->auth.try);
		CU_ASSERT_PTR_NULL(net.a.p->run);
		net_free(&net);
	}
}

void suite_shared(void)
{
	CU_pSuite s = CU_add_suite("shared", NULL, NULL);

	CU_add_test(s, "links of a set share their configuration", test_set);
	CU_add_test(s, "a try is freed", test_try_is_freed);
}
