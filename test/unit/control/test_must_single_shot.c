/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The rest of the single-shot behaviours as control decides them: failures, restarts, who latches. */
#include "control/rig.h"

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

static struct rig *new_rig(void)
{
	struct rig *r = rig_new();

	rig_start(r);
	return r;
}

static enum ss_reason fired(const struct rig *r, uint64_t conn)
{
	const struct conn *k = ctl_conn(r->ctl, conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	return k->fired ? k->fired_reason : SS_NONE;
}

static struct ctl_tunnel_view newest_tunnel(const struct rig *r)
{
	struct ctl_tunnel_view v, found = {0};
	uint32_t cursor = 0;

	while (ctl_tunnel_next(r->ctl, &cursor, r->now_ms, &v))
		if (v.serial > found.serial)
			found = v;
	return found;
}

/* A control message that no LAC of ours would send, arriving over a connection. */
static void inject(struct rig *r, uint64_t conn, struct l2tp_build *b, uint16_t ns, uint16_t nr,
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

static void inject_sccrq(struct rig *r, uint64_t conn, const char *host, uint16_t peer_id)
{
	uint8_t buf[512];
	struct l2tp_build b;

	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCRQ, 0, 0);
	l2tp_build_u16(&b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_CAPS, 3);
	if (host != NULL)
		l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, host, strlen(host));
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, peer_id);
	inject(r, conn, &b, 0, 0, true);
}

/* An SCCCN with an attribute that nobody knows, and that is mandatory. */
static void inject_bad_scccn(struct rig *r, uint64_t conn)
{
	uint8_t buf[512];
	struct l2tp_build b;

	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCCN, newest_tunnel(r).id, 0);
	memcpy(buf + b.len, "\x80\x06\0\0\x03\xe7", 6);
	b.len += 6;
	inject(r, conn, &b, 1, 1, false);
}

/* The connection had its one try: right credentials come too late, a new connection is welcome. */
static void expect_latched(struct rig *r, uint64_t conn, enum ss_reason why)
{
	uint32_t up = r->networks_up;
	uint64_t refused = stats(r).ss_refused_sccrq, other = ctl_conn_open(r->ctl);

	CU_ASSERT_EQUAL(fired(r, conn), why);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(r->disconnected[0], conn);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->networks_up, up);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, refused + 1);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, up + 1);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T17: SCCCN never arrives; an unknown mandatory attribute. */
static void test_tunnel_failures(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	inject_sccrq(r, conn, "ss-ipsec", 77);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 1);
	rig_run(r, 30000);
	CU_ASSERT_EQUAL(fired(r, conn), SS_NONE);
	rig_run(r, 45000);
	expect_latched(r, conn, SS_TUNNEL_TIMEOUT);

	r = new_rig();
	conn = ctl_conn_open(r->ctl);
	inject_sccrq(r, conn, "ss-ipsec", 77);
	inject_bad_scccn(r, conn);
	CU_ASSERT_EQUAL(fired(r, conn), SS_TUNNEL_FAILED); /* at the failure */
	rig_run(r, 45000);
	expect_latched(r, conn, SS_TUNNEL_FAILED);
}

/* A call whose client agrees to MS-CHAPv2 alone, on a tunnel of its own. */
static void dial_mschapv2(struct rig *r, const char *host, uint64_t conn, const char *user)
{
	struct l2tp_path path = {
	        .local = {ipaddr_v4(0xc000020b), 1701},
	        .remote = {ipaddr_v4(0xc0000201), 1701},
	        .conn = conn,
	};
	struct lac_dial d = {.host_name = host,
	                     .user = user,
	                     .password = "pass1",
	                     .auth_methods = PPP_AUTH_MSCHAPV2,
	                     .sessions = 1};

	lac_dial(r->lac, &path, &d, r->now_ms);
}

/* T18: the client does not agree to any method of ours. */
static void test_no_method(void)
{
	struct rig *r = rig_new();
	uint64_t conn;

	r->ifprof.auth_methods = PPP_AUTH_PAP;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	dial_mschapv2(r, "ss-ipsec", conn, "user1");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 0);
	expect_latched(r, conn, SS_PPP_AUTH_FAILED);
}

/* T18: there is no address for the user. */
static void test_no_address(void)
{
	struct rig *r = rig_new();
	uint64_t conn;

	r->pool.last = r->pool.first;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	rig_dial(r, "std", 40001, 0, 1, "pass1"); /* takes the only one */
	rig_run(r, UP_MS);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(fired(r, conn), SS_NCP_FAILED);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T18: hung up while PPP begins, and logged out later. */
static void test_client_hangs_up(void)
{
	for (int late = 0; late < 2; late++) {
		struct rig *r = new_rig();
		uint64_t conn = ctl_conn_open(r->ctl);
		struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 0, "pass1");
		struct lac_session *s;

		rig_run(r, UP_MS);
		s = lac_call(t, "user1", "pass1", r->now_ms);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		rig_run(r, late ? UP_MS : 7);
		CU_ASSERT_EQUAL(stats(r).sessions.active, 1);
		if (late)
			lac_hangup(s, r->now_ms);
		else
			lac_drop(s, r->now_ms);
		rig_run(r, 20000);
		expect_latched(r, conn, SS_SESSION_CDN_RX); /* the CDN follows the logout at once */
	}
}

/* T14, T18, T20, T23, E20: of all that, nothing latches on a standard tunnel. */
static void test_standard_forgives(void)
{
	struct rig *r = rig_new();
	struct lac_tunnel *t;
	struct ctl_session_view v;
	uint32_t cursor = 0;
	uint64_t conn;

	r->conf.l2tp.idle_timeout_s = 0;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	inject_sccrq(r, conn, "std-ipsec", 77);
	inject_bad_scccn(r, conn);
	rig_run(r, 45000);
	CU_ASSERT_EQUAL(stats(r).tunnels.failed, 1);
	t = rig_dial(r, "std-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(r->networks_up, 0);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	lac_call(t, "user1", "pass1", r->now_ms);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	while (ctl_session_next(r->ctl, &cursor, r->now_ms, &v))
		if (!v.destructing)
			ctl_clear_session(r->ctl, v.id, r->now_ms);
	rig_run(r, UP_MS);
	lac_call(t, "user1", "pass1", r->now_ms);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, newest_tunnel(r).id, r->now_ms), 0);
	rig_run(r, 60000);
	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 3);
	CU_ASSERT_EQUAL(fired(r, conn), SS_NONE);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	rig_free(r);
}

/* T28: the table is full of records; the oldest, the single-shot one, gives way, its latch stays. */
static void test_reclaim(void)
{
	struct rig *r = rig_new();
	struct lac_tunnel *t[1024];
	struct ctl_tunnel_view v;
	uint32_t cursor = 0, made = 0;
	uint64_t conn, other, refused, many;
	bool there = false;

	r->conf.l2tp.destruct_timeout_s = 3600;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	many = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 20000);
	CU_ASSERT_EQUAL(fired(r, conn), SS_PPP_AUTH_FAILED);
	while (made < 65536) {
		for (uint32_t i = 0; i < 1024; i++, made++)
			t[i] = rig_dial(r, "std", (uint16_t)(1024 + made % 60000),
			                made < 60000 ? 0 : many, 0, "");
		rig_run(r, 100);
		for (uint32_t i = 0; i < 1024; i++)
			if (t[i] != NULL)
				lac_close(t[i], r->now_ms);
		rig_run(r, 1000);
	}
	CU_ASSERT_TRUE(stats(r).records_reclaimed > 0);
	while (ctl_tunnel_next(r->ctl, &cursor, r->now_ms, &v))
		there = there || v.conn == conn;
	CU_ASSERT_FALSE(there);
	CU_ASSERT_EQUAL(fired(r, conn), SS_PPP_AUTH_FAILED);
	refused = stats(r).ss_refused_sccrq;
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, refused + 1);
	CU_ASSERT_EQUAL(r->networks_up, 0);
	other = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, other, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

/* E1, E6, E7: what tells connections apart is their id, not an address. */
static void test_same_inner_address(void)
{
	struct rig *r = new_rig();
	uint64_t a = ctl_conn_open(r->ctl), b = ctl_conn_open(r->ctl), c;

	rig_dial(r, "ss-ipsec", 1701, a, 1, "wrong");
	rig_dial(r, "ss-ipsec", 1701, b, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(fired(r, a), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(fired(r, b), SS_NONE);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(stats(r).sessions.active, 1);
	c = ctl_conn_open(r->ctl);
	rig_dial(r, "ss-ipsec", 1701, c, 1, "pass1");
	rig_dial(r, "ss-ipsec", 1701, a, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->networks_up, 2);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* E11: the client restarts without its IPsec connection and comes with another tunnel id. */
static void test_restart_new_id(void)
{
	struct l2tp_result gone = {.reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);
	struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

	rig_run(r, 3); /* the SCCRQ is there, the SCCRP is on its way */
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 1);
	l2tp_tunnel_abort(lac_tunnel_engine(t), &gone, r->now_ms);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 1);
	CU_ASSERT_EQUAL(r->networks_up, 0);
	CU_ASSERT_EQUAL(fired(r, conn), SS_NONE);
	rig_run(r, 45000);
	expect_latched(r, conn, SS_TUNNEL_TIMEOUT);
}

/* E13: no call in time. */
static void test_first_session(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl), std = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 0, "pass1");
	rig_dial(r, "std-ipsec", 1702, std, 0, "pass1");
	rig_run(r, 59000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 0);
	rig_run(r, 2000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 2);
	CU_ASSERT_EQUAL(fired(r, std), SS_NONE);
	expect_latched(r, conn, SS_FIRST_SESSION_TIMEOUT);
}

/* E14: refused before the host is known. Only a profile that leaves no doubt costs the try. */
static void test_unknown_profile(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	inject_sccrq(r, conn, NULL, 77);
	inject_sccrq(r, conn, "nobody", 78);
	CU_ASSERT_EQUAL(stats(r).sccrq_no_profile, 1);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(fired(r, conn), SS_NONE);
	rig_free(r);

	r = rig_new();
	r->profile.hosts = &r->hosts[3]; /* ss-ipsec alone */
	r->profile.n_hosts = 1;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	inject_sccrq(r, 0, NULL, 77); /* plain UDP has nothing to latch */
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	inject_sccrq(r, conn, NULL, 77);
	expect_latched(r, conn, SS_TUNNEL_FAILED);
}

/* E16: single-shot without enable-ipsec-transport, but the tunnel came inside IPsec. */
static void test_transport_decides(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss", 1701, conn, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(fired(r, conn), SS_PPP_AUTH_FAILED);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_dial(r, "ss", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 1);
	rig_dial(r, "ss", 1701, 0, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

/* E18, E19, E36: the peer's StopCCN with the session up; and both sides' at once. */
static void test_peer_stops(void)
{
	for (int both = 0; both < 2; both++) {
		struct rig *r = new_rig();
		uint64_t conn = ctl_conn_open(r->ctl);
		struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");

		rig_run(r, UP_MS);
		CU_ASSERT_EQUAL(r->networks_up, 1);
		lac_close(t, r->now_ms);
		if (both)
			ctl_clear_tunnel(r->ctl, newest_tunnel(r).id, r->now_ms);
		rig_run(r, 900);
		CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* ours was acknowledged */
		CU_ASSERT_EQUAL(rig_count_dps(r), 0);
		CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
		expect_latched(r, conn, both ? SS_TUNNEL_ADMIN : SS_TUNNEL_STOPCCN_RX);
	}
}

/* E20: the operator ends the tunnel; and shutting down refuses without latching. */
static void test_admin(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, newest_tunnel(r).id, r->now_ms), 0);
	CU_ASSERT_EQUAL(fired(r, conn), SS_TUNNEL_ADMIN); /* before anything left */
	rig_run(r, 900);
	expect_latched(r, conn, SS_TUNNEL_ADMIN);

	r = new_rig();
	conn = ctl_conn_open(r->ctl);
	ctl_shutdown(r->ctl, r->now_ms);
	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, 3000);
	CU_ASSERT_EQUAL(r->last_tunnel_result.result, 6);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(fired(r, conn), SS_NONE);
	rig_free(r);
}

/* E28: the password is being judged, on another thread; further calls are refused meanwhile. */
static void test_slow_judge(void)
{
	struct rig *r = rig_new();
	struct crypt_data cd = {0};
	struct lac_tunnel *t;

	r->users[0].password[0] = '\0';
	snprintf(r->users[0].crypt, sizeof(r->users[0].crypt), "%s",
	         crypt_r("pass1", "$6$abcdefgh", &cd));
	r->ifprof.auth_methods = PPP_AUTH_PAP;
	rig_start(r);
	t = rig_dial(r, "ss", 40001, 0, 1, "pass1");
	rig_run(r, 30);
	for (int i = 0; i < 5; i++)
		lac_call(t, "user2", "pass2", r->now_ms);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 1);
	for (int i = 0; i < 200 && r->networks_up == 0; i++) {
		rig_run(r, 20);
		usleep(10000);
	}
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_EQUAL(stats(r).ppp_auths, 1);
	CU_ASSERT_TRUE(stats(r).ss_refused_icrq >= 1);
	rig_free(r);
}

/* E30: with the connection its latch goes; nothing stays behind of the peer. */
static void test_no_memory_of_peers(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(fired(r, conn), SS_PPP_AUTH_FAILED);
	ctl_conn_closed(r->ctl, conn, r->now_ms);
	rig_run(r, 601000); /* its record's end */
	CU_ASSERT_PTR_NULL(ctl_conn(r->ctl, conn));
	for (int i = 0; i < 3; i++) {
		conn = ctl_conn_open(r->ctl);
		rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
		rig_run(r, UP_MS);
		CU_ASSERT_EQUAL(r->networks_up, (uint32_t)i + 1);
	}
	rig_free(r);
}

/* E31: the peer hears nothing; the signal comes when the retransmissions end, not with the record. */
static void test_deaf_peer(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl), down;
	struct ctl_session_view v;
	uint32_t cursor = 0;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	r->cut = true;
	ctl_clear_session(r->ctl, v.id, r->now_ms);
	rig_run(r, 1);
	down = r->now_ms;
	for (int i = 0; i < 200 && !ctl_conn(r->ctl, conn)->fired; i++)
		rig_run(r, 100); /* the link's Terminate-Request is not answered either */
	CU_ASSERT_TRUE(r->now_ms <= down + 6200);
	rig_run(r, 32000);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_TRUE(r->disconnected_at[0] <= down + 6200 + 31000);
	r->cut = false;
	rig_free(r);
}

/* E32: one StopCCN an attempt, no state; and nothing at all once the connection is gone. */
static void test_latched_is_silent(void)
{
	struct rig *r = new_rig();
	uint64_t conn = ctl_conn_open(r->ctl), tx;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "wrong");
	rig_run(r, 10000);
	CU_ASSERT_EQUAL(fired(r, conn), SS_PPP_AUTH_FAILED);
	tx = stats(r).l2tp.tx;
	for (uint16_t i = 0; i < 100; i++)
		inject_sccrq(r, conn, "ss-ipsec", (uint16_t)(100 + i));
	CU_ASSERT_EQUAL(stats(r).l2tp.tx, tx + 100);
	CU_ASSERT_EQUAL(stats(r).ss_refused_sccrq, 100);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(stats(r).half_open, 0);
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(stats(r).l2tp.tx, tx + 100); /* nothing is sent again */
	ctl_conn_closed(r->ctl, conn, r->now_ms);
	for (uint16_t i = 0; i < 100; i++)
		inject_sccrq(r, conn, "ss-ipsec", (uint16_t)(300 + i));
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	rig_free(r);
}

/* E33: the host's limit counts across its single-shot tunnels. */
static void test_host_limit(void)
{
	struct rig *r = rig_new();

	r->hosts[1].max_sessions = 2;
	rig_start(r);
	for (uint16_t i = 0; i < 3; i++) {
		rig_dial(r, "ss", (uint16_t)(40001 + i), 0, 2, "pass1");
		rig_run(r, UP_MS);
	}
	CU_ASSERT_EQUAL(r->networks_up, 2); /* one a tunnel, two the host */
	CU_ASSERT_EQUAL(ctl_host_sessions(r->ctl, 0, 1), 2);
	rig_run(r, 5000);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* refused was its one call */
	rig_free(r);
}

/* RFC 2661 5: before the ICCN no PPP frame is taken, nor anything forwarded. */
static void test_frames_before_iccn(void)
{
	static const uint8_t lcp[] = {0xff, 3, 0xc0, 0x21, 1, 1, 0, 4};
	struct rig *r = new_rig();
	struct lac_tunnel *t = rig_dial(r, "std", 40001, 0, 0, "pass1");
	struct ctl_session_view v;
	struct dp_punt p = {.class = DP_PUNT_PPP, .data = lcp, .len = sizeof(lcp)};
	uint32_t cursor = 0;

	rig_run(r, UP_MS);
	lac_call(t, "user1", "pass1", r->now_ms);
	rig_run(r, 3); /* the ICRQ is there, the ICRP is on its way */
	CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	CU_ASSERT_EQUAL(v.call.state, L2TP_CS_WAIT_CONNECT);
	p.session_id = v.id;
	p.gen = v.gen;
	ctl_punt(r->ctl, &p, r->now_ms);
	CU_ASSERT_TRUE(ctl_session_get(r->ctl, v.id, r->now_ms, &v));
	CU_ASSERT_EQUAL(v.ppp.rx_frames, 0);
	CU_ASSERT_EQUAL(v.ppp.tx_frames, 0);
	CU_ASSERT_FALSE(r->dps[v.id].s.open);
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	CU_ASSERT_TRUE(r->dps[v.id].s.open);
	rig_free(r);
}

/* RFC 2661 5.8: however short the first interval, the cap is no less than 8 s. */
static void test_retransmission_cap(void)
{
	struct rig *r = rig_new();

	r->conf.l2tp.retransmit_interval_ms = 100;
	r->conf.l2tp.retransmission_established = 7;
	rig_start(r);
	rig_dial(r, "std", 40001, 0, 0, "pass1");
	rig_run(r, UP_MS);
	r->cut = true;
	CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, newest_tunnel(r).id, r->now_ms), 0);
	rig_run(r, 20600); /* 0.1 + 0.2 + .. + 6.4 + 8 s */
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 1);
	rig_run(r, 200);
	CU_ASSERT_EQUAL(stats(r).tunnels.live, 0);
	r->cut = false;
	rig_free(r);
}

/* RFC 2759 8.2: the domain before the name takes no part. */
static void test_domain(void)
{
	struct rig *r = new_rig();

	dial_mschapv2(r, "std", 0, "EXAMPLE\\user1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

int main(void)
{
	static CU_TestInfo tests[] = {
	        {"tunnels that fail (T17)", test_tunnel_failures},
	        {"no method in common (T18)", test_no_method},
	        {"no address (T18)", test_no_address},
	        {"the client hangs up (T18)", test_client_hangs_up},
	        {"standard tunnels forgive (T23)", test_standard_forgives},
	        {"records give way (T28)", test_reclaim},
	        {"same inner address (E7)", test_same_inner_address},
	        {"restart with a new id (E11)", test_restart_new_id},
	        {"no first session (E13)", test_first_session},
	        {"unknown profile (E14)", test_unknown_profile},
	        {"transport decides (E16)", test_transport_decides},
	        {"the peer stops (E19, E36)", test_peer_stops},
	        {"the operator ends it (E20)", test_admin},
	        {"slow judge (E28)", test_slow_judge},
	        {"no memory of peers (E30)", test_no_memory_of_peers},
	        {"deaf peer (E31)", test_deaf_peer},
	        {"latched is silent (E32)", test_latched_is_silent},
	        {"host's limit (E33)", test_host_limit},
	        {"frames before the ICCN (RFC 2661 5)", test_frames_before_iccn},
	        {"retransmission cap (RFC 2661 5.8)", test_retransmission_cap},
	        {"domain (RFC 2759 8.2)", test_domain},
	        CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
	        {"control: single-shot demands", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};
	unsigned int failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
