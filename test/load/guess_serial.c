/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * One guess an IKE connection, by the ordinary clients of load/lac.h. When a guess has been judged the
 * client does what it must not: it goes on with new requests on the same SA.
 */
#include "load/burst.h"
#include "load/guess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIAL_MS   10000 /* for IKE */
#define CLIENT_MS 30000 /* for L2TP and PPP */
#define PROBE_MS  250
#define PROBES    4 /* pairs of SCCRQ and ICRQ; then one interval of listening */

struct client {
	struct guess *g;
	uint32_t number;
	struct ike_child *child;
	struct lac_tunnel *tunnel;
	uint16_t id, peer_id, ns, nr, probe_id; /* of the tunnel when it was over */
	bool judged, over, done;
	uint64_t began_ms, over_ms;
	uint32_t probes;
};

struct serial {
	struct guess *g;
	struct guess_result *res;
	struct lac *lac;
	struct client *client; /* by number */
	uint32_t begun, done;
	uint64_t *dialled_ms; /* of dials without a child yet, oldest first */
	uint32_t n_dialled;
};

static void on_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct serial *s = ctx;
	struct ike_child *c = ike_child_of_id(s->g->ike, path->conn);

	if (c != NULL)
		esp_net_send(&s->g->net, &c->path, pkt, len);
}

static void end_client(struct serial *s, struct client *c, struct lac_tunnel *t)
{
	struct l2tp_tunnel_info ti;

	if (c->over)
		return;
	if (t != NULL) {
		l2tp_tunnel_info(lac_tunnel_engine(t), &ti);
		c->id = ti.local_id;
		c->peer_id = ti.peer_id;
		c->ns = ti.ns;
		c->nr = ti.nr;
	}
	c->probe_id = c->id ^ 0x8000;
	c->over = true;
	c->over_ms = s->g->now_ms;
}

static void on_event(void *ctx, enum lac_event ev, struct lac_tunnel *t, struct lac_session *ses)
{
	struct serial *s = ctx;
	struct client *c = lac_tunnel_data(t);

	switch (ev) {
	case LAC_NETWORK_UP:
		s->res->let_in += !c->judged;
		c->judged = true;
		lac_close(t, s->g->now_ms);
		break;
	case LAC_SESSION_GONE:
		if (!c->judged && lac_session_ppp_reason(ses) == PPP_R_AUTH_FAILED) {
			c->judged = true;
			s->res->rejected++;
		}
		end_client(s, c, t);
		break;
	case LAC_TUNNEL_GONE:
		c->tunnel = NULL;
		end_client(s, c, t);
		break;
	default:
		break;
	}
}

static void on_random(void *ctx, uint8_t *buf, size_t len)
{
	guess_random(NULL, buf, len);
}

static const struct lac_ops lac_ops = {
        .send = on_send,
        .event = on_event,
        .random = on_random,
};

static struct l2tp_path path_of(const struct ike_child *c)
{
	return (struct l2tp_path){.local = c->path.from, .remote = c->path.to, .conn = c->id};
}

/* An IKE connection came up: it gets the next guess. */
static void on_child_up(struct guess *g, struct ike_child *child)
{
	struct serial *s = g->mode;
	struct l2tp_path path = path_of(child);
	struct lac_dial d = {
	        .host_name = g->o.host,
	        .secret = g->o.secret,
	        .user = g->o.user,
	        .auth_methods = g->o.auth,
	        .sessions = 1,
	        .hello_ms = 60000,
	};
	char password[64];
	struct client *c;

	if (s->n_dialled > 0)
		memmove(s->dialled_ms, s->dialled_ms + 1, --s->n_dialled * sizeof(*s->dialled_ms));
	if (s->begun == g->o.guesses) {
		vici_terminate(&g->vici, child->ike_id); /* one too late to be of use */
		return;
	}
	c = &s->client[s->begun];
	*c = (struct client){
	        .g = g,
	        .number = s->begun,
	        .child = child,
	        .began_ms = g->now_ms,
	};
	child->user = c;
	guess_password(g, c->number, password, sizeof(password));
	d.password = password;
	d.user_data = c;
	s->begun++;
	s->res->tried++;
	c->tunnel = lac_dial(s->lac, &path, &d, g->now_ms);
	if (c->tunnel == NULL)
		end_client(s, c, NULL);
}

static bool answers_probe(const struct client *c, const uint8_t *pkt, size_t len)
{
	struct l2tp_hdr h;

	return c->probes > 0 && l2tp_hdr_parse(pkt, len, &h) == 0 && h.t &&
	       (h.tunnel_id == c->probe_id ||
	        (h.tunnel_id == c->id && h.session_id == c->probe_id));
}

static void on_rx(struct guess *g, struct ike_child *child, const uint8_t *pkt, size_t len)
{
	struct serial *s = g->mode;
	struct client *c = child->user;
	struct l2tp_path path = path_of(child);

	if (c == NULL)
		return;
	if (answers_probe(c, pkt, len))
		guess_probe_answer(s->res, pkt, len);
	else
		lac_rx(s->lac, &path, pkt, len, g->now_ms);
}

/* A second tunnel, and a second call in the first one. */
static void probe(struct serial *s, struct client *c)
{
	struct esp_path *p = &c->child->path;
	uint8_t msg[256];
	size_t len;

	esp_net_send(&s->g->net, p, msg, burst_sccrq(msg, c->probe_id, s->g->o.host));
	s->res->probes++;
	if (c->peer_id != 0) {
		len = burst_icrq(msg, c->peer_id, c->probe_id);
		l2tp_set_seq(msg, c->ns, c->nr);
		esp_net_send(&s->g->net, p, msg, len);
		s->res->probes++;
	}
	c->probes++;
}

static void finish(struct serial *s, struct client *c)
{
	c->done = true;
	s->done++;
	s->res->undecided += !c->judged;
	if (guess_ike_up(s->g, c->child->ike_id)) {
		s->res->not_disconnected++;
		vici_terminate(&s->g->vici, c->child->ike_id);
	}
}

static void look_after(struct serial *s)
{
	uint64_t now = s->g->now_ms;

	for (uint32_t i = 0; i < s->begun; i++) {
		struct client *c = &s->client[i];

		if (c->done)
			continue;
		if (!c->over && now >= c->began_ms + CLIENT_MS)
			end_client(s, c, c->tunnel);
		if (!c->over || now < c->over_ms + c->probes * PROBE_MS)
			continue;
		if (c->probes < PROBES && !s->g->o.honest)
			probe(s, c);
		else
			finish(s, c);
	}
}

/* Connections that are up or not yet through. */
static uint32_t under_way(const struct serial *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->begun; i++)
		n += !s->client[i].over || guess_ike_up(s->g, s->client[i].child->ike_id);
	return n;
}

static void dial(struct serial *s)
{
	struct guess *g = s->g;
	uint32_t n;

	while (s->n_dialled > 0 && g->now_ms >= s->dialled_ms[0] + DIAL_MS) {
		memmove(s->dialled_ms, s->dialled_ms + 1, --s->n_dialled * sizeof(*s->dialled_ms));
		s->res->dials_failed++;
	}
	for (n = under_way(s);
	     s->n_dialled + n < g->o.window && s->begun + s->n_dialled < g->o.guesses;) {
		if (vici_initiate(&g->vici, g->o.connection, g->o.child) < 0)
			return;
		s->dialled_ms[s->n_dialled++] = g->now_ms;
	}
}

static bool run(struct serial *s)
{
	struct guess *g = s->g;
	uint64_t end;

	if (!guess_turn(g, 0))
		return false;
	end = g->now_ms + g->o.timeout_s * 1000ull;
	while (s->done < g->o.guesses) {
		if (g->now_ms > end || !guess_turn(g, 5))
			return false;
		lac_tick(s->lac, g->now_ms);
		dial(s);
		look_after(s);
	}
	return true;
}

bool guess_serial(struct guess *g, struct guess_result *res)
{
	struct serial s = {.g = g, .res = res};
	bool ok = false;

	g->mode = &s;
	g->child_up = on_child_up;
	g->rx = on_rx;
	s.client = calloc(g->o.guesses, sizeof(*s.client));
	s.dialled_ms = calloc(g->o.window, sizeof(*s.dialled_ms));
	s.lac = lac_new(&lac_ops, &s, &g->timers, &g->log);
	if (s.client != NULL && s.dialled_ms != NULL && s.lac != NULL)
		ok = run(&s);
	lac_free(s.lac);
	free(s.client);
	free(s.dialled_ms);
	return ok;
}
