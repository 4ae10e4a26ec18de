/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "must.h"

#include <string.h>

struct ctl_stats must_stats(const struct rig *r)
{
	struct ctl_stats st;

	ctl_stats_get(r->ctl, &st);
	return st;
}

struct rig *must_rig(void)
{
	struct rig *r = rig_new();

	rig_start(r);
	return r;
}

enum ss_reason must_fired(const struct rig *r, uint64_t conn)
{
	const struct conn *k = ctl_conn(r->ctl, conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	return k->fired ? k->fired_reason : SS_NONE;
}

struct ctl_tunnel_view must_newest_tunnel(const struct rig *r)
{
	struct ctl_tunnel_view v, found = {0};
	uint32_t cursor = 0;

	while (ctl_tunnel_next(r->ctl, &cursor, r->now_ms, &v))
		if (v.serial > found.serial)
			found = v;
	return found;
}

void must_inject(struct rig *r, uint64_t conn, struct l2tp_build *b, uint16_t ns, uint16_t nr,
                 bool new_tunnel)
{
	struct dp_punt p = {
	        .class = new_tunnel ? DP_PUNT_L2TP_NEW : DP_PUNT_L2TP,
	        .data = b->buf,
	        .src = {ipaddr_v4(0xc000020b), 1701},
	        .dst = {ipaddr_v4(0xc0000201), 1701},
	        .conn = conn,
	};

	p.len = (uint32_t)l2tp_build_end(b);
	CU_ASSERT_NOT_EQUAL_FATAL(p.len, 0);
	l2tp_set_seq(b->buf, ns, nr);
	ctl_punt(r->ctl, &p, r->now_ms);
}

void must_sccrq(struct rig *r, uint64_t conn, const char *host, uint16_t peer_id)
{
	uint8_t buf[512];
	struct l2tp_build b;

	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCRQ, 0, 0);
	l2tp_build_u16(&b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_CAPS, 3);
	if (host != NULL)
		l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, host, strlen(host));
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, peer_id);
	must_inject(r, conn, &b, 0, 0, true);
}

void must_be_latched(struct rig *r, uint64_t conn, enum ss_reason why)
{
	uint32_t up = r->networks_up;
	uint64_t refused = must_stats(r).ss_refused_sccrq, other = ctl_conn_open(r->ctl);

	CU_ASSERT_EQUAL(must_fired(r, conn), why);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(r->disconnected[0], conn);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->networks_up, up);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, refused + 1);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, up + 1);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

struct sslink_msg must_last_msg(const struct rig *r, enum sslink_type type)
{
	for (uint32_t i = r->charon.n_msgs; i > 0; i--)
		if (r->charon.msgs[(i - 1) % RIG_MSGS].type == type)
			return r->charon.msgs[(i - 1) % RIG_MSGS];
	return (struct sslink_msg){0};
}

int must_last_event(const struct rig *r, enum rig_op op, uint16_t type)
{
	for (int i = (int)r->n_events - 1; i >= 0; i--)
		if (r->events[i].op == op && (type == 0 || r->events[i].type == type))
			return i;
	return -1;
}

int must_first_event(const struct rig *r, enum rig_op op, uint16_t type)
{
	for (int i = 0; i < (int)r->n_events; i++)
		if (r->events[i].op == op && (type == 0 || r->events[i].type == type))
			return i;
	return -1;
}

struct ctl_session_view must_session(const struct rig *r)
{
	struct ctl_session_view v = {0};
	uint32_t cursor = 0;

	do {
		CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	} while (v.closing || v.destructing);
	return v;
}
