/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* News of IKE_SAs that come late, twice or not at all: what a replay shows is so (spec/single-shot.md 3.2, E1, E4). */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

/* IKEv1 has authenticated a peer. */
static void main_mode(struct rig *r, uint32_t id)
{
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = rig_ike(id)};

	rig_ike_up(r, id);
	m.ike_up.version = 1;
	rig_tell(r, &m);
}

/* .. whose children are now those of IKE_SA id. */
static uint8_t replay(struct rig *r, const struct rig_pair *p, uint32_t id)
{
	uint8_t status = SSLINK_OK;

	for (int inbound = 1; inbound >= 0 && status == SSLINK_OK; inbound--) {
		struct sslink_msg m = rig_add_msg(p, inbound);

		m.add_sa.resync = true;
		m.add_sa.ike = rig_ike(id);
		m.add_sa.ike.version = 1;
		status = rig_ask(r, &m);
	}
	return status;
}

/* An IKEv1 peer with its session; then the link is lost. */
static uint64_t up_and_lost(struct rig *r, struct rig_pair *p)
{
	uint64_t conn;

	if (r->charon.instance == 0)
		rig_link_up(r, 1);
	main_mode(r, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, p), SSLINK_OK);
	conn = rig_conn_of(r, p->spi_in);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT(must_stats(r).sessions.active > 0);
	ctl_ike_link_down(r->ctl, r->now_ms);
	return conn;
}

/* Two adoptions during one replay, which shows the second; the news of both come behind it. */
static void test_stale(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = up_and_lost(r, &a);

	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &a, 3), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	main_mode(r, 2);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 3);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).stale_migrations, 1);
	rig_ike_down(r, 1);
	main_mode(r, 3);
	rig_migrate(r, 2, 3, &a.spi_in, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_REFUSED);
	rig_ike_down(r, 2);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_UP);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 3);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).migrations, 1);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).stale_migrations, 1);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 3, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), conn);
	/* the latch is where the connection is */
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 3);
	CU_ASSERT_EQUAL(rig_child_up(r, 3, 0, &b), SSLINK_REFUSED);
	rig_free(r);
}

/* All of it told twice changes nothing, and buys nothing. */
static void test_twice(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = up_and_lost(r, &a);

	rig_link_up(r, 1); /* .. has been forgotten there: an orphan, which is adopted after all */
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_ORPHAN);
	main_mode(r, 2);
	main_mode(r, 3);
	for (int i = 0; i < 3; i++) {
		rig_migrate(r, 1, 2, &a.spi_in, 1);
		rig_migrate(r, 2, 3, &a.spi_in, 1);
	}
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_UP);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 3);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).migrations, 2);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).stale_migrations, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_child_up(r, 3, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), conn);
	for (int i = 0; i < 3; i++) {
		rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
		rig_run(r, UP_MS);
		rig_migrate(r, 1, 2, &a.spi_in, 1);
		rig_migrate(r, 2, 3, &a.spi_in, 1);
	}
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 2); /* the first, and one anew */
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 2);
	rig_free(r);
}

/*
 * E1: the replay shows an adoption that was never heard of, or will be later. The old IKE_SA lives on for
 * seconds: it has had its connection.
 */
static void unheard(bool later)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = up_and_lost(r, &a);

	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &a, 2), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	if (later) {
		main_mode(r, 2);
		rig_migrate(r, 1, 2, &a.spi_in, 1);
	} else {
		r->conn_renewals[conn % RIG_CONNS]++;
	}
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 1);
	/* The new one has authenticated its peer, and buys one tunnel; heard of late, no other. */
	for (int i = 0; i < 3; i++) {
		rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
		rig_run(r, UP_MS);
		if (later)
			rig_migrate(r, 1, 2, &a.spi_in, 1);
	}
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(must_stats(r).ss_refused_sccrq, 2);
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 2);
	rig_ike_down(r, 1);
	rig_ike_down(r, 2);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	rig_free(r);
}

static void test_unheard(void)
{
	unheard(false);
	unheard(true);
}

/* .. by an IKE_SA that has a connection of its own: both go on. */
static void test_unheard_beside(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0}, p = {0};
	uint64_t own;

	rig_link_up(r, 1);
	main_mode(r, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &b), SSLINK_OK);
	own = rig_conn_of(r, b.spi_in);
	rig_dial(r, "ss-ipsec", 1701, own, 1, "pass1");
	up_and_lost(r, &a);
	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &a, 2), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &b, 2), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 9999, &p), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, p.spi_in), own);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &p), SSLINK_REFUSED);
	rig_free(r);
}

/* The first of two adoptions was lost, the second is told before the replay. */
static void test_half_heard(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = up_and_lost(r, &a);

	rig_link_hello(r, 1);
	rig_migrate(r, 2, 3, &a.spi_in, 1);
	CU_ASSERT_EQUAL(replay(r, &a, 3), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 3);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &b), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_child_up(r, 3, 0, &b), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_of(r, b.spi_in), conn);
	rig_ike_down(r, 3);
	rig_free(r);
}

/* E1: an IKE_SA whose connection has ended is renewed, and the new one was quicker to ask. */
static void test_request_overtakes(void)
{
	struct rig *r = must_rig();
	struct sslink_msg flush = {.type = SSLINK_FLUSH_SAS};
	struct rig_pair p = {0};
	uint64_t conn = rig_connect(r, 3, 0, NULL);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(rig_ask(r, &flush), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_child_up(r, 4, 0, &p), SSLINK_OK);
	conn = rig_conn_of(r, p.spi_in);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_ike_rekey(r, 3, 4);
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(rig_child_up(r, 4, 0, &p), SSLINK_REFUSED);
	rig_free(r);
}

/*
 * While charon gives the children to the new IKE_SA nothing keeps that from going: of its end is told
 * first, and once. Nothing is left of it all the same.
 */
static void test_gone_before(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0};

	rig_link_up(r, 1);
	main_mode(r, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &a), SSLINK_OK);
	main_mode(r, 2);
	rig_ike_down(r, 2);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	rig_child_down(r, &a);
	rig_ike_down(r, 1);
	rig_run(r, 61000);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	rig_free(r);
}

/* Stale news of an IKE_SA that is gone make none that nobody would tell the end of. */
static void test_stale_makes_none(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0};
	uint64_t conn = up_and_lost(r, &a);
	uint32_t husk = 0xdead;

	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &a, 3), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	rig_ike_down(r, 1);
	rig_migrate(r, 1, 2, &a.spi_in, 1);
	rig_migrate(r, 1, 2, &husk, 1);
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_DELETE_CHILD).sa_id.spi, husk);
	rig_migrate(r, 0, 2, &a.spi_in, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).ike_id, 3);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 1);
	rig_ike_down(r, 3);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"adoptions that come too late (E4)", test_stale},
	        {"adoptions told twice (E1, E4)", test_twice},
	        {"adoptions unheard (E1, E4)", test_unheard},
	        {"unheard, beside (E1, E4)", test_unheard_beside},
	        {"half of it heard (E1, E4)", test_half_heard},
	        {"a request overtakes (E1)", test_request_overtakes},
	        {"gone before it is known", test_gone_before},
	        {"stale news make no IKE_SA", test_stale_makes_none},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: order", tests);
}
