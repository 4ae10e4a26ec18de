/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What RFC 3193 leaves to a profile, and the MTU that it wants of a link inside ESP. */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

/* How an ADD_SA differs from the usual one. */
enum form { TRANSPORT, TUNNEL, NAT, FORMS };

static uint8_t add_sa(struct rig *r, const struct rig_pair *p, bool inbound, enum form form)
{
	struct sslink_msg m = rig_add_msg(p, inbound);

	m.add_sa.tunnel_mode = form == TUNNEL;
	if (form == NAT) {
		m.add_sa.encap = true;
		m.add_sa.src.port = m.add_sa.dst.port = 4500;
	}
	return rig_ask(r, &m);
}

static struct rig_pair child_up(struct rig *r, enum form form, uint8_t want)
{
	struct rig_pair p = {.ike = 1, .spi_out = 4711 + form};

	CU_ASSERT_EQUAL(rig_get_spi(r, p.ike, &p.spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(add_sa(r, &p, true, form), want);
	CU_ASSERT_EQUAL(add_sa(r, &p, false, form), want);
	if (want != SSLINK_OK)
		rig_child_down(r, &p);
	return p;
}

/* RFC 3193 2.1: transport mode always, tunnel mode where it is wanted; a NAT likewise. */
static void test_profile(void)
{
	for (int allowed = 0; allowed < 2; allowed++) {
		struct cfg_ipsec_profile profile = {
		        .name = "lns",
		        .allow_tunnel_mode = allowed != 0,
		        .nat_traversal = allowed != 0,
		};
		struct rig *r = rig_new();

		r->conf.ipsec_profiles = &profile;
		r->conf.n_ipsec_profiles = 1;
		rig_start(r);
		rig_link_up(r, 1);
		rig_ike_up(r, 1);
		for (enum form f = TRANSPORT; f < FORMS; f++)
			child_up(r, f, f == TRANSPORT || allowed ? SSLINK_OK : SSLINK_UNSUPPORTED);
		CU_ASSERT_EQUAL(rig_ipsec_stats(r).refused[SSLINK_UNSUPPORTED], allowed ? 0 : 4);
		CU_ASSERT_EQUAL(r->n_sas, allowed ? 6 : 2);
		/* A mode is a child's own, an encapsulation is not. */
		CU_ASSERT_EQUAL(r->n_children, allowed ? 2 : 1);
		CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
		rig_free(r);
	}
}

/* RFC 3193 3.2; that so many bytes fit, and no more, is shown by dataplane/esp_down.c. */
static void test_mtu(void)
{
	static const uint16_t want[] = {[TRANSPORT] = 1384, [TUNNEL] = 1364, [NAT] = 1384};

	for (enum form f = TRANSPORT; f < FORMS; f++) {
		for (uint16_t mtu = 1300; mtu <= 1500; mtu += 200) {
			struct rig *r = rig_new();
			struct ctl_session_view v;
			struct rig_pair p;
			uint32_t cursor = 0;

			r->ifprof.mtu = mtu;
			rig_start(r);
			rig_link_up(r, 1);
			rig_ike_up(r, 1);
			p = child_up(r, f, SSLINK_OK);
			rig_dial(r, "ss-ipsec", 1701, rig_conn_of(r, p.spi_in), 1, "pass1");
			rig_run(r, UP_MS);
			CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
			CU_ASSERT_EQUAL(v.mtu, mtu < want[f] ? mtu : want[f]);
			rig_free(r);
		}
	}
}

/*
 * The daemon's time is up: peers do not answer, workers do not either, and charon was about to. E31 in
 * the end: what is left goes with it.
 */
static void test_out_of_time(void)
{
	struct rig *r = must_rig();
	struct rig_pair p = {.ike = 4, .spi_out = 4711};
	uint64_t up = rig_connect(r, 1, 0, NULL), fired = rig_connect(r, 2, 0, NULL);
	uint64_t cleared = rig_connect(r, 3, 0, NULL);
	uint32_t spi;

	rig_dial(r, "ss-ipsec", 1701, up, 1, "pass1");
	rig_dial(r, "ss-ipsec", 1701, fired, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	rig_ike_up(r, 4);
	CU_ASSERT_EQUAL(rig_get_spi(r, 4, &p.spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_get_spi(r, 4, &spi), SSLINK_OK);
	r->cut = true;
	ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms);
	CU_ASSERT_NOT_EQUAL(must_fired(r, fired), SS_NONE);
	r->hold_tickets = true;
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, cleared, r->now_ms), 0);
	CU_ASSERT_EQUAL(add_sa(r, &p, true, TRANSPORT), RIG_NONE);
	ctl_shutdown(r->ctl, r->now_ms);
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 4);
	CU_ASSERT_TRUE(must_stats(r).tunnels.live > 0);
	rig_drop(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"what a profile allows (RFC 3193 2.1)", test_profile},
	        {"MTU (RFC 3193 3.2)", test_mtu},
	        {"out of time (E31)", test_out_of_time},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control demands: IPsec", tests);
}
