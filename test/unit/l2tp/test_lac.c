/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The engine as initiator and as LAC: RFC 2661 7.2.1, 7.4.1, the tie breaker, and both ends at once. */
#include "engine_env.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_tunnel(struct env *e)
{
	struct l2tp_tunnel_conf conf = e->conf;

	conf.local_id = e->next_tid++;
	e->tid = e->ns = e->nr = 0;
	e->t = l2tp_tunnel_open(e->l, &e->path, &conf, e, e->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->t);
	CU_ASSERT_EQUAL(peer_next(e), L2TP_SCCRQ);
}

static void peer_sccrp(struct env *e)
{
	struct l2tp_build *b = peer_begin(e, L2TP_SCCRP, 0);

	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "them", 4);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, e->peer_tid);
	l2tp_build_u16(b, L2TP_AVP_RECEIVE_WINDOW_SIZE, 10);
	peer_send(e);
}

static void start(struct env *e)
{
	env_init(e);
	open_tunnel(e);
	peer_sccrp(e);
	peer_drain(e);
	env_expect(e, "tx:SCCRQ tx:SCCCN tunnel_up");
}

static struct l2tp_call *open_call(struct env *e)
{
	struct l2tp_call_conf conf = {.local_id = e->next_sid++,
	                              .serial = 77,
	                              .has_bearer = true,
	                              .bearer_type = 2,
	                              .sequencing = e->sequencing,
	                              .calling_number = "5551234",
	                              .called_number = "900"};

	return l2tp_call_open(e->t, &conf, e, e->now);
}

static void peer_icrp(struct env *e, uint16_t sid, uint16_t peer_sid)
{
	struct l2tp_build *b = peer_begin(e, L2TP_ICRP, sid);

	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, peer_sid);
	peer_send(e);
}

static void connect_call(struct env *e, struct l2tp_call *c)
{
	struct l2tp_connect_info info = {.tx_speed = 1000, .rx_speed = 500, .framing_type = 1};

	l2tp_call_connect(c, &info, e->now);
}

static void test_up(void)
{
	struct l2tp_tunnel_info info;
	struct env e;

	env_init(&e);
	open_tunnel(&e);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 0);
	CU_ASSERT(l2tp_msg_has(&e.msg, L2TP_AVP_TIE_BREAKER));
	CU_ASSERT_EQUAL(e.msg.rws, 4);
	peer_sccrp(&e);
	env_expect(&e, "tx:SCCRQ tx:SCCCN tunnel_up");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_SCCCN);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(e.msg.hdr.ns, 1);
	CU_ASSERT_EQUAL(e.msg.hdr.nr, 1);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT(info.initiated_by_us);
	CU_ASSERT_EQUAL(info.peer_id, 7);
	CU_ASSERT_EQUAL(info.peer_rws, 10);
	CU_ASSERT_EQUAL(info.state, L2TP_TS_ESTABLISHED);
	env_free(&e);
}

/* The exits of wait-ctl-reply. */
static void test_exits(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env e;

	/* refused by the peer */
	env_init(&e);
	open_tunnel(&e);
	peer_stopccn(&e);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:ZLB tunnel_gone");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ZLB);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	env_free(&e);

	/* an SCCCN is out of place */
	env_init(&e);
	open_tunnel(&e);
	peer_begin(&e, L2TP_SCCCN, 0);
	peer_send(&e);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(e.down.result, 7);
	env_free(&e);

	/* nobody there */
	env_init(&e);
	open_tunnel(&e);
	e.quiet = true;
	env_run(&e, 31000);
	env_expect(&e, "tx:SCCRQ tunnel_down tunnel_gone");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIMEOUT_CONTROL);
	env_free(&e);

	/* closed; then the SCCRP tells where the StopCCN has to go */
	env_init(&e);
	open_tunnel(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 0);
	CU_ASSERT_EQUAL(e.msg.assigned_tunnel_id, 100);
	e.nr = 1; /* as if it had been lost */
	peer_sccrp(&e);
	env_run(&e, 1000);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	peer_zlb(&e);
	CU_ASSERT_PTR_NULL(e.t);
	env_free(&e);

	/* an SCCRP without host name */
	env_init(&e);
	open_tunnel(&e);
	peer_begin(&e, L2TP_SCCRP, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	peer_send(&e);
	env_expect(&e, "tx:SCCRQ tunnel_down tx:StopCCN");
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_STOPCCN);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	env_free(&e);

	/* another protocol version */
	env_init(&e);
	open_tunnel(&e);
	peer_begin(&e, L2TP_SCCRP, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_PROTOCOL_VERSION, 0x0300);
	l2tp_build_u32(&e.b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&e.b, L2TP_AVP_HOST_NAME, "them", 4);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	peer_send(&e);
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_BAD_VERSION);
	CU_ASSERT_EQUAL(e.down.result, 5);
	env_free(&e);
}

static void test_open_refused(void)
{
	struct l2tp_tunnel_conf conf;
	struct l2tp_call_conf cc = {.local_id = 1};
	struct env e;

	env_init(&e);
	conf = e.conf;
	conf.local_id = 0;
	CU_ASSERT_PTR_NULL(l2tp_tunnel_open(e.l, &e.path, &conf, NULL, e.now));
	e.conf.max_calls = 2;
	open_tunnel(&e);
	conf.local_id = 100;
	CU_ASSERT_PTR_NULL(l2tp_tunnel_open(e.l, &e.path, &conf, NULL, e.now));
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_open(e.t, &cc, NULL, e.now));
	CU_ASSERT_PTR_NULL(l2tp_call_open(e.t, &cc, NULL, e.now));
	cc.local_id = 0;
	CU_ASSERT_PTR_NULL(l2tp_call_open(e.t, &cc, NULL, e.now));
	cc.local_id = 2;
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_open(e.t, &cc, NULL, e.now));
	cc.local_id = 3;
	CU_ASSERT_PTR_NULL(l2tp_call_open(e.t, &cc, NULL, e.now));
	peer_stopccn(&e);
	env_expect(&e, "tx:SCCRQ tunnel_down call_gone call_gone tx:ZLB tunnel_gone");
	env_free(&e);
}

static void test_call(void)
{
	struct l2tp_call_info info;
	struct l2tp_call *c;
	struct env e;

	start(&e);
	e.sequencing = true;
	c = open_call(&e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRQ);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 0);
	CU_ASSERT_EQUAL(e.msg.call_serial, 77);
	CU_ASSERT_EQUAL(e.msg.bearer_type, 2);
	CU_ASSERT_EQUAL(e.msg.calling_number.len, 7);
	CU_ASSERT_EQUAL(e.msg.called_number.len, 3);
	connect_call(&e, c); /* too early: nothing */
	peer_icrp(&e, 200, 11);
	env_expect(&e, "tx:ICRQ call_reply tx:ZLB");
	l2tp_call_info_get(c, &info);
	CU_ASSERT_EQUAL(info.state, L2TP_CS_WAIT_REPLY);
	connect_call(&e, c);
	env_expect(&e, "tx:ICCN call_up");
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICCN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 11);
	CU_ASSERT_EQUAL(e.msg.tx_speed, 1000);
	CU_ASSERT_EQUAL(e.msg.rx_speed, 500);
	CU_ASSERT(l2tp_msg_has(&e.msg, L2TP_AVP_SEQUENCING_REQUIRED));
	connect_call(&e, c); /* twice: nothing */
	env_expect(&e, "");
	l2tp_call_info_get(c, &info);
	CU_ASSERT_EQUAL(info.state, L2TP_CS_ESTABLISHED);
	CU_ASSERT_FALSE(info.lns);
	CU_ASSERT_EQUAL(info.peer_id, 11);
	CU_ASSERT_EQUAL(info.tx_speed, 1000);
	CU_ASSERT_STRING_EQUAL(info.calling_number, "5551234");
	peer_cdn(&e, 200, 11);
	env_expect(&e, "call_gone tx:ZLB");
	env_free(&e);
}

/* Proxy attributes travel; what does not fit into a message ends the call alone. */
static void test_connect_info(void)
{
	static const uint8_t lcp[1000] = {1, 4, 5, 0xd4};
	struct l2tp_connect_info info = {.tx_speed = 1, .framing_type = 1};
	struct l2tp_call *c;
	struct env e;

	start(&e);
	c = open_call(&e);
	peer_icrp(&e, 200, 11);
	info.initial_lcp.p = lcp;
	info.initial_lcp.len = 4;
	info.proxy_name.p = (const uint8_t *)"joe";
	info.proxy_name.len = 3;
	info.proxy_auth_type = 2;
	info.proxy_auth_id = 9;
	l2tp_call_connect(c, &info, e.now);
	peer_get(&e);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICCN);
	CU_ASSERT_EQUAL(e.msg.initial_lcp.len, 4);
	CU_ASSERT_EQUAL(e.msg.proxy_auth_name.len, 3);
	CU_ASSERT_EQUAL(e.msg.proxy_auth_type, 2);
	CU_ASSERT_EQUAL(e.msg.proxy_auth_id, 9);
	CU_ASSERT_FALSE(l2tp_msg_has(&e.msg, L2TP_AVP_RX_SPEED));
	c = open_call(&e);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICRQ);
	peer_icrp(&e, 201, 12);
	info.initial_lcp.p = info.last_tx_lcp.p = info.last_rx_lcp.p = info.proxy_challenge.p = lcp;
	info.initial_lcp.len = info.last_tx_lcp.len = info.last_rx_lcp.len =
	        info.proxy_challenge.len = sizeof(lcp);
	info.proxy_response = info.proxy_challenge;
	e.log[0] = '\0';
	l2tp_call_connect(c, &info, e.now);
	env_expect(&e, "call_gone tx:CDN");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_NO_RESOURCES);
	CU_ASSERT_PTR_NOT_NULL(l2tp_call_by_id(e.l, 200));
	env_free(&e);
}

/* Calls that were asked for before the tunnel was there. */
static void test_waiting_calls(void)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	open_tunnel(&e);
	open_call(&e);
	open_call(&e);
	l2tp_call_close(open_call(&e), &res, e.now);
	env_expect(&e, "tx:SCCRQ call_gone");
	peer_sccrp(&e);
	env_expect(&e, "tx:SCCCN tunnel_up tx:ICRQ"); /* a congestion window of 2 */
	peer_drain(&e);
	env_expect(&e, "tx:ICRQ");
	env_free(&e);
}

/* 7.4.1: the exits of wait-reply and established. */
static void test_call_exits(void)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct l2tp_call *c;
	struct env e;

	start(&e);
	c = open_call(&e); /* 200: refused by the peer, which knows only its own id for it */
	peer_drain(&e);
	peer_cdn(&e, 200, 11);
	env_expect(&e, "tx:ICRQ call_gone tx:ZLB");

	c = open_call(&e); /* 201: closed; the CDN has no id for the header yet */
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_ICRQ);
	l2tp_call_close(c, &res, e.now);
	peer_drain(&e);
	env_expect(&e, "tx:ICRQ call_gone tx:CDN");
	peer_icrp(&e, 201, 12); /* crosses it */
	env_expect(&e, "tx:ZLB");

	c = open_call(&e); /* 202: an ICCN is cleaned up after */
	peer_drain(&e);
	peer_iccn(&e, 202);
	env_expect(&e, "tx:ICRQ call_gone tx:ZLB");
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_FSM_ERROR);

	c = open_call(&e); /* 203: an ICRP twice */
	peer_drain(&e);
	peer_icrp(&e, 203, 13);
	peer_icrp(&e, 203, 14);
	env_expect(&e, "tx:ICRQ call_reply tx:ZLB call_gone tx:CDN");
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 13);
	peer_drain(&e);

	c = open_call(&e); /* 204: nothing comes */
	peer_drain(&e);
	env_run(&e, 59000);
	e.log[0] = '\0';
	env_run(&e, 1000);
	CU_ASSERT_EQUAL(e.gone.reason, L2TP_R_CALL_TIMEOUT_ESTABLISH);
	CU_ASSERT_EQUAL(e.gone.result, 10);
	env_free(&e);
}

/* SLI reaches an established call; WEN is a LAC's to send, but harmless. */
/* A peer that names its ends of our calls alike is put up with. */
static void test_same_session_ids(void)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct l2tp_call *c[5];
	struct env e;

	start(&e);
	for (size_t i = 0; i < 5; i++) {
		c[i] = open_call(&e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(c[i]);
		peer_icrp(&e, (uint16_t)(e.next_sid - 1), 9);
	}
	peer_drain(&e);
	e.quiet = true;
	l2tp_call_close(c[2], &res, e.now); /* between others */
	l2tp_call_close(c[4], &res, e.now); /* the newest */
	l2tp_call_close(c[0], &res, e.now); /* the oldest */
	CU_ASSERT_PTR_EQUAL(l2tp_call_next(e.t, NULL), c[1]);
	CU_ASSERT_PTR_EQUAL(l2tp_call_next(e.t, c[1]), c[3]);
	CU_ASSERT_PTR_NULL(l2tp_call_next(e.t, c[3]));
	peer_drain(&e);
	e.log[0] = '\0';
	peer_cdn(&e, 0, 9);
	peer_cdn(&e, 0, 9);
	peer_cdn(&e, 0, 9); /* of none any more */
	env_expect(&e, "call_gone call_gone");
	CU_ASSERT_PTR_NULL(l2tp_tunnel_first_call(e.t));
	CU_ASSERT_EQUAL(env_state(&e), L2TP_TS_ESTABLISHED);
	env_free(&e);
}

static void test_sli(void)
{
	struct l2tp_build *b;
	struct l2tp_call *c;
	struct env e;

	start(&e);
	c = open_call(&e);
	peer_drain(&e);
	peer_icrp(&e, 200, 11);
	connect_call(&e, c);
	peer_drain(&e);
	e.log[0] = '\0';
	b = peer_begin(&e, L2TP_SLI, 200);
	l2tp_build_accm(b, 1, 2);
	peer_send(&e);
	env_expect(&e, "info:SLI tx:ZLB");
	env_free(&e);
}

/* E34: one call on a single-shot tunnel of ours, and StopCCN when it ends. */
static void test_single_shot(void)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct env e;

	env_init(&e);
	e.conf.single_shot = true;
	open_tunnel(&e);
	CU_ASSERT_PTR_NOT_NULL(open_call(&e));
	CU_ASSERT_PTR_NULL(open_call(&e));
	peer_sccrp(&e);
	peer_drain(&e);
	peer_icrp(&e, 200, 11);
	connect_call(&e, l2tp_call_by_id(e.l, 200));
	CU_ASSERT_PTR_NULL(open_call(&e));
	peer_drain(&e);
	env_expect(&e, "tx:SCCRQ tx:SCCCN tunnel_up tx:ICRQ call_reply tx:ZLB tx:ICCN call_up");
	peer_cdn(&e, 200, 11);
	env_expect(&e, "call_gone tunnel_down tx:StopCCN");
	env_free(&e);

	/* The call is given up before the tunnel is there. */
	env_init(&e);
	e.conf.single_shot = true;
	open_tunnel(&e);
	l2tp_call_close(open_call(&e), &res, e.now);
	env_expect(&e, "tx:SCCRQ call_gone tunnel_down tx:StopCCN");
	env_free(&e);
}

/* A peer's SCCRQ while ours is out; tie: 0 none, else the difference to ours plus 10. */
static void collide(struct env *e, int tie)
{
	uint64_t ours;
	uint16_t tid;
	struct l2tp_build *b;

	env_init(e);
	open_tunnel(e);
	tid = e->tid;
	ours = e->msg.tie_breaker;
	e->log[0] = '\0';
	e->tid = 0;
	b = peer_begin(e, L2TP_SCCRQ, 0);
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "them", 4);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	if (tie != 0)
		l2tp_build_u64(b, L2TP_AVP_TIE_BREAKER, ours + (uint64_t)tie - 10);
	peer_send_as(e, 0);
	e->tid = tid;
}

/* E12 */
static void test_tie_breaker(void)
{
	struct env e;

	collide(&e, 11); /* ours is lower: theirs is dropped without a word */
	env_expect(&e, "");
	CU_ASSERT_EQUAL(e.n_tunnel_request, 0);
	peer_sccrp(&e);
	env_expect(&e, "tx:SCCCN tunnel_up");
	env_free(&e);

	collide(&e, 9); /* theirs is lower: ours goes in silence, theirs is served */
	env_expect(&e, "tunnel_down tunnel_gone tx:SCCRP");
	CU_ASSERT_EQUAL(e.down.reason, L2TP_R_TUNNEL_TIE_LOST);
	env_free(&e);

	collide(&e, 10); /* equal: neither */
	env_expect(&e, "tunnel_down tunnel_gone");
	CU_ASSERT_EQUAL(e.n_tunnel_request, 0);
	env_free(&e);

	collide(&e, 0); /* they have none: we win */
	env_expect(&e, "");
	env_free(&e);

	/* Another path, or a tunnel that has its SCCRP: no collision. */
	env_init(&e);
	open_tunnel(&e);
	peer_sccrp(&e);
	peer_drain(&e);
	open_tunnel(&e);
	e.path.remote.port = 1702;
	peer_sccrq(&e, 9, NULL, 0);
	env_expect(&e, "tx:SCCRQ tx:SCCCN tunnel_up tx:SCCRQ tx:SCCRP");
	env_free(&e);
}

static void connect_at_once(struct env *e, struct l2tp_call *c)
{
	connect_call(e, c);
}

/* Carries datagrams between two engines until nothing is on the way; 1 in loss is lost. */
static void shuttle(struct env *a, struct env *b, unsigned loss)
{
	for (unsigned idle = 0; idle < 2;) {
		struct env *from = idle == 0 ? a : b, *to = idle == 0 ? b : a;
		struct env_pkt *p;

		if (from->sent_head == from->sent_tail) {
			if (idle == 1 && a->sent_head != a->sent_tail)
				idle = 0;
			else
				idle++;
			continue;
		}
		p = &from->sent[from->sent_head++ % ENV_SENT_MAX];
		if (loss == 0 || (from->sent_head * 2654435761u >> 20) % loss != 0)
			peer_raw(to, &to->path, p->pkt, p->len);
	}
}

/* Two engines, LAC and LNS: many calls on one tunnel, hidden attributes, losses; then the end. */
static void test_both_ends(void)
{
	enum { CALLS = 500 };
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct env *lac = malloc(sizeof(*lac)), *lns = malloc(sizeof(*lns));
	struct l2tp_tunnel_info info;

	for (unsigned loss = 0; loss <= 7; loss += 7) {
		uint32_t ticks = 0;

		env_init(lac);
		env_init(lns);
		lac->quiet = lns->quiet = true;
		lac->path.local = lns->path.remote;
		lac->path.remote = lns->path.local;
		env_secret(lac, "s3cret", NULL);
		env_secret(lns, "s3cret", NULL);
		lac->conf.hide_avps = lns->conf.hide_avps = true;
		lac->conf.local_id = 55;
		lac->conf.rws = lns->conf.rws = 16;
		/* All requests stand before the first answer in the queue, and the net is slow. */
		lac->conf.call_establish_ms = lns->conf.call_establish_ms = 1800000;
		lac->next_sid = 3000;
		lac->on_call_reply = connect_at_once;
		lac->t = l2tp_tunnel_open(lac->l, &lac->path, &lac->conf, NULL, lac->now);
		for (int i = 0; i < CALLS; i++)
			CU_ASSERT_PTR_NOT_NULL_FATAL(open_call(lac));
		do {
			shuttle(lac, lns, loss);
			env_run(lac, 500);
			env_run(lns, 500);
			lac->log[0] = lns->log[0] = '\0';
			CU_ASSERT_PTR_NOT_NULL_FATAL(lac->t);
			l2tp_tunnel_info(lac->t, &info);
		} while ((info.calls_established < CALLS || info.send_queue > 0) &&
		         ticks++ < 10000);
		CU_ASSERT_PTR_NOT_NULL_FATAL(lns->t);
		l2tp_tunnel_info(lns->t, &info);
		CU_ASSERT_EQUAL(info.calls_established, CALLS);
		CU_ASSERT_EQUAL(info.calls_total, CALLS);
		CU_ASSERT(info.authenticated);
		CU_ASSERT_EQUAL(info.retransmits > 0, loss > 0);
		for (int i = 0; i < CALLS; i += 2)
			l2tp_call_close(l2tp_call_by_id(lac->l, (uint16_t)(3000 + i)), &res,
			                lac->now);
		do {
			shuttle(lac, lns, loss);
			env_run(lac, 500);
			env_run(lns, 500);
			l2tp_tunnel_info(lac->t, &info);
		} while (info.send_queue > 0 && ticks++ < 20000);
		l2tp_tunnel_info(lns->t, &info);
		CU_ASSERT_EQUAL(info.calls, CALLS / 2);
		l2tp_tunnel_close(lns->t, &res, lns->now);
		for (ticks = 0; ticks < 100; ticks++) {
			shuttle(lac, lns, loss);
			env_run(lac, 500);
			env_run(lns, 500);
		}
		CU_ASSERT_PTR_NULL(lac->t);
		CU_ASSERT_PTR_NULL(lns->t);
		env_free(lac);
		env_free(lns);
	}
	free(lac);
	free(lns);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"established", test_up},
	        {"exits of wait-ctl-reply", test_exits},
	        {"refusals of open", test_open_refused},
	        {"call", test_call},
	        {"proxy attributes", test_connect_info},
	        {"calls that wait for the tunnel", test_waiting_calls},
	        {"exits of a call", test_call_exits},
	        {"session ids alike", test_same_session_ids},
	        {"SLI", test_sli},
	        {"single-shot (E34)", test_single_shot},
	        {"tie breaker (E12)", test_tie_breaker},
	        {"both ends", test_both_ends},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp lac", tests);
}
