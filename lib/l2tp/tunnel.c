/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The state machine of a control connection (RFC 2661 7.2.1) and its timers. */
#include "l2tp/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_A_TIMER 4

typedef void (*tunnel_action)(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in);

/* The state is next already when action runs: callbacks see it, and may move on from there. */
struct tunnel_row {
	enum l2tp_tunnel_state state;
	enum l2tp_tunnel_event event;
	tunnel_action action;
	enum l2tp_tunnel_state next;
};

static const char *const event_names[L2TP_TE_MAX] = {
        [L2TP_TE_OPEN] = "open",
        [L2TP_TE_SCCRQ] = "SCCRQ",
        [L2TP_TE_SCCRP] = "SCCRP",
        [L2TP_TE_SCCCN] = "SCCCN",
        [L2TP_TE_REFUSED] = "refused",
        [L2TP_TE_TIE_LOST] = "tie lost",
        [L2TP_TE_STOPCCN] = "StopCCN",
        [L2TP_TE_HELLO] = "Hello",
        [L2TP_TE_SESSION] = "session",
        [L2TP_TE_CLOSE] = "close",
        [L2TP_TE_ABORT] = "abort",
        [L2TP_TE_DRAINED] = "drained",
        [L2TP_TE_DEAD] = "retries exhausted",
};

/*
 * 6.5: a Hello after a silence. With a message unacknowledged its retransmission does a Hello's work.
 */
static uint64_t hello_at(const struct l2tp_tunnel *t)
{
	uint32_t hello_ms = l2tp_conf_of(t)->hello_ms;

	if (t->state != L2TP_TS_ESTABLISHED || hello_ms == 0 || l2tp_chan_queued(&t->chan) > 0)
		return UINT64_MAX;
	return t->heard_ms + hello_ms;
}

/*
 * To be called when something has come nearer. What has moved away is not worth the work: the timer
 * looks again when it fires.
 */
static void arm(struct l2tp_tunnel *t)
{
	struct l2tp *l = l2tp_of(t);
	uint64_t hello = hello_at(t);
	uint64_t at = t->nomem ? l->now_ms : t->life_at < hello ? t->life_at : hello;

	if (at == UINT64_MAX)
		timer_cancel(l->timers, &t->timer);
	else if (!t->timer.queued || t->timer.at_ms > at)
		timer_set(l->timers, &t->timer, at);
}

void l2tp_tunnel_stop(struct l2tp_tunnel *t)
{
	t->life_at = UINT64_MAX;
	t->nomem = false;
	timer_cancel(l2tp_of(t)->timers, &t->timer);
}

static void life_set(struct l2tp_tunnel *t, enum l2tp_life life, uint32_t ms)
{
	t->life_for = life;
	t->life_at = life == L2TP_LIFE_NONE || ms == 0 ? UINT64_MAX : l2tp_of(t)->now_ms + ms;
	arm(t);
}

void l2tp_tunnel_setup_end(struct l2tp_tunnel *t)
{
	struct l2tp_setup *setup = t->down_told ? NULL : t->setup;

	if (setup == NULL)
		return;
	l2tp_wait_remove(setup);
	explicit_bzero(setup->challenge, sizeof(setup->challenge));
	t->setup = NULL;
	slab_put(&l2tp_of(t)->setup_slab, setup);
}

/*
 * After down: everything stops, and tunnel_gone is the last that the owner hears. As long as calls are left
 * the id is taken, but nobody speaks to the tunnel any more: what comes is linger.c's.
 */
static void gone(struct l2tp_tunnel *t)
{
	struct l2tp *l = l2tp_of(t);

	l2tp_chan_close(&t->chan);
	l2tp_peer_remove(t);
	t->nomem = false;
	t->gone_due = t->n_calls > 0;
	if (t->gone_due)
		return;
	l2tp_tunnel_stop(t);
	l2tp_tunnel_unlink(t);
	l->ops->tunnel_gone(l->ctx, t);
	l2tp_bury_tunnel(t);
}

/* Those that are left when very many were there: a few in each call of the timer, which others share. */
static void calls_later(struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	if (t->calls_end == NULL) {
		t->calls_end = malloc(sizeof(*t->calls_end));
		if (t->calls_end == NULL) {
			l2tp_calls_down(t, res, UINT32_MAX);
			return;
		}
		*t->calls_end = *res;
	}
	t->life_for = L2TP_LIFE_CALLS;
	t->life_at = l2tp_of(t)->now_ms;
	arm(t);
}

static void calls_go_on(struct l2tp_tunnel *t)
{
	if (l2tp_calls_down(t, t->calls_end, CALLS_A_TIMER))
		calls_later(t, t->calls_end);
	else if (t->gone_due)
		gone(t);
}

/* The owner first, so that its latch is written; then the calls; nothing has been sent yet. */
static void down(struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct l2tp *l = l2tp_of(t);

	l2tp_tunnel_setup_end(t);
	t->life_for = L2TP_LIFE_NONE;
	l2tp_tunnel_stop(t);
	if (!t->down_told) {
		t->down_told = true;
		log_info(l->log, "l2tp tunnel=%u peer-tunnel=%u down reason=\"%s\" result=%u",
		         t->id, t->chan.peer_tid, l2tp_reason_name(res->reason), res->result);
		l->ops->tunnel_down(l->ctx, t, res);
	}
	if (l2tp_calls_down(t, res, L2TP_CALLS_AT_ONCE))
		calls_later(t, res);
}

static void up(struct l2tp_tunnel *t)
{
	struct l2tp *l = l2tp_of(t);

	l2tp_tunnel_setup_end(t);
	t->was_up = true;
	t->up_after_ms = l2tp_took_ms(t->created_ms, l->now_ms);
	l2tp_chan_set_retries(&t->chan, l2tp_conf_of(t)->retries_established);
	l2tp_tunnel_calls_changed(t);
	arm(t);
	log_info(l->log, "l2tp tunnel=%u peer-tunnel=%u up host=\"%s\"", t->id, t->chan.peer_tid,
	         t->peer_host != NULL ? t->peer_host : "");
	l->ops->tunnel_up(l->ctx, t);
	if (t->state == L2TP_TS_ESTABLISHED)
		l2tp_calls_tunnel_up(t);
}

static void act_none(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
}

static void act_open(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	life_set(t, L2TP_LIFE_ESTABLISH, l2tp_conf_of(t)->establish_ms);
	l2tp_wait_insert(t);
	l2tp_send_sccrq(t);
}

static void act_answer(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	life_set(t, L2TP_LIFE_ESTABLISH, l2tp_conf_of(t)->establish_ms);
	l2tp_send_sccrp(t, in->msg);
}

static void act_confirm(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	l2tp_send_scccn(t, in->msg);
	up(t);
}

static void act_up(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	up(t);
}

static void act_session(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	l2tp_call_deliver(t, in);
}

static void act_session_late(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	l2tp_call_deliver_late(t, in);
}

/* Local end: StopCCN, and wait for its acknowledgement. */
static void act_disconnect(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	down(t, in->res);
	if (t->state != L2TP_TS_DISCONNECTING)
		return;
	if (in->cdn != NULL) {
		l2tp_chan_hurry(&t->chan, l2tp_of(t)->now_ms);
		l2tp_send_cdn(t, in->cdn);
	}
	l2tp_send_stopccn(t, in->res);
}

/* The peer's end: acknowledge before the owner lets go of the transport, and linger (5.7). */
static void act_peer_stop(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	struct l2tp_result res;

	l2tp_result_received(&res, L2TP_R_TUNNEL_RX_STOPCCN, in->msg);
	if (t->chan.peer_tid == 0 && l2tp_msg_has(in->msg, L2TP_AVP_ASSIGNED_TUNNEL_ID))
		t->chan.peer_tid = in->msg->assigned_tunnel_id;
	down(t, &res);
	l2tp_chan_flush(&t->chan);
	l2tp_linger_add(t, true);
	gone(t);
}

/* An end with nothing to send: no peer, no path, or a lost tie breaker. */
static void act_vanish(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	down(t, in->res);
	gone(t);
}

static void act_gone(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	gone(t);
}

/* Our StopCCN is acknowledged; what the peer sent before it heard of it may still come (5.8). */
static void act_drained(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	l2tp_linger_add(t, false);
	gone(t);
}

static const struct tunnel_row table[] = {
        {L2TP_TS_IDLE, L2TP_TE_OPEN, act_open, L2TP_TS_WAIT_CTL_REPLY},
        {L2TP_TS_IDLE, L2TP_TE_SCCRQ, act_answer, L2TP_TS_WAIT_CTL_CONN},
        {L2TP_TS_IDLE, L2TP_TE_REFUSED, act_disconnect, L2TP_TS_DISCONNECTING},

        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_SCCRP, act_confirm, L2TP_TS_ESTABLISHED},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_REFUSED, act_disconnect, L2TP_TS_DISCONNECTING},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_TIE_LOST, act_vanish, L2TP_TS_CLOSED},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_HELLO, act_none, L2TP_TS_WAIT_CTL_REPLY},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_STOPCCN, act_peer_stop, L2TP_TS_CLOSED},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_CLOSE, act_disconnect, L2TP_TS_DISCONNECTING},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_ABORT, act_vanish, L2TP_TS_CLOSED},
        {L2TP_TS_WAIT_CTL_REPLY, L2TP_TE_DEAD, act_vanish, L2TP_TS_CLOSED},

        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_SCCCN, act_up, L2TP_TS_ESTABLISHED},
        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_REFUSED, act_disconnect, L2TP_TS_DISCONNECTING},
        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_HELLO, act_none, L2TP_TS_WAIT_CTL_CONN},
        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_STOPCCN, act_peer_stop, L2TP_TS_CLOSED},
        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_CLOSE, act_disconnect, L2TP_TS_DISCONNECTING},
        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_ABORT, act_vanish, L2TP_TS_CLOSED},
        {L2TP_TS_WAIT_CTL_CONN, L2TP_TE_DEAD, act_vanish, L2TP_TS_CLOSED},

        {L2TP_TS_ESTABLISHED, L2TP_TE_SESSION, act_session, L2TP_TS_ESTABLISHED},
        {L2TP_TS_ESTABLISHED, L2TP_TE_HELLO, act_none, L2TP_TS_ESTABLISHED},
        {L2TP_TS_ESTABLISHED, L2TP_TE_STOPCCN, act_peer_stop, L2TP_TS_CLOSED},
        {L2TP_TS_ESTABLISHED, L2TP_TE_CLOSE, act_disconnect, L2TP_TS_DISCONNECTING},
        {L2TP_TS_ESTABLISHED, L2TP_TE_ABORT, act_vanish, L2TP_TS_CLOSED},
        {L2TP_TS_ESTABLISHED, L2TP_TE_DEAD, act_vanish, L2TP_TS_CLOSED},

        /* What crosses our StopCCN is acknowledged and has no effect (E35, E36). */
        {L2TP_TS_DISCONNECTING, L2TP_TE_SCCRQ, act_none, L2TP_TS_DISCONNECTING},
        {L2TP_TS_DISCONNECTING, L2TP_TE_SCCRP, act_none, L2TP_TS_DISCONNECTING},
        {L2TP_TS_DISCONNECTING, L2TP_TE_SCCCN, act_none, L2TP_TS_DISCONNECTING},
        {L2TP_TS_DISCONNECTING, L2TP_TE_HELLO, act_none, L2TP_TS_DISCONNECTING},
        {L2TP_TS_DISCONNECTING, L2TP_TE_SESSION, act_session_late, L2TP_TS_DISCONNECTING},
        {L2TP_TS_DISCONNECTING, L2TP_TE_STOPCCN, act_peer_stop, L2TP_TS_CLOSED},
        {L2TP_TS_DISCONNECTING, L2TP_TE_DRAINED, act_drained, L2TP_TS_CLOSED},
        {L2TP_TS_DISCONNECTING, L2TP_TE_ABORT, act_vanish, L2TP_TS_CLOSED},
        {L2TP_TS_DISCONNECTING, L2TP_TE_DEAD, act_gone, L2TP_TS_CLOSED},
};

void l2tp_tunnel_event(struct l2tp_tunnel *t, enum l2tp_tunnel_event ev,
                       const struct l2tp_tunnel_in *in)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct tunnel_row *row = &table[i];

		if (row->state != t->state || row->event != ev)
			continue;
		log_debug(l2tp_of(t)->log, "l2tp tunnel=%u event=\"%s\" state=%s next=%s", t->id,
		          event_names[ev], l2tp_tunnel_state_name(t->state),
		          l2tp_tunnel_state_name(row->next));
		t->state = row->next;
		row->action(t, in);
		return;
	}
	/* A message out of place ends the control connection (7.2.1). */
	if (in->msg != NULL && t->state != L2TP_TS_CLOSED) {
		log_info(l2tp_of(t)->log, "l2tp tunnel=%u unexpected=\"%s\" state=%s", t->id,
		         event_names[ev], l2tp_tunnel_state_name(t->state));
		l2tp_tunnel_fail(t, L2TP_R_TUNNEL_FSM_ERROR, L2TP_STOP_FSM, -1, NULL);
	}
}

void l2tp_tunnel_fail(struct l2tp_tunnel *t, enum l2tp_reason reason, uint16_t result, int error,
                      const char *message)
{
	struct l2tp_result res;

	l2tp_result_set(&res, reason, result, error, message);
	l2tp_tunnel_event(t, L2TP_TE_CLOSE, &(struct l2tp_tunnel_in){.res = &res});
}

void l2tp_tunnel_calls_changed(struct l2tp_tunnel *t)
{
	const struct l2tp_tunnel_conf *conf = l2tp_conf_of(t);

	if (t->state != L2TP_TS_ESTABLISHED)
		return;
	if (t->n_calls > 0)
		life_set(t, L2TP_LIFE_NONE, 0);
	else if (!conf->single_shot)
		life_set(t, L2TP_LIFE_IDLE, conf->idle_ms);
	else if (!t->used)
		life_set(t, L2TP_LIFE_FIRST_CALL, conf->first_call_ms);
}

static void on_life(struct l2tp_tunnel *t)
{
	static const enum l2tp_reason why[] = {
	        [L2TP_LIFE_NONE] = L2TP_R_NONE,
	        [L2TP_LIFE_ESTABLISH] = L2TP_R_TUNNEL_TIMEOUT_ESTABLISH,
	        [L2TP_LIFE_IDLE] = L2TP_R_TUNNEL_TIMEOUT_IDLE,
	        [L2TP_LIFE_FIRST_CALL] = L2TP_R_TUNNEL_TIMEOUT_FIRST_CALL,
	};

	if (t->life_for == L2TP_LIFE_FIRST_CALL)
		t->used = true;
	if (t->life_for == L2TP_LIFE_CALLS)
		calls_go_on(t);
	else
		l2tp_tunnel_fail(t, why[t->life_for], L2TP_STOP_CLEAR, -1, NULL);
}

/* Out of memory, or out of retransmissions. */
static void give_up(struct l2tp_tunnel *t, enum l2tp_reason reason)
{
	struct l2tp_result res;

	l2tp_result_set(&res, reason, 0, -1, NULL);
	l2tp_tunnel_event(t, L2TP_TE_DEAD, &(struct l2tp_tunnel_in){.res = &res});
}

/* One thing a time: the other, if it is due as well, comes with the timer that is set for it. */
static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct l2tp_tunnel *t = timer_owner(timer, struct l2tp_tunnel, timer);
	struct l2tp *l = l2tp_of(t);
	uint64_t hello = hello_at(t);

	l2tp_enter(l, now_ms);
	if (t->nomem) {
		t->nomem = false;
		give_up(t, L2TP_R_TUNNEL_NO_RESOURCES);
	} else if (t->life_at <= now_ms && t->life_at <= hello) {
		t->life_at = UINT64_MAX;
		on_life(t);
	} else if (hello <= now_ms) {
		l2tp_send_hello(t);
	}
	arm(t);
	l2tp_leave(l);
}

static struct l2tp_tunnel *tunnel_of(struct l2tp_channel *ch)
{
	return (struct l2tp_tunnel *)((uintptr_t)ch - offsetof(struct l2tp_tunnel, chan));
}

static void on_send(struct l2tp_channel *ch, const uint8_t *pkt, size_t len)
{
	struct l2tp_tunnel *t = tunnel_of(ch);
	struct l2tp *l = l2tp_of(t);

	l->ops->send(l->ctx, &t->path, pkt, len);
}

static void on_deliver(struct l2tp_channel *ch, const uint8_t *pkt, size_t len)
{
	l2tp_tunnel_deliver(tunnel_of(ch), pkt, len);
}

static void on_drained(struct l2tp_channel *ch)
{
	struct l2tp_tunnel *t = tunnel_of(ch);

	arm(t);
	l2tp_tunnel_event(t, L2TP_TE_DRAINED, &(struct l2tp_tunnel_in){0});
}

/*
 * Peers are known that stop to answer Hellos while their data flows. A Hello that nothing else waits
 * behind is tried anew as long as something else came from the peer in the meantime; any other message that
 * is not acknowledged means that control has failed, whatever the data does.
 */
static bool on_dead(struct l2tp_channel *ch, uint64_t now_ms)
{
	struct l2tp_tunnel *t = tunnel_of(ch);
	struct l2tp *l = l2tp_of(t);

	if (t->state == L2TP_TS_ESTABLISHED && l2tp_chan_only(ch, L2TP_HELLO) &&
	    t->heard_ms > ch->tx->since_ms)
		return true;
	l2tp_enter(l, now_ms);
	give_up(t, L2TP_R_TUNNEL_TIMEOUT_CONTROL);
	l2tp_leave(l);
	return false;
}

static void on_nomem(struct l2tp_channel *ch)
{
	struct l2tp_tunnel *t = tunnel_of(ch);

	t->nomem = true;
	arm(t);
}

const struct l2tp_chan_ops l2tp_tunnel_chan_ops = {
        .send = on_send,
        .deliver = on_deliver,
        .drained = on_drained,
        .dead = on_dead,
        .nomem = on_nomem,
};

struct l2tp_tunnel *l2tp_tunnel_alloc(struct l2tp *l, const struct l2tp_path *path)
{
	struct l2tp_tunnel *t = slab_get(&l->tunnel_slab);
	struct l2tp_setup *setup = slab_get(&l->setup_slab);
	struct l2tp_shared *shared = l2tp_shared_new(l);

	if (t == NULL || setup == NULL || shared == NULL) {
		slab_put(&l->tunnel_slab, t);
		slab_put(&l->setup_slab, setup);
		if (shared != NULL)
			l2tp_shared_put(shared);
		return NULL;
	}
	t->chan.conf = &shared->chan;
	t->setup = setup;
	setup->t = t;
	t->path = *path;
	t->created_ms = t->heard_ms = l->now_ms;
	timer_init(&t->timer, on_timer);
	t->life_at = UINT64_MAX;
	return t;
}

void l2tp_tunnel_start(struct l2tp_tunnel *t, const struct l2tp_tunnel_conf *conf, void *user,
                       uint16_t peer_id, uint16_t peer_rws)
{
	struct l2tp_shared *shared = l2tp_shared_fill(l2tp_shared_of(t), conf);
	struct l2tp *l = shared->l;

	assert(conf->local_id != 0 && l->tunnels[conf->local_id] == NULL);
	l2tp_chan_init(&t->chan, &shared->chan, conf->retries_not_established, peer_id, peer_rws);
	t->id = conf->local_id;
	t->user = user;
	if (l2tp_challenges(t))
		l->ops->random(l->ctx, t->setup->challenge, sizeof(t->setup->challenge));
	l2tp_linger_drop(l, &t->path, conf->local_id);
	l->tunnels[conf->local_id] = t;
	l->n_tunnels++;
}

struct l2tp_tunnel *l2tp_tunnel_open(struct l2tp *l, const struct l2tp_path *path,
                                     const struct l2tp_tunnel_conf *conf, void *user,
                                     uint64_t now_ms)
{
	struct l2tp_tunnel *t = NULL;

	l2tp_enter(l, now_ms);
	if (conf->local_id != 0 && l->tunnels[conf->local_id] == NULL)
		t = l2tp_tunnel_alloc(l, path);
	if (t != NULL) {
		t->initiator = true;
		l->ops->random(l->ctx, (uint8_t *)&t->setup->tie_breaker,
		               sizeof(t->setup->tie_breaker));
		l2tp_tunnel_start(t, conf, user, 0, L2TP_RWS_DEFAULT);
		l2tp_tunnel_event(t, L2TP_TE_OPEN, &(struct l2tp_tunnel_in){0});
	}
	l2tp_leave(l);
	return t;
}

void l2tp_tunnel_close(struct l2tp_tunnel *t, const struct l2tp_result *res, uint64_t now_ms)
{
	struct l2tp *l = l2tp_of(t);

	l2tp_enter(l, now_ms);
	l2tp_tunnel_event(t, L2TP_TE_CLOSE, &(struct l2tp_tunnel_in){.res = res});
	l2tp_leave(l);
}

void l2tp_tunnel_abort(struct l2tp_tunnel *t, const struct l2tp_result *res, uint64_t now_ms)
{
	struct l2tp *l = l2tp_of(t);

	l2tp_enter(l, now_ms);
	l2tp_tunnel_event(t, L2TP_TE_ABORT, &(struct l2tp_tunnel_in){.res = res});
	l2tp_leave(l);
}

void l2tp_tunnel_alive(struct l2tp_tunnel *t, uint64_t now_ms)
{
	t->heard_ms = now_ms;
}
