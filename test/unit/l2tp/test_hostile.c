/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What peers do wrong, or others in their name: RFC 2661 4.1, 5.8, 7.2.1, and E9, E14. */
#include "engine_env.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* E9: the same SCCRQ is no second tunnel, before and after the SCCCN. */
static void test_repeated_sccrq(void)
{
	struct env e;

	env_init(&e);
	peer_sccrq(&e, 7, NULL, 0);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCRP);
	peer_sccrq(&e, 7, NULL, 0);
	env_expect(&e, "tx:SCCRP tx:SCCRP");
	CU_ASSERT_EQUAL(e.n_tunnel_request, 1);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCRP);
	CU_ASSERT_EQUAL(e.msg.assigned_tunnel_id, 100);
	peer_scccn(&e);
	peer_drain(&e);
	env_expect(&e, "tunnel_up tx:ZLB");
	e.ns = 0;
	peer_sccrq(&e, 7, NULL, 0);
	env_expect(&e, "tx:HELLO");
	CU_ASSERT_EQUAL(e.n_tunnel_request, 1);
	env_free(&e);
}

/* A peer that has crashed dials with the id that it had: it gets in when the old tunnel has died. */
static void test_restart_with_same_id(void)
{
	struct env e;

	env_init(&e);
	e.conf.idle_ms = e.conf.hello_ms = 0;
	env_dial(&e);
	e.quiet = true;
	for (int i = 0; i < 31; i++) {
		peer_sccrq(&e, 7, NULL, 0);
		env_run(&e, 1000);
	}
	env_expect(&e, "tunnel_down tunnel_gone");
	env_dial(&e);
	CU_ASSERT_EQUAL(e.n_tunnel_request, 2);
	peer_stopccn(&e);
	env_free(&e);
}

/* Many peers at once, all with tunnel id 1, told apart by their path. */
static void test_interleaved_sccrqs(void)
{
	enum { PEERS = 300 };
	uint32_t tunnels, calls, lingering;
	struct env e;

	env_init(&e);
	e.quiet = true;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < PEERS; i++) {
			e.path.remote.port = (uint16_t)(2000 + i / 2);
			e.path.conn = (uint64_t)(i % 2);
			peer_sccrq(&e, 1, NULL, 0);
		}
	}
	l2tp_count(e.l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(tunnels, PEERS);
	CU_ASSERT_EQUAL(e.n_tunnel_request, PEERS);
	env_free(&e);
}

static void sccrq_with(struct env *e, uint16_t version, bool host, bool id)
{
	struct l2tp_build *b;

	e->tid = e->ns = e->nr = 0;
	b = peer_begin(e, L2TP_SCCRQ, 0);
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, version);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	if (host)
		l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "lac", 3);
	if (id)
		l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	peer_send(e);
}

/* E14: refused before there is a profile. */
static void test_rejected(void)
{
	struct env e;

	env_init(&e);
	sccrq_with(&e, 0x0200, true, true);
	env_expect(&e, "tunnel_rejected tx:StopCCN");
	CU_ASSERT_EQUAL(e.rejected.reason, L2TP_R_TUNNEL_BAD_VERSION);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.result, 5);
	CU_ASSERT_EQUAL(e.msg.error, 1);
	sccrq_with(&e, 0x0100, false, true);
	env_expect(&e, "tunnel_rejected tx:StopCCN");
	CU_ASSERT_EQUAL(e.rejected.reason, L2TP_R_TUNNEL_BAD_MESSAGE);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	CU_ASSERT_EQUAL(e.msg.error, 3);
	sccrq_with(&e, 0x0100, true, false); /* no id: nowhere to send an answer to */
	env_expect(&e, "tunnel_rejected");
	/* An SCCRQ that is not the first message of a connection. */
	e.ns = 3;
	peer_begin(&e, L2TP_SCCRQ, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&e.b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&e.b, L2TP_AVP_HOST_NAME, "lac", 3);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	peer_send(&e);
	env_expect(&e, "");
	env_free(&e);
}

static void test_unknown_mandatory(void)
{
	struct env e;

	env_init(&e);
	peer_begin(&e, L2TP_SCCRQ, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&e.b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&e.b, L2TP_AVP_HOST_NAME, "lac", 3);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	peer_append_unknown(&e);
	peer_send(&e);
	env_expect(&e, "tunnel_rejected tx:StopCCN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	CU_ASSERT_EQUAL(e.msg.error, 8);

	/* In an established tunnel: a Hello with it ends the tunnel and is acknowledged. */
	env_dial(&e);
	peer_begin(&e, L2TP_HELLO, 0);
	peer_append_unknown(&e);
	peer_send(&e);
	env_expect(&e, "tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_BAD_MESSAGE);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.error, 8);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, e.ns);
	env_free(&e);
}

static void test_unknown_message(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_begin(&e, 200, 0);
	e.buf[12] &= 0x7f; /* not mandatory: acknowledged, ignored */
	peer_send(&e);
	env_expect(&e, "tx:ZLB");
	env_call(&e, 11);
	peer_begin(&e, 200, 0);
	peer_send(&e);
	env_expect(&e, "tunnel_down call_gone tx:StopCCN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	CU_ASSERT_EQUAL(e.msg.error, 8);
	env_free(&e);
}

/* Messages that have no place in a state: StopCCN, FSM error. */
static void test_out_of_place(void)
{
	static const uint16_t types[] = {L2TP_SCCCN, L2TP_SCCRP, L2TP_SCCRQ};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct env e;

		env_init(&e);
		env_dial(&e);
		peer_begin(&e, types[i], 0);
		if (types[i] != L2TP_SCCCN) {
			l2tp_build_u16(&e.b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
			l2tp_build_u32(&e.b, L2TP_AVP_FRAMING_CAPS, 3);
			l2tp_build_bytes(&e.b, L2TP_AVP_HOST_NAME, "lac", 3);
			l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
		}
		peer_send(&e);
		env_expect(&e, "tunnel_down tx:StopCCN");
		CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_FSM_ERROR);
		CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
		CU_ASSERT_EQUAL(e.msg.result, 7);
		env_free(&e);
	}
	/* A call before the control connection is complete. */
	{
		struct env e;

		env_init(&e);
		peer_sccrq(&e, 7, NULL, 0);
		peer_get(&e);
		peer_icrq(&e, 11);
		env_expect(&e, "tx:SCCRP tunnel_down tx:StopCCN");
		CU_ASSERT_EQUAL(e.down.result, 7);
		env_free(&e);
	}
}

/* A StopCCN from a peer that has not heard our id yet. */
static void test_stop_without_id(void)
{
	struct env e;

	env_init(&e);
	peer_sccrq(&e, 7, NULL, 0);
	peer_stopccn(&e); /* header tunnel id 0 */
	env_expect(&e, "tx:SCCRP tunnel_down tx:ZLB tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_RX_STOPCCN);
	e.ns--;
	peer_stopccn(&e); /* its acknowledgement was lost */
	env_expect(&e, "tx:ZLB");
	/* An established tunnel does not fall for it. */
	env_dial(&e);
	e.tid = 0;
	peer_stopccn(&e);
	env_expect(&e, "");
	env_free(&e);
}

/* A StopCCN that cannot be read is obeyed. */
static void test_malformed_stop(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_begin(&e, L2TP_STOPCCN, 0);
	peer_send(&e);
	env_expect(&e, "tunnel_down tx:ZLB tunnel_gone");
	env_free(&e);
}

/* A6: from another path nothing reaches the tunnel. */
static void test_wrong_path(void)
{
	static const uint8_t junk[] = {0xc8, 0x02, 0x00, 0x0c};
	struct l2tp_stats st;
	struct env e;
	uint16_t ns;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	ns = e.ns;
	for (int i = 0; i < 4; i++) {
		struct l2tp_path mine = e.path;

		if (i == 0)
			e.path.remote.port++;
		else if (i == 1)
			e.path.remote.addr.b[3]++;
		else if (i == 2)
			e.path.conn = 9;
		else
			e.path.local.port++;
		peer_stopccn(&e);
		peer_cdn(&e, 200, 11);
		e.path = mine;
		e.ns = ns;
	}
	env_expect(&e, "");
	l2tp_stats_get(e.l, &st);
	CU_ASSERT_EQUAL(st.rx_wrong_path, 8);
	peer_raw(&e, &e.path, junk, sizeof(junk));
	peer_raw(&e, &e.path, junk, 0);
	l2tp_stats_get(e.l, &st);
	CU_ASSERT_EQUAL(st.rx_malformed, 2);
	env_expect(&e, "");
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_ESTABLISHED);
	env_free(&e);
}

/* A peer that sends requests without end and acknowledges nothing gets no endless queue. */
static void test_no_acks(void)
{
	struct l2tp_tunnel_info info;
	struct env e;
	unsigned most = 0;

	env_init(&e);
	env_dial(&e);
	e.call_verdict = L2TP_REFUSE;
	e.quiet = true;
	for (uint16_t i = 1; i < 2000 && e.t != NULL; i++) {
		peer_icrq(&e, i);
		l2tp_tunnel_info(e.t, &info);
		most = info.send_queue > most ? info.send_queue : most;
		if (info.state == L2TP_TS_DISCONNECTING)
			break;
	}
	CU_ASSERT(most > 100 && most < 200);
	CU_ASSERT_EQUAL(info.state, L2TP_TS_DISCONNECTING);
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_NO_RESOURCES);
	env_free(&e);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"repeated SCCRQ (E9)", test_repeated_sccrq},
	        {"restart with the same id", test_restart_with_same_id},
	        {"interleaved SCCRQs of many peers", test_interleaved_sccrqs},
	        {"rejected before a profile (E14)", test_rejected},
	        {"unknown mandatory attribute", test_unknown_mandatory},
	        {"unknown message", test_unknown_message},
	        {"messages out of place", test_out_of_place},
	        {"StopCCN without our id", test_stop_without_id},
	        {"malformed StopCCN", test_malformed_stop},
	        {"wrong path", test_wrong_path},
	        {"peer that never acknowledges", test_no_acks},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp hostile", tests);
}
