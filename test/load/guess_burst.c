/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * All guesses at once on one IKE_SA, by load/burst.h: many calls in a tunnel, many tunnels, or tunnels
 * on many CHILD_SAs of different ports.
 */
#include "load/burst.h"
#include "load/guess.h"

#include <stdio.h>
#include <stdlib.h>

#define DIAL_MS  10000 /* for all children */
#define AGAIN_MS 200
#define QUIET_MS 2000 /* nothing heard for so long: it is over */
#define PROBE_ID 0xffff /* above the ids of a burst */
#define PROBES   4

struct many {
	struct guess *g;
	struct guess_result *res;
	struct burst *burst; /* NULL until the children are there */
	struct ike_child **child;
	uint32_t n_children;
	bool probing;
};

static void on_child_up(struct guess *g, struct ike_child *c)
{
	struct many *m = g->mode;

	if (m->n_children == g->o.children || m->burst != NULL)
		return;
	c->user = (void *)(uintptr_t)m->n_children;
	m->child[m->n_children++] = c;
}

static void on_rx(struct guess *g, struct ike_child *c, const uint8_t *pkt, size_t len)
{
	struct many *m = g->mode;
	struct l2tp_hdr h;

	if (m->burst == NULL)
		return;
	if (m->probing && l2tp_hdr_parse(pkt, len, &h) == 0 && h.t &&
	    (h.tunnel_id == PROBE_ID || h.session_id == PROBE_ID))
		guess_probe_answer(m->res, pkt, len);
	else
		burst_rx(m->burst, (uint32_t)(uintptr_t)c->user, pkt, len, g->now_ms);
}

static void on_send(void *ctx, uint32_t path, const uint8_t *pkt, size_t len)
{
	struct many *m = ctx;

	esp_net_send(&m->g->net, &m->child[path]->path, pkt, len);
}

static void on_random(void *ctx, uint8_t *buf, size_t len)
{
	guess_random(NULL, buf, len);
}

static void on_password(void *ctx, uint32_t n, char *buf, size_t size)
{
	guess_password(((struct many *)ctx)->g, n, buf, size);
}

static const struct burst_ops burst_ops = {
        .send = on_send,
        .random = on_random,
        .password = on_password,
};

static void initiate(struct guess *g, uint32_t i)
{
	char name[64];

	if (g->o.children > 1)
		snprintf(name, sizeof(name), "%s%u", g->o.child, i);
	else
		snprintf(name, sizeof(name), "%s", g->o.child);
	vici_initiate(&g->vici, g->o.connection, name);
}

/* The first child brings the IKE_SA up, the others come on it. */
static bool dial(struct many *m)
{
	struct guess *g = m->g;
	bool first = true;
	uint64_t end;

	if (!guess_turn(g, 0))
		return false;
	end = g->now_ms + DIAL_MS;
	initiate(g, 0);
	while (m->n_children < g->o.children && g->now_ms < end) {
		if (!guess_turn(g, 20))
			return false;
		if (!first || m->n_children == 0)
			continue;
		first = false;
		for (uint32_t i = 1; i < g->o.children; i++)
			initiate(g, i);
	}
	m->res->dials_failed = g->o.children - m->n_children;
	return m->n_children > 0;
}

static bool guess_all(struct many *m)
{
	struct guess *g = m->g;
	uint64_t end = g->now_ms + g->o.timeout_s * 1000ull, again = g->now_ms + AGAIN_MS;

	burst_start(m->burst, g->now_ms);
	while (!burst_over(m->burst) && g->now_ms < burst_heard_ms(m->burst) + QUIET_MS) {
		if (g->now_ms > end || !guess_turn(g, 5))
			return false;
		if (g->now_ms >= again) {
			again = g->now_ms + AGAIN_MS;
			burst_again(m->burst, g->now_ms);
		}
	}
	return true;
}

/* New tunnels on every SA that there was, though all is over. */
static bool probe(struct many *m)
{
	struct guess *g = m->g;
	uint8_t msg[256];
	uint64_t end;

	m->probing = true;
	for (uint32_t k = 0; k < PROBES; k++) {
		for (uint32_t i = 0; i < m->n_children; i++) {
			on_send(m, i, msg, burst_sccrq(msg, PROBE_ID, g->o.host));
			m->res->probes++;
		}
		for (end = g->now_ms + AGAIN_MS; g->now_ms < end;) {
			if (!guess_turn(g, 20))
				return false;
		}
	}
	return true;
}

static bool run(struct many *m)
{
	struct guess *g = m->g;
	struct burst_conf conf = {
	        .host_name = g->o.host,
	        .user = g->o.user,
	        .tunnels = g->o.guesses / g->o.calls,
	        .calls = g->o.calls,
	        .at_once = g->o.at_once,
	        .auth_methods = g->o.auth,
	};
	struct burst_stats st;
	bool ok;

	if (!dial(m))
		return false;
	conf.paths = m->n_children;
	m->burst = burst_new(&conf, &burst_ops, m, &g->timers, &g->log);
	if (m->burst == NULL)
		return false;
	ok = guess_all(m) && probe(m);
	burst_stats_get(m->burst, &st);
	m->res->tried = st.guesses;
	m->res->rejected = st.rejected;
	m->res->let_in = st.let_in;
	m->res->undecided = st.guesses - st.rejected - st.let_in;
	printf("children %u\n", m->n_children);
	printf("tunnels %u refused %u stopped %u\n", st.sccrp, st.tunnels_refused,
	       st.tunnels_stopped);
	printf("calls %u refused-or-ended %u\n", st.icrp, st.cdn);
	printf("messages-sent %lu again %lu received %lu\n", st.tx, st.again, st.rx);
	if (guess_ike_up(g, m->child[0]->ike_id)) {
		m->res->not_disconnected = 1;
		vici_terminate(&g->vici, m->child[0]->ike_id);
		guess_turn(g, 200);
	}
	burst_free(m->burst);
	return ok;
}

bool guess_burst(struct guess *g, struct guess_result *res)
{
	struct many m = {.g = g, .res = res};
	bool ok = false;

	if (g->o.children == 0)
		g->o.children = 1;
	g->mode = &m;
	g->child_up = on_child_up;
	g->rx = on_rx;
	m.child = calloc(g->o.children, sizeof(struct ike_child *));
	if (m.child != NULL)
		ok = run(&m);
	free(m.child);
	return ok;
}
