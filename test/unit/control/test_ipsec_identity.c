/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What is one connection and what is another: rekeying, renewal, NAT (spec/single-shot.md 3.2). */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

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
	CU_ASSERT_EQUAL(must_last_event(r, RIG_SA_USE, 0), -1);
	rig_run(r, 2100);
	CU_ASSERT_NOT_EQUAL(must_last_event(r, RIG_SA_USE, 0), -1);
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
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 5);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 1);
	rig_free(r);
}

/* E4, E5: an IKE_SA that is rekeyed while it is told to end: the new one has to end, too. */
static void test_rekey_crosses_end(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 3, 0, NULL);
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	struct rig_pair p = {0};

	rig_run(r, UP_MS);
	lac_close(t, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 3);
	rig_ike_rekey(r, 3, 4); /* sent before charon had read that */
	CU_ASSERT_EQUAL(r->charon.n_terminate, 2);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 4);
	CU_ASSERT_EQUAL(rig_child_up(r, 4, 0, &p), SSLINK_REFUSED);
	rig_ike_down(r, 4);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	rig_free(r);
}

/* The link is lost with the order to end IKE_SA 3, and comes back when that was long ago: which it is then. */
static void end_without_link(uint32_t id)
{
	struct sslink_msg renewal = {.type = SSLINK_IKE_REKEY,
	                             .ike_rekey = {.old_id = 3, .new_id = id}};
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 3, 0, NULL);
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	struct rig_pair p = {0};

	rig_run(r, UP_MS);
	lac_close(t, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_run(r, 200000);
	rig_link_hello(r, 1); /* the same charon */
	if (id != 3) {
		rig_ike_rekey(r, 3, id);
		rig_tell(r, &renewal); /* some are told twice */
	}
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 2);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, id);
	CU_ASSERT_EQUAL(rig_child_up(r, id, 0, &p), SSLINK_REFUSED);
	rig_ike_down(r, id);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	rig_free(r);
}

/* E1, E5 */
static void test_end_without_link(void)
{
	end_without_link(3);
	end_without_link(4);
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

/* IKEv1 has authenticated the peer once more. */
static void main_mode(struct rig *r, uint32_t old_id, uint32_t new_id, uint32_t spi)
{
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = rig_ike(new_id)};

	rig_ike_up(r, new_id);
	m.ike_up.version = 1;
	rig_tell(r, &m);
	rig_migrate(r, old_id, new_id, &spi, 1);
	rig_ike_down(r, old_id);
}

/*
 * E6 under IKEv1: a client that has lost its memory authenticates anew, and its new IKE_SA adopts what it
 * had. It may have one tunnel for that, in place of the old one.
 */
static void test_begins_anew(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	main_mode(r, 1, 2, a.spi_in);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1); /* a renewal disturbs nothing */
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), conn);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass2"); /* wrong: one guess */
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 0);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 2);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 2);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* .. and one only. */
static void test_anew_once(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	main_mode(r, 1, 2, a.spi_in);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 0);
	CU_ASSERT_FALSE(ctl_conn(r->ctl, conn)->fired);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	rig_free(r);
}

/* .. and none before its main mode is over: charon renews, and tells of the adoption first. */
static void test_not_anew_before(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0};
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = rig_ike(1)};
	uint64_t conn = rig_connect(r, 1, 0, &a);

	m.ike_up.version = 1;
	rig_tell(r, &m);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 2);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass2");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	rig_free(r);
}

/* .. and none for an authentication that has a connection of its own already. */
static void test_not_anew_beside(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = rig_ike(2)};
	uint64_t old = rig_connect(r, 1, 1701, &a), own = rig_connect(r, 2, 1701, &b);

	m.ike_up.version = 1;
	rig_tell(r, &m);
	rig_dial(r, "ss-ipsec", 1701, old, 1, "pass1");
	rig_dial(r, "ss-ipsec", 1701, own, 1, "pass1");
	rig_run(r, UP_MS);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	rig_ike_down(r, 1);
	rig_dial(r, "ss-ipsec", 1701, old, 1, "pass1");
	rig_dial(r, "ss-ipsec", 1701, own, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
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
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi, a.spi_in);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id,
	                1); /* not the new */
	rig_ike_down(r, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_OK);
	other = rig_conn_of(r, b.spi_in);
	CU_ASSERT_NOT_EQUAL(other, conn);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	/* .. and of one that is disconnecting: nothing is known of them here any more */
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 2);
	rig_ike_up(r, 3);
	rig_migrate(r, 2, 3, &b.spi_in, 1);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi, b.spi_in);
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
		CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi,
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

/* E5: .. of which the adopted one has no tunnel, and is the last to lose its SAs. */
static void test_adopted_goes_last(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t old = rig_connect(r, 1, 1701, &a), own = rig_connect(r, 2, 1701, &b);

	rig_migrate(r, 1, 2, &a.spi_in, 1);
	rig_ike_down(r, 1);
	rig_dial(r, "ss-ipsec", 1701, own, 1, "wrong");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_fired(r, own), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	rig_child_down(r, &a);
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, old));
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_free(r);
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
	CU_ASSERT_NOT_EQUAL(rig_conn_view(r, a).worker, rig_conn_view(r, b).worker);
	rig_dial(r, "ss-ipsec", 1701, a, 1, "wrong");
	rig_dial(r, "ss-ipsec", 1701, b, 1, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_fired(r, a), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(must_fired(r, b), SS_NONE);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 1);
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
	m = must_last_msg(r, SSLINK_MAPPING);
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

/* The child that a session is in goes, another one of the connection carries it on. */
static void test_other_child(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 1701, &a);
	struct ctl_session_view v;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	v = must_session(r);
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

#define MANY 300

static uint32_t on_child(const struct rig *r, uint32_t port)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < 65536; i++)
		n += r->dps[i].used && r->child[r->dps[i].s.child].c.peer.port == port;
	return n;
}

/* The same for hundreds of sessions: some in each turn, and when there is no room for orders, later. */
static void many_change_child(uint32_t room)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 1701, &a);

	rig_dial(r, "std-ipsec", 1701, conn, MANY, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, MANY);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_OK);
	r->update_room = room;
	r->most_updates = 0;
	rig_child_down(r, &a);
	CU_ASSERT(on_child(r, 1701) >= MANY - 2 * 64 && on_child(r, 1701) < MANY);
	CU_ASSERT_EQUAL(r->n_children, 2);
	for (int i = 0; i < 100; i++)
		rig_run(r, 10); /* a turn at least every 10 ms, as the event loop has */
	CU_ASSERT_EQUAL(on_child(r, 0), MANY);
	CU_ASSERT_EQUAL(r->n_children, 1);
	CU_ASSERT(r->most_updates > 0 && r->most_updates <= (room != 0 ? room : 64));
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, MANY);
	r->update_room = 0;
	/* Both go while they move: what is left has nowhere to go. */
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 1701, &a), SSLINK_OK);
	rig_child_down(r, &b);
	rig_child_down(r, &a);
	rig_run(r, 200);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 0);
	CU_ASSERT_EQUAL(r->n_children, 0);
	rig_free(r);
}

static void test_many_change_child(void)
{
	many_change_child(0);
	many_change_child(10);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"many children (E1)", test_many_children},
	        {"child rekey (E2)", test_child_rekey},
	        {"rekey while latched (E3, E5)", test_rekey_while_latched},
	        {"IKE rekey (E4)", test_ike_rekey},
	        {"rekey crosses the end (E4, E5)", test_rekey_crosses_end},
	        {"an end without a link (E1, E5)", test_end_without_link},
	        {"children adopted (E4)", test_migrate},
	        {"a client begins anew (E6)", test_begins_anew},
	        {"anew once (E6)", test_anew_once},
	        {"not anew before (E6)", test_not_anew_before},
	        {"not anew beside (E6)", test_not_anew_beside},
	        {"children of a fired one adopted (E4)", test_migrate_fired},
	        {"two of one IKE_SA (E4, E5)", test_two_of_one_ike},
	        {"the adopted one goes last (E5)", test_adopted_goes_last},
	        {"no SA left (E5, E17)", test_no_sa},
	        {"behind one NAT (E7)", test_same_nat},
	        {"NAT moves (E8)", test_nat_move},
	        {"another child carries on", test_other_child},
	        {"another child carries hundreds on", test_many_change_child},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: identity", tests);
}
