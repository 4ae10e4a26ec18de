/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What links have in common, and what is gone once it has served. */
#include "unit/ppp/harness.h"
#include "ppp/ppp_int.h"

#include <stdio.h>
#include <string.h>

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

static bool has_texts(const struct ppp *p, const char *name, const char *answer, size_t answer_len)
{
	return strcmp(ppp_user(p), name) == 0 && p->auth.answer_len == answer_len &&
	       memcmp(ppp_answer(p), answer, answer_len) == 0;
}

/* Names and answers of any length, in a set and in none; what one link keeps is not another's. */
static void test_texts(void)
{
	struct ppp_confs *set = ppp_confs_new();
	struct ppp_conf c = conf_auth(PPP_AUTH_CHAP_MD5);
	char name[PPP_NAME_MAX], text[AUTH_ANSWER_MAX];
	struct ppp *p[3];

	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
	net_init(&net, 3);
	memset(text, 't', sizeof(text));
	for (int i = 0; i < 3; i++)
		p[i] = make(i < 2 ? set : NULL, &c);
	CU_ASSERT_TRUE(has_texts(p[0], "", "", 0));
	for (size_t len = 0; len < sizeof(name); len++) {
		memset(name, 'a' + (int)(len % 26), len);
		name[len] = '\0';
		for (int i = 0; i < 3; i++) {
			CU_ASSERT_TRUE(ppp_set_user(p[i], name, len));
			CU_ASSERT_TRUE(has_texts(p[i], name, "", 0));
			ppp_keep_answer(p[i], text, len);
			ppp_keep_answer(p[i], text, (size_t)i * 40);
		}
		for (int i = 0; i < 3; i++)
			CU_ASSERT_TRUE(has_texts(p[i], name, text, (size_t)i * 40));
	}
	ppp_keep_answer(p[0], text, sizeof(text) + 1);
	CU_ASSERT_TRUE(has_texts(p[0], name, text, AUTH_ANSWER_MAX));
	for (int i = 0; i < 3; i++)
		ppp_free(p[i]);
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
	CU_add_test(s, "texts", test_texts);
	CU_add_test(s, "a try is freed", test_try_is_freed);
}
