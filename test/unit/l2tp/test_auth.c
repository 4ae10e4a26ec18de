/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Tunnel authentication in both directions (RFC 2661 4.4.3, 5.1.1) and hidden attributes (4.3). */
#include "engine_env.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void response(uint8_t type, const char *secret, const void *challenge, size_t len,
                     uint8_t out[16])
{
	l2tp_challenge_response(type, (const uint8_t *)secret, strlen(secret), challenge, len, out);
}

static void test_both_ways(void)
{
	struct l2tp_tunnel_info info;
	uint8_t want[16];
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "s3cret");
	peer_sccrq(&e, 7, "prove it", 8);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCRP);
	CU_ASSERT(e.challenged);
	CU_ASSERT(l2tp_msg_has(&e.msg, L2TP_AVP_CHALLENGE_RESPONSE));
	response(L2TP_SCCRP, "s3cret", "prove it", 8, want);
	CU_ASSERT_EQUAL(memcmp(want, e.msg.challenge_response, 16), 0);
	peer_scccn(&e);
	env_expect(&e, "tx:SCCRP tunnel_up tx:ZLB");
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT(info.authenticated);
	env_free(&e);
}

/* Each tunnel gets another challenge. */
static void test_fresh_challenge(void)
{
	uint8_t first[16];
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "s3cret");
	peer_sccrq(&e, 7, NULL, 0);
	peer_get(&e);
	memcpy(first, e.challenge, 16);
	peer_sccrq(&e, 8, NULL, 0);
	peer_get(&e);
	CU_ASSERT_NOT_EQUAL(memcmp(first, e.challenge, 16), 0);
	env_free(&e);
}

static void expect_refused(struct env *e)
{
	struct l2tp_stats st;

	CU_ASSERT_EQUAL(e->down.reason, L2TP_R_TUNNEL_AUTH_FAILED);
	CU_ASSERT_EQUAL(peer_next(e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e->msg.result, 4);
	CU_ASSERT_EQUAL(e->msg.hdr.tunnel_id, e->peer_tid);
	e->tid = e->msg.assigned_tunnel_id; /* it may be the first that we hear */
	l2tp_stats_get(e->l, &st);
	CU_ASSERT_EQUAL(st.auth_failed, 1);
	e->log[0] = '\0';
	peer_drain(e);
	env_expect(e, "tunnel_gone");
	env_free(e);
}

static void test_wrong_secret(void)
{
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "guess");
	peer_sccrq(&e, 7, NULL, 0);
	peer_get(&e);
	peer_scccn(&e);
	env_expect(&e, "tx:SCCRP tunnel_down tx:StopCCN");
	expect_refused(&e);
}

static void test_no_response(void)
{
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", NULL);
	peer_sccrq(&e, 7, NULL, 0);
	peer_get(&e);
	peer_scccn(&e);
	env_expect(&e, "tx:SCCRP tunnel_down tx:StopCCN");
	expect_refused(&e);
}

/* The response of another message type, and one to another challenge. */
static void test_replayed_response(void)
{
	uint8_t wrong[16];
	struct env e;

	for (int i = 0; i < 2; i++) {
		env_init(&e);
		env_secret(&e, "s3cret", "s3cret");
		peer_sccrq(&e, 7, NULL, 0);
		peer_get(&e);
		if (i == 1)
			e.challenge[3] ^= 1;
		response(i == 0 ? L2TP_SCCRP : L2TP_SCCCN, "s3cret", e.challenge, 16, wrong);
		peer_begin(&e, L2TP_SCCCN, 0);
		l2tp_build_bytes(&e.b, L2TP_AVP_CHALLENGE_RESPONSE, wrong, 16);
		peer_send(&e);
		env_expect(&e, "tx:SCCRP tunnel_down tx:StopCCN");
		expect_refused(&e);
	}
}

/* The peer wants a proof that we cannot give. */
static void test_challenge_without_secret(void)
{
	struct env e;

	env_init(&e);
	peer_sccrq(&e, 7, "prove it", 8);
	env_expect(&e, "tunnel_down tx:StopCCN");
	expect_refused(&e);
}

/* A secret, but "disable challenge": we answer and do not ask. */
static void test_no_challenge(void)
{
	struct l2tp_tunnel_info info;
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "s3cret");
	e.conf.challenge = false;
	peer_sccrq(&e, 7, "prove it", 8);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCRP);
	CU_ASSERT_FALSE(e.challenged);
	CU_ASSERT(l2tp_msg_has(&e.msg, L2TP_AVP_CHALLENGE_RESPONSE));
	peer_scccn(&e);
	env_expect(&e, "tx:SCCRP tunnel_up tx:ZLB");
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT_FALSE(info.authenticated);
	env_free(&e);
}

static void open_tunnel(struct env *e)
{
	struct l2tp_tunnel_conf conf = e->conf;

	conf.local_id = e->next_tid++;
	e->t = l2tp_tunnel_open(e->l, &e->path, &conf, e, e->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->t);
	CU_ASSERT_EQUAL(peer_get(e), L2TP_SCCRQ);
}

/* An SCCRP to our SCCRQ; proof: the secret for the response, ask: with a challenge. */
static void sccrp(struct env *e, const char *proof, bool ask)
{
	struct l2tp_build *b = peer_begin(e, L2TP_SCCRP, 0);
	uint8_t r[16];

	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "them", 4);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	if (ask)
		l2tp_build_bytes(b, L2TP_AVP_CHALLENGE, "prove it", 8);
	if (proof != NULL) {
		response(L2TP_SCCRP, proof, e->challenge, 16, r);
		l2tp_build_bytes(b, L2TP_AVP_CHALLENGE_RESPONSE, r, 16);
	}
	peer_send(e);
}

static void test_initiator(void)
{
	struct l2tp_tunnel_info info;
	uint8_t want[16];
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "s3cret");
	open_tunnel(&e);
	CU_ASSERT(e.challenged);
	sccrp(&e, "s3cret", true);
	env_expect(&e, "tx:SCCRQ tx:SCCCN tunnel_up");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCCN);
	response(L2TP_SCCCN, "s3cret", "prove it", 8, want);
	CU_ASSERT_EQUAL(memcmp(want, e.msg.challenge_response, 16), 0);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT(info.authenticated);
	CU_ASSERT_STRING_EQUAL(info.peer_host, "them");
	env_free(&e);
}

static void test_initiator_refuses(void)
{
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "guess");
	open_tunnel(&e);
	sccrp(&e, "guess", false);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:StopCCN");
	expect_refused(&e);

	env_init(&e);
	env_secret(&e, "s3cret", "s3cret");
	open_tunnel(&e);
	sccrp(&e, NULL, false);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:StopCCN");
	expect_refused(&e);

	env_init(&e);
	open_tunnel(&e);
	sccrp(&e, NULL, true);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:StopCCN");
	expect_refused(&e);
}

/* Hidden attributes both ways, and the attributes of a whole call through them. */
static void test_hidden(void)
{
	static const uint8_t vector[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	struct l2tp_call_info info;
	struct env_pkt *p;
	struct env e;

	env_init(&e);
	env_secret(&e, "s3cret", "s3cret");
	e.conf.hide_avps = true;
	peer_sccrq(&e, 7, NULL, 0);
	p = &e.sent[e.sent_head % ENV_SENT_MAX];
	CU_ASSERT_EQUAL(l2tp_msg_parse(p->pkt, p->len, NULL, 0, &e.msg, NULL), L2TP_MSG_NO_SECRET);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCRP);
	peer_scccn(&e);
	peer_drain(&e);
	peer_begin(&e, L2TP_ICRQ, 0);
	l2tp_build_hide(&e.b, (const uint8_t *)"s3cret", 6, vector);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	l2tp_build_u32(&e.b, L2TP_AVP_CALL_SERIAL, 77);
	l2tp_build_bytes(&e.b, L2TP_AVP_CALLING_NUMBER, "5551234", 7);
	peer_send(&e);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICRP);
	peer_iccn(&e, e.msg.assigned_session_id);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e.c);
	l2tp_call_info_get(e.c, &info);
	CU_ASSERT_EQUAL(info.peer_id, 11);
	CU_ASSERT_EQUAL(info.serial, 77);
	CU_ASSERT_STRING_EQUAL(info.calling_number, "5551234");
	env_free(&e);

	/* The peer hides, but we have no secret for it: that call fails, the tunnel stays. */
	env_init(&e);
	env_dial(&e);
	peer_begin(&e, L2TP_ICRQ, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	l2tp_build_hide(&e.b, (const uint8_t *)"s3cret", 6, vector);
	l2tp_build_u32(&e.b, L2TP_AVP_CALL_SERIAL, 77);
	peer_send(&e);
	env_expect(&e, "call_refused tx:CDN");
	CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_BAD_MESSAGE);
	env_free(&e);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"both ways", test_both_ways},
	        {"fresh challenge", test_fresh_challenge},
	        {"wrong secret", test_wrong_secret},
	        {"no response", test_no_response},
	        {"replayed response", test_replayed_response},
	        {"challenge without a secret", test_challenge_without_secret},
	        {"no challenge of ours", test_no_challenge},
	        {"as initiator", test_initiator},
	        {"initiator refuses", test_initiator_refuses},
	        {"hidden attributes", test_hidden},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp authentication", tests);
}
