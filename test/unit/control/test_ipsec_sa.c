/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* charon's requests: when an answer is given, lifetimes, limits, static SAs. */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

#include <errno.h>
#include <sys/socket.h>

static struct rig *linked(void)
{
	struct rig *r = must_rig();

	rig_link_up(r, 1);
	return r;
}

/* An answer tells that the workers have applied it. */
static void test_applied(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.ike = 1, .spi_out = 4711};
	struct sslink_msg m;

	rig_ike_up(r, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->hold_tickets = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	rig_run(r, 500);
	CU_ASSERT_FALSE(r->charon.answered);
	r->hold_tickets = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	r->hold_tickets = true;
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), RIG_NONE);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	r->hold_tickets = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	/* the link that asked is gone: nobody else hears it */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->hold_tickets = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	ctl_ike_link_down(r->ctl, r->now_ms);
	ctl_ike_link_up(r->ctl, r->now_ms);
	r->hold_tickets = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_FALSE(r->charon.answered);
	rig_link_up(r, 1);
	rig_free(r);
}

/* Orders that do not fit are given again, and then answered. */
static void test_full_fifo(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.ike = 1, .spi_out = 4711};
	struct endpoint us = {ipaddr_v4(RIG_LNS), 4500}, them = {ipaddr_v4(RIG_PEER), 4500};
	struct sslink_msg m;

	rig_ike_up(r, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->fifo_full = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	/* deleted while it waits */
	r->fifo_full = true;
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_out, false), SSLINK_OK);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	r->fifo_full = true;
	m = (struct sslink_msg){.type = SSLINK_UPDATE_SA};
	m.update_sa = (struct sslink_update_sa){.spi = p.spi_out,
	                                        .encap = true,
	                                        .src = us,
	                                        .dst = them,
	                                        .new_src = us,
	                                        .new_dst = them};
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	CU_ASSERT_TRUE(r->sa[rig_sa_id(r, p.spi_out, false) % RIG_SAS].s.encap);
	r->fifo_full = true;
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_out, false), RIG_NONE);
	rig_ike_down(r, 1);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(r->n_children, 1);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_children, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	/* refused when it fits at last */
	rig_ike_up(r, 2);
	p.ike = 2;
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &p.spi_in), SSLINK_OK);
	r->fifo_full = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	r->fifo_full = false;
	r->n_sas += 5;
	r->sa_limit = 1;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_NO_RESOURCES);
	r->n_sas -= 5;
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_spis, 0);
	rig_free(r);
}

static void test_limits(void)
{
	struct rig *r = linked();
	struct rig_pair p = {0};
	uint32_t spi;

	rig_ike_up(r, 1);
	for (int i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_NO_RESOURCES);
	rig_run(r, 166000); /* charon forgot them */
	CU_ASSERT_EQUAL(r->n_spis, 0);
	for (uint16_t i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(rig_child_up(r, 1, (uint16_t)(1000 + i), &p), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 5000, &p), SSLINK_NO_RESOURCES);
	for (int i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(rig_child_up(r, 1, 1000, &p), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 1000, &p), SSLINK_NO_RESOURCES);
	r->sa_limit = r->n_sas;
	rig_ike_up(r, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &p), SSLINK_NO_RESOURCES);
	r->sa_limit++;
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &p),
	                SSLINK_NO_RESOURCES); /* no room for the second */
	CU_ASSERT_EQUAL(r->n_sas, r->sa_limit - 1);
	CU_ASSERT_EQUAL(r->n_children, 64);
	rig_free(r);
}

/* Requests in a strange order. */
static void test_strange(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.ike = 1, .spi_out = 4711}, q = {.ike = 2, .spi_out = 4711};
	struct sslink_msg m;

	/* an IKE_SA that never was up and gave up: nothing is left of it */
	CU_ASSERT_EQUAL(rig_get_spi(r, 5, &p.spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 1);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	/* one that had a CHILD_SA has had its connection (E1), up or not, until charon tells its end */
	CU_ASSERT_EQUAL(rig_child_up(r, 5, 0, &q), SSLINK_OK);
	rig_child_down(r, &q);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 5, 0, &q), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_total, 1);
	rig_ike_down(r, 5);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	rig_ike_up(r, 1);
	rig_ike_up(r, 2);
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED); /* no inbound one yet */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED); /* twice */
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	/* another client behind the same NAT happens to choose the same SPI */
	q.ike = 2;
	q.spi_out = 4711;
	q.port = 0;
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &q.spi_in), SSLINK_OK);
	m = rig_add_msg(&q, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	m = rig_add_msg(&q, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	/* what is not known */
	CU_ASSERT_EQUAL(rig_del_sa(r, 0x12345678, true), SSLINK_OK);
	m = (struct sslink_msg){.type = SSLINK_QUERY_SA, .sa_id = {.spi = 1, .inbound = true}};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	m = (struct sslink_msg){.type = SSLINK_UPDATE_SA};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	m = (struct sslink_msg){.type = SSLINK_ADD_SA, .add_sa = {.resync = true}};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_BUSY); /* not in this state of the link */
	rig_ike_rekey(r, 98, 99);
	rig_ike_down(r, 98);
	rig_ike_down(r, 99);
	m = (struct sslink_msg){.type = SSLINK_EXPIRE};
	rig_tell(r, &m);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).bad_messages, 1);
	/* .. and what is */
	m = (struct sslink_msg){.type = SSLINK_QUERY_SA,
	                        .sa_id = {.spi = p.spi_in, .inbound = true}};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	CU_ASSERT_EQUAL(r->charon.answer.a, 300);
	CU_ASSERT_EQUAL(r->charon.answer.b, 3);
	CU_ASSERT_EQUAL(r->charon.answer.c, 7);
	m = (struct sslink_msg){.type = SSLINK_FLUSH_SAS};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	ctl_shutdown(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_REFUSED);
	rig_free(r);
}

/* charon has no clock for its CHILD_SAs: ours tells it, and at the hard end nothing is waited for. */
static void test_lifetimes(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.life = {.soft_s = 3000, .hard_s = 3600}}, q = {0};
	uint64_t conn = rig_connect(r, 1, 0, &p);
	struct ctl_conn_view v;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	v = rig_conn_view(r, conn);
	CU_ASSERT_EQUAL(v.sas[0].hard_left_s, 3600);
	CU_ASSERT_FALSE(v.sas[0].inbound); /* newest first */
	rig_run(r, 3000000 - UP_MS);
	CU_ASSERT_EQUAL(r->charon.n_soft, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &q), SSLINK_OK);
	rig_run(r, 600000);
	CU_ASSERT_EQUAL(r->charon.n_hard, 2);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK); /* as charon does now */
	/* bytes and sequence numbers: the workers' events */
	rig_sa_event(r, q.spi_out, false, DP_SA_FIRST, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_SOFT, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_SOFT, NULL);
	CU_ASSERT_EQUAL(r->charon.n_soft, 3);
	rig_sa_event(r, q.spi_in, true, DP_SA_HARD, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_HARD, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_HARD, NULL);
	CU_ASSERT_EQUAL(r->charon.n_hard, 4);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_IPSEC_DOWN);
	CU_ASSERT_EQUAL(must_stats(r).sessions.live, 0);
	rig_free(r);
}

/* E31: the same with nobody at the other end of the link. */
static void test_hard_without_charon(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.life = {.soft_s = 100, .hard_s = 200}};
	uint64_t conn = rig_connect(r, 1, 0, &p);

	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_run(r, 150000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(r->charon.n_soft, 0);
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(must_stats(r).sessions.live, 0);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_NO_SA);
	rig_free(r);
}

static void test_clear(void)
{
	struct rig *r = linked();
	uint64_t conn = rig_connect(r, 1, 0, NULL), idle = rig_connect(r, 2, 0, NULL);
	struct ctl_conn_view v;
	uint32_t cursor = 0, n = 0;

	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	while (ctl_conn_next(r->ctl, &cursor, r->now_ms, &v))
		n++;
	CU_ASSERT_EQUAL(n, 2);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_up, 2);
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, conn, r->now_ms), 0);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* it was told */
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, conn, r->now_ms), 0); /* no second signal */
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, idle, r->now_ms), 0);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 2);
	rig_ike_down(r, 2);
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, idle, r->now_ms), -ENOENT);
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, 0, r->now_ms), -ENOENT);
	CU_ASSERT_FALSE(ctl_conn_get(r->ctl, idle, r->now_ms, &v));
	CU_ASSERT_STRING_EQUAL(ctl_conn_state_name(CTL_CONN_NO_SA), "no-sa");
	rig_free(r);
}

static void test_static(void)
{
	static const uint8_t key[64] = {1};
	struct ctl_static_sa s = {
	        .name = "lab",
	        .spi_in = 0x00001001,
	        .spi_out = 0x00001002,
	        .local = {ipaddr_v4(RIG_LNS), 0},
	        .peer = {ipaddr_v4(RIG_PEER), 0},
	        .suite = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 12},
	        .enc_key_in = key,
	        .auth_key_in = key,
	        .enc_key_out = key,
	        .auth_key_out = key,
	        .replay_window = 64,
	};
	struct rig *r = must_rig();
	struct ctl_conn_view v;
	uint32_t cursor = 0;

	CU_ASSERT_EQUAL_FATAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), 0);
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EEXIST);
	s.spi_out = 0x1003;
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EBUSY);
	s.spi_in = 0x2005; /* of worker 5, which there is not */
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EINVAL);
	s.spi_in = 0x2000;
	s.suite.cipher = ESP_AES_GCM;
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EINVAL);
	s.suite.cipher = ESP_AES_CBC;
	s.peer.addr.family = AF_INET6;
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EAFNOSUPPORT);
	CU_ASSERT_TRUE_FATAL(ctl_conn_next(r->ctl, &cursor, r->now_ms, &v));
	CU_ASSERT_FALSE(ctl_conn_next(r->ctl, &cursor, r->now_ms, &v));
	CU_ASSERT_TRUE(v.is_static && v.state == CTL_CONN_UP && v.n_sas == 2);
	CU_ASSERT_STRING_EQUAL(v.profile, "lab");
	CU_ASSERT_EQUAL(v.worker, 1);
	rig_dial(r, "ss-ipsec", 1701, v.id, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_link_up(r, 5); /* charon has nothing to do with it */
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	rig_free(r);
}

/* The end of the daemon while connections, orders and children that leave are still there. */
static void test_abrupt_end(void)
{
	struct rig *r = must_rig();
	struct rig_pair a = {0}, b = {.ike = 1, .spi_out = 4711};
	uint64_t conn = rig_connect(r, 1, 0, &a);
	struct sslink_msg m;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	rig_connect(r, 2, 0, NULL);
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &b.spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &b.spi_in), SSLINK_OK);
	r->hold_tickets = true;
	m = rig_add_msg(&b, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	CU_ASSERT_EQUAL(rig_del_sa(r, a.spi_out, false), RIG_NONE);
	rig_connect(r, 3, 0, &a);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &b.spi_in), SSLINK_OK);
	r->fifo_full = true;
	m = rig_add_msg(&b, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	rig_ike_down(r, 2);
	rig_drop(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"answers wait for workers", test_applied},
	        {"full FIFO", test_full_fifo},
	        {"limits", test_limits},
	        {"strange requests", test_strange},
	        {"lifetimes", test_lifetimes},
	        {"hard lifetime without charon (E31)", test_hard_without_charon},
	        {"clear", test_clear},
	        {"static SAs", test_static},
	        {"an end in the midst", test_abrupt_end},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: SAs", tests);
}
