/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Incoming calls at the LNS (RFC 2661 7.4.2), and the idle timer of standard tunnels (T9 to T12). */
#include "engine_env.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_call_up(void)
{
	struct l2tp_tunnel_info tinfo;
	struct l2tp_call_info info;
	struct l2tp_build *b;
	uint16_t sid;
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	env_expect(&e, "tx:ICRP");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	sid = e.msg.assigned_session_id;
	CU_ASSERT_EQUAL(sid, 200);
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, sid));
	b = peer_begin(&e, L2TP_ICCN, sid);
	l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 20000000);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	l2tp_build_u32(b, L2TP_AVP_RX_SPEED, 1000000);
	l2tp_build_bytes(b, L2TP_AVP_PRIVATE_GROUP, "blue", 4);
	l2tp_build_empty(b, L2TP_AVP_SEQUENCING_REQUIRED);
	peer_send(&e);
	env_expect(&e, "call_up tx:ZLB");
	l2tp_call_info_get(e.c, &info);
	CU_ASSERT_EQUAL(info.state, L2TP_CS_ESTABLISHED);
	CU_ASSERT_EQUAL(info.local_id, sid);
	CU_ASSERT_EQUAL(info.peer_id, 11);
	CU_ASSERT(info.lns);
	CU_ASSERT_EQUAL(info.serial, 1011);
	CU_ASSERT_EQUAL(info.bearer_type, 2);
	CU_ASSERT_EQUAL(info.framing_type, 1);
	CU_ASSERT_EQUAL(info.tx_speed, 20000000);
	CU_ASSERT_EQUAL(info.rx_speed, 1000000);
	CU_ASSERT_STRING_EQUAL(info.calling_number, "5551234");
	CU_ASSERT_STRING_EQUAL(info.called_number, "");
	CU_ASSERT_STRING_EQUAL(info.private_group, "blue");
	CU_ASSERT(info.sequencing && info.sequencing_required);
	CU_ASSERT_EQUAL(info.established_ms, e.now);
	CU_ASSERT_PTR_EQUAL(l2tp_call_user(e.c), &e);
	CU_ASSERT_PTR_EQUAL(l2tp_call_tunnel(e.c), e.t);
	CU_ASSERT_PTR_EQUAL(l2tp_call_next(e.t, NULL), e.c);
	CU_ASSERT_PTR_NULL(l2tp_call_next(e.t, e.c));
	l2tp_tunnel_info(e.t, &tinfo);
	CU_ASSERT_EQUAL(tinfo.calls, 1);
	CU_ASSERT_EQUAL(tinfo.calls_established, 1);
	peer_cdn(&e, sid, 11);
	env_expect(&e, "call_gone tx:ZLB");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_RX_CDN);
	CU_ASSERT_EQUAL(e.gone.result, 1);
	CU_ASSERT_PTR_NULL(l2tp_call_by_id(e.l, sid));
	l2tp_tunnel_info(e.t, &tinfo);
	CU_ASSERT_EQUAL(tinfo.calls, 0);
	CU_ASSERT_EQUAL(tinfo.calls_total, 1);
	CU_ASSERT_EQUAL(tinfo.calls_failed, 0);
	env_free(&e);
}

/* The owner ends the call before and after it is up; the disconnect cause goes along. */
static void test_close(void)
{
	struct l2tp_result res = {.result = 3,
	                          .reason = L2TP_R_CALL_ADMIN_CLOSE,
	                          .has_cause = true,
	                          .cause_code = 16,
	                          .cause_proto = 0xc223,
	                          .cause_direction = 1};
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	l2tp_call_close(e.c, &res, e.now);
	env_expect(&e, "call_gone tx:CDN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	CU_ASSERT_EQUAL(e.msg.assigned_session_id, 200);
	CU_ASSERT_EQUAL(e.msg.result, 3);
	CU_ASSERT(l2tp_msg_has(&e.msg, L2TP_AVP_PPP_DISCONNECT_CAUSE));
	CU_ASSERT_EQUAL(e.msg.cause_code, 16);
	CU_ASSERT_EQUAL(e.msg.cause_proto, 0xc223);
	peer_icrq(&e, 12);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICRP);
	l2tp_call_close(l2tp_call_by_id(e.l, 201), &res, e.now);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	/* Its ICCN crosses our CDN: old news, nothing more. */
	e.log[0] = '\0';
	peer_iccn(&e, 201);
	env_expect(&e, "tx:ZLB");
	env_free(&e);
}

static void test_timeout(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	peer_zlb(&e);
	env_run(&e, 59999);
	env_expect(&e, "tx:ICRP");
	env_run(&e, 1);
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_TIMEOUT_ESTABLISH);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_HELLO);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.result, 3);
	env_free(&e);
}

static void test_refused(void)
{
	struct l2tp_tunnel_info info;
	struct l2tp_stats st;
	struct env e;

	env_init(&e);
	env_dial(&e);
	e.call_verdict = L2TP_REFUSE;
	l2tp_result_set(&e.call_res, L2TP_R_CALL_REFUSED, 2, 4, "no pool");
	peer_icrq(&e, 11);
	env_expect(&e, "tx:CDN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	CU_ASSERT_EQUAL(e.msg.error, 4);
	l2tp_result_set(&e.call_res, L2TP_R_NONE, 0, -1, NULL); /* the engine's own default */
	peer_icrq(&e, 11);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.result, 4);
	e.log[0] = '\0';
	e.call_verdict = L2TP_DISCARD;
	peer_icrq(&e, 12);
	env_expect(&e, "tx:ZLB");
	l2tp_stats_get(e.l, &st);
	CU_ASSERT_EQUAL(st.calls_refused, 2);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT_EQUAL(info.calls_failed, 2);
	CU_ASSERT_EQUAL(info.state, L2TP_TS_ESTABLISHED);
	env_free(&e);
}

static void test_limit(void)
{
	struct env e;

	env_init(&e);
	e.conf.max_calls = 2;
	e.conf.limit_result = 2;
	e.conf.limit_error = 4;
	env_dial(&e);
	env_call(&e, 11);
	env_call(&e, 12);
	peer_icrq(&e, 13);
	env_expect(&e, "call_refused tx:CDN");
	CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_LIMIT_REACHED);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	CU_ASSERT_EQUAL(e.msg.error, 4);
	CU_ASSERT_EQUAL(e.n_call_request, 2);
	peer_cdn(&e, 200, 11);
	env_call(&e, 13);
	env_free(&e);
}

/* OCRQ and its answers: result 4, only that call. */
static void test_outgoing(void)
{
	struct l2tp_build *b;
	struct env e;

	env_init(&e);
	env_dial(&e);
	b = peer_begin(&e, L2TP_OCRQ, 0);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	l2tp_build_u32(b, L2TP_AVP_CALL_SERIAL, 1);
	l2tp_build_u32(b, L2TP_AVP_MIN_BPS, 9600);
	l2tp_build_u32(b, L2TP_AVP_MAX_BPS, 9600);
	l2tp_build_u32(b, L2TP_AVP_BEARER_TYPE, 1);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	l2tp_build_bytes(b, L2TP_AVP_CALLED_NUMBER, "1", 1);
	peer_send(&e);
	env_expect(&e, "call_refused tx:CDN");
	CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_NOT_SUPPORTED);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.result, 4);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	/* For a call that is there, they are out of place. */
	env_call(&e, 12);
	b = peer_begin(&e, L2TP_OCCN, 200);
	l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 1);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	peer_send(&e);
	env_expect(&e, "call_gone tx:CDN");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_FSM_ERROR);
	env_free(&e);
}

/* 7.4.2: ICRQ, ICRP, ICCN in the wrong state end the call, and no other. */
static void test_out_of_place(void)
{
	static const uint16_t types[] = {L2TP_ICRQ, L2TP_ICRP, L2TP_ICCN};

	for (size_t i = 0; i < 6; i++) {
		uint16_t type = types[i % 3];
		bool established = i >= 3;
		struct l2tp_build *b;
		uint16_t sid;
		struct env e;

		if (!established && type == L2TP_ICCN)
			continue;
		env_init(&e);
		env_dial(&e);
		env_call(&e, 10);
		if (established) {
			sid = env_call(&e, 11);
		} else {
			peer_icrq(&e, 11);
			CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICRP);
			sid = e.msg.assigned_session_id;
			e.log[0] = '\0';
		}
		b = peer_begin(&e, type, sid);
		if (type == L2TP_ICCN) {
			l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 1);
			l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
		} else {
			l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 99);
			l2tp_build_u32(b, L2TP_AVP_CALL_SERIAL, 1);
		}
		peer_send(&e);
		env_expect(&e, "call_gone tx:CDN");
		CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_FSM_ERROR);
		CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, 200));
		env_free(&e);
	}
}

static void test_malformed(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 10);
	/* ICRQ without serial number: refused by its session id, the tunnel stays. */
	peer_begin(&e, L2TP_ICRQ, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	peer_send(&e);
	env_expect(&e, "call_refused tx:CDN");
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	CU_ASSERT_EQUAL(e.msg.error, 3);
	/* Without a session id there is no way to answer. */
	peer_begin(&e, L2TP_ICRQ, 0);
	peer_send(&e);
	env_expect(&e, "call_refused tx:ZLB");
	/* ICCN without speed. */
	peer_icrq(&e, 12);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICRP);
	e.log[0] = '\0';
	peer_begin(&e, L2TP_ICCN, e.msg.assigned_session_id);
	peer_send(&e);
	env_expect(&e, "call_gone tx:CDN");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_BAD_MESSAGE);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 12);
	/* A CDN that cannot be read is a CDN. */
	peer_begin(&e, L2TP_CDN, 200);
	peer_send(&e);
	env_expect(&e, "call_gone tx:ZLB");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_RX_CDN);
	/* Messages about calls that nobody has. */
	peer_iccn(&e, 4711);
	peer_cdn(&e, 4711, 1);
	peer_cdn(&e, 0, 4711);
	env_expect(&e, "tx:ZLB tx:ZLB tx:ZLB");
	env_free(&e);
}

/* The peer's session id cannot serve two calls of one tunnel; in two tunnels it may. */
static void test_session_id_in_use(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	peer_icrq(&e, 11);
	env_expect(&e, "call_refused tx:CDN");
	CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_BAD_MESSAGE);
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, 200));
	e.path.conn = 2;
	env_dial(&e);
	CU_ASSERT_EQUAL(env_call(&e, 11), 201);
	/* And no tunnel reaches the calls of another. */
	peer_cdn(&e, 200, 11);
	env_expect(&e, "tx:ZLB");
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, 200));
	env_free(&e);
}

/* A CDN from a peer that has not seen our ICRP: its own id tells the call. */
static void test_cdn_without_id(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	peer_cdn(&e, 0, 11);
	env_expect(&e, "tx:ICRP call_gone tx:ZLB");
	env_free(&e);
}

/* E10: a repeated ICRQ is one call. */
static void test_repeated_icrq(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	e.ns--;
	peer_icrq(&e, 11);
	env_expect(&e, "tx:ICRP tx:ZLB");
	CU_ASSERT_EQUAL(e.n_call_request, 1);
	env_free(&e);
}

static void test_info(void)
{
	struct l2tp_build *b;
	uint16_t sid;
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	sid = e.msg.assigned_session_id;
	e.log[0] = '\0';
	for (int i = 0; i < 2; i++) {
		b = peer_begin(&e, L2TP_WEN, sid);
		l2tp_build_call_errors(b, 1, 2, 3, 4, 5, 6);
		peer_send(&e);
		/* Not before the call is up. */
		env_expect(&e, i == 0 ? "tx:ZLB" : "info:WEN tx:ZLB");
		if (i == 0)
			peer_iccn(&e, sid);
		peer_drain(&e);
		e.log[0] = '\0';
	}
	l2tp_call_send_sli(e.c, 0, 0xa0000, e.now);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SLI);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	CU_ASSERT_EQUAL(e.msg.send_accm, 0);
	CU_ASSERT_EQUAL(e.msg.recv_accm, 0xa0000);
	env_free(&e);
}

/* T9, T11: the timer runs from the end of the last call; T12 is in the tests of tunnels. */
static void test_idle(void)
{
	struct env e;

	env_init(&e);
	e.conf.hello_ms = 0;
	env_dial(&e);
	env_run(&e, 59999);
	env_call(&e, 11); /* T10: a call in the last moment */
	env_call(&e, 12);
	env_run(&e, 200000);
	env_expect(&e, "");
	peer_cdn(&e, 200, 11);
	env_run(&e, 200000);
	env_expect(&e, "call_gone tx:ZLB");
	peer_cdn(&e, 201, 12);
	env_run(&e, 59999);
	env_expect(&e, "call_gone tx:ZLB");
	peer_icrq(&e, 13); /* a call that is only being set up counts, too */
	env_run(&e, 500);
	env_expect(&e, "tx:ICRP");
	peer_drain(&e);
	peer_cdn(&e, 202, 13);
	env_run(&e, 59999);
	env_expect(&e, "call_gone tx:ZLB");
	env_run(&e, 1);
	env_expect(&e, "tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIMEOUT_IDLE);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.result, 1);
	env_free(&e);
}

/* From establishment too, and a refused call does not stop the timer. */
static void test_idle_from_start(void)
{
	struct env e;

	env_init(&e);
	e.conf.idle_ms = 5000;
	env_dial(&e);
	e.call_verdict = L2TP_REFUSE;
	env_run(&e, 4000);
	peer_icrq(&e, 11);
	peer_drain(&e);
	e.log[0] = '\0';
	env_run(&e, 999);
	env_expect(&e, "");
	env_run(&e, 1);
	env_expect(&e, "tunnel_down tx:StopCCN");
	env_free(&e);
}

static void close_call(struct env *e, struct l2tp_call *c)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};

	l2tp_call_close(c, &res, e->now);
}

static void close_others(struct env *e, struct l2tp_call *c)
{
	struct l2tp_call *other = l2tp_call_next(e->t, NULL);

	if (other != NULL)
		close_call(e, other);
}

/* Closing in callbacks: itself when it comes up, the others when one goes. */
static void test_reentrant(void)
{
	struct l2tp_result res = {.reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	env_dial(&e);
	e.on_call_up = close_call;
	peer_icrq(&e, 11);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	e.log[0] = '\0';
	peer_iccn(&e, 200);
	env_expect(&e, "call_up call_gone tx:CDN");
	e.on_call_up = NULL;
	peer_drain(&e);
	e.log[0] = '\0';
	env_call(&e, 12);
	env_call(&e, 13);
	env_call(&e, 14);
	e.on_call_gone = close_others;
	l2tp_tunnel_close(e.t, &res, e.now);
	env_expect(&e, "tunnel_down call_gone call_gone call_gone tx:StopCCN");
	env_free(&e);
}

static void close_all(struct env *e, struct l2tp_call *c)
{
	struct l2tp_call *next;

	while ((next = l2tp_call_next(e->t, NULL)) != NULL)
		close_call(e, next);
}

/* The owner clears hundreds of calls at once: what it sends is not the peer's doing. */
static void test_mass_close(void)
{
	struct env e;

	env_init(&e);
	e.quiet = true;
	env_dial(&e);
	for (uint16_t i = 1; i < 400; i++)
		env_call(&e, i);
	e.on_call_up = close_all;
	peer_icrq(&e, 400);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	peer_iccn(&e, e.msg.assigned_session_id);
	e.on_call_up = NULL;
	e.log[0] = '\0';
	for (uint16_t i = 401; i < 410; i++)
		peer_icrq(&e, i);
	env_expect(&e, "");
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_ESTABLISHED);
	env_free(&e);
}

/* Each alone and all together, in any order, cut where they are too long or have a NUL. */
static void test_numbers(void)
{
	static const char *const text[L2TP_NR_MAX] = {"5551234", "5550199", "12", "retail"};
	static const int orders[][L2TP_NR_MAX] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};
	char more[2 * L2TP_NR_LEN];
	struct env e;

	memset(more, '7', sizeof(more));
	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	e.c = l2tp_call_by_id(e.l, 200);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e.c);
	free(e.c->numbers);
	for (size_t k = 0; k < sizeof(orders) / sizeof(orders[0]); k++) {
		e.c->numbers = NULL;
		for (int i = 0; i < L2TP_NR_MAX; i++) {
			enum l2tp_number which = (enum l2tp_number)orders[k][i];

			CU_ASSERT_STRING_EQUAL(l2tp_call_number(e.c, which), "");
			l2tp_call_set_number(e.c, which, text[which], strlen(text[which]));
		}
		for (int i = 0; i < L2TP_NR_MAX; i++)
			CU_ASSERT_STRING_EQUAL(l2tp_call_number(e.c, (enum l2tp_number)i), text[i]);
		l2tp_call_set_number(e.c, L2TP_NR_CALLED, more, sizeof(more));
		CU_ASSERT_EQUAL(strlen(l2tp_call_number(e.c, L2TP_NR_CALLED)), L2TP_NR_LEN - 1);
		l2tp_call_set_number(e.c, L2TP_NR_SUB_ADDRESS, "1\0002", 3);
		CU_ASSERT_STRING_EQUAL(l2tp_call_number(e.c, L2TP_NR_SUB_ADDRESS), "1");
		CU_ASSERT_STRING_EQUAL(l2tp_call_number(e.c, L2TP_NR_PRIVATE_GROUP), text[3]);
		CU_ASSERT_STRING_EQUAL(l2tp_call_number(e.c, L2TP_NR_CALLING), text[0]);
		free(e.c->numbers);
	}
	e.c->numbers = NULL;
	env_free(&e);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"established and ended by the peer", test_call_up},
	        {"closed by the owner", test_close},
	        {"ICCN never comes", test_timeout},
	        {"refused by the owner", test_refused},
	        {"limit", test_limit},
	        {"outgoing calls", test_outgoing},
	        {"messages out of place", test_out_of_place},
	        {"malformed messages", test_malformed},
	        {"session id in use", test_session_id_in_use},
	        {"CDN without our id", test_cdn_without_id},
	        {"repeated ICRQ (E10)", test_repeated_icrq},
	        {"WEN and SLI", test_info},
	        {"idle timer (T9, T10, T11)", test_idle},
	        {"idle timer from the start", test_idle_from_start},
	        {"close in callbacks", test_reentrant},
	        {"mass close", test_mass_close},
	        {"numbers", test_numbers},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp call", tests);
}
