/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The control connection as responder: RFC 2661 7.2.1, 5.8, 4.1, and E9, E14. */
#include "engine_env.h"
#include "suite.h"

static void test_up(void)
{
	struct l2tp_tunnel_info info;
	struct env e;

	env_init(&e);
	peer_sccrq(&e, 7, NULL, 0);
	env_expect(&e, "tx:SCCRP");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCRP);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 0);
	CU_ASSERT_EQUAL(e.msg.hdr.ns, 0);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, 1);
	CU_ASSERT_EQUAL(e.msg.version, 1);
	CU_ASSERT_EQUAL(e.msg.revision, 0);
	CU_ASSERT_EQUAL(e.msg.framing_caps, 3);
	CU_ASSERT_EQUAL(e.msg.rws, 4);
	CU_ASSERT_EQUAL(e.msg.firmware, 0x0100);
	CU_ASSERT_EQUAL(e.msg.host_name.len, 3);
	CU_ASSERT_EQUAL(e.msg.vendor_name.len, 9);
	CU_ASSERT_EQUAL(e.msg.assigned_tunnel_id, 100);
	CU_ASSERT_FALSE(e.challenged);
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_WAIT_CTL_CONN);
	peer_scccn(&e);
	env_expect(&e, "tunnel_up tx:ZLB");
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_ESTABLISHED);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT_EQUAL(info.peer_id, 7);
	CU_ASSERT_STRING_EQUAL(info.peer_host, "lac");
	CU_ASSERT_STRING_EQUAL(info.peer_vendor, "Acme");
	CU_ASSERT_EQUAL(info.peer_rws, 8);
	CU_ASSERT_EQUAL(info.established_ms, e.now);
	CU_ASSERT_FALSE(info.initiated_by_us);
	CU_ASSERT_PTR_EQUAL(l2tp_tunnel_user(e.t), &e);
	peer_drain(&e);
	peer_stopccn(&e);
	env_expect(&e, "tunnel_down tx:ZLB tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_RX_STOPCCN);
	CU_ASSERT_EQUAL(e.down.result, 6);
	CU_ASSERT_STRING_EQUAL(e.down.message, "going down");
	env_free(&e);
}

static void test_close(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	l2tp_tunnel_close(e.t, &res, e.now);
	env_expect(&e, "tunnel_down call_gone tx:StopCCN");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_TUNNEL_DOWN);
	l2tp_tunnel_close(e.t, &res, e.now); /* idempotent */
	env_expect(&e, "");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.result, 1);
	CU_ASSERT_EQUAL(e.msg.assigned_tunnel_id, e.tid);
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_DISCONNECTING);
	peer_zlb(&e);
	env_expect(&e, "tunnel_gone");
	env_free(&e);
}

static void test_abort(void)
{
	struct l2tp_result res = {.reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	l2tp_tunnel_abort(e.t, &res, e.now);
	env_expect(&e, "tunnel_down call_gone tunnel_gone");
	env_free(&e);
}

/* SCCRP never acknowledged, or acknowledged without an SCCCN. */
static void test_half_open(void)
{
	struct env e;

	env_init(&e);
	e.conf.retries_not_established = 2;
	peer_sccrq(&e, 7, NULL, 0);
	env_run(&e, 7000);
	env_expect(&e, "tx:SCCRP tx:SCCRP tx:SCCRP tunnel_down tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIMEOUT_CONTROL);

	peer_sccrq(&e, 8, NULL, 0);
	peer_drain(&e);
	env_run(&e, 59999);
	env_expect(&e, "tx:SCCRP");
	env_run(&e, 1);
	env_expect(&e, "tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIMEOUT_ESTABLISH);
	env_free(&e);
}

/* A second tunnel of the same peer is a matter for the owner. */
static void test_two_tunnels(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_sccrq(&e, 8, NULL, 0);
	env_expect(&e, "tx:SCCRP");
	CU_ASSERT_EQUAL(e.n_tunnel_request, 2);
	env_free(&e);
}

static void test_refused(void)
{
	struct l2tp_stats st;
	struct env e;

	env_init(&e);
	e.tunnel_verdict = L2TP_REFUSE;
	l2tp_result_set(&e.tunnel_res, L2TP_R_TUNNEL_REFUSED, 4, 0, "who are you");
	peer_sccrq(&e, 7, NULL, 0);
	env_expect(&e, "tx:StopCCN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(e.msg.hdr.ns, 0);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, 1);
	CU_ASSERT_EQUAL(e.msg.result, 4);
	CU_ASSERT(l2tp_msg_has(&e.msg, L2TP_AVP_ASSIGNED_TUNNEL_ID));
	CU_ASSERT_EQUAL(e.msg.error_message.len, 11);
	e.tid = e.msg.assigned_tunnel_id;
	peer_zlb(&e); /* its acknowledgement meets nobody, and nobody answers */
	env_expect(&e, "");
	l2tp_stats_get(e.l, &st);
	CU_ASSERT_EQUAL(st.tunnels_refused, 1);
	CU_ASSERT_EQUAL(st.rx_unknown_tunnel, 1);

	e.tunnel_verdict = L2TP_DISCARD;
	peer_sccrq(&e, 8, NULL, 0);
	env_expect(&e, "");
	env_free(&e);
}

static void test_hello(void)
{
	struct l2tp_tunnel_info info;
	struct env e;

	env_init(&e);
	e.conf.idle_ms = 0; /* T12: never idle */
	env_dial(&e);
	env_run(&e, 59999);
	env_expect(&e, "");
	env_run(&e, 1);
	env_expect(&e, "tx:HELLO");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_HELLO);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 0);
	peer_zlb(&e);
	/* Anything that comes from the peer postpones the next one. */
	env_run(&e, 50000);
	peer_begin(&e, L2TP_HELLO, 0);
	peer_send(&e);
	env_expect(&e, "tx:ZLB");
	env_run(&e, 50000);
	l2tp_tunnel_alive(e.t, e.now);
	env_run(&e, 59999);
	env_expect(&e, "");
	env_run(&e, 1);
	env_expect(&e, "tx:HELLO");
	peer_drain(&e);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT_EQUAL(info.retransmits, 0);
	/* A dead peer. */
	env_run(&e, 60000 + 31000);
	env_expect(&e, "tx:HELLO tx:HELLO tx:HELLO tx:HELLO tx:HELLO tx:HELLO tunnel_down "
	               "tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIMEOUT_CONTROL);
	env_free(&e);
}

/* A peer that sends data but answers no Hello lives, until it falls silent. */
static void test_hello_ignored(void)
{
	struct env e;

	env_init(&e);
	e.conf.idle_ms = 0;
	env_dial(&e);
	e.quiet = true;
	env_run(&e, 60000);
	for (int i = 0; i < 100; i++) {
		env_run(&e, 5000);
		l2tp_tunnel_alive(e.t, e.now);
	}
	env_expect(&e, "");
	env_run(&e, 100000);
	env_expect(&e, "tunnel_down tunnel_gone");
	env_free(&e);

	/* But not when it acknowledges nothing else either. */
	env_init(&e);
	e.conf.idle_ms = 0;
	env_dial(&e);
	env_call(&e, 11);
	e.quiet = true;
	env_run(&e, 60000);
	{
		struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};

		l2tp_call_close(e.c, &res, e.now);
	}
	for (int i = 0; i < 12 && e.t != NULL; i++) {
		l2tp_tunnel_alive(e.t, e.now);
		env_run(&e, 5000);
	}
	env_expect(&e, "call_gone tunnel_down tunnel_gone");
	env_free(&e);
}

static void close_it(struct env *e, struct l2tp_tunnel *t)
{
	struct l2tp_result res = {.reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	l2tp_tunnel_close(t, &res, e->now);
}

static void abort_it(struct env *e, struct l2tp_tunnel *t)
{
	struct l2tp_result res = {.reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	l2tp_tunnel_abort(t, &res, e->now);
}

/* The owner closes and aborts from within callbacks. */
static void test_reentrant(void)
{
	struct env e;

	env_init(&e);
	e.on_tunnel_up = close_it;
	peer_sccrq(&e, 7, NULL, 0);
	peer_get(&e);
	peer_scccn(&e);
	env_expect(&e, "tx:SCCRP tunnel_up tunnel_down tx:StopCCN");
	env_free(&e);

	env_init(&e);
	e.on_tunnel_up = abort_it;
	peer_sccrq(&e, 7, NULL, 0);
	peer_get(&e);
	peer_scccn(&e);
	env_expect(&e, "tx:SCCRP tunnel_up tunnel_down tunnel_gone");
	env_free(&e);

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	e.on_tunnel_down = abort_it;
	close_it(&e, e.t);
	env_expect(&e, "tunnel_down call_gone tunnel_gone");
	env_free(&e);
}

/* E22: what counts is the configuration of the moment of acceptance. */
static void test_conf_is_copied(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	e.conf.single_shot = true;
	env_call(&e, 11);
	env_call(&e, 12);
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_ESTABLISHED);
	env_free(&e);
}

/* While we disconnect, the same peer dials anew with the same id: it has forgotten the tunnel. */
static void test_redial_while_disconnecting(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	close_it(&e, e.t);
	env_expect(&e, "tunnel_down tx:StopCCN");
	peer_sccrq(&e, 7, NULL, 0); /* the very same: a duplicate */
	CU_ASSERT_EQUAL(e.n_tunnel_request, 1);
	env_expect(&e, "tx:StopCCN");
	peer_sccrq(&e, 7, "different", 9);
	env_expect(&e, "tunnel_gone tunnel_down tx:StopCCN"); /* a challenge, but no secret */
	CU_ASSERT_EQUAL(e.n_tunnel_request, 2);
	env_free(&e);
}

static void test_names(void)
{
	for (int r = 0; r < L2TP_R_MAX; r++)
		CU_ASSERT_STRING_NOT_EQUAL(l2tp_reason_name((enum l2tp_reason)r), "unknown");
	CU_ASSERT_STRING_EQUAL(l2tp_reason_name(L2TP_R_CALL_SINGLE_SHOT_FIRED),
	                       "session create failed single shot tunnel already fired");
	CU_ASSERT_STRING_EQUAL(l2tp_reason_name(L2TP_R_MAX), "unknown");
	CU_ASSERT_STRING_EQUAL(l2tp_tunnel_state_name(L2TP_TS_WAIT_CTL_CONN), "wait-ctl-conn");
	CU_ASSERT_STRING_EQUAL(l2tp_call_state_name(L2TP_CS_WAIT_CONNECT), "wait-connect");
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"established and ended by the peer", test_up},
	        {"closed by the owner", test_close},
	        {"path gone", test_abort},
	        {"half-open", test_half_open},
	        {"two tunnels of one peer", test_two_tunnels},
	        {"refused by the owner", test_refused},
	        {"Hello", test_hello},
	        {"Hello ignored by a living peer", test_hello_ignored},
	        {"close and abort in callbacks", test_reentrant},
	        {"configuration is sampled (E22)", test_conf_is_copied},
	        {"redial while disconnecting", test_redial_while_disconnecting},
	        {"names", test_names},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp tunnel", tests);
}
