/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Single-shot tunnels as far as they are the engine's: one call ever, and no life after it. */
#include "engine_env.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(struct env *e)
{
	env_init(e);
	e->conf.single_shot = true;
	e->conf.idle_ms = 86400000;
	env_dial(e);
}

static void expect_fired(struct env *e, uint16_t sid)
{
	CU_ASSERT_EQUAL(e->refused.reason, L2TP_R_CALL_SINGLE_SHOT_FIRED);
	CU_ASSERT_EQUAL(peer_next(e), L2TP_CDN);
	CU_ASSERT_EQUAL(e->msg.hdr.session_id, sid);
	CU_ASSERT_EQUAL(e->msg.result, 5);
	CU_ASSERT_EQUAL(e->msg.error_message.len, 32);
	CU_ASSERT_EQUAL(memcmp(e->msg.error_message.p, "single-shot tunnel already fired", 32), 0);
}

/* T4, T5: a second call while the first is up. */
static void test_second_call(void)
{
	struct l2tp_tunnel_info info;
	struct env e;

	start(&e);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT(info.single_shot);
	env_call(&e, 11);
	peer_icrq(&e, 12);
	env_expect(&e, "call_refused tx:CDN");
	expect_fired(&e, 12);
	CU_ASSERT_EQUAL(e.n_call_request, 1);
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, 200));
	env_run(&e, 1000);
	env_expect(&e, "tx:CDN"); /* not yet acknowledged: once more, and nothing else */
	env_free(&e);
}

/* T6, E28: while the first is still connecting, however long that takes. */
static void test_second_call_early(void)
{
	struct env e;

	start(&e);
	peer_icrq(&e, 11);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	peer_icrq(&e, 12);
	env_expect(&e, "tx:ICRP call_refused tx:CDN");
	expect_fired(&e, 12);
	peer_drain(&e);
	env_run(&e, 30000);
	peer_icrq(&e, 13);
	expect_fired(&e, 13);
	e.log[0] = '\0';
	peer_iccn(&e, 200);
	env_expect(&e, "call_up tx:ZLB");
	env_free(&e);
}

/* T7, T8: the peer's CDN ends the tunnel within the same tick, whatever the idle timer says. */
static void test_peer_cdn(void)
{
	struct env e;

	for (int i = 0; i < 2; i++) {
		env_init(&e);
		e.conf.single_shot = true;
		e.conf.idle_ms = i == 0 ? 86400000 : 0;
		env_dial(&e);
		env_call(&e, 11);
		peer_cdn(&e, 200, 11);
		env_expect(&e, "call_gone tunnel_down tx:StopCCN");
		CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_SINGLE_SHOT_DONE);
		CU_ASSERT_EQUAL(peer_next(&e), L2TP_STOPCCN);
		CU_ASSERT_EQUAL(e.msg.result, 1);
		/* T16, E35: a call on the tunnel that disconnects gets nothing, and does no harm. */
		peer_icrq(&e, 12);
		env_expect(&e, "call_refused tx:ZLB tunnel_gone");
		CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_SINGLE_SHOT_FIRED);
		env_free(&e);
	}
}

/* E20: our own end of the call: the owner knows of both ends before anything leaves. */
static void test_own_cdn(void)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct env e;

	start(&e);
	env_call(&e, 11);
	l2tp_call_close(e.c, &res, e.now);
	env_expect(&e, "call_gone tunnel_down tx:CDN tx:StopCCN");
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.result, 3);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_STOPCCN);
	peer_zlb(&e);
	env_expect(&e, "tunnel_gone");
	env_free(&e);
}

/* T18: the call fails on the way: ICCN never comes, or is malformed. */
static void test_failed_call(void)
{
	struct env e;

	start(&e);
	peer_icrq(&e, 11);
	peer_drain(&e);
	env_run(&e, 30000);
	peer_zlb(&e);
	env_run(&e, 30000);
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_TIMEOUT_ESTABLISH);
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_SINGLE_SHOT_DONE);
	env_free(&e);

	start(&e);
	peer_icrq(&e, 11);
	peer_drain(&e);
	e.log[0] = '\0';
	peer_begin(&e, L2TP_ICCN, 200);
	peer_send(&e);
	env_expect(&e, "call_gone tunnel_down tx:CDN tx:StopCCN");
	env_free(&e);
}

/* A refused or malformed first request was the one chance (T18). */
static void test_refused_call(void)
{
	struct env e;

	start(&e);
	e.call_verdict = L2TP_REFUSE;
	peer_icrq(&e, 11);
	env_expect(&e, "tunnel_down tx:CDN tx:StopCCN");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_SINGLE_SHOT_DONE);
	env_free(&e);

	start(&e);
	peer_begin(&e, L2TP_ICRQ, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	peer_send(&e);
	env_expect(&e, "call_refused tunnel_down tx:CDN tx:StopCCN");
	env_free(&e);
}

/* E26: an outgoing call counts, first or second. */
static void test_outgoing(void)
{
	struct env e;

	for (int i = 0; i < 2; i++) {
		struct l2tp_build *b;

		start(&e);
		if (i == 1)
			env_call(&e, 10);
		b = peer_begin(&e, L2TP_OCRQ, 0);
		l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
		l2tp_build_u32(b, L2TP_AVP_CALL_SERIAL, 1);
		l2tp_build_u32(b, L2TP_AVP_MIN_BPS, 9600);
		l2tp_build_u32(b, L2TP_AVP_MAX_BPS, 9600);
		l2tp_build_u32(b, L2TP_AVP_BEARER_TYPE, 1);
		l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
		l2tp_build_bytes(b, L2TP_AVP_CALLED_NUMBER, "1", 1);
		peer_send(&e);
		if (i == 0) {
			env_expect(&e, "call_refused tunnel_down tx:CDN tx:StopCCN");
			CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_NOT_SUPPORTED);
		} else {
			env_expect(&e, "call_refused tx:CDN");
			CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_SINGLE_SHOT_FIRED);
		}
		env_free(&e);
	}
}

/* E10: the first ICRQ again is not a second call. */
static void test_repeated_icrq(void)
{
	struct env e;

	start(&e);
	peer_icrq(&e, 11);
	e.ns--;
	peer_icrq(&e, 11);
	env_expect(&e, "tx:ICRP tx:ZLB");
	env_free(&e);
}

/* E13: up, but no call. */
static void test_first_call(void)
{
	struct env e;

	start(&e);
	env_run(&e, 29999);
	env_expect(&e, "");
	env_run(&e, 1);
	env_expect(&e, "tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIMEOUT_FIRST_CALL);
	env_free(&e);

	/* A call in time stops that clock for good. */
	start(&e);
	env_run(&e, 29999);
	env_call(&e, 11);
	env_run(&e, 25000);
	env_expect(&e, "");
	env_free(&e);
}

/* E33: the limit of the host changes nothing for one call, and the second is refused as fired. */
static void test_limits(void)
{
	for (uint16_t max = 0; max < 3; max++) {
		struct env e;

		env_init(&e);
		e.conf.single_shot = true;
		e.conf.max_calls = max;
		e.conf.fired_result = 2;
		e.conf.fired_error = 4;
		env_dial(&e);
		env_call(&e, 11);
		peer_icrq(&e, 12);
		CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_SINGLE_SHOT_FIRED);
		CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
		CU_ASSERT_EQUAL(e.msg.result, 2);
		CU_ASSERT_EQUAL(e.msg.error, 4);
		env_free(&e);
	}
}

/* E19: the peer's StopCCN takes the call along; its acknowledgement goes before tunnel_gone. */
static void test_peer_stop(void)
{
	struct env e;

	start(&e);
	env_call(&e, 11);
	peer_stopccn(&e);
	env_expect(&e, "tunnel_down call_gone tx:ZLB tunnel_gone");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_TUNNEL_DOWN);
	env_free(&e);
}

/* E36: CDN and StopCCN of a client that closes itself, meeting ours. */
static void test_client_closes_all(void)
{
	struct env e;

	start(&e);
	env_call(&e, 11);
	peer_cdn(&e, 200, 11);
	peer_stopccn(&e);
	env_expect(&e, "call_gone tunnel_down tx:StopCCN tx:ZLB tunnel_gone");
	env_free(&e);
}

/* T21, T22: without a connection there is no latch: the next SCCRQ is welcome. */
static void test_redial(void)
{
	struct env e;

	start(&e);
	env_call(&e, 11);
	peer_cdn(&e, 200, 11);
	peer_drain(&e);
	env_expect(&e, "call_gone tunnel_down tx:StopCCN tunnel_gone");
	env_dial(&e);
	CU_ASSERT_EQUAL(env_call(&e, 11), 201);
	env_free(&e);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"second call (T4, T5)", test_second_call},
	        {"second call while the first connects (T6, E28)", test_second_call_early},
	        {"CDN from the peer (T7, T8, T16, E35)", test_peer_cdn},
	        {"CDN of our own (E20)", test_own_cdn},
	        {"call that fails (T18)", test_failed_call},
	        {"call that is refused (T18)", test_refused_call},
	        {"outgoing call (E26)", test_outgoing},
	        {"repeated ICRQ (E10)", test_repeated_icrq},
	        {"first call in time (E13)", test_first_call},
	        {"limits (E33)", test_limits},
	        {"StopCCN from the peer (E19)", test_peer_stop},
	        {"client that closes all (E36)", test_client_closes_all},
	        {"redial (T21, T22)", test_redial},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp single-shot", tests);
}
