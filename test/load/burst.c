/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/burst.h"
#include "ppp/ppp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSG_BYTES   256
#define FIRST_ID    1 /* of tunnels and, in another numbering, of calls */
#define OFFERED_RWS 1024

struct call {
	struct burst *burst;
	struct tunnel *tunnel;
	uint16_t id, peer_id;
	uint32_t guess;
	struct ppp *ppp;
	bool answered, over, judged;
};

struct tunnel {
	uint16_t id, peer_id, ns, nr, acked;
	uint32_t path;
	uint32_t asked, answered; /* ICRQs */
	bool replied, stopped;
	/* Everything sent, by Ns: SCCRQ, SCCCN, then an ICRQ and an ICCN a call. */
	uint8_t (*sent)[MSG_BYTES];
	uint16_t *sent_len;
};

struct burst {
	struct burst_conf conf;
	const struct burst_ops *ops;
	void *ctx;
	struct timerq *timers;
	struct log *log;
	struct tunnel *tunnel;
	struct call *call; /* by id - FIRST_ID; those of a tunnel side by side */
	struct burst_stats stats;
	uint64_t now_ms, heard_ms;
};

static uint32_t guesses(const struct burst *b)
{
	return b->conf.tunnels * b->conf.calls;
}

static void put(struct burst *b, const struct tunnel *t, const uint8_t *pkt, size_t len)
{
	b->stats.tx++;
	b->ops->send(b->ctx, t->path, pkt, len);
}

/* Gives a built message its number, keeps it and sends it. */
static void say(struct burst *b, struct tunnel *t, const uint8_t *msg, size_t len)
{
	uint8_t *kept = t->sent[t->ns];

	memcpy(kept, msg, len);
	t->sent_len[t->ns] = (uint16_t)len;
	l2tp_set_seq(kept, t->ns++, t->nr);
	put(b, t, kept, len);
}

size_t burst_sccrq(uint8_t *buf, uint16_t tunnel_id, const char *host_name)
{
	struct l2tp_build m;

	l2tp_build_begin(&m, buf, MSG_BYTES, L2TP_SCCRQ, 0, 0);
	l2tp_build_u16(&m, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&m, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&m, L2TP_AVP_HOST_NAME, host_name, strlen(host_name));
	l2tp_build_u16(&m, L2TP_AVP_ASSIGNED_TUNNEL_ID, tunnel_id);
	l2tp_build_u16(&m, L2TP_AVP_RECEIVE_WINDOW_SIZE, OFFERED_RWS);
	return l2tp_build_end(&m);
}

size_t burst_icrq(uint8_t *buf, uint16_t peer_tunnel_id, uint16_t session_id)
{
	struct l2tp_build m;

	l2tp_build_begin(&m, buf, MSG_BYTES, L2TP_ICRQ, peer_tunnel_id, 0);
	l2tp_build_u16(&m, L2TP_AVP_ASSIGNED_SESSION_ID, session_id);
	l2tp_build_u32(&m, L2TP_AVP_CALL_SERIAL, session_id);
	return l2tp_build_end(&m);
}

struct burst *burst_new(const struct burst_conf *conf, const struct burst_ops *ops, void *ctx,
                        struct timerq *timers, struct log *log)
{
	struct burst *b = calloc(1, sizeof(*b));
	uint32_t msgs = 2 + 2 * conf->calls;

	if (b == NULL)
		return NULL;
	b->conf = *conf;
	b->ops = ops;
	b->ctx = ctx;
	b->timers = timers;
	b->log = log;
	b->stats.guesses = guesses(b);
	b->tunnel = calloc(conf->tunnels, sizeof(*b->tunnel));
	b->call = calloc(guesses(b), sizeof(*b->call));
	if (b->tunnel == NULL || b->call == NULL) {
		burst_free(b);
		return NULL;
	}
	for (uint32_t i = 0; i < conf->tunnels; i++) {
		struct tunnel *t = &b->tunnel[i];

		t->id = (uint16_t)(FIRST_ID + i);
		t->path = i % conf->paths;
		t->sent = calloc(msgs, sizeof(*t->sent));
		t->sent_len = calloc(msgs, sizeof(*t->sent_len));
		if (t->sent == NULL || t->sent_len == NULL) {
			burst_free(b);
			return NULL;
		}
	}
	for (uint32_t i = 0; i < guesses(b); i++) {
		b->call[i] = (struct call){
		        .burst = b,
		        .tunnel = &b->tunnel[i / conf->calls],
		        .id = (uint16_t)(FIRST_ID + i),
		        .guess = i,
		};
	}
	return b;
}

void burst_free(struct burst *b)
{
	for (uint32_t i = 0; b->call != NULL && i < guesses(b); i++) {
		if (b->call[i].ppp != NULL)
			ppp_free(b->call[i].ppp);
	}
	for (uint32_t i = 0; b->tunnel != NULL && i < b->conf.tunnels; i++) {
		free(b->tunnel[i].sent);
		free(b->tunnel[i].sent_len);
	}
	free(b->tunnel);
	free(b->call);
	free(b);
}

void burst_start(struct burst *b, uint64_t now_ms)
{
	uint8_t msg[MSG_BYTES];

	b->now_ms = b->heard_ms = now_ms;
	for (uint32_t i = 0; i < b->conf.tunnels; i++)
		say(b, &b->tunnel[i], msg, burst_sccrq(msg, b->tunnel[i].id, b->conf.host_name));
}

void burst_again(struct burst *b, uint64_t now_ms)
{
	b->now_ms = now_ms;
	for (uint32_t i = 0; i < b->conf.tunnels; i++) {
		struct tunnel *t = &b->tunnel[i];

		if (t->stopped)
			continue;
		for (uint16_t ns = t->acked; ns != t->ns; ns++) {
			l2tp_set_seq(t->sent[ns], ns, t->nr);
			put(b, t, t->sent[ns], t->sent_len[ns]);
			b->stats.again++;
		}
	}
}

/* ---- the PPP client of a call ---- */

static void link_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct call *c = ctx;
	uint8_t pkt[2048] = {0x00, 0x02}; /* RFC 2661 3.1: data, no optional field */

	if (len + 6 > sizeof(pkt))
		return;
	pkt[2] = (uint8_t)(c->tunnel->peer_id >> 8);
	pkt[3] = (uint8_t)c->tunnel->peer_id;
	pkt[4] = (uint8_t)(c->peer_id >> 8);
	pkt[5] = (uint8_t)c->peer_id;
	memcpy(pkt + 6, frame, len);
	put(c->burst, c->tunnel, pkt, len + 6);
}

static void link_network_up(void *ctx)
{
	struct call *c = ctx;

	if (!c->judged)
		c->burst->stats.let_in++;
	c->judged = c->over = true;
}

static void link_network_down(void *ctx)
{
}

static void link_dead(void *ctx, enum ppp_reason reason)
{
	struct call *c = ctx;

	if (reason == PPP_R_AUTH_FAILED && !c->judged) {
		c->judged = true;
		c->burst->stats.rejected++;
	}
	c->over = true;
}

static void link_random(void *ctx, uint8_t *buf, size_t len)
{
	struct burst *b = ((struct call *)ctx)->burst;

	b->ops->random(b->ctx, buf, len);
}

static const struct ppp_ops link_ops = {
        .send = link_send,
        .network_up = link_network_up,
        .network_down = link_network_down,
        .dead = link_dead,
        .random = link_random,
};

static void link_start(struct call *c)
{
	struct burst *b = c->burst;
	struct ppp_conf pc = {
	        .role = PPP_PEER,
	        .mru = 1400,
	        .mtu = 1400,
	        .auth_methods = b->conf.auth_methods,
	        .restart_ms = 1000,
	        .max_configure = 10,
	        .max_terminate = 2,
	        .max_failure = 5,
	        .auth_timeout_ms = 30000,
	        .ncp_timeout_ms = 30000,
	        .auth_tries = 1,
	};

	snprintf(pc.user, sizeof(pc.user), "%s", b->conf.user);
	b->ops->password(b->ctx, c->guess, pc.password, sizeof(pc.password));
	c->ppp = ppp_new(&pc, &link_ops, c, b->timers, b->log);
	if (c->ppp == NULL)
		return;
	b->stats.links++;
	ppp_start(c->ppp, NULL, b->now_ms);
}

/* ---- what comes back ---- */

static void ask(struct burst *b, struct tunnel *t)
{
	const struct call *c = &b->call[(size_t)(t - b->tunnel) * b->conf.calls];
	uint32_t at_once = b->conf.at_once > 0 ? b->conf.at_once : b->conf.calls;
	uint8_t msg[MSG_BYTES];

	for (; t->asked < b->conf.calls && t->asked - t->answered < at_once; t->asked++)
		say(b, t, msg, burst_icrq(msg, t->peer_id, c[t->asked].id));
}

static void answered(struct call *c)
{
	if (c->answered)
		return;
	c->answered = true;
	c->tunnel->answered++;
	ask(c->burst, c->tunnel);
}

static void on_sccrp(struct burst *b, struct tunnel *t, const struct l2tp_msg *m)
{
	uint8_t msg[MSG_BYTES];
	struct l2tp_build build;

	if (t->replied)
		return;
	t->replied = true;
	t->peer_id = m->assigned_tunnel_id;
	b->stats.sccrp++;
	l2tp_build_begin(&build, msg, sizeof(msg), L2TP_SCCCN, t->peer_id, 0);
	say(b, t, msg, l2tp_build_end(&build));
	ask(b, t);
}

static void on_icrp(struct burst *b, struct call *c, const struct l2tp_msg *m)
{
	uint8_t msg[MSG_BYTES];
	struct l2tp_build build;

	if (c->peer_id != 0)
		return;
	c->peer_id = m->assigned_session_id;
	b->stats.icrp++;
	l2tp_build_begin(&build, msg, sizeof(msg), L2TP_ICCN, c->tunnel->peer_id, c->peer_id);
	l2tp_build_u32(&build, L2TP_AVP_TX_SPEED, 100000000);
	l2tp_build_u32(&build, L2TP_AVP_FRAMING_TYPE, 1);
	say(b, c->tunnel, msg, l2tp_build_end(&build));
	link_start(c);
	answered(c);
}

static struct call *call_of(struct burst *b, const struct tunnel *t, uint16_t id)
{
	struct call *c;

	if (id < FIRST_ID || (uint32_t)id - FIRST_ID >= guesses(b))
		return NULL;
	c = &b->call[id - FIRST_ID];
	return c->tunnel == t ? c : NULL;
}

static void on_stopccn(struct burst *b, struct tunnel *t)
{
	if (t->stopped)
		return;
	t->stopped = true;
	if (t->replied)
		b->stats.tunnels_stopped++;
	else
		b->stats.tunnels_refused++;
}

static void on_control(struct burst *b, struct tunnel *t, const struct l2tp_msg *m)
{
	struct call *c = call_of(b, t, m->hdr.session_id);

	switch (m->type) {
	case L2TP_SCCRP:
		on_sccrp(b, t, m);
		break;
	case L2TP_STOPCCN:
		on_stopccn(b, t);
		break;
	case L2TP_ICRP:
		if (c != NULL)
			on_icrp(b, c, m);
		break;
	case L2TP_CDN:
		if (c == NULL)
			break;
		b->stats.cdn++;
		c->over = true;
		answered(c);
		break;
	default:
		break;
	}
}

static void rx_control(struct burst *b, struct tunnel *t, const uint8_t *pkt, size_t len)
{
	struct l2tp_msg m;
	uint8_t zlb[16];

	if (l2tp_msg_parse(pkt, len, NULL, 0, &m, NULL) != L2TP_MSG_OK)
		return;
	if ((int16_t)(m.hdr.nr - t->acked) > 0 && (int16_t)(m.hdr.nr - t->ns) <= 0)
		t->acked = m.hdr.nr;
	if (m.hdr.data_len == 0)
		return;
	if (m.hdr.ns == t->nr) {
		t->nr++;
		on_control(b, t, &m);
	}
	put(b, t, zlb,
	    l2tp_build_zlb(zlb, t->peer_id != 0 ? t->peer_id : m.assigned_tunnel_id, t->ns, t->nr));
}

void burst_rx(struct burst *b, uint32_t path, const uint8_t *pkt, size_t len, uint64_t now_ms)
{
	struct l2tp_hdr h;
	struct tunnel *t;
	struct call *c;

	if (l2tp_hdr_parse(pkt, len, &h) < 0 || h.tunnel_id < FIRST_ID ||
	    h.tunnel_id - FIRST_ID >= (int)b->conf.tunnels)
		return;
	t = &b->tunnel[h.tunnel_id - FIRST_ID];
	if (t->path != path)
		return;
	b->now_ms = b->heard_ms = now_ms;
	b->stats.rx++;
	if (h.t) {
		rx_control(b, t, pkt, len);
		return;
	}
	c = call_of(b, t, h.session_id);
	if (c != NULL && c->ppp != NULL)
		ppp_rx(c->ppp, pkt + h.hdr_len, h.data_len, now_ms);
}

bool burst_over(const struct burst *b)
{
	for (uint32_t i = 0; i < guesses(b); i++) {
		if (!b->call[i].over && !b->call[i].tunnel->stopped)
			return false;
	}
	return true;
}

uint64_t burst_heard_ms(const struct burst *b)
{
	return b->heard_ms;
}

void burst_stats_get(const struct burst *b, struct burst_stats *out)
{
	*out = b->stats;
}
