/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Control against a LAC in virtual time: sessions, single-shot and the latch (spec/single-shot.md). */
#include "control/rig.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UP_MS 500 /* a dial-in with its session, without loss */

static struct ctl_stats stats(const struct rig *r)
{
	struct ctl_stats st;

	ctl_stats_get(r->ctl, &st);
	return st;
}

static bool first_session(const struct rig *r, struct ctl_session_view *v)
{
	uint32_t cursor = 0;

	return ctl_session_next(r->ctl, &cursor, r->now_ms, v);
}

static bool first_tunnel(const struct rig *r, struct ctl_tunnel_view *v)
{
	uint32_t cursor = 0;

	return ctl_tunnel_next(r->ctl, &cursor, r->now_ms, v);
}

static struct rig *new_rig(void)
{
	struct rig *r = rig_new();

	rig_start(r);
	return r;
}

static void test_session_up_and_down(void)
{
	struct rig *r = new_rig();
	struct ctl_session_view v;
	struct ctl_pool_view p;
	uint32_t cursor = 0;

	rig_dial(r, "std", 40001, 0, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_TRUE_FATAL(first_session(r, &v));
	CU_ASSERT_STRING_EQUAL(v.user, "user1");
	CU_ASSERT_EQUAL(v.peer_ip, 0x0a400002);
	CU_ASSERT_EQUAL(v.mtu, 1400); /* the peer's MRU */
	CU_ASSERT_TRUE(r->dps[v.id].s.open);
	CU_ASSERT_EQUAL(r->dps[v.id].s.peer_ip, v.peer_ip);
	CU_ASSERT_TRUE(ctl_pool_next(r->ctl, &cursor, &p));
	CU_ASSERT_EQUAL(p.used, 1);
	CU_ASSERT_EQUAL(ctl_host_sessions(r->ctl, 0, 0), 1);
	CU_ASSERT_EQUAL(ctl_clear_session(r->ctl, v.id, r->now_ms), 0);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->sessions_gone, 1);
	CU_ASSERT_EQUAL(rig_count_dps(r), 0);
	CU_ASSERT_TRUE(first_session(r, &v) && v.destructing);
	CU_ASSERT_EQUAL(ctl_clear_session(r->ctl, v.id, r->now_ms), -2);
	rig_free(r);
}

/* The address and the id stay taken until the workers have let go. */
static void test_release_waits_for_workers(void)
{
	struct rig *r = new_rig();
	struct ctl_session_view v;

	rig_dial(r, "std", 40001, 0, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_TRUE_FATAL(first_session(r, &v));
	r->hold_tickets = true;
	ctl_clear_session(r->ctl, v.id, r->now_ms);
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(r->sessions_gone, 1);
	CU_ASSERT_EQUAL(stats(r).session_ids_used, 1);
	CU_ASSERT_TRUE(first_session(r, &v) && v.closing);
	r->hold_tickets = false;
	rig_run(r, 200);
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(stats(r).session_ids_used, 0);
	rig_free(r);
}

static void test_wrong_password_standard(void)
{
	struct rig *r = new_rig();

	rig_dial(r, "std", 40001, 0, 1, "wrong");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(r->networks_up, 0);
	CU_ASSERT_EQUAL(r->sessions_gone, 1);
	CU_ASSERT_TRUE(stats(r).ppp_auth_failures >= 1);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	rig_free(r);
}

/* T4, T5, T7, T8, T24: one session ever; its end is the tunnel's, whatever the idle timeout. */
static void test_single_shot_plain(void)
{
	static const uint32_t idle[] = {86400, 0};

	for (int i = 0; i < 2; i++) {
		struct rig *r = rig_new();
		struct lac_tunnel *t;
		struct ctl_session_view v;

		r->conf.l2tp.idle_timeout_s = idle[i];
		rig_start(r);
		t = rig_dial(r, "ss", 40001, 0, 1, "pass1");
		rig_run(r, UP_MS);
		CU_ASSERT_EQUAL(r->networks_up, 1);
		lac_call(t, "user2", "pass2", r->now_ms);
		rig_run(r, UP_MS);
		CU_ASSERT_EQUAL(r->sessions_gone, 1); /* the second */
		CU_ASSERT_EQUAL(r->last_session_result.result, 5);
		CU_ASSERT_EQUAL(stats(r).ss_refused_icrq, 1);
		CU_ASSERT_EQUAL(r->tunnels_gone, 0);
		CU_ASSERT_TRUE_FATAL(first_session(r, &v));
		CU_ASSERT_TRUE(r->dps[v.id].used && r->dps[v.id].s.open);
		ctl_clear_session(r->ctl, v.id, r->now_ms);
		rig_run(r, 900);
		CU_ASSERT_EQUAL(r->sessions_gone, 2);
		CU_ASSERT_EQUAL(r->tunnels_gone, 1);
		CU_ASSERT_EQUAL(rig_count_dps(r), 0);
		rig_free(r);
	}
}

/* T21, T22: without IPsec there is no latch. */
static void test_single_shot_plain_again(void)
{
	struct rig *r = new_rig();
	struct ctl_session_view v;

	rig_dial(r, "ss", 40001, 0, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1);
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 1); /* E25: one guess */
	rig_dial(r, "ss", 40001, 0, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_TRUE(first_session(r, &v));
	CU_ASSERT_EQUAL(stats(r).ss_fired[SS_PPP_AUTH_FAILED], 0);
	rig_free(r);
}

/* T9, T10, T11 */
static void test_standard_idle(void)
{
	struct rig *r = new_rig();
	struct lac_tunnel *t = rig_dial(r, "std", 40001, 0, 2, "pass1");
	uint32_t cursor = 0;

	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	ctl_clear_sessions(r->ctl, &cursor, 1, r->now_ms);
	rig_run(r, 100000); /* one session is left: no idling */
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	ctl_clear_sessions(r->ctl, &cursor, 1, r->now_ms);
	rig_run(r, 59000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	lac_call(t, "user2", "pass2", r->now_ms);
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(r->networks_up, 3);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	cursor = 0;
	ctl_clear_sessions(r->ctl, &cursor, 100, r->now_ms);
	rig_run(r, 59000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	rig_run(r, 2500);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1);
	rig_free(r);
}

/* T13: the signal comes at the end of the destruct period, once. */
static void test_standard_ipsec_signal(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);
	struct lac_tunnel *t = rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	uint64_t down;

	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	lac_close(t, r->now_ms);
	down = r->now_ms;
	rig_run(r, 599000);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	rig_run(r, 2000);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_TRUE(r->disconnected_at[0] >= down + 600000);
	CU_ASSERT_EQUAL(r->disconnected[0], conn);
	ctl_conn_closed(r->ctl, conn, r->now_ms);
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, conn));
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T13a, T13b, T23: a new tunnel in the destruct period of an old one keeps the connection. */
static void test_standard_ipsec_shared(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);
	struct lac_tunnel *a = rig_dial(r, "std-ipsec", 1701, conn, 0, "pass1"), *b;

	rig_run(r, UP_MS);
	lac_close(a, r->now_ms);
	rig_run(r, 300000);
	b = rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_run(r, 310000); /* the first record is over */
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	lac_close(b, r->now_ms);
	rig_run(r, 599000);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	rig_run(r, 2000);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T14, T15, T19, E6: the signal at the beginning; only a new connection gets in. */
static void test_single_shot_ipsec(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl), conn2;
	struct ctl_session_view v;
	struct ctl_tunnel_view t;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_TRUE_FATAL(first_session(r, &v));
	ctl_clear_session(r->ctl, v.id, r->now_ms);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_TRUE(ctl_conn(r->ctl, conn)->fired);
	CU_ASSERT_EQUAL(ctl_conn(r->ctl, conn)->fired_reason, SS_SESSION_ADMIN);
	CU_ASSERT_TRUE(first_tunnel(r, &t) && t.destructing);
	CU_ASSERT_EQUAL(t.single_shot, CTL_SS_FIRED);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(r->last_tunnel_result.result, 4);
	conn2 = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, conn2, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T17: a wrong tunnel password is the connection's one try. */
static void test_single_shot_ipsec_tunnel_fails(void)
{
	struct rig *r = rig_new();
	uint64_t conn;

	snprintf(r->hosts[3].tunnel_password, sizeof(r->hosts[3].tunnel_password), "secret");
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1"); /* knows no secret */
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(r->tunnels_up, 0);
	CU_ASSERT_TRUE(ctl_conn(r->ctl, conn)->fired);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 0);
	rig_free(r);
}

/* T18, T26: a wrong password fires; each guess costs a connection. */
static void test_single_shot_ipsec_guesses(void)
{
	struct rig *r = new_rig();

	for (int i = 0; i < 20; i++) {
		uint64_t conn = ctl_conn_open(r->ctl);

		for (int j = 0; j < 3; j++) {
			rig_dial(r, "ss-ipsec", (uint16_t)(2000 + i), conn, 1, "guess");
			rig_run(r, 3000);
		}
		CU_ASSERT_EQUAL(ctl_conn(r->ctl, conn)->fired_reason, SS_PPP_AUTH_FAILED);
	}
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 20);
	CU_ASSERT_EQUAL(r->n_disconnected, 20);
	rig_free(r);
}

/* T20, E38: a second SCCRQ on a healthy connection is refused, the first tunnel undisturbed. */
static void test_second_tunnel_refused(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl), std = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 2);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(stats(r).sessions.active, 1);
	CU_ASSERT_FALSE(ctl_conn(r->ctl, conn)->fired);
	/* single-shot on a connection that a standard tunnel used */
	rig_dial(r, "std-ipsec", 1702, std, 1, "pass1");
	rig_run(r, UP_MS);
	rig_dial(r, "ss-ipsec", 1702, std, 1, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 3);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	rig_free(r);
}

/* T25 and T27: many calls in one burst. */
static void test_parallel_calls(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl), std = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 50, "guess");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 1);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_dial(r, "std-ipsec", 1701, std, 50, "guess");
	rig_run(r, 20000);
	CU_ASSERT_TRUE(stats(r).ppp_auths > 50);
	rig_free(r);
}

/* E15: plain UDP to a host that wants IPsec makes no state. */
static void test_needs_ipsec(void)
{
	struct rig *r = new_rig();

	rig_dial(r, "ss-ipsec", 40001, 0, 1, "pass1");
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(r->tunnels_up, 0);
	CU_ASSERT_EQUAL(stats(r).sccrq_needs_ipsec, 1);
	CU_ASSERT_EQUAL(stats(r).tunnels.total, 0);
	CU_ASSERT_EQUAL(stats(r).tunnel_ids_used, 0);
	rig_free(r);
}

/* E17, E18: IPsec goes first; nothing is sent, no signal goes back. */
static void test_transport_down(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	r->cut = true;
	ctl_conn_closed(r->ctl, conn, r->now_ms);
	rig_run(r, 1000);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(stats(r).sessions.live, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	CU_ASSERT_EQUAL(rig_count_dps(r), 0);
	rig_free(r);
}

/* A client that vanishes: Hello finds it, everything comes back. */
static void test_peer_vanishes(void)
{
	struct rig *r = new_rig();

	rig_dial(r, "std", 40001, 0, 3, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(stats(r).sessions.active, 3);
	r->cut = true;
	rig_run(r, 120000);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(stats(r).session_ids_used, 0);
	r->cut = false;
	rig_dial(r, "std", 40002, 0, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(stats(r).sessions.active, 1);
	rig_free(r);
}

static void test_limits(void)
{
	struct rig *r = rig_new();
	struct ctl_session_view v;

	r->hosts[0].max_sessions = 2;
	r->users[0].max_sessions = 1;
	rig_start(r);
	rig_dial(r, "std", 40001, 0, 3, "pass1");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(r->networks_up, 1); /* one refused by the host, one by the user's limit */
	CU_ASSERT_EQUAL(stats(r).sessions.total, 3);
	CU_ASSERT_EQUAL(stats(r).sessions.failed, 1);
	CU_ASSERT_TRUE(first_session(r, &v));
	r->hosts[0].session_out_of_resource_result_code_override = true;
	rig_dial(r, "std", 40002, 0, 3, "pass1");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

static void test_framed_address(void)
{
	struct rig *r = rig_new();
	struct ctl_session_view v;
	struct ctl_pool_view p;
	uint32_t cursor = 0;

	r->users[0].address = ipaddr_v4(0x0a400002);
	rig_start(r);
	CU_ASSERT_TRUE(ctl_pool_next(r->ctl, &cursor, &p));
	CU_ASSERT_EQUAL(p.reserved, 1);
	rig_dial(r, "std", 40001, 0, 2, "pass1");
	rig_run(r, 90000);
	CU_ASSERT_EQUAL(r->networks_up, 1); /* the address is one session's */
	CU_ASSERT_TRUE(first_session(r, &v));
	CU_ASSERT_PTR_NULL(v.pool);
	rig_free(r);
}

/* Half-open tunnels are bounded, and the fullest source pays (DESIGN section 5). */
static void test_half_open_flood(void)
{
	struct rig *r = rig_new();
	uint32_t limit;

	r->conf.l2tp.half_open_percent = 1;
	rig_start(r);
	limit = stats(r).half_open_limit;
	CU_ASSERT_EQUAL(limit, 655);
	for (uint32_t i = 0; i < 3000; i++) {
		struct l2tp_path path = {
		        .local = {ipaddr_v4(0xcb007100 + i % 7), (uint16_t)(1024 + i)},
		        .remote = {ipaddr_v4(0xc0000201), 1701},
		};
		struct lac_dial d = {.host_name = "std"};

		lac_dial(r->lac, &path, &d, r->now_ms);
		if (i % 100 == 99)
			rig_run(r, 2); /* the SCCRQs arrive, no SCCRP does yet */
	}
	CU_ASSERT_TRUE(stats(r).half_open <= limit);
	rig_run(r, 3000);
	rig_dial(r, "std", 40001, 0, 1, "pass1");
	rig_run(r, 2000);
	CU_ASSERT_TRUE(r->networks_up >= 1);
	rig_free(r);
}

static void test_icmp(void)
{
	struct rig *r = new_rig();
	uint8_t pkt[60] = {0x45, 0, 0, 60, 0, 0, 0, 0, 1, 17, 0, 0, 198, 51, 100, 2, 10, 64, 0, 2};
	struct dp_punt p = {.class = DP_PUNT_ICMP, .data = pkt, .len = 60, .icmp = DP_ICMP_TTL};

	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_EQUAL(r->icmp_sent, 0); /* no address to speak from */
	ctl_set_if_address(r->ctl, 0, 0xc6336401);
	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_EQUAL(r->icmp_sent, 1);
	CU_ASSERT_EQUAL(r->last_ip[20], 11);
	CU_ASSERT_EQUAL(r->last_ip_len, 88);
	CU_ASSERT_EQUAL(memcmp(r->last_ip + 28, pkt, 60), 0);
	p.icmp = DP_ICMP_TOO_BIG;
	p.mtu = 1400;
	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_EQUAL(r->last_ip[20], 3);
	CU_ASSERT_EQUAL(r->last_ip[21], 4);
	CU_ASSERT_EQUAL(r->last_ip[26] << 8 | r->last_ip[27], 1400);
	pkt[9] = 1; /* ICMP: an error is not answered, a request is */
	pkt[20] = 3;
	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_EQUAL(r->icmp_sent, 2);
	pkt[20] = 8;
	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_EQUAL(r->icmp_sent, 3);
	pkt[7] = 1; /* a later fragment */
	ctl_punt(r->ctl, &p, r->now_ms);
	p.len = 27;
	pkt[7] = 0;
	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_EQUAL(r->icmp_sent, 3);
	p.len = 60;
	for (int i = 0; i < 1000; i++)
		ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_TRUE(r->icmp_sent <= 105);
	CU_ASSERT_TRUE(stats(r).icmp_suppressed > 800);
	rig_free(r);
}

/* A crypt(3) hash is checked on the helper thread; it serves PAP. */
static void test_crypt_user(void)
{
	struct rig *r = rig_new();
	struct crypt_data cd = {0};

	r->users[0].password[0] = '\0';
	snprintf(r->users[0].crypt, sizeof(r->users[0].crypt), "%s",
	         crypt_rn("pass1", "$6$abcdefgh", &cd, sizeof(cd)));
	r->ifprof.auth_methods = PPP_AUTH_PAP;
	rig_start(r);
	rig_dial(r, "std", 40001, 0, 1, "pass1");
	rig_dial(r, "ss", 40002, 0, 1, "other");
	for (int i = 0; i < 100 && (r->networks_up == 0 || r->tunnels_gone == 0); i++) {
		rig_run(r, 20);
		usleep(10000);
	}
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1);
	rig_free(r);
}

/* The same with a lossy network: everything still comes up or goes down cleanly. */
static void test_lossy(void)
{
	struct rig *r = new_rig();

	r->loss_percent = 15;
	for (uint16_t i = 0; i < 50; i++)
		rig_dial(r, i % 2 != 0 ? "ss" : "std", (uint16_t)(40000 + i), 0, 1, "pass1");
	rig_run(r, 120000);
	CU_ASSERT_TRUE(r->networks_up >= 45);
	r->loss_percent = 0;
	rig_free(r);
}

int main(void)
{
	static CU_TestInfo tests[] = {
	        {"session up and down", test_session_up_and_down},
	        {"release waits for workers", test_release_waits_for_workers},
	        {"wrong password, standard", test_wrong_password_standard},
	        {"single-shot, plain UDP", test_single_shot_plain},
	        {"single-shot, plain UDP, again", test_single_shot_plain_again},
	        {"standard idle", test_standard_idle},
	        {"standard over IPsec: signal", test_standard_ipsec_signal},
	        {"standard over IPsec: shared", test_standard_ipsec_shared},
	        {"single-shot over IPsec", test_single_shot_ipsec},
	        {"single-shot over IPsec: tunnel fails", test_single_shot_ipsec_tunnel_fails},
	        {"single-shot over IPsec: guesses", test_single_shot_ipsec_guesses},
	        {"second tunnel refused", test_second_tunnel_refused},
	        {"parallel calls", test_parallel_calls},
	        {"needs IPsec", test_needs_ipsec},
	        {"transport down", test_transport_down},
	        {"peer vanishes", test_peer_vanishes},
	        {"limits", test_limits},
	        {"framed address", test_framed_address},
	        {"half-open flood", test_half_open_flood},
	        {"icmp", test_icmp},
	        {"crypt user", test_crypt_user},
	        {"lossy", test_lossy},
	        CU_TEST_INFO_NULL,
	};
	return run_suite("control", tests);
}
