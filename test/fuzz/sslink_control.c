/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The daemon's end of charon's link: the real src/control under a plugin that the fuzzer plays. The
 * input is a row of orders: datagrams as they are, and, so that a mutation gets deep, messages that are
 * right but for the few bytes that choose their ids; besides them time, events of the data plane, its
 * faults, and L2TP of the peers. An answer must be owed when it comes. In the end nothing may be
 * left, whether all had time to end or were cut down.
 */
#include "sslink_plugin.h"

#define INPUT_MAX 4096
#define TURNS     64 /* of a stretch of time: a later one takes what is left, as after a stall */

static void want_disconnect(void *ctx, uint64_t conn)
{
	check(conn != 0);
}

static void line(struct log *log, enum log_level level, const char *text)
{
	check(strchr(text, '\n') == NULL);
}

static const struct ctl_ops ops = {
        .ipsec_disconnect = want_disconnect,
        .ike_send = ike_send,
        .random = fill_random,
};

static void stub_sent(const uint8_t *p, size_t len)
{
	struct l2tp_hdr h;

	check(l2tp_hdr_parse(p, len, &h) == 0 && h.t);
}

/* ---- the data plane, the peers, the operator, the clock ---- */

static void sa_event(struct fuzz *f, uint8_t which, uint8_t what)
{
	struct dp_punt p = {
	        .class = DP_PUNT_SA,
	        .sa = which < stub.top_sa ? stub.top_sa - which : which,
	        .sa_event = what % 4,
	        .src = {ipaddr_v4(THEM + (what >> 6)), 4500 + (what >> 4 & 3)},
	};

	ctl_punt(f->c, &p, f->now);
}

static void punt_l2tp(struct fuzz *f, const uint8_t *p, size_t len)
{
	const struct dp_child *ch = &stub.child[f->child].c;
	uint8_t *copy;
	struct dp_punt punt = {
	        .len = (uint32_t)len,
	        .src = ch->peer,
	        .dst = ch->local,
	        .conn = ch->conn,
	};

	if (!child_live(f->child))
		return;
	if (punt.src.port == 0)
		punt.src.port = L2TP_PORT;
	copy = malloc(len);
	memcpy(copy, p, len);
	punt.data = copy;
	punt.class = p[4] == 0 && p[5] == 0 ? DP_PUNT_L2TP_NEW : DP_PUNT_L2TP;
	ctl_punt(f->c, &punt, f->now);
	free(copy);
}

static void dial(struct fuzz *f, uint8_t which, uint8_t how)
{
	static const char *const hosts[] = {"std", "ss", "nobody"};
	const char *host = hosts[how % 3];
	struct l2tp_build b;
	uint8_t buf[256];
	size_t len;

	f->child = which < stub.top_child ? stub.top_child - which : 0;
	f->ns = f->nr = 0;
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCRQ, 0, 0);
	l2tp_build_u16(&b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, host, strlen(host));
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1 + (how >> 4));
	len = l2tp_build_end(&b);
	l2tp_set_seq(buf, f->ns++, f->nr);
	punt_l2tp(f, buf, len);
	if (stub.top_tunnel > 0)
		f->tid = stub.tunnel[stub.top_tunnel - 1].id;
}

static void on_tunnel(struct fuzz *f, uint8_t what)
{
	static const uint16_t types[] = {L2TP_SCCCN, L2TP_ICRQ, L2TP_ICCN, L2TP_CDN, L2TP_STOPCCN};
	const uint16_t type = types[what % 5];
	struct l2tp_build b;
	uint8_t buf[256];
	size_t len;

	if (type == L2TP_ICCN && stub.top_session > 0)
		f->sid = stub.session[stub.top_session - 1].s.session_id;
	l2tp_build_begin(&b, buf, sizeof(buf), type, f->tid,
	                 type == L2TP_ICCN || type == L2TP_CDN ? f->sid : 0);
	if (type == L2TP_ICRQ || type == L2TP_CDN)
		l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID,
		               what < 0xf0 ? 1 + (what >> 4) : (uint16_t)(0x10 + f->calls++));
	if (type == L2TP_ICRQ)
		l2tp_build_u32(&b, L2TP_AVP_CALL_SERIAL, 1);
	if (type == L2TP_ICCN) {
		l2tp_build_u32(&b, L2TP_AVP_TX_SPEED, 1);
		l2tp_build_u32(&b, L2TP_AVP_FRAMING_TYPE, 1);
	}
	if (type == L2TP_STOPCCN)
		l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1);
	if (type == L2TP_STOPCCN || type == L2TP_CDN)
		l2tp_build_result(&b, 1, false, 0, "");
	len = l2tp_build_end(&b);
	l2tp_set_seq(buf, f->ns++, ++f->nr);
	punt_l2tp(f, buf, len);
}

static void static_sa(struct fuzz *f, uint8_t which)
{
	static const uint8_t key[64];
	struct ctl_static_sa s = {
	        .name = "lab",
	        .spi_in = spi_make(STUB_STATIC + which % 64, which % 4),
	        .spi_out = 0x20000u + which,
	        .local = {ipaddr_v4(US), 4500},
	        .peer = {ipaddr_v4(THEM), 4500},
	        .suite = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0},
	        .enc_key_in = key,
	        .auth_key_in = key,
	        .enc_key_out = key,
	        .auth_key_out = key,
	        .encap = which & 0x80,
	        .replay_window = 64,
	};

	ctl_static_sa_add(f->c, &s, f->now);
}

static void operator_acts(struct fuzz *f, uint8_t what)
{
	struct ctl_conn_view v;
	uint32_t cursor = 0;
	uint64_t id = 0;

	for (uint32_t i = 0; ctl_conn_next(f->c, &cursor, f->now, &v); i++)
		if (i == what >> 4)
			id = v.id;
	switch (what % 4) {
	case 0:
		ctl_clear_conn(f->c, id, f->now);
		break;
	case 1:
		ctl_conn_closed(f->c, id, f->now);
		break;
	case 2:
		static_sa(f, what);
		break;
	default:
		ctl_clear_tunnel(f->c, f->tid, f->now);
		break;
	}
}

static void pass(struct fuzz *f, uint64_t ms, uint32_t turns)
{
	uint64_t end = f->now + ms, next;

	for (; turns > 0 && (next = timerq_next(&f->q)) <= end; turns--) {
		f->now = next > f->now ? next : f->now;
		ctl_tick(f->c, f->now);
	}
	f->now = end;
	ctl_tick(f->c, f->now);
	ctl_tick(f->c, f->now);
}

/* ---- one input ---- */

static void order(struct fuzz *f)
{
	static const uint32_t steps[] = {1, 10, 100, 1000, 5000, 30000, 61000, 600000};
	uint8_t op = u8(f) % 16, a = op != 0 ? u8(f) : 0, b, d;

	switch (op) {
	case 0:
		datagram(f);
		break;
	case 1:
		link_up(f);
		break;
	case 2:
		link_down(f);
		break;
	case 3:
		pass(f, steps[a % 8], TURNS);
		break;
	case 4:
		stub.faults = a;
		break;
	case 5:
		sa_event(f, a, u8(f));
		break;
	case 6:
		dial(f, a, u8(f));
		break;
	case 7:
		on_tunnel(f, a);
		break;
	case 8:
		hello(f, a % 4);
		break;
	case 9:
		sync_over(f);
		break;
	case 10:
		get_spi(f, a);
		break;
	case 11:
		b = u8(f);
		d = u8(f);
		add_sa(f, a, b % 20, d, u8(f));
		break;
	case 12:
		b = u8(f);
		if (b & 0x80)
			update(f, a % 20, b);
		else
			by_spi(f, b & 0x40 ? SSLINK_QUERY_SA : SSLINK_DEL_SA, a % 20, b);
		break;
	case 13:
		b = u8(f);
		ike_news(f, a, b, u8(f));
		break;
	case 14:
		b = u8(f);
		pair(f, a, b, u8(f));
		break;
	default:
		operator_acts(f, a);
		break;
	}
	if (f->failed) /* src/ike says so when control is done with what it was at */
		link_down(f);
}

static void check_counts(const struct fuzz *f)
{
	struct ctl_ipsec_stats st;

	ctl_ipsec_stats_get(f->c, &st);
	check(st.children_now == stub.n_children);
	check(st.conns_up <= st.conns_now && st.orphans_now <= st.conns_now);
	check(!st.link_up || f->link);
}

/* Everything comes to its end by itself, or by charon's and the operator's word. */
static void run_out(struct fuzz *f)
{
	struct ctl_conn_view v;
	struct ctl_ipsec_stats st;
	struct ctl_stats all;
	uint32_t cursor = 0;

	stub.faults = 0;
	pass(f, 10, TURNS);
	pass(f, 10, TURNS);
	check(f->n_asked == 0); /* whoever asked has been answered */
	link_up(f);
	hello(f, 200);
	sync_over(f);
	while (ctl_conn_next(f->c, &cursor, f->now, &v))
		ctl_conn_closed(f->c, v.id, f->now);
	pass(f, 4000000, UINT32_MAX);
	ctl_ipsec_stats_get(f->c, &st);
	ctl_stats_get(f->c, &all);
	check(st.ike_now + st.conns_now + st.conns_up + st.children_now + st.sas_now == 0);
	check(st.orphans_now == 0 && st.ike_sas >= st.ike_now);
	check(all.tunnels.live + all.sessions.live + all.tunnel_ids_used + all.session_ids_used ==
	      0);
	check(stub.n_children + stub.n_sas + stub.n_spis + stub.n_tunnels + stub.n_sessions == 0);
	check(f->q.n == 0);
	link_down(f);
}

static void configure(struct config *conf)
{
	static struct cfg_pool pool = {.name = "p"};
	static struct cfg_interface_profile ifprof = {
	        .name = "ppp",
	        .pool = "p",
	        .auth_methods = PPP_AUTH_PAP,
	        .mru = 1460,
	        .mtu = 1460,
	        .echo_failures = 3,
	        .auth_tries = 3,
	        .auth_timeout_s = 30,
	        .ncp_timeout_s = 60,
	        .lcp_restart_ms = 3000,
	        .lcp_max_configure = 10,
	        .lcp_max_terminate = 2,
	        .lcp_max_failure = 5,
	};
	static struct cfg_host hosts[] = {
	        {.name = "std", .interface_profile = "ppp", .local_host = "lns"},
	        {.name = "ss",
	         .interface_profile = "ppp",
	         .local_host = "lns",
	         .single_shot_tunnel = true},
	};
	static struct cfg_dest_profile dest = {.name = "any", .hosts = hosts, .n_hosts = 2};
	static struct cfg_ipsec_profile ipsec[] = {
	        {.name = "lax", .allow_tunnel_mode = true, .nat_traversal = true},
	        {.name = "strict"},
	};

	pool.first = ipaddr_v4(0x0a400002);
	pool.last = ipaddr_v4(0x0a4000ff);
	ifprof.local_address = ipaddr_v4(0x0a400001);
	dest.address = ipaddr_v4(0);
	*conf = (struct config){
	        .l2tp = {.idle_timeout_s = 60,
	                 .destruct_timeout_s = 600,
	                 .retransmission_established = 5,
	                 .retransmission_not_established = 5,
	                 .retransmit_interval_ms = 1000,
	                 .hello_interval_s = 60,
	                 .first_session_timeout_s = 60,
	                 .half_open_percent = 25,
	                 .linger_timeout_s = 31},
	        .pools = &pool,
	        .n_pools = 1,
	        .interface_profiles = &ifprof,
	        .n_interface_profiles = 1,
	        .dest_profiles = &dest,
	        .n_dest_profiles = 1,
	        .ipsec_profiles = ipsec,
	        .n_ipsec_profiles = 2,
	};
	snprintf(conf->system.host_name, sizeof(conf->system.host_name), "lns");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log log = {.level = LOG_LVL_DEBUG, .sink = line};
	static struct ctl *c; /* the tables are large, and a run that runs out leaves them empty */
	static struct config conf;
	static uint64_t now = 1000000;
	static struct fuzz f;
	uint8_t how;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	configure(&conf);
	f = (struct fuzz){.at = data, .end = data + size, .now = now, .random = 1};
	stub_reset();
	if (c == NULL)
		c = ctl_new(&conf, &ops, &f, (struct dp *)&stub, &f.q, &log, f.now);
	check(c != NULL);
	f.c = c;
	how = u8(&f);
	if (how & 1) {
		link_up(&f);
		hello(&f, 0);
		sync_over(&f);
	}
	while (f.at < f.end) {
		order(&f);
		check_counts(&f);
	}
	if (how & 2) {
		run_out(&f);
	} else {
		if (how & 4) {
			ctl_shutdown(c, f.now);
			pass(&f, how, TURNS);
		}
		link_down(&f);
		ctl_free(c);
		c = NULL;
		check(f.q.n == 0);
	}
	now = f.now;
	return 0;
}
