/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/rig.h"
#include "control/rig_ipsec.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MS 2

struct rig_packet {
	struct rig_packet *next;
	uint64_t at_ms;
	bool to_lns;
	struct l2tp_path path; /* as the receiver sees it */
	size_t len;
	uint8_t data[];
};

static uint64_t next_random(struct rig *r)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed;
}

static void enqueue(struct rig *r, struct rig_packet *k)
{
	struct rig_packet **at = r->net_last;

	if (r->jitter_ms != 0)
		for (at = &r->net_first; *at != NULL && (*at)->at_ms <= k->at_ms;)
			at = &(*at)->next;
	k->next = *at;
	*at = k;
	if (k->next == NULL)
		r->net_last = &k->next;
}

static void post(struct rig *r, bool to_lns, const struct endpoint *local,
                 const struct endpoint *remote, uint64_t conn, const uint8_t *p, size_t len)
{
	uint32_t copies = 1;

	if (r->cut || next_random(r) % 100 < r->loss_percent)
		return;
	if (r->dup_percent != 0)
		copies += next_random(r) % 100 < r->dup_percent;
	while (copies-- > 0) {
		struct rig_packet *k = malloc(sizeof(*k) + len);

		k->at_ms = r->now_ms + DELAY_MS;
		if (r->jitter_ms != 0)
			k->at_ms += next_random(r) % r->jitter_ms;
		k->to_lns = to_lns;
		k->path = (struct l2tp_path){.local = *local, .remote = *remote, .conn = conn};
		k->len = len;
		memcpy(k->data, p, len);
		enqueue(r, k);
	}
}

/* ---- the data plane's functions that control calls ---- */

int dp_tunnel_add(struct dp *dp, uint16_t id, const struct endpoint *local,
                  const struct endpoint *peer, uint64_t conn)
{
	CU_ASSERT_FALSE(rig_of(dp)->tunnel_known[id]);
	rig_check_tunnel(rig_of(dp), conn);
	rig_of(dp)->tunnel_known[id] = true;
	rig_of(dp)->tunnel_conn[id] = conn;
	return 0;
}

int dp_tunnel_del(struct dp *dp, uint16_t id)
{
	CU_ASSERT_TRUE(rig_of(dp)->tunnel_known[id]);
	rig_of(dp)->tunnel_known[id] = false;
	return 0;
}

void dp_tunnel_close(struct dp *dp, uint16_t id)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->tunnel_known[id]);
	for (uint32_t i = 0; i < 65536; i++) {
		struct rig_dps *d = &r->dps[i];

		if (!d->used || d->closed || d->s.tunnel_id != id)
			continue;
		d->closed = true;
		r->n_closed++;
	}
}

uint16_t dp_owner_pick(struct dp *dp, const uint32_t *more)
{
	uint16_t best = 0;

	for (uint16_t w = 1; w < RIG_WORKERS; w++)
		if (more[w] < more[best])
			best = w;
	return best;
}

uint16_t dp_n_workers(const struct dp *dp)
{
	return RIG_WORKERS;
}

int dp_session_add(struct dp *dp, const struct dp_session *s)
{
	struct rig_dps *d = &rig_of(dp)->dps[s->session_id];

	CU_ASSERT_FALSE(d->used);
	*d = (struct rig_dps){.s = *s, .used = true};
	rig_of(dp)->n_dps++;
	rig_check_session(rig_of(dp), s);
	rig_session_child(rig_of(dp), s, 1);
	return 0;
}

int dp_session_update(struct dp *dp, const struct dp_session *s)
{
	struct rig *r = rig_of(dp);
	struct rig_dps *d = &r->dps[s->session_id];

	if (!d->used || d->s.gen != s->gen)
		return -ESTALE;
	if (d->closed)
		return -ENOENT;
	if (r->update_room != 0 && r->turn_updates >= r->update_room)
		return -EAGAIN;
	if (++r->turn_updates > r->most_updates)
		r->most_updates = r->turn_updates;
	rig_session_child(r, &d->s, -1);
	rig_session_child(r, s, 1);
	d->s = *s;
	return 0;
}

int dp_session_del(struct dp *dp, uint16_t id, uint32_t gen, uint64_t *ticket)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->dps[id].used && r->dps[id].s.gen == gen);
	r->n_dps--;
	r->n_closed -= r->dps[id].closed;
	r->turn_deletes++;
	if (r->turn_deletes > r->most_deletes)
		r->most_deletes = r->turn_deletes;
	r->dps[id].used = false;
	r->dps[id].deleted = true;
	rig_session_child(r, &r->dps[id].s, -1);
	*ticket = ++r->tickets;
	return 0;
}

bool dp_applied(struct dp *dp, uint64_t ticket)
{
	struct rig *r = rig_of(dp);

	if (!r->hold_tickets)
		r->applied = r->tickets;
	return ticket <= r->applied;
}

int dp_session_stats(struct dp *dp, uint16_t id, uint32_t gen, struct dp_session_stats *out)
{
	*out = (struct dp_session_stats){0};
	return 0;
}

int dp_send_udp(struct dp *dp, const struct endpoint *src, const struct endpoint *dst,
                uint32_t child, const uint8_t *payload, size_t len)
{
	struct rig *r = rig_of(dp);

	if (child == 0) {
		post(r, false, dst, src, 0, payload, len);
		return 0;
	}
	if (child >= RIG_CHILDREN || !r->child[child].used)
		return -ENOENT;
	rig_check_send(r, child, payload, len);
	if (rig_child_sends(r, child))
		post(r, false, dst, src, r->child[child].c.conn, payload, len);
	return 0;
}

int dp_send_ppp(struct dp *dp, uint16_t id, uint32_t gen, const uint8_t *frame, size_t len)
{
	struct rig *r = rig_of(dp);
	const struct rig_dps *d = &r->dps[id];
	uint8_t pkt[2048] = {0x00, 0x02};

	if (!d->used || d->s.gen != gen)
		return -ESTALE;
	if (d->closed)
		return -ENOENT;
	if (d->s.child != 0 && !rig_child_sends(r, d->s.child))
		return 0;
	pkt[2] = (uint8_t)(d->s.peer_tunnel_id >> 8);
	pkt[3] = (uint8_t)d->s.peer_tunnel_id;
	pkt[4] = (uint8_t)(d->s.peer_session_id >> 8);
	pkt[5] = (uint8_t)d->s.peer_session_id;
	memcpy(pkt + 6, frame, len);
	post(r, false, &d->s.peer, &d->s.local, d->s.conn, pkt, len + 6);
	return 0;
}

int dp_send_ip(struct dp *dp, const uint8_t *packet, size_t len)
{
	struct rig *r = rig_of(dp);

	memcpy(r->last_ip, packet, len);
	r->last_ip_len = len;
	r->icmp_sent++;
	return 0;
}

/* ---- the LAC's side ---- */

static void lac_to_net(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	post(ctx, true, &path->remote, &path->local, path->conn, pkt, len);
}

static void lac_happened(void *ctx, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	struct rig *r = ctx;

	switch (ev) {
	case LAC_TUNNEL_UP:
		r->tunnels_up++;
		break;
	case LAC_TUNNEL_GONE:
		r->tunnels_gone++;
		lac_tunnel_result(t, &r->last_tunnel_result);
		break;
	case LAC_CALL_UP:
		r->calls_up++;
		break;
	case LAC_NETWORK_UP:
		r->networks_up++;
		break;
	case LAC_SESSION_GONE:
		r->sessions_gone++;
		lac_session_result(s, &r->last_session_result);
		r->last_ppp_reason = lac_session_ppp_reason(s);
		break;
	}
	if (r->on_lac != NULL)
		r->on_lac(r, ev, t, s);
}

static void fill_random(void *ctx, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(next_random(ctx) >> 24);
}

static const struct lac_ops lac_ops = {
        .send = lac_to_net,
        .event = lac_happened,
        .random = fill_random,
};

static void want_disconnect(void *ctx, uint64_t conn)
{
	struct rig *r = ctx;

	if (r->n_disconnected < 16) {
		r->disconnected[r->n_disconnected] = conn;
		r->disconnected_at[r->n_disconnected] = r->now_ms;
	}
	r->n_disconnected++;
	CU_ASSERT_EQUAL(++r->conn_signals[conn % RIG_CONNS], 1); /* E18 */
}

static const struct ctl_ops ctl_ops = {
        .ipsec_disconnect = want_disconnect,
        .ike_send = rig_ike_send,
        .random = fill_random,
};

/* A data message that arrives: what classify, l2tp in and ppp in of the real data plane do. */
static void data_in(struct rig *r, const struct rig_packet *k, const struct l2tp_hdr *h)
{
	const struct rig_dps *d = &r->dps[h->session_id];
	const uint8_t *p = k->data + h->hdr_len;
	struct dp_punt punt = {.class = DP_PUNT_PPP, .data = p, .len = h->data_len};

	if (!d->used || d->closed || d->s.tunnel_id != h->tunnel_id ||
	    !endpoint_eq(&d->s.peer, &k->path.remote))
		return;
	if (d->s.conn != k->path.conn)
		return;
	if (h->data_len >= 4 && p[2] == 0x00 && p[3] == 0x21) {
		if (d->s.open)
			rig_forward(r, &d->s);
		return;
	}
	punt.session_id = h->session_id;
	punt.gen = d->s.gen;
	r->turn_deletes = r->turn_updates = 0;
	ctl_punt(r->ctl, &punt, r->now_ms);
}

static void deliver(struct rig *r, const struct rig_packet *k)
{
	struct l2tp_hdr h;
	struct dp_punt punt = {
	        .data = k->data,
	        .len = (uint32_t)k->len,
	        .src = k->path.remote,
	        .dst = k->path.local,
	        .conn = k->path.conn,
	};

	if (!k->to_lns) {
		lac_rx(r->lac, &k->path, k->data, k->len, r->now_ms);
		return;
	}
	if (l2tp_hdr_parse(k->data, k->len, &h) < 0)
		return;
	if (k->path.conn != 0 && !rig_comes_in(r, &k->path, &h))
		return;
	if (!h.t) {
		data_in(r, k, &h);
		return;
	}
	punt.class = h.tunnel_id != 0 ? DP_PUNT_L2TP : DP_PUNT_L2TP_NEW;
	r->turn_deletes = r->turn_updates = 0;
	if (h.tunnel_id == 0 || r->tunnel_known[h.tunnel_id])
		ctl_punt(r->ctl, &punt, r->now_ms);
}

void rig_run(struct rig *r, uint64_t ms)
{
	uint64_t end = r->now_ms + ms;

	for (;;) {
		uint64_t next = end, t;
		bool more;

		if (r->net_first != NULL && r->net_first->at_ms < next)
			next = r->net_first->at_ms;
		t = timerq_next(&r->lns_timers);
		next = t < next ? t : next;
		t = timerq_next(&r->lac_timers);
		next = t < next ? t : next;
		if (next > r->now_ms)
			r->now_ms = next;
		while (r->net_first != NULL && r->net_first->at_ms <= r->now_ms) {
			struct rig_packet *k = r->net_first;

			r->net_first = k->next;
			if (k->next == NULL)
				r->net_last = &r->net_first;
			deliver(r, k);
			free(k);
		}
		r->turn_deletes = r->turn_updates = 0;
		more = ctl_tick(r->ctl, r->now_ms);
		lac_tick(r->lac, r->now_ms);
		if (r->now_ms >= end && !more && timerq_next(&r->lns_timers) > end &&
		    timerq_next(&r->lac_timers) > end &&
		    (r->net_first == NULL || r->net_first->at_ms > end))
			return;
	}
}

static void set_host(struct cfg_host *h, const char *name, bool ss, bool ipsec)
{
	*h = (struct cfg_host){.single_shot_tunnel = ss, .enable_ipsec_transport = ipsec};
	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->interface_profile, sizeof(h->interface_profile), "ppp");
	snprintf(h->local_host, sizeof(h->local_host), "lns");
}

struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(struct dp));

	r->seed = 88172645463325252ull;
	r->now_ms = 1000000;
	r->net_last = &r->net_first;
	r->pool = (struct cfg_pool){.first = ipaddr_v4(0x0a400002), .last = ipaddr_v4(0x0a40ffff)};
	snprintf(r->pool.name, sizeof(r->pool.name), "p");
	for (int i = 0; i < 4; i++) {
		snprintf(r->users[i].name, sizeof(r->users[i].name), "user%d", i + 1);
		snprintf(r->users[i].password, sizeof(r->users[i].password), "pass%d", i + 1);
	}
	r->ifprof = (struct cfg_interface_profile){
	        .auth_methods = PPP_AUTH_PAP | PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2,
	        .local_address = ipaddr_v4(0x0a400001),
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
	snprintf(r->ifprof.name, sizeof(r->ifprof.name), "ppp");
	snprintf(r->ifprof.pool, sizeof(r->ifprof.pool), "p");
	set_host(&r->hosts[0], "std", false, false);
	set_host(&r->hosts[1], "ss", true, false);
	set_host(&r->hosts[2], "std-ipsec", false, true);
	set_host(&r->hosts[3], "ss-ipsec", true, true);
	r->profile = (struct cfg_dest_profile){
	        .address = ipaddr_v4(0),
	        .hosts = r->hosts,
	        .n_hosts = 4,
	};
	snprintf(r->profile.name, sizeof(r->profile.name), "any");
	r->conf = (struct config){
	        .l2tp = {.idle_timeout_s = 60,
	                 .destruct_timeout_s = 600,
	                 .retransmission_established = 5,
	                 .retransmission_not_established = 5,
	                 .retransmit_interval_ms = 1000,
	                 .hello_interval_s = 60,
	                 .first_session_timeout_s = 60,
	                 .half_open_percent = 25,
	                 .linger_timeout_s = 31},
	        .pools = &r->pool,
	        .n_pools = 1,
	        .users = r->users,
	        .n_users = 4,
	        .interface_profiles = &r->ifprof,
	        .n_interface_profiles = 1,
	        .dest_profiles = &r->profile,
	        .n_dest_profiles = 1,
	};
	snprintf(r->conf.system.host_name, sizeof(r->conf.system.host_name), "lns");
	if (getenv("RIG_LOG") != NULL)
		r->log = (struct log){.level = LOG_LVL_DEBUG, .sink = log_sink_stderr};
	return r;
}

void rig_start(struct rig *r)
{
	r->ctl = ctl_new(&r->conf, &ctl_ops, r, (struct dp *)r, &r->lns_timers, &r->log, r->now_ms);
	r->lac = lac_new(&lac_ops, r, &r->lac_timers, &r->log);
	CU_ASSERT_FATAL(r->ctl != NULL && r->lac != NULL);
}

uint64_t rig_count_dps(const struct rig *r)
{
	return r->n_dps;
}

void rig_drop(struct rig *r)
{
	ctl_free(r->ctl);
	lac_free(r->lac);
	CU_ASSERT_EQUAL(r->lns_timers.n, 0);
	CU_ASSERT_EQUAL(r->lac_timers.n, 0);
	while (r->net_first != NULL) {
		struct rig_packet *k = r->net_first;

		r->net_first = k->next;
		free(k);
	}
	free(r);
}

/* Whatever a test did: once everything has run out, nothing may be left. */
void rig_free(struct rig *r)
{
	struct ctl_stats st;
	struct ctl_pool_view pool;
	uint32_t cursor = 0;

	r->hold_tickets = false;
	ctl_shutdown(r->ctl, r->now_ms);
	rig_run(r, 200000);
	rig_ipsec_end(r);
	rig_run(r, (uint64_t)r->conf.l2tp.destruct_timeout_s * 1000 + 200000);
	ctl_stats_get(r->ctl, &st);
	CU_ASSERT_EQUAL(st.tunnels.live, 0);
	CU_ASSERT_EQUAL(st.sessions.live, 0);
	CU_ASSERT_EQUAL(st.tunnel_ids_used, 0);
	CU_ASSERT_EQUAL(st.session_ids_used, 0);
	CU_ASSERT_EQUAL(st.half_open, 0);
	CU_ASSERT_EQUAL(st.destinations.live, 0);
	CU_ASSERT_EQUAL(rig_count_dps(r), 0);
	rig_ipsec_check_empty(r);
	CU_ASSERT_EQUAL(r->lns_timers.n, 0);
	CU_ASSERT_TRUE(ctl_pool_next(r->ctl, &cursor, &pool));
	CU_ASSERT_EQUAL(pool.used, 0);
	rig_drop(r);
}

struct lac_tunnel *rig_dial(struct rig *r, const char *host, uint16_t port, uint64_t conn,
                            uint32_t n, const char *password)
{
	struct l2tp_path path = {
	        .local = {ipaddr_v4(0xc000020b), port},
	        .remote = {ipaddr_v4(0xc0000201), 1701},
	        .conn = conn,
	};
	struct lac_dial d = {
	        .host_name = host,
	        .user = "user1",
	        .password = password,
	        .auth_methods = PPP_AUTH_PAP | PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2,
	        .sessions = n,
	};

	return lac_dial(r->lac, &path, &d, r->now_ms);
}
