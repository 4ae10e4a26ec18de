/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Failures of tunnels and sessions: what they cost a single-shot connection, and no other. */
#include "must.h"
#include "suite.h"

#include <string.h>

/* An SCCCN with an attribute that nobody knows, and that is mandatory. */
static void inject_bad_scccn(struct rig *r, uint64_t conn)
{
	uint8_t buf[512];
	struct l2tp_build b;

	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCCN, must_newest_tunnel(r).id, 0);
	memcpy(buf + b.len, "\x80\x06\0\0\x03\xe7", 6);
	b.len += 6;
	must_inject(r, conn, &b, 1, 1, false);
}

/* T17: SCCCN never arrives; an unknown mandatory attribute. */
static void test_tunnel_failures(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	must_sccrq(r, conn, "ss-ipsec", 77);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 1);
	rig_run(r, 30000);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	rig_run(r, 45000);
	must_be_latched(r, conn, SS_TUNNEL_TIMEOUT);

	r = must_rig();
	conn = ctl_conn_open(r->ctl);
	must_sccrq(r, conn, "ss-ipsec", 77);
	inject_bad_scccn(r, conn);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_TUNNEL_FAILED); /* at the failure */
	rig_run(r, 45000);
	must_be_latched(r, conn, SS_TUNNEL_FAILED);
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
	CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 0);
	must_be_latched(r, conn, SS_PPP_AUTH_FAILED);
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
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NCP_FAILED);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	rig_free(r);
}

/* T18: hung up while PPP begins, and logged out later. */
static void test_client_hangs_up(void)
{
	for (int late = 0; late < 2; late++) {
		struct rig *r = must_rig();
		uint64_t conn = ctl_conn_open(r->ctl);
		struct lac_tunnel *t = rig_dial(r, "ss-ipsec", 1701, conn, 0, "pass1");
		struct lac_session *s;

		rig_run(r, UP_MS);
		s = lac_call(t, "user1", "pass1", r->now_ms);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		rig_run(r, late ? UP_MS : 7);
		CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
		if (late)
			lac_hangup(s, r->now_ms);
		else
			lac_drop(s, r->now_ms);
		rig_run(r, 20000);
		must_be_latched(r, conn,
		                SS_SESSION_CDN_RX); /* the CDN follows the logout at once */
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
	must_sccrq(r, conn, "std-ipsec", 77);
	inject_bad_scccn(r, conn);
	rig_run(r, 45000);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.failed, 1);
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
	CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms), 0);
	rig_run(r, 60000);
	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 3);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	rig_free(r);
}

/* E14: refused before the host is known. Only a profile that leaves no doubt costs the try. */
static void test_unknown_profile(void)
{
	struct rig *r = must_rig();
	uint64_t conn = ctl_conn_open(r->ctl);

	must_sccrq(r, conn, NULL, 77);
	must_sccrq(r, conn, "nobody", 78);
	CU_ASSERT_EQUAL(must_stats(r).sccrq_no_profile, 1);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
	rig_free(r);

	r = rig_new();
	r->profile.hosts = &r->hosts[3]; /* ss-ipsec alone */
	r->profile.n_hosts = 1;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	must_sccrq(r, 0, NULL, 77); /* plain UDP has nothing to latch */
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	must_sccrq(r, conn, NULL, 77);
	must_be_latched(r, conn, SS_TUNNEL_FAILED);

	/* a Host Name that the only host does not have */
	r = rig_new();
	r->profile.hosts = &r->hosts[3];
	r->profile.n_hosts = 1;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	must_sccrq(r, 0, "nobody", 77);
	CU_ASSERT_EQUAL(r->n_disconnected, 0);
	must_sccrq(r, conn, "nobody", 77);
	CU_ASSERT_EQUAL(must_stats(r).sccrq_no_profile, 2);
	must_be_latched(r, conn, SS_TUNNEL_FAILED);

	/* the default host is whom everybody means who is not named */
	r = rig_new();
	r->hosts[3].is_default = true;
	rig_start(r);
	conn = ctl_conn_open(r->ctl);
	must_sccrq(r, conn, NULL, 77);
	must_be_latched(r, conn, SS_TUNNEL_FAILED);
}

/* A tunnel, a call, and an ICCN with a password that the LAC has taken from the client. */
static void call_with_proxy(struct rig *r, uint64_t conn, const char *password)
{
	static const uint8_t ours[] = {3, 4, 0xc0, 0x23, 5, 6, 1, 2, 3, 4};
	static const uint8_t theirs[] = {5, 6, 9, 8, 7, 6};
	struct ctl_session_view v;
	uint32_t cursor = 0;
	uint8_t buf[512];
	struct l2tp_build b;
	uint16_t tid;

	must_sccrq(r, conn, "ss-ipsec", 77);
	tid = must_newest_tunnel(r).id;
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCCN, tid, 0);
	must_inject(r, conn, &b, 1, 1, false);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_ICRQ, tid, 0);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID, 99);
	l2tp_build_u32(&b, L2TP_AVP_CALL_SERIAL, 1);
	must_inject(r, conn, &b, 2, 1, false);
	CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_ICCN, tid, v.id);
	l2tp_build_u32(&b, L2TP_AVP_TX_SPEED, 1000000);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_TYPE, 1);
	l2tp_build_bytes(&b, L2TP_AVP_LAST_TX_LCP, ours, sizeof(ours));
	l2tp_build_bytes(&b, L2TP_AVP_LAST_RX_LCP, theirs, sizeof(theirs));
	l2tp_build_u16(&b, L2TP_AVP_PROXY_AUTH_TYPE, 3); /* PAP */
	l2tp_build_u16(&b, L2TP_AVP_PROXY_AUTH_ID, 5);
	l2tp_build_bytes(&b, L2TP_AVP_PROXY_AUTH_NAME, "user1", 5);
	l2tp_build_bytes(&b, L2TP_AVP_PROXY_AUTH_RESPONSE, password, strlen(password));
	must_inject(r, conn, &b, 3, 2, false);
}

/* E27: the LAC's credentials are rejected; and, for contrast, accepted. */
static void test_proxy(void)
{
	for (int right = 0; right < 2; right++) {
		struct rig *r = rig_new();
		uint64_t conn;

		r->ifprof.auth_methods = PPP_AUTH_PAP;
		r->hosts[3].enable_proxy_authenticate = true;
		rig_start(r);
		conn = ctl_conn_open(r->ctl);
		call_with_proxy(r, conn, right ? "pass1" : "wrong");
		CU_ASSERT_EQUAL(must_stats(r).ppp_auths, 1);
		CU_ASSERT_EQUAL(must_stats(r).ppp_auth_failures, right ? 0 : 1);
		if (right) {
			CU_ASSERT_EQUAL(must_fired(r, conn), SS_NONE);
			rig_free(r);
			continue;
		}
		rig_run(r, 60000); /* nobody answers Terminate-Request, CDN and StopCCN */
		must_be_latched(r, conn, SS_PPP_AUTH_FAILED);
	}
}

/* RFC 2661 5: before the ICCN no PPP frame is taken, nor anything forwarded. */
static void test_frames_before_iccn(void)
{
	static const uint8_t lcp[] = {0xff, 3, 0xc0, 0x21, 1, 1, 0, 4};
	struct rig *r = must_rig();
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

/* Frames that the link has had at the ICCN, after so many of them came before it. */
static uint64_t frames_at_iccn(uint32_t early, uint64_t *stale)
{
	static const uint8_t lcp[300] = {0xff, 3, 0xc0, 0x21, 1, 0x77, 0, 4};
	struct rig *r = must_rig();
	struct lac_tunnel *t = rig_dial(r, "std", 40001, 0, 0, "pass1");
	struct dp_punt p = {.class = DP_PUNT_PPP, .data = lcp};
	struct ctl_session_view v;
	uint32_t cursor = 0;
	uint64_t n;

	rig_run(r, UP_MS);
	lac_call(t, "user1", "pass1", r->now_ms);
	rig_run(r, 3);
	CU_ASSERT_TRUE_FATAL(ctl_session_next(r->ctl, &cursor, r->now_ms, &v));
	p.session_id = v.id;
	p.gen = v.gen;
	for (uint32_t i = 0; i < early; i++) {
		p.len = i == 0 ? sizeof(lcp) : 8; /* the first one is no Configure-Request's size */
		ctl_punt(r->ctl, &p, r->now_ms);
	}
	for (int ms = 0; ms < 100 && v.call.state != L2TP_CS_ESTABLISHED; ms++) {
		rig_run(r, 1);
		CU_ASSERT_TRUE_FATAL(ctl_session_get(r->ctl, v.id, r->now_ms, &v));
	}
	n = v.ppp.rx_frames;
	*stale = must_stats(r).stale_punts;
	rig_run(r, 4 * UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
	return n;
}

/* One that overtakes the ICCN is not lost with it, more are: what is kept for anyone is little. */
static void test_early_frame(void)
{
	uint64_t none, stale, taken;

	none = frames_at_iccn(0, &stale);
	CU_ASSERT_EQUAL(stale, 0);
	taken = frames_at_iccn(2, &stale);
	CU_ASSERT_EQUAL(taken, none + 1);
	CU_ASSERT_EQUAL(stale, 1); /* too long */
	taken = frames_at_iccn(4, &stale);
	CU_ASSERT_EQUAL(taken, none + 1);
	CU_ASSERT_EQUAL(stale, 3);
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
	CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms), 0);
	rig_run(r, 20600); /* 0.1 + 0.2 + .. + 6.4 + 8 s */
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 1);
	rig_run(r, 200);
	CU_ASSERT_EQUAL(must_stats(r).tunnels.live, 0);
	r->cut = false;
	rig_free(r);
}

/* RFC 2759 8.2: the domain before the name takes no part. */
static void test_domain(void)
{
	struct rig *r = must_rig();

	dial_mschapv2(r, "std", 0, "EXAMPLE\\user1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"tunnels that fail (T17)", test_tunnel_failures},
	        {"no method in common (T18)", test_no_method},
	        {"no address (T18)", test_no_address},
	        {"the client hangs up (T18)", test_client_hangs_up},
	        {"standard tunnels forgive (T23)", test_standard_forgives},
	        {"proxy authentication (E27)", test_proxy},
	        {"unknown profile (E14)", test_unknown_profile},
	        {"frames before the ICCN (RFC 2661 5)", test_frames_before_iccn},
	        {"a frame that overtakes the ICCN", test_early_frame},
	        {"retransmission cap (RFC 2661 5.8)", test_retransmission_cap},
	        {"domain (RFC 2759 8.2)", test_domain},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control demands: failures", tests);
}
