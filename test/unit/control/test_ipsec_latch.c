/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Single-shot over connections that IKE made: identity, latch, disconnect (spec/single-shot.md). */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

#include <string.h>

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
	v = must_session(r);
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
	CU_ASSERT_EQUAL(must_last_msg(r, SSLINK_TERMINATE_IKE).terminate.ike_id, 1);
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
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 1);
	rig_ike_down(r, 2);
	rig_run(r, 50000);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	rig_free(r);
}

/* B3: an SA whose order does not fit until the latch has fired is refused. */
static void test_waiting_order(void)
{
	struct rig *r = must_rig();
	struct rig_pair old = {0}, p = {.ike = 1};
	uint64_t conn = rig_connect(r, 1, 0, &old);
	struct sslink_msg m;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->fifo_full = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_sas, 0);
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
	for (int i = 0; i < 3000 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 1);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_sa_id(r, p.spi_in, true), 0);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_sas, 1);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
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
		latch = must_first_event(r, RIG_LATCH, 0);
		CU_ASSERT_TRUE_FATAL(latch >= 0);
		if (how == 0)
			CU_ASSERT_TRUE(latch < must_first_event(r, RIG_SEND, L2TP_CDN));
		if (how != 2)
			CU_ASSERT_TRUE(latch < must_first_event(r, RIG_SEND, L2TP_STOPCCN));
		CU_ASSERT_TRUE(must_last_event(r, RIG_SEND, 0) <
		               must_first_event(r, RIG_SA_DEL, 0));
		CU_ASSERT_TRUE(must_last_event(r, RIG_SA_DEL, 0) <
		               must_first_event(r, RIG_TERMINATE, 0));
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
	CU_ASSERT_TRUE(must_first_event(r, RIG_SEND, L2TP_STOPCCN) >
	               must_first_event(r, RIG_LATCH, 0));
	rig_run(r, 100);
	CU_ASSERT_TRUE(must_first_event(r, RIG_SEND, L2TP_STOPCCN) <
	               must_first_event(r, RIG_SA_DEL, 0));
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
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
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

static void count_restarts(struct log *log, enum log_level level, const char *line)
{
	(void)level;
	*(unsigned *)log->arg += strstr(line, "event=single-shot-restart") != NULL;
}

/* E11: who lost our SCCRP and comes with another id is refused, and the log says what follows. */
static void test_restart(void)
{
	struct rig *r = must_rig();
	uint64_t conn = rig_connect(r, 1, 1701, NULL);
	unsigned lines = 0;

	r->log = (struct log){.level = LOG_LVL_NOTICE, .sink = count_restarts, .arg = &lines};
	must_sccrq(r, conn, "ss-ipsec", 7);
	CU_ASSERT_EQUAL(lines, 0);
	must_sccrq(r, conn, "ss-ipsec", 8);
	CU_ASSERT_EQUAL(lines, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).refused_sccrq, 1);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_TUNNEL_TIMEOUT);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	r->log = (struct log){0};
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
	ctl_clear_session(r->ctl, must_session(r).id, r->now_ms);
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

int main(void)
{
	CU_TestInfo tests[] = {
	        {"up, dial, down (T4, T14, T19, E5, E6, E30)", test_dial},
	        {"IKE goes first (E17, E18)", test_ike_down},
	        {"an order that waited (B3)", test_waiting_order},
	        {"order (E19, E23)", test_order},
	        {"order of a rejection (E14, T20)", test_rejected_order},
	        {"bursts (E23, T5, T16)", test_bursts},
	        {"nobody listens (E31)", test_deaf},
	        {"restart (E11)", test_restart},
	        {"silence (E32)", test_silence},
	        {"standard (T13, T13a, T13b)", test_standard},
	        {"single-shot (T14)", test_single_shot_times},
	        {"guesses (T25, T26, T27)", test_guesses},
	        {"transport decides (E16)", test_transport},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: latch", tests);
}
