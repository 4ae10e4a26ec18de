/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A LAC after RFC 2661, written without a look at the engine: its own reliable sender (go-back-N
 * with a fixed window; nothing is kept out of order), its own states.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define RTO_MS   1000
#define RTO_CAP  8000
#define TRIES    5
#define HELLO_MS 15000
#define DIAL_MS  45000 /* acknowledged, but not answered: given up */
#define LINGER   31000

static void set_rto(struct lac_tunnel *t)
{
	uint64_t ms = (uint64_t)RTO_MS << t->tries;

	timer_set(&t->lac->s->world_timers, &t->rto,
	          t->lac->s->now + (ms < RTO_CAP ? ms : RTO_CAP));
}

static void forget(struct lac_tunnel *t)
{
	struct sim *s = t->lac->s;

	sim_log(s, "lac%d: tunnel %u forgotten", t->lac->index, t->tid);
	timer_cancel(&s->world_timers, &t->rto);
	timer_cancel(&s->world_timers, &t->hello);
	timer_cancel(&s->world_timers, &t->end);
	for (unsigned i = 0; i < t->n_queue; i++)
		free(t->queue[i]);
	t->n_queue = t->n_flight = 0;
	t->state = LT_FREE;
}

static void transmit(struct lac_tunnel *t, unsigned i)
{
	struct lac_msg *m = t->queue[i];

	l2tp_set_seq(m->pkt, (uint16_t)(t->una + i), t->nr);
	net_to_lns(t->lac->s, &t->lac->path, m->pkt, m->len);
}

static void push(struct lac_tunnel *t)
{
	while (t->n_flight < t->n_queue && t->n_flight < t->lac->window) {
		transmit(t, t->n_flight++);
		if (!t->rto.queued)
			set_rto(t);
	}
}

static void on_rto(struct timer *timer, uint64_t now_ms)
{
	struct lac_tunnel *t = timer_owner(timer, struct lac_tunnel, rto);

	if (++t->tries > TRIES) {
		/* The last two tries at least had a good net. */
		if (sim_reliable(t->lac->s) && !t->again &&
		    (lns_has(t->lac->s, t) || t->stop_heard))
			sim_fail(t->lac->s, "lac%d: tunnel %u gets no acknowledgement",
			         t->lac->index, t->tid);
		forget(t);
		return;
	}
	for (unsigned i = 0; i < t->n_flight; i++)
		transmit(t, i);
	set_rto(t);
}

static void acked(struct lac_tunnel *t, uint16_t nr)
{
	uint16_t n = (uint16_t)(nr - t->una);

	if (n == 0 || n > t->n_flight)
		return;
	for (unsigned i = 0; i < n; i++)
		free(t->queue[i]);
	memmove(t->queue, t->queue + n, (t->n_queue - n) * sizeof(t->queue[0]));
	t->n_queue -= n;
	t->n_flight -= n;
	t->una = nr;
	t->tries = 0;
	timer_cancel(&t->lac->s->world_timers, &t->rto);
	if (t->n_flight > 0)
		set_rto(t);
	push(t);
	if (t->n_queue == 0 && t->state == LT_STOPPING)
		forget(t);
}

static void zlb(struct lac_tunnel *t)
{
	uint8_t pkt[12];

	net_to_lns(t->lac->s, &t->lac->path, pkt,
	           l2tp_build_zlb(pkt, t->peer_tid, (uint16_t)(t->una + t->n_flight), t->nr));
}

static struct l2tp_build begin(struct lac_tunnel *t, uint8_t *buf, size_t size, uint16_t type,
                               uint16_t sid, bool hide)
{
	struct l2tp_build b;
	uint8_t vector[16];

	l2tp_build_begin(&b, buf, size, type, t->peer_tid, sid);
	if (hide && t->lac->profile.hide && t->lac->profile.secret && t->lac->profile.lac_knows) {
		for (size_t i = 0; i < sizeof(vector); i++)
			vector[i] = (uint8_t)sim_random(t->lac->s, 256);
		l2tp_build_hide(&b, (const uint8_t *)SIM_SECRET, strlen(SIM_SECRET), vector);
	}
	return b;
}

static void enqueue(struct lac_tunnel *t, struct l2tp_build *b)
{
	struct lac_msg *m;
	size_t len = l2tp_build_end(b);

	if (len == 0 || len > sizeof(m->pkt) || t->n_queue >= SIM_QUEUE) {
		forget(t); /* a LAC may give up whenever it wants */
		return;
	}
	m = malloc(sizeof(*m));
	m->len = len;
	memcpy(m->pkt, b->buf, len);
	t->queue[t->n_queue++] = m;
	push(t);
}

static bool asks_for_proof(const struct lac *lac)
{
	return lac->challenges && lac->profile.secret && lac->profile.lac_knows;
}

static const char *secret_of(const struct lac *lac)
{
	return lac->profile.lac_knows ? SIM_SECRET : "wrong";
}

void lac_dial(struct lac *lac)
{
	struct sim *s = lac->s;
	struct lac_tunnel *t = NULL;
	struct l2tp_build b;
	uint8_t buf[768];

	for (int i = 0; i < SIM_TUNNELS && t == NULL; i++) {
		if (lac->tunnels[i].state == LT_FREE)
			t = &lac->tunnels[i];
	}
	/* A restarted LAC may come upon an id that lingers. */
	while (lac->next_tid == 0 || lac_tunnel_by_id(lac, lac->next_tid) != NULL)
		lac->next_tid++;
	if (t == NULL)
		return;
	t->state = LT_DIALING;
	t->tid = lac->next_tid++;
	t->again = lac->again > 0;
	lac->again -= t->again;
	t->peer_tid = t->una = t->nr = 0;
	t->tries = t->icrps = 0;
	t->sent_stop = t->stop_heard = false;
	t->heard = t->dialed = s->now;
	memset(t->calls, 0, sizeof(t->calls));
	sim_log(s, "lac%d: dials tunnel %u", lac->index, t->tid);
	b = begin(t, buf, sizeof(buf), L2TP_SCCRQ, 0, false);
	l2tp_build_u16(&b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, "lac", 3);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, t->tid);
	if (sim_chance(s, 70))
		l2tp_build_u16(&b, L2TP_AVP_RECEIVE_WINDOW_SIZE, (uint16_t)(1 + sim_random(s, 16)));
	if (lac->has_tie_breaker)
		l2tp_build_u64(&b, L2TP_AVP_TIE_BREAKER, sim_random(s, UINT32_MAX));
	for (size_t i = 0; i < sizeof(t->challenge); i++)
		t->challenge[i] = (uint8_t)sim_random(s, 256);
	if (asks_for_proof(lac))
		l2tp_build_bytes(&b, L2TP_AVP_CHALLENGE, t->challenge, sizeof(t->challenge));
	timer_set(&s->world_timers, &t->hello, s->now + HELLO_MS);
	enqueue(t, &b);
}

static void stop(struct lac_tunnel *t, uint16_t result)
{
	struct l2tp_build b;
	uint8_t buf[768];

	if (t->state != LT_DIALING && t->state != LT_UP)
		return;
	sim_log(t->lac->s, "lac%d: stops tunnel %u", t->lac->index, t->tid);
	t->state = LT_STOPPING;
	t->sent_stop = true;
	memset(t->calls, 0, sizeof(t->calls));
	b = begin(t, buf, sizeof(buf), L2TP_STOPCCN, 0, false);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, t->tid);
	l2tp_build_result(&b, result, false, 0, NULL);
	enqueue(t, &b);
}

static void request_call(struct lac_tunnel *t)
{
	struct lac_call *c = NULL;
	struct l2tp_build b;
	uint8_t buf[768];

	for (int i = 0; i < SIM_CALLS && c == NULL; i++) {
		if (t->calls[i].state == LC_FREE)
			c = &t->calls[i];
	}
	if (c == NULL)
		return;
	c->state = LC_REQUEST;
	c->sid = t->lac->next_sid++;
	c->peer_sid = 0;
	sim_log(t->lac->s, "lac%d: tunnel %u requests call %u", t->lac->index, t->tid, c->sid);
	b = begin(t, buf, sizeof(buf), L2TP_ICRQ, 0, true);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID, c->sid);
	l2tp_build_u32(&b, L2TP_AVP_CALL_SERIAL, c->sid);
	l2tp_build_bytes(&b, L2TP_AVP_CALLING_NUMBER, "12345", 5);
	enqueue(t, &b);
}

static void clear_call(struct lac_tunnel *t, struct lac_call *c)
{
	struct l2tp_build b;
	uint8_t buf[768];

	sim_log(t->lac->s, "lac%d: tunnel %u clears call %u", t->lac->index, t->tid, c->sid);
	b = begin(t, buf, sizeof(buf), L2TP_CDN, c->peer_sid, false);
	l2tp_build_result(&b, 1, false, 0, NULL);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID, c->sid);
	c->state = LC_FREE;
	enqueue(t, &b);
}

static void hello(struct lac_tunnel *t)
{
	struct l2tp_build b;
	uint8_t buf[768];

	b = begin(t, buf, sizeof(buf), L2TP_HELLO, 0, false);
	enqueue(t, &b);
}

static void on_hello(struct timer *timer, uint64_t now_ms)
{
	struct lac_tunnel *t = timer_owner(timer, struct lac_tunnel, hello);

	timer_set(&t->lac->s->world_timers, &t->hello, now_ms + HELLO_MS);
	if (t->state == LT_UP && t->n_queue == 0 && now_ms - t->heard >= HELLO_MS)
		hello(t);
	if (t->state == LT_DIALING && now_ms - t->dialed >= DIAL_MS)
		forget(t);
}

static void on_end(struct timer *timer, uint64_t now_ms)
{
	forget(timer_owner(timer, struct lac_tunnel, end));
}

static struct lac_call *find_call(struct lac_tunnel *t, uint16_t sid)
{
	for (int i = 0; i < SIM_CALLS; i++) {
		if (t->calls[i].state != LC_FREE && t->calls[i].sid == sid)
			return &t->calls[i];
	}
	return NULL;
}

static void rx_sccrp(struct lac_tunnel *t, const struct l2tp_msg *m)
{
	const char *secret = secret_of(t->lac);
	struct l2tp_build b;
	uint8_t buf[768], proof[16];

	if (t->peer_tid == 0)
		t->peer_tid = m->assigned_tunnel_id;
	if (t->state != LT_DIALING)
		return;
	if (asks_for_proof(t->lac)) {
		l2tp_challenge_response(L2TP_SCCRP, (const uint8_t *)secret, strlen(secret),
		                        t->challenge, sizeof(t->challenge), proof);
		if (!l2tp_msg_has(m, L2TP_AVP_CHALLENGE_RESPONSE) ||
		    memcmp(proof, m->challenge_response, sizeof(proof)) != 0) {
			stop(t, 4);
			return;
		}
	}
	t->state = LT_UP;
	sim_log(t->lac->s, "lac%d: tunnel %u up", t->lac->index, t->tid);
	b = begin(t, buf, sizeof(buf), L2TP_SCCCN, 0, false);
	if (l2tp_msg_has(m, L2TP_AVP_CHALLENGE)) {
		l2tp_challenge_response(L2TP_SCCCN, (const uint8_t *)secret, strlen(secret),
		                        m->challenge.p, m->challenge.len, proof);
		l2tp_build_bytes(&b, L2TP_AVP_CHALLENGE_RESPONSE, proof, sizeof(proof));
	}
	enqueue(t, &b);
}

static void rx_icrp(struct lac_tunnel *t, const struct l2tp_msg *m)
{
	struct lac_call *c = find_call(t, m->hdr.session_id);
	struct l2tp_build b;
	uint8_t buf[768];

	t->icrps++;
	if (t->lac->profile.single_shot && t->icrps > 1)
		sim_fail(t->lac->s, "two calls accepted on a single-shot tunnel");
	if (c == NULL || c->state != LC_REQUEST)
		return;
	c->state = LC_UP;
	c->peer_sid = m->assigned_session_id;
	b = begin(t, buf, sizeof(buf), L2TP_ICCN, c->peer_sid, true);
	l2tp_build_u32(&b, L2TP_AVP_TX_SPEED, 1000000);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_TYPE, 1);
	enqueue(t, &b);
}

static void handle(struct lac_tunnel *t, const struct l2tp_msg *m)
{
	struct lac_call *c;

	switch (m->type) {
	case L2TP_SCCRP:
		rx_sccrp(t, m);
		break;
	case L2TP_ICRP:
		rx_icrp(t, m);
		break;
	case L2TP_CDN:
		c = find_call(t, m->hdr.session_id);
		if (c != NULL)
			c->state = LC_FREE;
		break;
	case L2TP_STOPCCN:
		sim_log(t->lac->s, "lac%d: tunnel %u stopped by the LNS", t->lac->index, t->tid);
		if (t->peer_tid == 0)
			t->peer_tid = m->assigned_tunnel_id;
		for (unsigned i = 0; i < t->n_queue; i++)
			free(t->queue[i]);
		t->n_queue = t->n_flight = 0;
		timer_cancel(&t->lac->s->world_timers, &t->rto);
		t->state = LT_LINGER;
		timer_set(&t->lac->s->world_timers, &t->end, t->lac->s->now + LINGER);
		break;
	case L2TP_HELLO:
		break;
	default:
		sim_fail(t->lac->s, "the LAC got a %s", l2tp_msg_name(m->type));
	}
}

void lac_rx(struct lac *lac, const uint8_t *pkt, size_t len)
{
	const char *secret = secret_of(lac);
	struct l2tp_msg *m = &lac->msg;
	struct lac_tunnel *t;
	struct l2tp_hdr h;

	if (l2tp_hdr_parse(pkt, len, &h) < 0 || (t = lac_tunnel_by_id(lac, h.tunnel_id)) == NULL)
		return;
	t->heard = lac->s->now;
	acked(t, h.nr);
	if (t->state == LT_FREE || h.data_len == 0)
		return;
	if (h.ns != t->nr) {
		if ((int16_t)(h.ns - t->nr) < 0)
			zlb(t);
		return;
	}
	t->nr++;
	if (l2tp_msg_parse(pkt, len, (const uint8_t *)secret, strlen(secret), m, NULL) ==
	    L2TP_MSG_OK)
		handle(t, m);
	else
		stop(t, 2); /* hidden with another secret than ours */
	if (t->state != LT_FREE)
		zlb(t);
}

struct lac_tunnel *lac_tunnel_by_id(struct lac *lac, uint16_t tid)
{
	for (int i = 0; i < SIM_TUNNELS; i++) {
		if (lac->tunnels[i].state != LT_FREE && lac->tunnels[i].tid == tid)
			return &lac->tunnels[i];
	}
	return NULL;
}

const struct lac_call *lac_call_by_id(const struct lac_tunnel *t, uint16_t sid)
{
	for (int i = 0; i < SIM_CALLS; i++) {
		if (t->calls[i].state != LC_FREE && t->calls[i].sid == sid)
			return &t->calls[i];
	}
	return NULL;
}

void lac_init(struct lac *lac, struct sim *s, int index)
{
	lac->s = s;
	lac->index = index;
	lac->path.local = (struct endpoint){ipaddr_v4(0xc0000201), 1701};
	/* The second and the third sit behind one NAT, inside connections of their own (E7). */
	lac->path.remote = (struct endpoint){ipaddr_v4(0xc6336400u + (index > 0)), 1701};
	lac->path.conn = (uint64_t)index;
	lac->profile = (struct profile){
	        .single_shot = sim_chance(s, 50),
	        .secret = sim_chance(s, 60),
	        .lac_knows = sim_chance(s, 90),
	        .hide = sim_chance(s, 30),
	        .refuse = sim_chance(s, 3),
	        .max_calls = sim_chance(s, 30) ? (uint16_t)(1 + sim_random(s, 3)) : 0,
	        .idle_ms = sim_chance(s, 60) ? 1000 + sim_random(s, 60000) : 0,
	};
	lac->next_tid = (uint16_t)sim_random(s, 65536);
	lac->next_sid = 1;
	lac->window = 1 + sim_random(s, 4);
	lac->challenges = sim_chance(s, 50);
	lac->has_tie_breaker = sim_chance(s, 30);
	for (int i = 0; i < SIM_TUNNELS; i++) {
		struct lac_tunnel *t = &lac->tunnels[i];

		t->lac = lac;
		timer_init(&t->rto, on_rto);
		timer_init(&t->hello, on_hello);
		timer_init(&t->end, on_end);
	}
}

void lac_crash(struct lac *lac)
{
	struct sim *s = lac->s;

	sim_log(s, "lac%d: crash", lac->index);
	s->crashes++;
	for (int i = 0; i < SIM_TUNNELS; i++) {
		if (lac->tunnels[i].state != LT_FREE)
			forget(&lac->tunnels[i]);
	}
	/* Some begin with the same tunnel ids again. */
	if (sim_chance(s, 30))
		lac->next_tid -= lac->again = 3;
}

/* The LAC's last SCCRQ once more, as from a queue somewhere on the way. */
static void repeat_request(struct lac_tunnel *t)
{
	if (t->state == LT_DIALING && t->n_flight > 0)
		transmit(t, 0);
}

void lac_act(struct lac *lac)
{
	struct sim *s = lac->s;
	uint32_t what = sim_random(s, 100);
	struct lac_tunnel *t = &lac->tunnels[sim_random(s, SIM_TUNNELS)];
	struct lac_call *c = &t->calls[sim_random(s, SIM_CALLS)];

	for (int i = 0; i < SIM_TUNNELS && t->state != LT_UP; i++)
		t = &lac->tunnels[i];
	if (what < 18) {
		lac_dial(lac);
	} else if (what < 21) {
		lac_crash(lac);
	} else if (what < 25) {
		stop(t, 1);
	} else if (what < 29) {
		repeat_request(t);
	} else if (t->state != LT_UP) {
		return;
	} else if (what < 75) {
		request_call(t);
	} else if (what < 88) {
		if (c->state == LC_FREE)
			c = &t->calls[0];
		if (c->state != LC_FREE)
			clear_call(t, c);
	} else {
		hello(t);
	}
}

void lac_close_all(struct lac *lac)
{
	for (int i = 0; i < SIM_TUNNELS; i++)
		stop(&lac->tunnels[i], 6);
}
