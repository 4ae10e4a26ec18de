/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The instance: what it is made of, and its entry points. */
#include "control/ctl_int.h"

#include <stdlib.h>
#include <string.h>

#define ID_QUARANTINE_MS 31000 /* DESIGN section 5; RFC 2661 5.7's full cycle */
#define FIRMWARE         0x0100
#define TIMERS_A_TURN    32 /* so that punts get their turn in a storm */

static void eng_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct ctl *c = ctx;
	const struct conn *k = ctl_conn_find(c, path->conn);
	const struct child *ch;
	uint32_t index = 0;

	if (path->conn != 0) {
		/* Without an SA it cannot leave; in clear it must not. */
		ch = k != NULL ? ipsec_child_of(k, &path->local, &path->remote) : NULL;
		if (ch == NULL)
			return;
		index = ipsec_child_index(ch);
	}
	dp_send_udp(c->dp, &path->local, &path->remote, index, pkt, len);
}

static void eng_random(void *ctx, uint8_t *buf, size_t len)
{
	struct ctl *c = ctx;

	c->ops->random(c->ops_ctx, buf, len);
}

const struct l2tp_ops ctl_l2tp_ops = {
        .send = eng_send,
        .tunnel_request = tunnel_request,
        .tunnel_rejected = tunnel_rejected,
        .tunnel_up = tunnel_up,
        .tunnel_down = tunnel_down,
        .tunnel_gone = tunnel_gone,
        .call_request = session_request,
        .call_refused = session_refused,
        .call_reply = session_reply,
        .call_up = session_up,
        .call_gone = session_gone,
        .random = eng_random,
};

uint64_t ctl_serial(struct ctl *c)
{
	if ((uint32_t)++c->last_serial == 0)
		c->last_serial++;
	return c->last_serial;
}

struct tunnel *tunnel_at(const struct ctl *c, uint16_t number)
{
	return table_at(&c->tunnels, number);
}

struct session *session_at(const struct ctl *c, uint16_t number)
{
	return table_at(&c->sessions, number);
}

/* The engine's tables find by id; a tunnel or call is in them until its end is told. */
struct tunnel *tunnel_of_id(const struct ctl *c, uint16_t id)
{
	const struct l2tp_tunnel *t = l2tp_tunnel_by_id(c->l2tp, id);

	return t != NULL ? l2tp_tunnel_user(t) : NULL;
}

struct session *session_of_id(const struct ctl *c, uint16_t id)
{
	const struct l2tp_call *call = l2tp_call_by_id(c->l2tp, id);

	return call != NULL ? l2tp_call_user(call) : NULL;
}

/* Which hosts there are does not change, so a tunnel needs but one number for its own. */
static int make_hosts(struct ctl *c)
{
	const struct config *conf = c->conf;
	uint32_t n = 0;

	for (uint32_t i = 0; i < conf->n_dest_profiles; i++)
		n += conf->dest_profiles[i].n_hosts;
	c->hosts = calloc(n + 1, sizeof(*c->hosts));
	c->first_host = calloc(conf->n_dest_profiles + 1, sizeof(*c->first_host));
	c->profile_sessions = calloc(conf->n_dest_profiles + 1, sizeof(*c->profile_sessions));
	if (c->hosts == NULL || c->first_host == NULL || c->profile_sessions == NULL)
		return -1;
	n = 0;
	for (uint32_t i = 0; i < conf->n_dest_profiles; i++) {
		const struct cfg_dest_profile *p = &conf->dest_profiles[i];

		c->first_host[i] = n;
		for (uint32_t j = 0; j < p->n_hosts; j++)
			c->hosts[n++] = (struct host){
			        .conf = &p->hosts[j],
			        .ifprof = config_interface_profile(conf,
			                                           p->hosts[j].interface_profile),
			        .profile = i,
			};
	}
	return 0;
}

static int make_tables(struct ctl *c)
{
	const struct config *conf = c->conf;
	uint32_t seed, limit = CTL_MAX_TUNNELS * conf->l2tp.half_open_percent / 100;

	c->ops->random(c->ops_ctx, (uint8_t *)&seed, sizeof(seed));
	c->tunnel_ids = idpool_new(1, 65535, ID_QUARANTINE_MS, seed);
	c->session_ids = idpool_new(1, 65535, ID_QUARANTINE_MS, ~seed);
	c->half_open = halfopen_new(limit > 0 ? limit : 1, c->hash_seed);
	c->pools = calloc(conf->n_pools + 1, sizeof(*c->pools));
	c->users = calloc(conf->n_users + 1, sizeof(*c->users));
	if (table_init(&c->tunnels, sizeof(struct tunnel)) < 0 ||
	    table_init(&c->sessions, sizeof(struct session)) < 0 ||
	    table_init(&c->dests, sizeof(struct dest)) < 0 || c->tunnel_ids == NULL ||
	    c->session_ids == NULL || c->half_open == NULL || conns_init(&c->conns) < 0 ||
	    ipsec_init(c) < 0 || c->pools == NULL || c->users == NULL || make_hosts(c) < 0)
		return -1;
	for (; c->n_pools < conf->n_pools; c->n_pools++)
		if (pool_init(&c->pools[c->n_pools], &conf->pools[c->n_pools]) < 0)
			return -1;
	/* An address that belongs to a user is nobody else's. */
	for (uint32_t i = 0; i < conf->n_users; i++)
		for (uint32_t j = 0; j < c->n_pools; j++)
			pool_reserve(&c->pools[j], ipaddr_to_v4(&conf->users[i].address));
	return 0;
}

struct ctl *ctl_new(const struct config *conf, const struct ctl_ops *ops, void *ctx, struct dp *dp,
                    struct timerq *timers, struct log *log, uint64_t now_ms)
{
	struct ctl *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->conf = conf;
	c->ops = ops;
	c->ops_ctx = ctx;
	c->dp = dp;
	c->timers = timers;
	c->log = log;
	c->now_ms = now_ms;
	ops->random(ctx, (uint8_t *)&c->hash_seed, sizeof(c->hash_seed));
	records_init(c);
	c->limit_refused = c->limit_rejected = c->limit_refused_calls = c->limit_restart =
	        (struct log_limit){.every_ms = 1000, .burst = 10};
	conn_init(&c->udp, 0, CONN_UDP);
	c->udp.ctl = c;
	c->l2tp = l2tp_new(&ctl_l2tp_ops, c, timers, log, "Sallyport", FIRMWARE);
	c->ppp_confs = ppp_confs_new();
	c->aaa = aaa_new(conf, ops->wake, ctx, log);
	if (c->l2tp == NULL || c->ppp_confs == NULL || c->aaa == NULL || make_tables(c) < 0) {
		ctl_free(c);
		return NULL;
	}
	return c;
}

static void free_records(struct ctl *c)
{
	for (uint32_t i = 1; i <= c->sessions.highest; i++) {
		struct session *s = session_at(c, (uint16_t)i);

		if (s != NULL)
			session_drop(s);
	}
	for (uint32_t i = 1; i <= c->tunnels.highest; i++) {
		struct tunnel *tn = tunnel_at(c, (uint16_t)i);

		if (tn != NULL)
			tunnel_drop(tn);
	}
}

void ctl_free(struct ctl *c)
{
	if (c == NULL)
		return;
	free_records(c);
	l2tp_free(c->l2tp);
	timer_cancel(c->timers, &c->tunnel_record);
	timer_cancel(c->timers, &c->tunnel_linger);
	timer_cancel(c->timers, &c->session_record);
	ppp_confs_free(c->ppp_confs);
	halfopen_free(c->half_open);
	aaa_free(c->aaa);
	for (uint32_t i = 0; i < c->n_pools; i++)
		pool_fini(&c->pools[i]);
	conn_fini(&c->udp);
	conns_fini(c); /* what has SAs still gives them up to the next */
	ipsec_fini(c);
	table_fini(&c->sessions);
	table_fini(&c->tunnels);
	table_fini(&c->dests);
	slab_fini(&c->conns.slab);
	free(c->tunnel_ids);
	free(c->session_ids);
	free(c->pools);
	free(c->hosts);
	free(c->first_host);
	free(c->profile_sessions);
	free(c->users);
	free(c);
}

static void punt_l2tp(struct ctl *c, const struct dp_punt *p)
{
	struct l2tp_path path = {.local = p->dst, .remote = p->src, .conn = p->conn};
	const struct conn *k = ctl_conn_find(c, p->conn);

	/* A retransmission comes later; who only wants answers waits for them (E32). */
	if (p->class == DP_PUNT_L2TP_NEW && (k == NULL || !ipsec_may_answer(k, c->now_ms)))
		return;
	if (early_keep(c, k, p))
		return;
	l2tp_rx(c->l2tp, &path, p->data, p->len, c->now_ms);
}

static void punt_ppp(struct ctl *c, const struct dp_punt *p)
{
	struct session *s = session_of_id(c, p->session_id);

	/* The worker checked the peer; a frame of an earlier owner of the id is dropped here. */
	if (s == NULL || session_gen(s) != p->gen || s->tunnel->went_down) {
		c->st.stale_punts++;
		return;
	}
	l2tp_tunnel_alive(l2tp_call_tunnel(session_engine(s)), c->now_ms);
	if (s->ppp == NULL)
		session_ppp_early(s, p->data, p->len);
	else
		ppp_rx(s->ppp, p->data, p->len, c->now_ms);
}

void ctl_punt(struct ctl *c, const struct dp_punt *p, uint64_t now_ms)
{
	c->now_ms = now_ms;
	switch (p->class) {
	case DP_PUNT_L2TP:
	case DP_PUNT_L2TP_NEW:
		punt_l2tp(c, p);
		break;
	case DP_PUNT_PPP:
		punt_ppp(c, p);
		break;
	case DP_PUNT_ICMP:
		icmp_error(c, p);
		break;
	case DP_PUNT_SA:
		ipsec_punt(c, p);
		break;
	default:
		break;
	}
	conns_settle(c);
}

static void auth_done(void *owner, const struct ppp_auth_reply *reply, const struct cfg_user *user)
{
	session_auth_result(owner, reply, user);
}

bool ctl_tick(struct ctl *c, uint64_t now_ms)
{
	bool more;

	c->now_ms = now_ms;
	more = timerq_run(c->timers, now_ms, TIMERS_A_TURN) == TIMERS_A_TURN;
	more |= session_poll_closing(c);
	aaa_poll(c->aaa, auth_done);
	more |= ipsec_poll(c);
	return more;
}

const char *ctl_step_name(enum ctl_step step)
{
	static const char *const names[CTL_STEP_MAX] = {
	        [CTL_STEP_OTHER] = "other",
	        [CTL_STEP_PUNTS] = "punts",
	        [CTL_STEP_WORK] = "work",
	        [CTL_STEP_IKE] = "ike",
	};

	return step < CTL_STEP_MAX ? names[step] : "?";
}

void ctl_turn(struct ctl *c, uint64_t cpu_ns, enum ctl_step most)
{
	c->st.turns++;
	c->st.turns_ns += cpu_ns;
	c->st.turns_long += cpu_ns > CTL_TURN_LONG_NS;
	if (cpu_ns > c->st.turn_longest_ns) {
		c->st.turn_longest_ns = cpu_ns;
		c->turn_longest = most;
	}
}

void ctl_clear_turns(struct ctl *c)
{
	c->st.turn_longest_ns = 0;
	c->turn_longest = CTL_STEP_OTHER;
}

enum ctl_step ctl_turn_longest(const struct ctl *c)
{
	return c->turn_longest;
}

void ctl_set_if_address(struct ctl *c, uint16_t ifidx, uint32_t ip)
{
	if (ifidx < DP_MAX_IFS)
		c->if_address[ifidx] = ip;
}

void ctl_shutdown(struct ctl *c, uint64_t now_ms)
{
	/* RFC 2661 4.4.2: 6, the requester is being shut down. */
	static const struct l2tp_result why = {.result = 6, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	c->now_ms = now_ms;
	c->closing = true;
	for (uint32_t id = 1; id < N_SLOTS; id++) {
		struct l2tp_tunnel *t = l2tp_tunnel_by_id(c->l2tp, (uint16_t)id);

		if (t != NULL)
			l2tp_tunnel_close(t, &why, now_ms);
	}
}

bool ctl_is_quiet(const struct ctl *c)
{
	return c->st.tunnels.live == 0 && c->closing_sessions.first == 0;
}
