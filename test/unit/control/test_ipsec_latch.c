/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Single-shot over connections that IKE made: identity, latch, disconnect (spec/single-shot.md). */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

#include <string.h>

static struct sslink_msg last_msg(const struct rig *r, enum sslink_type type)
{
	for (uint32_t i = r->charon.n_msgs; i > 0; i--)
		if (r->charon.msgs[(i - 1) % RIG_MSGS].type == type)
			return r->charon.msgs[(i - 1) % RIG_MSGS];
	return (struct sslink_msg){0};
}

/* Position of the last event of a kind, -1: none. */
static int last_event(const struct rig *r, enum rig_op op, uint16_t type)
{
	for (int i = (int)r->n_events - 1; i >= 0; i--)
		if (r->events[i].op == op && (type == 0 || r->events[i].type == type))
			return i;
	return -1;
}

static int first_event(const struct rig *r, enum rig_op op, uint16_t type)
{
	for (int i = 0; i < (int)r->n_events; i++)
		if (r->events[i].op == op && (type == 0 || r->events[i].type == type))
			return i;
	return -1;
}

static struct ctl_session_view only_session(const struct rig *r)
{
	struct ctl_session_view v = {0};
	uint32_t cursor = 0;

	do {
		CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	} while (v.closing || v.destructing);
	return v;
}

/* T4, T14, T19, E5, E6: up, dial, hang up; the IKE_SA goes with the session, a new one gets in. */
static void test_dial(void)
{
	struct rig *r = must_rig();
	struct rig_pair p = {0};
	uint64_t conn = rig_connect(r, 1, 0, &p), other;
	struct ctl_session_view v;
	struct ctl_conn_view k;
	uint32_t spi;

	CU_ASSERT_NOT_EQUAL_FATAL(conn, 0);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	v = only_session(r);
	CU_ASSERT_EQUAL(v.mtu, 1384); /* RFC 3193 3.2 */
	k = rig_conn_view(r, conn);
	CU_ASSERT_EQUAL(k.state, CTL_CONN_UP);
	CU_ASSERT_EQUAL(v.worker, k.worker);
	CU_ASSERT_TRUE(k.used_by_single_shot && !k.fired);
	CU_ASSERT_EQUAL(k.n_sas, 2);
	CU_ASSERT_EQUAL(k.tunnel_id, v.tunnel_id);
	CU_ASSERT_STRING_EQUAL(k.remote_id, "client1.example");
	CU_ASSERT_STRING_EQUAL(k.profile, "lns");
	ctl_clear_session(r->ctl, v.id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* the StopCCN got through */
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_DISCONNECTING);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_sas, 1);
	rig_child_down(r, &p);
	rig_ike_down(r, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_DOWN);
	other = rig_connect(r, 2, 0, NULL);
	CU_ASSERT_TRUE(other != 0 && other != conn);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	rig_run(r, 601000);
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, conn)); /* E30 */
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 2);
	rig_free(r);
}

/* E1: one authentication, many children on as many ports: one connection, one guess. */
static void test_many_children(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 10000, NULL);

	for (uint16_t i = 1; i < 50; i++) {
		struct rig_pair p = {0};

		CU_ASSERT_EQUAL(rig_child_up(r, 1, (uint16_t)(10000 + i), &p), SSLINK_OK);
		CU_ASSERT_EQUAL(rig_conn_of(r, p.spi_in), conn);
	}
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 1);
	CU_ASSERT_EQUAL(r->n_children, 50);
	for (uint16_t i = 0; i < 50; i++)
		rig_dial(r, "ss-ipsec", (uint16_t)(10000 + i), conn, 1, "guess");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
	CU_ASSERT_EQUAL(must_stats(r).ss_tunnels, 1);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_children, 0);
	rig_free(r);
}

/* E2: a rekey with the session up; the session runs on, the marks stay; the old SAs may go. */
static void test_child_rekey(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a);
	struct sslink_msg m = {.type = SSLINK_CHILD_REKEY, .child_rekey = {.ike_id = 1}};
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), conn);
	CU_ASSERT_EQUAL(r->n_children, 1);
	m.child_rekey.old_spi_in = a.spi_in;
	m.child_rekey.new_spi_in = b.spi_in;
	rig_tell(r, &m);
	CU_ASSERT_EQUAL(last_event(r, RIG_SA_USE, 0), -1);
	rig_run(r, 2100);
	CU_ASSERT_NOT_EQUAL(last_event(r, RIG_SA_USE, 0), -1);
	rig_child_down(r, &a);
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).rekeys, 1);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_TRUE(ctl_conn(r->ctl, conn)->used_by_single_shot);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_sccrq, 1);
	lac_close(t, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_TUNNEL_STOPCCN_RX);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_free(r);
}

/* E3, E5: while fired or disconnecting there is no new SA, whatever its selectors. */
static void test_rekey_while_latched(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 1701, NULL);
	struct rig_pair p = {0};
	struct sslink_msg m;

	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK); /* the rekey had begun */
	p.ike = 1;
	p.spi_out = 77777;
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 1);
	CU_ASSERT_EQUAL_FATAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	CU_ASSERT_FALSE(ctl_conn(r->ctl, conn)->disconnecting); /* its StopCCN is on the way */
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 1701, &p), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 9999, &p), SSLINK_REFUSED);
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 9999, &p), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).refused_latched, 4);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_sas, 4);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
	rig_free(r);
}

/* E4: an IKEv2 rekey changes charon's id alone. */
static void test_ike_rekey(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 3, 0, NULL);
	struct rig_pair p = {0};

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_ike_rekey(r, 3, 4);
	rig_ike_down(r, 3); /* the old one goes */
	CU_ASSERT_EQUAL(rig_child_up(r, 4, 0, &p), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, p.spi_in), conn);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 4);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_rekeys, 1);
	/* told of as up before the rekey is */
	rig_ike_up(r, 5);
	rig_ike_rekey(r, 4, 5);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 5);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	ctl_clear_session(r->ctl, only_session(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 5);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 1);
	rig_free(r);
}

/* E4: an IKEv1 phase-1 renewal adopts the children; the connection moves with them. */
static void test_migrate(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_ike_up(r, 2);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_REFUSED); /* no second one by the old */
	rig_ike_down(r, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_UP);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), conn);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).migrations, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	rig_free(r);
}

/* E4: adopted children of a fired connection lose their SAs; the new IKE_SA begins unused. */
static void test_migrate_fired(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a), other;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 1);
	CU_ASSERT_FALSE(ctl_conn(r->ctl, conn)->disconnecting);
	rig_ike_up(r, 2);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->charon.n_delete_child, 1);
	CU_ASSERT_EQUAL(last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi, a.spi_in);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 1); /* not the new */
	rig_ike_down(r, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_OK);
	other = rig_conn_of(r, b.spi_in);
	CU_ASSERT_NOT_EQUAL(other, conn);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	/* .. and of one that is disconnecting: nothing is known of them here any more */
	ctl_clear_session(r->ctl, only_session(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 2);
	rig_ike_up(r, 3);
	rig_migrate(r, 2, 3, &b.spi_in, 1);
	CU_ASSERT_EQUAL(last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi, b.spi_in);
	rig_ike_down(r, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 3, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 3);
	rig_free(r);
}

/* E4, E5: an IKE_SA that has a connection of its own and adopts another's children beside it. */
static void test_two_of_one_ike(void)
{
	for (int first = 0; first < 2; first++) {
		struct rig *r = must_rig();
		struct rig_pair a = {0}, b = {0}, p = {0};
		uint64_t old = rig_connect(r, 1, 1701, &a), own = rig_connect(r, 2, 1701, &b);

		rig_dial(r, "ss-ipsec", 1701, old, 1, "pass1");
		rig_dial(r, "ss-ipsec", 1701, own, 1, "pass1");
		rig_run(r, UP_MS);
		rig_migrate(r, 1, 2, &a.spi_in, 1);
		rig_ike_down(r, 1);
		CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
		CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, first ? own : old, r->now_ms), 0);
		rig_run(r, 100);
		/* the other one's session runs on; neither gets a new SA for the one that ended */
		CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
		CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
		CU_ASSERT_EQUAL(last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi,
		                first ? b.spi_in : a.spi_in);
		CU_ASSERT_EQUAL(rig_child_up(r, 2, 9999, &p), first ? SSLINK_REFUSED : SSLINK_OK);
		CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, first ? old : own, r->now_ms), 0);
		rig_run(r, 100);
		CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
		CU_ASSERT_EQUAL(r->n_disconnected, 2);
		CU_ASSERT_EQUAL(r->n_sas, 0);
		rig_free(r);
	}
}

/* E5: all SAs deleted, the IKE_SA lives: the tunnel ends, and with it the connection's one try. */
static void test_no_sa(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a), std;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_child_down(r, &a);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_IPSEC_DOWN);
	CU_ASSERT_EQUAL(rig_count_dps(r), 0);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_REFUSED);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	/* a standard tunnel ends too, but the connection may have SAs again, and is the same */
	std = rig_connect(r, 2, 0, &a);
	rig_dial(r, "std-ipsec", 1701, std, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	rig_child_down(r, &a);
	CU_ASSERT_EQUAL(rig_conn_view(r, std).state, CTL_CONN_NO_SA);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), std);
	CU_ASSERT_TRUE(ctl_conn(r->ctl, std)->used_by_tunnel);
	rig_dial(r, "std-ipsec", 1701, std, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 3);
	rig_free(r);
}

/* E7: two clients behind one NAT with the same inner addresses and ports. */
static void test_same_nat(void)
{
	struct rig *r = must_rig();
	uint64_t a = rig_connect(r, 1, 0, NULL), b = rig_connect(r, 2, 0, NULL);

	CU_ASSERT_NOT_EQUAL(a, b);
	rig_dial(r, "ss-ipsec", 1701, a, 1, "wrong");
	rig_dial(r, "ss-ipsec", 1701, b, 1, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_fired(r, a), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(must_fired(r, b), SS_NONE);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 1);
	rig_free(r);
}

/* E8: the peer's port moves; same connection; a rekey with the new address joins the same child. */
static void test_nat_move(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a);
	struct endpoint to = {ipaddr_v4(RIG_PEER + 1), 15137}, us = {ipaddr_v4(RIG_LNS), 4500};
	struct ctl_conn_view k;
	struct sslink_msg m;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	for (int i = 0; i < 10; i++)
		rig_sa_event(r, a.spi_in, true, DP_SA_MAPPING, &to);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 1);
	m = last_msg(r, SSLINK_MAPPING);
	CU_ASSERT_TRUE(endpoint_eq(&m.mapping.remote, &to));
	for (int inbound = 0; inbound < 2; inbound++) {
		m = (struct sslink_msg){.type = SSLINK_UPDATE_SA};
		m.update_sa.spi = inbound ? a.spi_in : a.spi_out;
		m.update_sa.inbound = inbound;
		m.update_sa.encap = true;
		m.update_sa.src = m.update_sa.dst = (struct endpoint){ipaddr_v4(RIG_PEER), 4500};
		m.update_sa.new_src = inbound ? to : us;
		m.update_sa.new_dst = inbound ? us : to;
		CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	}
	CU_ASSERT_TRUE(endpoint_eq(&r->sa[rig_sa_id(r, a.spi_out, false) % RIG_SAS].s.peer, &to));
	k = rig_conn_view(r, conn);
	CU_ASSERT_TRUE(endpoint_eq(&k.peer, &to));
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).nat_moves, 1);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	/* the selectors of the next SA follow the outer address */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &b.spi_in), SSLINK_OK);
	b.ike = 1;
	b.spi_out = 99999;
	for (int inbound = 1; inbound >= 0; inbound--) {
		m = rig_add_msg(&b, inbound);
		m.add_sa.encap = true;
		m.add_sa.src = inbound ? to : us;
		m.add_sa.dst = inbound ? us : to;
		m.add_sa.remote_ts.first = m.add_sa.remote_ts.last = to.addr;
		CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	}
	CU_ASSERT_EQUAL(r->n_children, 1);
	rig_child_down(r, &a);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	rig_free(r);
}

/* E17, E18: IKE's delete first, or in the middle of ours: one signal at most, nothing is left. */
static void test_ike_down(void)
{
	struct rig *r = must_rig();
	struct rig_pair p = {0};
	uint64_t conn = rig_connect(r, 1, 0, &p);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_ike_down(r, 1);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(rig_count_dps(r), 0);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_IPSEC_DOWN);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK); /* charon's own, late */
	conn = rig_connect(r, 2, 0, &p);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	ctl_clear_session(r->ctl, only_session(r).id, r->now_ms);
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 1);
	rig_ike_down(r, 2);
	rig_run(r, 50000);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	rig_free(r);
}

/* E23, E19: the latch is written before CDN or StopCCN; the SAs go behind the last message. */
static void test_order(void)
{
	for (int how = 0; how < 4; how++) {
		struct rig *r = must_rig();
		uint64_t conn = rig_connect(r, 1, 0, NULL);
		struct lac_tunnel *t;
		int latch;

		t = rig_dial(r, "ss-ipsec", 1701, conn, 1, how == 0 ? "wrong" : "pass1");
		rig_run(r, UP_MS);
		if (how == 1)
			ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms);
		if (how == 2)
			lac_close(t, r->now_ms);
		if (how == 3)
			ctl_clear_conn(r->ctl, conn, r->now_ms);
		rig_run(r, 10000);
		latch = first_event(r, RIG_LATCH, 0);
		CU_ASSERT_TRUE_FATAL(latch >= 0);
		if (how == 0)
			CU_ASSERT_TRUE(latch < first_event(r, RIG_SEND, L2TP_CDN));
		if (how != 2)
			CU_ASSERT_TRUE(latch < first_event(r, RIG_SEND, L2TP_STOPCCN));
		CU_ASSERT_TRUE(last_event(r, RIG_SEND, 0) < first_event(r, RIG_SA_DEL, 0));
		CU_ASSERT_TRUE(last_event(r, RIG_SA_DEL, 0) < first_event(r, RIG_TERMINATE, 0));
		CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
		CU_ASSERT_EQUAL(r->tunnels_gone, 1);
		rig_free(r);
	}
}

/* E14 over IKE: what is answered leaves before the SAs go. */
static void test_rejected_order(void)
{
	struct rig *r = rig_new();
	uint64_t conn;

	r->profile.n_hosts = 1;
	r->profile.hosts = &r->hosts[3];
	rig_start(r);
	conn = rig_connect(r, 1, 1701, NULL);
	must_sccrq(r, conn, NULL, 7); /* no Host Name */
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_TUNNEL_FAILED);
	CU_ASSERT_TRUE(first_event(r, RIG_SEND, L2TP_STOPCCN) > first_event(r, RIG_LATCH, 0));
	rig_run(r, 100);
	CU_ASSERT_TRUE(first_event(r, RIG_SEND, L2TP_STOPCCN) < first_event(r, RIG_SA_DEL, 0));
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	/* T20: on a connection that has its tunnel such a message harms nothing */
	conn = rig_connect(r, 2, 1701, NULL);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	must_sccrq(r, conn, NULL, 8);
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	rig_free(r);
}

/* E23: SCCRQ twice in one burst, CDN and ICRQ back to back. */
static void test_bursts(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL);
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	struct lac_session *s;

	rig_dial(r, "ss-ipsec", 1702, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(must_stats(r).ss_tunnels, 1);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	s = lac_call(t, "user2", "pass2", r->now_ms);
	CU_ASSERT_PTR_NOT_NULL(s);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_icrq, 1);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	/* the CDN of the one session and an ICRQ right behind it */
	ctl_clear_session(r->ctl, only_session(r).id, r->now_ms);
	lac_call(t, "user2", "pass2", r->now_ms);
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 0);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_free(r);
}

/* E31: neither the peer nor the workers' acknowledgement, nor charon, is needed for the SAs to go. */
static void test_deaf(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	ctl_ike_link_down(r->ctl, r->now_ms);
	r->cut = true;
	ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms);
	rig_run(r, 40000);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_DISCONNECTING);
	r->cut = false;
	rig_link_up(r, r->charon.instance); /* charon was there all the time */
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_run(r, 61000); /* it never says that it is down */
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_DOWN);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	rig_free(r);
}

/* E32: the workers drop what comes for a latched child; what control sees is answered within limits. */
static void test_silence(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL), drops, tx;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	tx = must_stats(r).l2tp.tx;
	for (uint16_t i = 0; i < 100; i++)
		must_sccrq(r, conn, "ss-ipsec", (uint16_t)(100 + i));
	CU_ASSERT_EQUAL(must_stats(r).l2tp.tx, tx + 5);
	rig_run(r, 2000);
	for (uint16_t i = 0; i < 100; i++)
		must_sccrq(r, conn, "ss-ipsec", (uint16_t)(300 + i));
	CU_ASSERT_EQUAL(must_stats(r).l2tp.tx, tx + 7);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	ctl_clear_session(r->ctl, only_session(r).id, r->now_ms);
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 1);
	drops = r->latched_drops + r->no_sa_drops;
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_TRUE(r->latched_drops + r->no_sa_drops > drops);
	CU_ASSERT_EQUAL(must_stats(r).ss_tunnels, 1);
	rig_free(r);
}

/* T13, T13a, T13b: standard; the signal at the end of the last record, and not under a live tunnel. */
static void test_standard(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL), start;
	struct lac_tunnel *a = rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1"), *b;

	rig_run(r, UP_MS);
	b = rig_dial(r, "std-ipsec", 1702, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	lac_close(a, r->now_ms);
	rig_run(r, 300000);
	lac_close(b, r->now_ms);
	rig_run(r, 10);
	start = r->now_ms;
	b = rig_dial(r, "std-ipsec", 1702, conn, 1, "pass1");
	rig_run(r, 310000); /* the first record's end, with one live and one record */
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	rig_run(r, 300000);
	CU_ASSERT_TRUE(r->now_ms > start + 600000);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0); /* the live one holds it */
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	lac_close(b, r->now_ms);
	rig_run(r, 599000);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	rig_run(r, 2000);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T14: single-shot; the signal at the beginning of the destruct period, the record stays. */
static void test_single_shot_times(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL), down;
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

	rig_run(r, UP_MS);
	lac_close(t, r->now_ms);
	down = r->now_ms;
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_TRUE(r->disconnected_at[0] < down + 100);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_TRUE(must_newest_tunnel(r).destructing);
	rig_ike_down(r, 1);
	rig_run(r, 598000);
	CU_ASSERT_TRUE(must_newest_tunnel(r).destructing);
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_newest_tunnel(r).serial, 0);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_free(r);
}

/* T25, T26, T27: guesses over many connections. */
static void test_guesses(void)
{
	struct rig *r = must_rig();

	for (uint32_t i = 1; i <= 30; i++) {
		uint64_t conn = rig_connect(r, i, 0, NULL);

		rig_dial(r, "ss-ipsec", 1701, conn, 20, "guess");
		rig_dial(r, "ss-ipsec", 1702, conn, 20, "guess");
		if (i % 3 == 0)
			rig_run(r, 3000);
	}
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 30);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 30);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 30);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	rig_dial(r, "std-ipsec", 1701, rig_connect(r, 99, 0, NULL), 20, "guess");
	rig_run(r, 20000);
	CU_ASSERT_TRUE(must_stats(r).ppp_auths >= 50);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 31);
	rig_free(r);
}

/* E16: single-shot without enable-ipsec-transport; inside ESP the latch applies. */
static void test_transport(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL);

	rig_dial(r, "ss", 1701, conn, 1, "wrong");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	rig_free(r);
}

/* The child that a session is in goes, another one of the connection carries it on. */
static void test_other_child(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 1701, &a);
	struct ctl_session_view v;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	v = only_session(r);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_OK);
	rig_child_down(r, &a);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(r->child[r->dps[v.id].s.child].c.peer.port, 0);
	CU_ASSERT_EQUAL(r->n_children, 1);
	rig_child_down(r, &b);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 0);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"up, dial, down (T4, T14, T19, E5, E6, E30)", test_dial},
	        {"many children (E1)", test_many_children},
	        {"child rekey (E2)", test_child_rekey},
	        {"rekey while latched (E3, E5)", test_rekey_while_latched},
	        {"IKE rekey (E4)", test_ike_rekey},
	        {"children adopted (E4)", test_migrate},
	        {"children of a fired one adopted (E4)", test_migrate_fired},
	        {"two of one IKE_SA (E4, E5)", test_two_of_one_ike},
	        {"no SA left (E5, E17)", test_no_sa},
	        {"behind one NAT (E7)", test_same_nat},
	        {"NAT moves (E8)", test_nat_move},
	        {"IKE goes first (E17, E18)", test_ike_down},
	        {"order (E19, E23)", test_order},
	        {"order of a rejection (E14, T20)", test_rejected_order},
	        {"bursts (E23, T5, T16)", test_bursts},
	        {"nobody listens (E31)", test_deaf},
	        {"silence (E32)", test_silence},
	        {"standard (T13, T13a, T13b)", test_standard},
	        {"single-shot (T14)", test_single_shot_times},
	        {"guesses (T25, T26, T27)", test_guesses},
	        {"transport decides (E16)", test_transport},
	        {"another child carries on", test_other_child},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: single-shot", tests);
}
