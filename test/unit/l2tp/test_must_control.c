/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What RFC 2661 demands of every message on the wire, and of the control connection's beginning. */
#include "engine_env.h"

#include "l2tp/avp.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "sesame"

/* The oldest message that the peer has not read yet; NULL: none. */
static const struct env_pkt *next_sent(const struct env *e)
{
	return e->sent_head != e->sent_tail ? &e->sent[e->sent_head % ENV_SENT_MAX] : NULL;
}

/* Attributes: reserved bits clear, bits as the table has them, the vector before what is hidden. */
static void check_avps(const uint8_t *p, size_t len, bool secret)
{
	bool first = true, vector = false;

	while (len > 0) {
		const struct l2tp_avp_def *d;
		uint16_t flags, size;

		CU_ASSERT_FATAL(len >= L2TP_AVP_HDR);
		flags = l2tp_get16(p);
		size = flags & L2TP_AVP_LENGTH;
		CU_ASSERT_FATAL(size >= L2TP_AVP_HDR && size <= len);
		CU_ASSERT_EQUAL(flags & L2TP_AVP_RESERVED, 0);
		CU_ASSERT_EQUAL(l2tp_get16(p + 2), 0);
		d = l2tp_avp_find(l2tp_get16(p + 4));
		CU_ASSERT_PTR_NOT_NULL_FATAL(d);
		CU_ASSERT_EQUAL((flags & L2TP_AVP_M) != 0, (d->traits & L2TP_TRAIT_M) != 0);
		if ((flags & L2TP_AVP_H) != 0) {
			CU_ASSERT(secret && vector);
			CU_ASSERT((d->traits & L2TP_TRAIT_HIDE) != 0);
		}
		if (first) {
			CU_ASSERT_EQUAL(d->type, L2TP_AVP_MESSAGE_TYPE);
			CU_ASSERT_EQUAL(flags, (L2TP_AVP_M | 8));
		}
		vector = vector || d->type == L2TP_AVP_RANDOM_VECTOR;
		first = false;
		p += size;
		len -= size;
	}
}

/*
 * Reads all that was sent: each is a well-formed message with what section 6 demands of its type,
 * which l2tp_msg_parse checks. Returns the types as bits.
 */
static uint32_t check_sent(struct env *e)
{
	const struct env_pkt *p;
	uint32_t types = 0;

	while ((p = next_sent(e)) != NULL) {
		const uint8_t *h = p->pkt;
		int type;

		/* T, L and S, version 2, and nothing else (3.1) */
		CU_ASSERT_EQUAL(l2tp_get16(h), 0xc802);
		CU_ASSERT_EQUAL(l2tp_get16(h + 2), p->len);
		check_avps(h + L2TP_HDR_LEN, p->len - L2TP_HDR_LEN, e->secret != NULL);
		type = peer_get(e);
		CU_ASSERT_FATAL(type >= 0 && type < 32);
		types |= 1u << type;
	}
	peer_zlb(e);
	return types;
}

#define BIT(t) (1u << L2TP_##t)

/* A tunnel and its calls as LNS, with all that we send on the way. */
static uint32_t life_as_lns(bool hide)
{
	struct l2tp_result res = {.result = 2, .has_error = true, .error = 6, .message = "over"};
	uint32_t types = 0;
	struct env e;

	env_init(&e);
	if (hide)
		env_secret(&e, SECRET, SECRET);
	e.conf.idle_ms = 0;
	e.conf.hide_avps = hide;
	peer_sccrq(&e, 7, hide ? "challenge" : NULL, hide ? 9 : 0);
	types |= check_sent(&e);
	peer_scccn(&e);
	types |= check_sent(&e);
	peer_icrq(&e, 11);
	types |= check_sent(&e);
	peer_iccn(&e, 200);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e.c);
	l2tp_call_send_sli(e.c, 0xffffffff, 1, e.now);
	types |= check_sent(&e);
	l2tp_call_close(e.c, &res, e.now);
	types |= check_sent(&e);
	env_run(&e, 60000);
	types |= check_sent(&e);
	l2tp_tunnel_close(e.t, &res, e.now);
	types |= check_sent(&e);
	env_free(&e);
	return types;
}

static void open_tunnel(struct env *e)
{
	struct l2tp_tunnel_conf conf = e->conf;

	conf.local_id = e->next_tid++;
	e->tid = e->ns = e->nr = 0;
	e->t = l2tp_tunnel_open(e->l, &e->path, &conf, e, e->now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->t);
}

static void answer_tunnel(struct env *e, uint32_t framing)
{
	struct l2tp_build *b;

	peer_get(e);
	b = peer_begin(e, L2TP_SCCRP, 0);
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, framing);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "them", 4);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, e->peer_tid);
	peer_send(e);
}

static struct l2tp_call *open_call(struct env *e, uint16_t peer_sid)
{
	struct l2tp_call_conf conf = {.local_id = e->next_sid++, .serial = 77};
	struct l2tp_call *c = l2tp_call_open(e->t, &conf, e, e->now);
	struct l2tp_build *b;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	if (peer_sid == 0)
		return c;
	peer_drain(e);
	b = peer_begin(e, L2TP_ICRP, conf.local_id);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, peer_sid);
	peer_send(e);
	return c;
}

static void test_every_message(void)
{
	const uint32_t lns =
	        BIT(SCCRP) | BIT(ICRP) | BIT(SLI) | BIT(CDN) | BIT(HELLO) | BIT(STOPCCN) | BIT(ZLB);
	struct l2tp_connect_info info = {.tx_speed = 1000, .rx_speed = 500, .framing_type = 1};
	struct l2tp_call *c;
	uint32_t types;
	struct env e;

	CU_ASSERT_EQUAL(life_as_lns(false), lns);
	CU_ASSERT_EQUAL(life_as_lns(true), lns);

	env_init(&e);
	open_tunnel(&e);
	CU_ASSERT_EQUAL(l2tp_get16(next_sent(&e)->pkt), 0xc802);
	check_avps(next_sent(&e)->pkt + L2TP_HDR_LEN, next_sent(&e)->len - L2TP_HDR_LEN, false);
	answer_tunnel(&e, 3);
	types = check_sent(&e);
	c = open_call(&e, 0);
	types |= check_sent(&e);
	peer_begin(&e, L2TP_ICRP, 200);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_SESSION_ID, 11);
	peer_send(&e);
	l2tp_call_connect(c, &info, e.now);
	types |= check_sent(&e);
	CU_ASSERT_EQUAL(types, BIT(SCCCN) | BIT(ICRQ) | BIT(ICCN) | BIT(ZLB));
	env_free(&e);
}

/* Ids in headers: 0 as long as the peer has assigned none, the peer's own from then on (5.3). */
static void test_header_ids(void)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct l2tp_call *c;
	struct env e;

	env_init(&e);
	open_tunnel(&e);
	CU_ASSERT_EQUAL(l2tp_get16(next_sent(&e)->pkt + 4), 0);
	answer_tunnel(&e, 3);
	peer_drain(&e);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	c = open_call(&e, 0);
	CU_ASSERT_EQUAL(peer_get(&e), L2TP_ICRQ);
	CU_ASSERT_EQUAL(e.msg.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 0);
	CU_ASSERT_EQUAL(e.msg.assigned_session_id, 200);
	/* A CDN before the ICRP: 0 in the header, the Assigned Session ID AVP tells the call. */
	l2tp_call_close(c, &res, e.now);
	peer_zlb(&e);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 0);
	CU_ASSERT_EQUAL(e.msg.assigned_session_id, 200);
	peer_zlb(&e);
	/* After it: the peer's id; and the AVP is still ours. */
	c = open_call(&e, 12);
	l2tp_call_close(c, &res, e.now);
	CU_ASSERT_EQUAL(peer_next(&e), L2TP_CDN);
	CU_ASSERT_EQUAL(e.msg.hdr.session_id, 12);
	CU_ASSERT_EQUAL(e.msg.assigned_session_id, 201);
	env_free(&e);
}

/* L2F is version 1, L2TPv3 is 3: neither is answered, in a tunnel or before one (3.1, 8.1). */
static void test_other_versions(void)
{
	struct l2tp_stats st;
	struct env e;

	env_init(&e);
	for (uint8_t ver = 0; ver < 16; ver++) {
		if (ver == L2TP_VERSION)
			continue;
		peer_begin(&e, L2TP_SCCRQ, 0);
		l2tp_build_u16(&e.b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
		l2tp_build_u32(&e.b, L2TP_AVP_FRAMING_CAPS, 3);
		l2tp_build_bytes(&e.b, L2TP_AVP_HOST_NAME, "lac", 3);
		l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
		e.buf[1] = ver;
		peer_send_as(&e, 0);
	}
	CU_ASSERT_EQUAL(e.n_tunnel_request, 0);
	env_expect(&e, "");
	env_dial(&e);
	peer_begin(&e, L2TP_STOPCCN, 0);
	l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	l2tp_build_result(&e.b, 1, false, 0, NULL);
	e.buf[1] = 3;
	peer_send_as(&e, e.ns);
	env_expect(&e, "");
	l2tp_stats_get(e.l, &st);
	CU_ASSERT_EQUAL(st.rx_malformed, 16);
	env_free(&e);
}

/* Control without L or S, or with O or P, is none (3.1); reserved bits are not looked at. */
static void test_header_bits(void)
{
	static const struct {
		uint8_t flags;
		bool good;
	} forms[] = {{0xc8, true},  {0xf8, true},  {0xcc, true},  {0x88, false},
	             {0xc0, false}, {0xca, false}, {0xc9, false}, {0x48, false}};
	struct env e;

	env_init(&e);
	env_dial(&e);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		peer_begin(&e, L2TP_HELLO, 0);
		e.buf[0] = forms[i].flags;
		peer_send_as(&e, e.ns);
		env_expect(&e, forms[i].good ? "tx:ZLB" : "");
		e.ns += forms[i].good;
	}
	env_free(&e);
}

/* 4.4.2: what stands in an error message is UTF-8, whatever made the error. */
static void test_error_text(void)
{
	struct env e;

	for (int i = 0; i < 4; i++) {
		env_init(&e);
		if (i == 0) { /* nothing that must be there */
			peer_begin(&e, L2TP_SCCRQ, 0);
			l2tp_build_u16(&e.b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
			peer_send(&e);
		} else if (i == 1) { /* a challenge, and no secret */
			peer_sccrq(&e, 7, "\xff\xfe", 2);
		} else { /* out of place; unknown mandatory attribute */
			env_dial(&e);
			peer_begin(&e, i == 2 ? L2TP_SCCCN : L2TP_HELLO, 0);
			memcpy(&e.buf[e.b.len], "\x80\x08\0\0\x03\xe7\xff\xfe", 8);
			e.b.len += 8;
			peer_send(&e);
		}
		CU_ASSERT_EQUAL(peer_next(&e), L2TP_STOPCCN);
		for (size_t k = 0; k < e.msg.error_message.len; k++)
			CU_ASSERT(e.msg.error_message.p[k] >= 32 && e.msg.error_message.p[k] < 127);
		env_free(&e);
	}
}

/* 4.4.3: a peer that does not tell its window has one of four, and 5.8: all four are used. */
static void test_window_untold(void)
{
	struct l2tp_tunnel_info info;
	struct l2tp_build *b;
	unsigned sent = 0;
	struct env e;

	env_init(&e);
	b = peer_begin(&e, L2TP_SCCRQ, 0);
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "lac", 3);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 7);
	peer_send(&e);
	peer_get(&e);
	peer_scccn(&e);
	peer_drain(&e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e.t);
	l2tp_tunnel_info(e.t, &info);
	CU_ASSERT_EQUAL(info.peer_rws, 4);
	for (uint16_t i = 0; i < 6; i++) /* the congestion window grows */
		env_call(&e, (uint16_t)(20 + i));
	for (uint16_t i = 0; i < 8; i++)
		peer_icrq(&e, (uint16_t)(40 + i));
	while (next_sent(&e) != NULL) {
		uint16_t nr = e.nr;

		if (peer_get(&e) == L2TP_ICRP)
			sent++;
		e.nr = nr; /* none of them is acknowledged */
	}
	CU_ASSERT_EQUAL(sent, 4);
	env_free(&e);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"every message on the wire", test_every_message},
	        {"ids in headers", test_header_ids},
	        {"other versions", test_other_versions},
	        {"header bits", test_header_bits},
	        {"text of errors", test_error_text},
	        {"window not told", test_window_untold},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp demands: messages", tests);
}
