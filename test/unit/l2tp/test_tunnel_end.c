/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The end of a control connection: RFC 2661 5.7, 7.2.1, and E35, E36. */
#include "engine_env.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

/* How often a word stands in the log, which is then emptied. */
static unsigned count(struct env *e, const char *word)
{
	const char *at = e->log;
	unsigned n = 0;

	while ((at = strstr(at, word)) != NULL) {
		at += strlen(word);
		n++;
	}
	e->log[0] = '\0';
	return n;
}

#define MANY 40

static void dial_many(struct env *e)
{
	env_init(e);
	env_dial(e);
	for (uint16_t i = 0; i < MANY; i++)
		env_call(e, (uint16_t)(11 + i));
	peer_drain(e);
	e->log[0] = '\0';
}

/* Of very many calls some end with their tunnel, the others a few with each timer; then it is gone. */
static void test_many_calls(void)
{
	struct env e;

	dial_many(&e);
	peer_stopccn(&e);
	CU_ASSERT_EQUAL(strncmp(e.log, "tunnel_down call_gone", 21), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.log, "call_gone tx:ZLB")); /* is answered at once */
	CU_ASSERT_EQUAL(count(&e, "call_gone"), L2TP_CALLS_AT_ONCE);
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_CLOSED);
	peer_drain(&e);
	peer_send_as(&e, (uint16_t)(e.ns - 1)); /* 5.7: once more */
	env_expect(&e, "tx:ZLB");
	peer_drain(&e);
	CU_ASSERT_EQUAL(timerq_run(&e.q, e.now, 1), 1);
	CU_ASSERT_EQUAL(count(&e, "call_gone"), 4);
	timerq_run(&e.q, e.now, 0);
	CU_ASSERT_PTR_NULL(strstr(e.log, "tx:"));
	CU_ASSERT_STRING_EQUAL(e.log + strlen(e.log) - 21, "call_gone tunnel_gone");
	CU_ASSERT_EQUAL(count(&e, "call_gone"), MANY - L2TP_CALLS_AT_ONCE - 4);
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_TUNNEL_DOWN);
	env_free(&e);
}

/* The same at our end; calls that wait may end in other ways meanwhile, without a word. */
static void test_close_many_calls(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	dial_many(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.log, "call_gone tx:StopCCN"));
	CU_ASSERT_EQUAL(count(&e, "call_gone"), L2TP_CALLS_AT_ONCE);
	l2tp_call_close(l2tp_tunnel_first_call(e.t), &res, e.now);
	env_expect(&e, "call_gone");
	peer_next(&e);
	peer_zlb(&e);
	env_expect(&e, ""); /* acknowledged; but it has calls */
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_CLOSED);
	l2tp_tunnel_abort(e.t, &res, e.now);
	env_expect(&e, "");
	while (l2tp_tunnel_first_call(e.t) != NULL)
		l2tp_call_close(l2tp_tunnel_first_call(e.t), &res, e.now);
	CU_ASSERT_EQUAL(count(&e, "call_gone"), MANY - L2TP_CALLS_AT_ONCE - 1);
	timerq_run(&e.q, e.now, 0);
	env_expect(&e, "tunnel_gone");
	env_free(&e);

	/* The calls may be through before the peer has answered. */
	dial_many(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	timerq_run(&e.q, e.now, 0);
	CU_ASSERT_EQUAL(count(&e, "call_gone"), MANY);
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_DISCONNECTING);
	peer_next(&e);
	peer_zlb(&e);
	env_expect(&e, "tunnel_gone");
	env_free(&e);

	/* Or they all end in other ways before the timer, and the peer answers before it, too. */
	dial_many(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	while (l2tp_tunnel_first_call(e.t) != NULL)
		l2tp_call_close(l2tp_tunnel_first_call(e.t), &res, e.now);
	CU_ASSERT_EQUAL(count(&e, "call_gone"), MANY);
	peer_next(&e);
	e.log[0] = '\0';
	peer_zlb(&e);
	env_expect(&e, "tunnel_gone");
	timerq_run(&e.q, e.now, 0);
	env_free(&e);

	/* Or the engine goes first. */
	dial_many(&e);
	peer_stopccn(&e);
	l2tp_free(e.l);
	CU_ASSERT_EQUAL(e.q.n, 0);
	free(e.sent);
}

/* Without memory for a message its tunnel ends, but with the timer: never in the caller's back. */
static void test_no_memory(void)
{
	static uint8_t huge[L2TP_MSG_MAX + 1];
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	peer_drain(&e);
	e.log[0] = '\0';
	CU_ASSERT_EQUAL(l2tp_chan_send(&e.t->chan, huge, sizeof(huge), false, e.now), -ENOMEM);
	env_expect(&e, "");
	/* An acknowledgement does not make it good, nor does what else the timer would wait for. */
	peer_zlb(&e);
	peer_begin(&e, L2TP_HELLO, 0);
	peer_send(&e);
	env_expect(&e, "tx:ZLB");
	env_run(&e, 0);
	env_expect(&e, "tunnel_down call_gone tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_NO_RESOURCES);
	env_free(&e);

	/* As for the last message, when calls wait for their end besides. */
	dial_many(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	CU_ASSERT_EQUAL(count(&e, "call_gone"), L2TP_CALLS_AT_ONCE);
	CU_ASSERT_EQUAL(l2tp_chan_send_last(&e.t->chan, huge, sizeof(huge), e.now), -ENOMEM);
	env_run(&e, 0);
	CU_ASSERT_STRING_EQUAL(e.log + strlen(e.log) - 21, "call_gone tunnel_gone");
	CU_ASSERT_EQUAL(count(&e, "call_gone"), MANY - L2TP_CALLS_AT_ONCE);
	env_free(&e);

	/* The peer may end it first. */
	env_init(&e);
	env_dial(&e);
	CU_ASSERT_EQUAL(l2tp_chan_send(&e.t->chan, huge, sizeof(huge), false, e.now), -ENOMEM);
	e.log[0] = '\0';
	peer_stopccn(&e);
	env_expect(&e, "tunnel_down tx:ZLB tunnel_gone");
	env_run(&e, 0);
	env_expect(&e, "");
	env_free(&e);
}

/* The peer never acknowledges our StopCCN: sent 1 + retries times within 31 s, then gone. */
static void test_close_unanswered(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	env_dial(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	env_run(&e, 30999);
	env_expect(&e, "tunnel_down tx:StopCCN tx:StopCCN tx:StopCCN tx:StopCCN tx:StopCCN "
	               "tx:StopCCN");
	env_run(&e, 1);
	env_expect(&e, "tunnel_gone");
	env_free(&e);
}

/* 5.7: a lost acknowledgement of a StopCCN is made good for 31 s; the id is free meanwhile. */
static void test_linger(void)
{
	uint32_t tunnels, calls, lingering;
	struct l2tp_path other;
	uint16_t tid;
	struct env e;

	env_init(&e);
	tid = env_dial(&e);
	peer_stopccn(&e);
	env_expect(&e, "tunnel_down tx:ZLB tunnel_gone");
	l2tp_count(e.l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(tunnels, 0);
	CU_ASSERT_EQUAL(lingering, 1);
	env_run(&e, 30000);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ZLB);
	e.ns--;
	peer_stopccn(&e);
	env_expect(&e, "tx:ZLB");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ZLB);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, e.ns);

	/* The id serves another peer at the same time. */
	other = e.path;
	e.path.remote.port = 4000;
	e.next_tid = tid;
	env_dial(&e);
	CU_ASSERT_EQUAL(e.tid, tid);
	l2tp_build_begin(&e.b, e.buf, sizeof(e.buf), L2TP_STOPCCN, tid, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	l2tp_build_result(&e.b, 1, false, 0, NULL);
	CU_ASSERT_NOT_EQUAL(l2tp_build_end(&e.b), 0);
	l2tp_set_seq(e.buf, 2, 1);
	peer_raw(&e, &other, e.buf, e.b.len);
	env_expect(&e, "tx:ZLB");
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_ESTABLISHED);

	env_run(&e, 1000);
	l2tp_count(e.l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(lingering, 0);
	peer_raw(&e, &other, e.buf, e.b.len);
	env_expect(&e, "");
	env_free(&e);
}

/* E36: both send StopCCN. One end each, both acknowledged. */
static void test_simultaneous_stop(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	env_dial(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	peer_stopccn(&e); /* sent before ours came: does not acknowledge it */
	env_expect(&e, "tunnel_down tx:StopCCN tx:ZLB tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_ADMIN_CLOSE);
	/* The peer acknowledges ours late: nothing comes of it. */
	peer_drain(&e);
	env_expect(&e, "");
	env_free(&e);

	/* The same, but the peer's StopCCN acknowledges ours. */
	env_init(&e);
	env_dial(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	peer_stopccn(&e);
	env_expect(&e, "tunnel_down tx:StopCCN tx:ZLB tunnel_gone");
	env_free(&e);
}

/* What crosses our StopCCN is acknowledged and ignored (E35). */
static void test_crossing(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	uint16_t sid;
	struct env e;

	env_init(&e);
	env_dial(&e);
	sid = env_call(&e, 11);
	l2tp_tunnel_close(e.t, &res, e.now);
	env_expect(&e, "tunnel_down call_gone tx:StopCCN");
	peer_icrq(&e, 12);
	peer_cdn(&e, sid, 11);
	peer_begin(&e, L2TP_HELLO, 0);
	peer_send(&e);
	peer_begin(&e, L2TP_HELLO, 0);
	peer_append_unknown(&e);
	peer_send(&e);
	env_expect(&e, "call_refused tx:ZLB tx:ZLB tx:ZLB tx:ZLB");
	CU_ASSERT_EQUAL(e.refused.reason, L2TP_R_CALL_TUNNEL_DOWN);
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_DISCONNECTING);
	peer_drain(&e);
	env_expect(&e, "tunnel_gone");
	env_free(&e);
}

/* l2tp_free with everything in flight leaves no timer and no memory. */
static void test_free_while_busy(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	peer_icrq(&e, 12);
	e.ns++;
	peer_icrq(&e, 13); /* out of order: stored */
	e.path.remote.port = 9;
	env_dial(&e);
	peer_stopccn(&e);
	e.path.remote.port = 10;
	peer_sccrq(&e, 7, NULL, 0);
	CU_ASSERT(e.q.n > 3);
	l2tp_free(e.l);
	CU_ASSERT_EQUAL(e.q.n, 0);
	free(e.sent);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"StopCCN for very many calls", test_many_calls},
	        {"StopCCN of ours for very many calls", test_close_many_calls},
	        {"no memory for a message", test_no_memory},
	        {"StopCCN never acknowledged", test_close_unanswered},
	        {"lingering after a StopCCN", test_linger},
	        {"simultaneous StopCCN (E36)", test_simultaneous_stop},
	        {"messages that cross a StopCCN (E35)", test_crossing},
	        {"free while busy", test_free_while_busy},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp end of a tunnel", tests);
}
