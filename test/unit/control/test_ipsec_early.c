/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Messages that come before they can be answered. */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

/* An SCCRQ that comes between a CHILD_SA's two SAs waits for the one that its answer needs. */
static void test_early(void)
{
	struct rig *r = must_rig();
	struct rig_pair p = {.ike = 1, .spi_out = 4711}, q = {.ike = 2, .spi_out = 4712};
	struct sslink_msg m;

	rig_link_up(r, 1);
	rig_ike_up(r, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	/* more of them than are kept */
	for (int i = 0; i < 10; i++)
		rig_dial(r, "std-ipsec", 1701, rig_conn_of(r, p.spi_in), 1, "pass1");
	rig_run(r, 500);
	CU_ASSERT_EQUAL(r->tunnels_up, 0);
	CU_ASSERT_EQUAL(rig_conn_view(r, rig_conn_of(r, p.spi_in)).tunnels, 0);
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	rig_run(r, 400); /* no repetition is due yet */
	CU_ASSERT_EQUAL(r->tunnels_up, 4);
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->tunnels_up, 10);
	/* the outbound SA never comes */
	rig_ike_up(r, 2);
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &q.spi_in), SSLINK_OK);
	m = rig_add_msg(&q, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	rig_dial(r, "ss-ipsec", 1701, rig_conn_of(r, q.spi_in), 1, "pass1");
	rig_run(r, 100);
	CU_ASSERT_EQUAL(rig_del_sa(r, q.spi_in, true), SSLINK_OK);
	rig_ike_down(r, 2);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->tunnels_up, 10);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_up, 1);
	rig_ike_down(r, 1);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"early", test_early},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: early messages", tests);
}
