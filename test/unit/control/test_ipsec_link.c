/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The link to charon: its states, its loss, the same charon again, and another one. */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

static uint8_t replay(struct rig *r, const struct rig_pair *p, bool inbound, uint32_t ike)
{
	struct sslink_msg m = rig_add_msg(p, inbound);

	m.add_sa.resync = true;
	m.add_sa.ike = rig_ike(ike);
	return rig_ask(r, &m);
}

static void replay_pair(struct rig *r, const struct rig_pair *p, uint8_t want)
{
	CU_ASSERT_EQUAL(replay(r, p, true, p->ike), want);
	CU_ASSERT_EQUAL(replay(r, p, false, p->ike), want);
}

static void test_states(void)
{
	struct rig *r = must_rig();
	struct sslink_msg hello = {.type = SSLINK_HELLO, .hello = {.version = SSLINK_VERSION + 1}};
	struct sslink_msg m = {.type = SSLINK_SYNC_END};
	struct rig_pair p = {.ike = 1};
	uint64_t instance;
	uint32_t spi;

	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), RIG_NONE); /* no link: no answer */
	ctl_ike_link_up(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(rig_ipsec_stats(r).link_up && rig_ipsec_stats(r).syncing);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_BUSY);
	CU_ASSERT_EQUAL(replay(r, &p, true, 1), SSLINK_BUSY);
	rig_tell(r, &m);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_BUSY); /* before HELLO */
	CU_ASSERT_EQUAL(rig_ask(r, &hello), SSLINK_UNSUPPORTED);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_BUSY);
	hello.hello.version = SSLINK_VERSION;
	hello.hello.instance = 9;
	CU_ASSERT_EQUAL(rig_ask(r, &hello), SSLINK_OK);
	instance = r->charon.answer.a;
	CU_ASSERT_NOT_EQUAL(instance, 0);
	CU_ASSERT_EQUAL(rig_ask(r, &hello), SSLINK_BUSY); /* twice */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_BUSY);
	CU_ASSERT_EQUAL(replay(r, &p, true, 1), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_FALSE(rig_ipsec_stats(r).syncing);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_BUSY); /* twice */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_OK);
	/* the same number for every link of this daemon, another for another daemon */
	rig_link_hello(r, 9);
	CU_ASSERT_EQUAL(r->charon.answer.a, instance);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_spis, 0); /* the SPI was for a negotiation that is no more */
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).links, 2);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).link_losses, 1);
	rig_free(r);
}

/* The daemon ends while connections of every kind are up: nothing is used after it is freed. */
static void test_freed_as_it_is(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 0, &a);
	uint32_t spi;

	rig_connect(r, 2, 0, &b);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &spi), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).sas_now, 4);
	rig_drop(r);
}

/* The link is lost and comes back; charon was there all the time. */
static void test_same_charon(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0}, c = {0}, x = {.ike = 1, .spi_in = 5000, .spi_out = 5001};
	uint64_t conn = rig_connect(r, 1, 0, &a), other = rig_connect(r, 2, 0, &b), idle;
	uint32_t spi;

	idle = rig_connect(r, 3, 0, &c);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_dial(r, "std-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	ctl_ike_link_down(r->ctl, r->now_ms);
	ctl_ike_link_down(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(rig_get_spi(r, 4, &spi), RIG_NONE);
	rig_run(r, 30000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	rig_link_hello(r, 1);
	replay_pair(r, &a, SSLINK_OK);
	replay_pair(r, &x, SSLINK_REFUSED);
	CU_ASSERT_EQUAL(replay(r, &b, true, 2), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &b, false, 22), SSLINK_OK); /* rekeyed unheard */
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_UP);
	CU_ASSERT_EQUAL(rig_conn_view(r, other).state, CTL_CONN_UP);
	CU_ASSERT_EQUAL(rig_conn_view(r, other).ike_id, 22);
	/* IKE_SA 3 is not in it: its connection is an orphan, and it gets no other one */
	CU_ASSERT_EQUAL(rig_conn_view(r, idle).state, CTL_CONN_ORPHAN);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 3, &spi), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).orphans_now, 1);
	rig_ike_down(r, 3);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 2);
	rig_ike_up(r, 22); /* for the end of the test */
	rig_free(r);
}

/* A CHILD_SA that charon has deleted meanwhile, its IKE_SA lives by another. */
static void test_lost_delete(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {0};
	uint64_t conn = rig_connect(r, 1, 1701, &a);

	CU_ASSERT_EQUAL(rig_child_up(r, 1, 1702, &b), SSLINK_OK);
	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_dial(r, "std-ipsec", 1702, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	rig_link_hello(r, 1);
	replay_pair(r, &b, SSLINK_OK);
	rig_sync_end(r);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_UP);
	rig_free(r);
}

/* charon dies and a new one comes: orphans. Fired ones lose their SAs at once. */
static void test_new_charon(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, p = {0}, q = {.life = {.hard_s = 7200}};
	uint64_t fired = rig_connect(r, 1, 0, &a), ss = rig_connect(r, 2, 0, NULL), again;
	uint64_t std = rig_connect(r, 3, 0, NULL), idle = rig_connect(r, 4, 0, &p), idle2;
	struct lac_tunnel *t;

	idle2 = rig_connect(r, 5, 0, &q);
	rig_dial(r, "ss-ipsec", 1701, ss, 1, "pass1");
	t = rig_dial(r, "std-ipsec", 1701, std, 1, "pass1");
	rig_run(r, UP_MS);
	rig_dial(r, "ss-ipsec", 1701, fired, 1, "wrong");
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, fired)->fired; i++)
		rig_run(r, 1);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_link_hello(r, 2); /* the new one counts its IKE_SAs from 1 again */
	r->charon.n_ikes = 0;
	replay_pair(r, &a, SSLINK_REFUSED);
	rig_sync_end(r);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	CU_ASSERT_EQUAL(rig_conn_view(r, fired).state, CTL_CONN_DOWN);
	CU_ASSERT_EQUAL(rig_conn_view(r, ss).state, CTL_CONN_ORPHAN);
	CU_ASSERT_EQUAL(rig_conn_view(r, std).state, CTL_CONN_ORPHAN);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	CU_ASSERT_EQUAL(r->n_sas, 8);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).orphans, 5);
	/* new dials work at once, with the same ids */
	again = rig_connect(r, 2, 0, NULL);
	CU_ASSERT_TRUE_FATAL(again != 0 && again != ss);
	rig_dial(r, "ss-ipsec", 1701, again, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 3);
	/* a new IKE_SA of an old number is no old connection's */
	rig_ike_up(r, 3);
	rig_ike_down(r, 3);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 3);
	/* their tunnels end: removed here, nobody is told */
	lac_close(t, r->now_ms);
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(rig_conn_view(r, std).state, CTL_CONN_DOWN);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	CU_ASSERT_EQUAL(r->n_sas, 8);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	/* the unused ones: until the hard lifetime, or an hour when there is none */
	CU_ASSERT_EQUAL(rig_conn_view(r, idle).state, CTL_CONN_ORPHAN);
	rig_run(r, 3600000);
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, idle));
	CU_ASSERT_PTR_NOT_NULL(ctl_conn(r->ctl, idle2));
	CU_ASSERT_EQUAL(rig_conn_view(r, ss).state, CTL_CONN_ORPHAN); /* its session goes on */
	rig_run(r, 3600000);
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, idle2));
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 2);
	rig_free(r);
}

/* An orphan's session is single-shot to its end; a clear ends an orphan as well. */
static void test_orphan_ends(void)
{
	for (int clear = 0; clear < 2; clear++) {
		struct rig *r = must_rig();
		uint64_t conn = rig_connect(r, 1, 0, NULL);
		struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

		rig_run(r, UP_MS);
		rig_link_up(r, 2);
		r->charon.n_ikes = 0;
		if (clear) {
			CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, conn, r->now_ms), 0);
		} else {
			lac_close(t, r->now_ms);
		}
		rig_run(r, 1000);
		CU_ASSERT_EQUAL(must_fired(r, conn),
		                clear ? SS_TUNNEL_ADMIN : SS_TUNNEL_STOPCCN_RX);
		CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_DOWN);
		CU_ASSERT_EQUAL(r->n_sas, 0);
		CU_ASSERT_EQUAL(r->n_disconnected, 1);
		CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
		rig_free(r);
	}
}

/* Expired or moved while there was no link: told when there is one again. */
static void test_told_later(void)
{
	struct rig *r = must_rig();
	struct rig_pair p = {.life = {.soft_s = 100, .hard_s = 1000}};
	uint64_t conn = rig_connect(r, 1, 0, &p);
	struct endpoint to = {ipaddr_v4(RIG_PEER), 4501};
	struct sslink_msg m;

	(void)conn;
	for (int inbound = 0; inbound < 2; inbound++) { /* it is behind a NAT */
		struct endpoint us = {ipaddr_v4(RIG_LNS), 4500}, them = {ipaddr_v4(RIG_PEER), 4500};

		m = (struct sslink_msg){.type = SSLINK_UPDATE_SA};
		m.update_sa = (struct sslink_update_sa){
		        .spi = inbound ? p.spi_in : p.spi_out,
		        .inbound = inbound,
		        .encap = true,
		        .src = inbound ? them : us,
		        .dst = inbound ? us : them,
		        .new_src = inbound ? them : us,
		        .new_dst = inbound ? us : them,
		};
		CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	}
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_sa_event(r, p.spi_in, true, DP_SA_MAPPING, &to);
	CU_ASSERT_TRUE(endpoint_eq(&r->sa[rig_sa_id(r, p.spi_out, false) % RIG_SAS].s.peer, &to));
	rig_run(r, 200000);
	CU_ASSERT_EQUAL(r->charon.n_soft + r->charon.n_mapping, 0);
	rig_link_hello(r, 1);
	replay_pair(r, &p, SSLINK_OK);
	rig_sync_end(r);
	CU_ASSERT_EQUAL(r->charon.n_soft, 2);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 1);
	rig_free(r);
}

/* A plugin that does not read: the link is down, and what was to be said is said to the next. */
static void test_stuck(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 0, NULL);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	r->charon.stuck = true;
	rig_run(r, 5000);
	CU_ASSERT_FALSE(rig_ipsec_stats(r).link_up);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).link_losses, 1);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	ctl_ike_link_down(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).link_losses, 1);
	r->charon.stuck = false;
	rig_link_up(r, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_free(r);
}

/* E1 over a lost link: a childless IKE_SA with a used connection is ended, not given another one. */
static void test_childless(void)
{
	struct rig *r = must_rig();
	struct rig_pair p = {0};
	uint64_t conn = rig_connect(r, 1, 0, &p);
	uint32_t spi;

	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_child_down(r, &p);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_NO_SA);
	rig_link_up(r, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_DOWN);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_auths, 1);
	rig_free(r);
}

/* A charon that is not itself any more: what it makes up is bounded; E1 holds for what it flushes. */
static void test_bounds(void)
{
	struct rig *r = must_rig();
	struct sslink_msg flush = {.type = SSLINK_FLUSH_SAS}, up = {.type = SSLINK_IKE_UP};
	struct rig_pair p = {0};
	uint32_t n = 0;

	rig_connect(r, 1, 0, NULL);
	CU_ASSERT_EQUAL(rig_ask(r, &flush), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &p), SSLINK_REFUSED);
	for (uint32_t id = 2; id < 400000; id++) {
		up.ike_up = rig_ike(id);
		ctl_ike_rx(r->ctl, &up, r->now_ms);
		n = rig_ipsec_stats(r).ike_now;
	}
	CU_ASSERT_TRUE(n >= 131072 && n < 300000);
	CU_ASSERT_EQUAL(rig_child_up(r, 500000, 0, &p), SSLINK_NO_RESOURCES);
	rig_link_up(r, 99);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"states", test_states},
	        {"the same charon", test_same_charon},
	        {"a lost delete", test_lost_delete},
	        {"another charon", test_new_charon},
	        {"an orphan's end", test_orphan_ends},
	        {"told later", test_told_later},
	        {"stuck", test_stuck},
	        {"childless (E1)", test_childless},
	        {"freed as it is", test_freed_as_it_is},
	        {"bounds (E1)", test_bounds},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: link", tests);
}
