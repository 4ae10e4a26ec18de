/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What RFC 2661 demands of delivery, of keeping alive, and of the ends of tunnels and calls. */
#include "engine_env.h"

#include "l2tp/avp.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void close_tunnel(struct env *e)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	l2tp_tunnel_close(e->t, &res, e->now);
}

/*
 * 5.8: a tunnel that ends for another reason than a dead peer keeps its delivery for a full cycle
 * after the last exchange: what the peer had sent by then is acknowledged, in order.
 */
static void test_delivery_after_our_stop(void)
{
	uint32_t tunnels, calls, lingering;
	struct env e;

	env_init(&e);
	env_dial(&e);
	close_tunnel(&e);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	peer_zlb(&e);
	env_expect(&e, "tunnel_down tx:StopCCN tunnel_gone");
	l2tp_count(e.l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(tunnels, 0);
	CU_ASSERT_EQUAL(lingering, 1);
	/* The peer's own StopCCN, sent before it heard ours, arrives late, and once more. */
	env_run(&e, 20000);
	peer_stopccn(&e);
	env_expect(&e, "tx:ZLB");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ZLB);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, e.ns);
	e.ns--;
	peer_stopccn(&e);
	env_expect(&e, "tx:ZLB");
	/* What left a gap before it is not taken for received. */
	e.ns++;
	peer_begin(&e, L2TP_HELLO, 0);
	peer_send(&e);
	env_expect(&e, "");
	env_run(&e, 11000);
	l2tp_count(e.l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(lingering, 0);
	e.ns = 2;
	peer_stopccn(&e);
	env_expect(&e, "");
	env_free(&e);

	/* A peer that never acknowledged is gone: nothing is kept for it. */
	env_init(&e);
	env_dial(&e);
	close_tunnel(&e);
	env_run(&e, 31000);
	l2tp_count(e.l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(tunnels, 0);
	CU_ASSERT_EQUAL(lingering, 0);
	env_free(&e);
}

/* 5.8: what we cannot send because the peer's window is full does not hold back acknowledgements. */
static void test_acks_not_withheld(void)
{
	struct l2tp_tunnel_info info;
	struct env e;

	env_init(&e);
	env_dial(&e);
	e.quiet = true;
	for (uint16_t i = 0; i < 20; i++)
		peer_icrq(&e, (uint16_t)(40 + i));
	while (peer_get(&e) >= 0)
		e.nr = 1;
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT(info.send_queue > 8); /* blocked */
	CU_ASSERT_EQUAL(e.msg.hdr.nr, e.ns);
	e.quiet = false;
	e.log[0] = '\0';
	peer_begin(&e, L2TP_HELLO, 0);
	peer_send(&e);
	env_expect(&e, "tx:ZLB");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ZLB);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, e.ns);
	env_free(&e);
}

/* 5.8: Ns of an acknowledgement alone is not used up, and it is never acknowledged itself. */
static void test_zlb(void)
{
	struct env e;
	uint16_t ns;

	env_init(&e);
	env_dial(&e);
	ns = e.nr;
	for (int i = 0; i < 5; i++)
		peer_zlb(&e);
	env_expect(&e, "");
	for (int i = 0; i < 3; i++) {
		peer_begin(&e, L2TP_HELLO, 0);
		peer_send(&e);
		CU_ASSERT_EQUAL(peer_get(&e), L2TP_ZLB);
		CU_ASSERT_EQUAL(e.msg.hdr.ns, ns);
	}
	peer_icrq(&e, 11);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRP);
	CU_ASSERT_EQUAL(e.msg.hdr.ns, ns);
	env_free(&e);
}

/* 6.5: nobody may count on Hellos; a peer that sends none, and nothing else, is fine. */
static void test_no_hello_expected(void)
{
	struct env e;

	env_init(&e);
	e.conf.hello_ms = 0;
	e.conf.idle_ms = 0;
	env_dial(&e);
	env_run(&e, 86400000);
	env_expect(&e, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(e.t);
	close_tunnel(&e);
	env_free(&e);
}

/* 5.7: a StopCCN, from either side, takes all calls of its tunnel along, and no other's. */
static void test_stop_takes_all_calls(void)
{
	uint32_t tunnels, calls, lingering;
	struct l2tp_tunnel *first;
	struct env e;

	for (int ours = 0; ours < 2; ours++) {
		env_init(&e);
		env_dial(&e);
		env_call(&e, 11);
		first = e.t;
		e.path.remote.port = 4000;
		env_dial(&e);
		for (uint16_t i = 0; i < 5; i++)
			env_call(&e, (uint16_t)(20 + i));
		if (ours)
			close_tunnel(&e);
		else
			peer_stopccn(&e);
		l2tp_count(e.l, &tunnels, &calls, &lingering);
		CU_ASSERT_EQUAL(calls, 1);
		CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, 200));
		e.t = first;
		env_free(&e);
	}
}

/* 6.12: a CDN is cleaned up after and acknowledged, and answered by nothing else. */
static void test_cdn_is_not_answered(void)
{
	struct env e;

	env_init(&e);
	env_dial(&e);
	env_call(&e, 11);
	peer_icrq(&e, 12); /* one that is connecting */
	peer_drain(&e);
	e.log[0] = '\0';
	peer_cdn(&e, 200, 11);
	peer_cdn(&e, 201, 12);
	env_expect(&e, "call_gone tx:ZLB call_gone tx:ZLB");
	peer_cdn(&e, 201, 12); /* of a call that is no more */
	env_expect(&e, "tx:ZLB");
	env_run(&e, 50000);
	env_expect(&e, "");
	env_free(&e);
}

/* 4.4.4, 5.4: Sequencing Required decides, and only in the ICCN of that call. */
static void test_sequencing_required(void)
{
	struct l2tp_call_info info;
	struct l2tp_build *b;
	struct env e;

	env_init(&e);
	env_dial(&e);
	peer_icrq(&e, 11);
	peer_get(&e);
	b = peer_begin(&e, L2TP_ICCN, 200);
	l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 1);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	l2tp_build_empty(b, L2TP_AVP_SEQUENCING_REQUIRED);
	peer_send(&e);
	l2tp_call_info_get(l2tp_call_by_id(e.l, 200), &info);
	CU_ASSERT(info.sequencing && info.sequencing_required);
	peer_drain(&e);
	env_call(&e, 12);
	l2tp_call_info_get(l2tp_call_by_id(e.l, 201), &info);
	CU_ASSERT_FALSE(info.sequencing || info.sequencing_required);
	env_free(&e);
}

/* A tunnel that we opened to a peer with these Framing Capabilities, and a call that it answered. */
static struct l2tp_call *call_to(struct env *e, uint32_t framing)
{
	struct l2tp_call_conf cc = {.local_id = 300};
	struct l2tp_tunnel_conf conf;
	struct l2tp_build *b;
	struct l2tp_call *c;

	env_init(e);
	conf = e->conf;
	conf.local_id = e->next_tid++;
	e->t = l2tp_tunnel_open(e->l, &e->path, &conf, e, e->now);
	peer_get(e);
	b = peer_begin(e, L2TP_SCCRP, 0);
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, framing);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "them", 4);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, e->peer_tid);
	peer_send(e);
	c = l2tp_call_open(e->t, &cc, e, e->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	peer_drain(e);
	b = peer_begin(e, L2TP_ICRP, 300);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	peer_send(e);
	peer_drain(e);
	e->log[0] = '\0';
	return c;
}

/* 4.4.3: no call with a Framing Type that the peer has not offered. */
static void test_framing_type(void)
{
	struct l2tp_connect_info info = {.tx_speed = 1000, .framing_type = 2};
	struct l2tp_call *c;
	struct env e;

	c = call_to(&e, 2);
	l2tp_call_connect(c, &info, e.now);
	env_expect(&e, "tx:ICCN call_up");
	env_free(&e);
	c = call_to(&e, 1);
	l2tp_call_connect(c, &info, e.now);
	env_expect(&e, "call_gone tx:CDN");
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.result, 2);
	env_free(&e);
}

/* 4.4.5: the first byte of the Proxy Authen ID is zero. */
static void test_proxy_id(void)
{
	struct l2tp_connect_info info = {
	        .tx_speed = 1, .framing_type = 1, .proxy_auth_type = 2, .proxy_auth_id = 0x1234};
	const struct env_pkt *p;
	struct l2tp_call *c;
	bool found = false;
	struct env e;

	c = call_to(&e, 3);
	l2tp_call_connect(c, &info, e.now);
	CU_ASSERT_FATAL(e.sent_head != e.sent_tail);
	p = &e.sent[e.sent_head % ENV_SENT_MAX];
	for (size_t at = L2TP_HDR_LEN; at + L2TP_AVP_HDR < p->len;
	     at += l2tp_get16(p->pkt + at) & L2TP_AVP_LENGTH) {
		if (l2tp_get16(p->pkt + at + 4) != L2TP_AVP_PROXY_AUTH_ID)
			continue;
		found = true;
		CU_ASSERT_EQUAL(l2tp_get16(p->pkt + at + L2TP_AVP_HDR), 0x34);
	}
	CU_ASSERT(found);
	env_free(&e);
}

/* 4.4.6, 6: reserved fields are sent as zero. */
static void test_reserved_fields(void)
{
	uint8_t buf[256];
	struct l2tp_build b;

	memset(buf, 0xff, sizeof(buf));
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_WEN, 1, 2);
	l2tp_build_call_errors(&b, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), L2TP_HDR_LEN + 8 + L2TP_AVP_HDR + 26);
	CU_ASSERT_EQUAL(l2tp_get16(buf + L2TP_HDR_LEN + 8 + L2TP_AVP_HDR), 0);
	memset(buf, 0xff, sizeof(buf));
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SLI, 1, 2);
	l2tp_build_accm(&b, ~0u, ~0u);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), L2TP_HDR_LEN + 8 + L2TP_AVP_HDR + 10);
	CU_ASSERT_EQUAL(l2tp_get16(buf + L2TP_HDR_LEN + 8 + L2TP_AVP_HDR), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"delivery after our StopCCN", test_delivery_after_our_stop},
	        {"acknowledgements are not withheld", test_acks_not_withheld},
	        {"acknowledgements alone", test_zlb},
	        {"no Hello expected", test_no_hello_expected},
	        {"StopCCN takes all calls", test_stop_takes_all_calls},
	        {"CDN is not answered", test_cdn_is_not_answered},
	        {"Sequencing Required", test_sequencing_required},
	        {"Framing Type", test_framing_type},
	        {"Proxy Authen ID", test_proxy_id},
	        {"reserved fields", test_reserved_fields},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp demands: delivery and ends", tests);
}
