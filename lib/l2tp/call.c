/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The state machines of incoming calls at the LAC (RFC 2661 7.4.1) and at the LNS (7.4.2). */
#include "l2tp/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef void (*call_action)(struct l2tp_call *c, const struct l2tp_call_in *in);

/* The state is next already when action runs: callbacks see it, and may move on from there. */
struct call_row {
	enum l2tp_call_state state;
	enum l2tp_call_event event;
	call_action action;
	enum l2tp_call_state next;
};

static const char *const event_names[L2TP_CE_MAX] = {
        [L2TP_CE_OPEN] = "open",          [L2TP_CE_TUNNEL_UP] = "tunnel up",
        [L2TP_CE_ICRQ] = "ICRQ",          [L2TP_CE_ICRP] = "ICRP",
        [L2TP_CE_ICCN] = "ICCN",          [L2TP_CE_CONNECT] = "connect",
        [L2TP_CE_INFO] = "WEN or SLI",    [L2TP_CE_CDN] = "CDN",
        [L2TP_CE_CLOSE] = "close",        [L2TP_CE_TUNNEL_DOWN] = "tunnel down",
        [L2TP_CE_WRONG] = "out of place",
};

static void establish_set(struct l2tp_call *c, uint32_t ms)
{
	struct l2tp *l = l2tp_of(c->t);

	if (ms == 0)
		timer_cancel(l->timers, &c->establish->timer);
	else
		timer_set(l->timers, &c->establish->timer, l->now_ms + ms);
}

/* No state waits for it any more. */
void l2tp_call_establish_end(struct l2tp_call *c)
{
	struct l2tp *l = l2tp_of(c->t);

	if (c->establish == NULL)
		return;
	timer_cancel(l->timers, &c->establish->timer);
	slab_put(&l->establish_slab, c->establish);
	c->establish = NULL;
}

/* The object is out of all tables before the owner hears of it. */
static void end(struct l2tp_call *c, const struct l2tp_result *res)
{
	struct l2tp_tunnel *t = c->t;

	l2tp_call_establish_end(c);
	if (!c->was_up)
		t->calls_failed++;
	else
		t->calls_established--;
	l2tp_call_unlink(c);
	log_info(l2tp_of(t)->log,
	         "l2tp tunnel=%u session=%u peer-session=%u down reason=\"%s\" result=%u", t->id,
	         c->id, c->peer_id, l2tp_reason_name(res->reason), res->result);
	l2tp_of(t)->ops->call_gone(l2tp_of(t)->ctx, c, res);
	l2tp_bury_call(c);
}

/* The tunnel after its call has ended, when no CDN is due. */
static void leave_tunnel(struct l2tp_tunnel *t)
{
	if (l2tp_conf_of(t)->single_shot)
		l2tp_call_last_word(t, NULL);
	else
		l2tp_tunnel_calls_changed(t);
}

void l2tp_call_last_word(struct l2tp_tunnel *t, const struct l2tp_last_cdn *cdn)
{
	struct l2tp_result done;

	if (l2tp_conf_of(t)->single_shot) {
		t->used = true;
		l2tp_result_set(&done, L2TP_R_TUNNEL_SINGLE_SHOT_DONE, L2TP_STOP_CLEAR, -1, NULL);
		l2tp_tunnel_event(t, L2TP_TE_CLOSE,
		                  &(struct l2tp_tunnel_in){.res = &done, .cdn = cdn});
	} else if (t->state == L2TP_TS_ESTABLISHED) {
		if (cdn != NULL)
			l2tp_send_cdn(t, cdn);
		l2tp_tunnel_calls_changed(t);
	}
}

static void act_none(struct l2tp_call *c, const struct l2tp_call_in *in)
{
}

static void act_request(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	establish_set(c, l2tp_conf_of(c->t)->call_establish_ms);
	l2tp_send_icrq(c);
}

static void act_reply(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	establish_set(c, l2tp_conf_of(c->t)->call_establish_ms);
	l2tp_send_icrp(c);
}

static void up(struct l2tp_call *c, const struct l2tp_msg *iccn)
{
	struct l2tp *l = l2tp_of(c->t);

	l2tp_call_establish_end(c);
	c->was_up = true;
	c->up_after_ms = l2tp_took_ms(c->created_ms, l->now_ms);
	c->t->calls_established++;
	log_info(l->log, "l2tp tunnel=%u session=%u peer-session=%u up", c->t->id, c->id,
	         c->peer_id);
	l->ops->call_up(l->ctx, c, iccn);
}

static void act_connected(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	l2tp_call_learn_connect(c, in->msg);
	up(c, in->msg);
}

static void act_replied(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	c->peer_id = in->msg->assigned_session_id;
	l2tp_call_peer_insert(c);
	establish_set(c, 0); /* from here on it is the owner who takes time */
	l2tp_of(c->t)->ops->call_reply(l2tp_of(c->t)->ctx, c);
}

static void act_connect(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	if ((in->info->framing_type & ~c->t->peer_framing) != 0) {
		/* 4.4.3: only what the peer's Framing Capabilities offer */
		l2tp_call_fail(c, L2TP_R_CALL_NOT_SUPPORTED, L2TP_CDN_ERROR, L2TP_ERR_VALUE,
		               "framing type not offered");
		return;
	}
	if (!l2tp_send_iccn(c, in->info)) {
		l2tp_call_fail(c, L2TP_R_CALL_NO_RESOURCES, L2TP_CDN_ERROR, L2TP_ERR_RESOURCES,
		               "connect message too long");
		return;
	}
	up(c, NULL);
}

static void act_info(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	struct l2tp *l = l2tp_of(c->t);

	if (l->ops->call_info != NULL)
		l->ops->call_info(l->ctx, c, in->msg);
}

/* The local end of a call that the peer knows of. */
static void act_disconnect(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	struct l2tp_last_cdn cdn = {.peer_sid = c->peer_id, .local_sid = c->id, .res = in->res};

	end(c, in->res);
	l2tp_call_last_word(c->t, &cdn);
}

/* An end that the peer need not hear of. */
static void act_end(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	end(c, in->res);
	leave_tunnel(c->t);
}

static void act_peer_end(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	struct l2tp_result res;

	l2tp_result_received(&res, L2TP_R_CALL_RX_CDN, in->msg);
	end(c, &res);
	leave_tunnel(c->t);
}

/* 7.4.1: an ICCN at the LAC is cleaned up after, without an answer. */
static void act_clean_up(struct l2tp_call *c, const struct l2tp_call_in *in)
{
	struct l2tp_result res;

	l2tp_result_set(&res, L2TP_R_CALL_FSM_ERROR, 0, -1, NULL);
	end(c, &res);
	leave_tunnel(c->t);
}

static const struct call_row table[] = {
        {L2TP_CS_IDLE, L2TP_CE_OPEN, act_none, L2TP_CS_WAIT_TUNNEL},
        {L2TP_CS_IDLE, L2TP_CE_ICRQ, act_reply, L2TP_CS_WAIT_CONNECT},
        {L2TP_CS_IDLE, L2TP_CE_TUNNEL_DOWN, act_end, L2TP_CS_CLOSED},

        /* LAC, 7.4.1 */
        {L2TP_CS_WAIT_TUNNEL, L2TP_CE_TUNNEL_UP, act_request, L2TP_CS_WAIT_REPLY},
        {L2TP_CS_WAIT_TUNNEL, L2TP_CE_CLOSE, act_end, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_TUNNEL, L2TP_CE_TUNNEL_DOWN, act_end, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_ICRP, act_replied, L2TP_CS_WAIT_REPLY},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_CONNECT, act_connect, L2TP_CS_ESTABLISHED},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_ICCN, act_clean_up, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_INFO, act_none, L2TP_CS_WAIT_REPLY},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_CDN, act_peer_end, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_CLOSE, act_disconnect, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_REPLY, L2TP_CE_TUNNEL_DOWN, act_end, L2TP_CS_CLOSED},

        /* LNS, 7.4.2 */
        {L2TP_CS_WAIT_CONNECT, L2TP_CE_ICCN, act_connected, L2TP_CS_ESTABLISHED},
        {L2TP_CS_WAIT_CONNECT, L2TP_CE_INFO, act_none, L2TP_CS_WAIT_CONNECT},
        {L2TP_CS_WAIT_CONNECT, L2TP_CE_CDN, act_peer_end, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_CONNECT, L2TP_CE_CLOSE, act_disconnect, L2TP_CS_CLOSED},
        {L2TP_CS_WAIT_CONNECT, L2TP_CE_TUNNEL_DOWN, act_end, L2TP_CS_CLOSED},

        /* both */
        {L2TP_CS_ESTABLISHED, L2TP_CE_INFO, act_info, L2TP_CS_ESTABLISHED},
        {L2TP_CS_ESTABLISHED, L2TP_CE_CDN, act_peer_end, L2TP_CS_CLOSED},
        {L2TP_CS_ESTABLISHED, L2TP_CE_CLOSE, act_disconnect, L2TP_CS_CLOSED},
        {L2TP_CS_ESTABLISHED, L2TP_CE_TUNNEL_DOWN, act_end, L2TP_CS_CLOSED},
};

void l2tp_call_event(struct l2tp_call *c, enum l2tp_call_event ev, const struct l2tp_call_in *in)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct call_row *row = &table[i];

		if (row->state != c->state || row->event != ev)
			continue;
		log_debug(l2tp_of(c->t)->log,
		          "l2tp tunnel=%u session=%u event=\"%s\" state=%s next=%s", c->t->id,
		          c->id, event_names[ev], l2tp_call_state_name(c->state),
		          l2tp_call_state_name(row->next));
		c->state = row->next;
		row->action(c, in);
		return;
	}
	/* A message out of place ends the call (7.4.1, 7.4.2), not the tunnel. */
	if (in->msg != NULL && c->state != L2TP_CS_CLOSED) {
		log_info(l2tp_of(c->t)->log, "l2tp tunnel=%u session=%u unexpected=%s state=%s",
		         c->t->id, c->id, l2tp_msg_name(in->msg->type),
		         l2tp_call_state_name(c->state));
		l2tp_call_fail(c, L2TP_R_CALL_FSM_ERROR, L2TP_CDN_ERROR, L2TP_ERR_VALUE,
		               "unexpected message");
	}
}

void l2tp_call_fail(struct l2tp_call *c, enum l2tp_reason reason, uint16_t result, int error,
                    const char *message)
{
	struct l2tp_result res;

	l2tp_result_set(&res, reason, result, error, message);
	l2tp_call_event(c, L2TP_CE_CLOSE, &(struct l2tp_call_in){.res = &res});
}

bool l2tp_calls_down(struct l2tp_tunnel *t, const struct l2tp_result *res, uint32_t most)
{
	struct l2tp_result down = *res;
	struct l2tp_call *c;

	down.reason = L2TP_R_CALL_TUNNEL_DOWN;
	for (; most > 0 && (c = l2tp_tunnel_first_call(t)) != NULL; most--)
		l2tp_call_event(c, L2TP_CE_TUNNEL_DOWN, &(struct l2tp_call_in){.res = &down});
	return t->n_calls > 0;
}

/* Sending runs no callback, so the list stays as it is. */
void l2tp_calls_tunnel_up(struct l2tp_tunnel *t)
{
	struct l2tp_call *c;

	for (c = l2tp_call_next(t, NULL); c != NULL; c = l2tp_call_next(t, c)) {
		if (c->state == L2TP_CS_WAIT_TUNNEL)
			l2tp_call_event(c, L2TP_CE_TUNNEL_UP, &(struct l2tp_call_in){0});
	}
}

static void on_establish(struct timer *timer, uint64_t now_ms)
{
	struct l2tp_call *c = timer_owner(timer, struct l2tp_establish, timer)->call;
	struct l2tp *l = l2tp_of(c->t);

	l2tp_enter(l, now_ms);
	/* Result 10 speaks of the LAC's patience (4.4.2); the LNS has none of its own. */
	l2tp_call_fail(c, L2TP_R_CALL_TIMEOUT_ESTABLISH, c->lns ? L2TP_CDN_ADMIN : L2TP_CDN_TIMEOUT,
	               -1, NULL);
	l2tp_leave(l);
}

struct l2tp_call *l2tp_call_alloc(struct l2tp_tunnel *t)
{
	struct l2tp_call *c = slab_get(&l2tp_of(t)->call_slab);

	if (c == NULL)
		return NULL;
	c->establish = slab_get(&l2tp_of(t)->establish_slab);
	if (c->establish == NULL) {
		slab_put(&l2tp_of(t)->call_slab, c);
		return NULL;
	}
	c->t = t;
	c->created_ms = l2tp_of(t)->now_ms;
	c->establish->call = c;
	timer_init(&c->establish->timer, on_establish);
	return c;
}

static const char *number_at(const char *numbers, enum l2tp_number which)
{
	for (; which > 0; which--)
		numbers += strlen(numbers) + 1;
	return numbers;
}

const char *l2tp_call_number(const struct l2tp_call *c, enum l2tp_number which)
{
	return c->numbers != NULL ? number_at(c->numbers, which) : "";
}

void l2tp_call_set_number(struct l2tp_call *c, enum l2tp_number which, const void *text, size_t len)
{
	static const char none[L2TP_NR_MAX] = "";
	const char *old = c->numbers != NULL ? c->numbers : none;
	const char *behind = number_at(old, which) + strlen(number_at(old, which)) + 1;
	size_t before = (size_t)(number_at(old, which) - old);
	size_t rest = (size_t)(number_at(old, L2TP_NR_MAX) - behind);
	char *made;

	len = strnlen(text, len < L2TP_NR_LEN ? len : L2TP_NR_LEN - 1);
	made = malloc(before + len + 1 + rest);
	if (made == NULL)
		return;
	memcpy(made, old, before);
	memcpy(made + before, text, len);
	made[before + len] = '\0';
	memcpy(made + before + len + 1, behind, rest);
	free(c->numbers);
	c->numbers = made;
}

void l2tp_call_start(struct l2tp_call *c, const struct l2tp_call_conf *conf, void *user)
{
	struct l2tp_tunnel *t = c->t;

	assert(conf->local_id != 0 && l2tp_of(t)->calls[conf->local_id] == NULL);
	c->id = conf->local_id;
	c->sequencing = conf->sequencing;
	c->has_bearer = conf->has_bearer;
	c->user = user;
	l2tp_call_insert(c);
	t->calls_total++;
	t->used = true;
	l2tp_tunnel_calls_changed(t);
}

/* The tunnel is up or coming up, and has room. */
static bool may_open(const struct l2tp_tunnel *t, const struct l2tp_call_conf *conf)
{
	if (t->state != L2TP_TS_WAIT_CTL_REPLY && t->state != L2TP_TS_WAIT_CTL_CONN &&
	    t->state != L2TP_TS_ESTABLISHED)
		return false;
	if (l2tp_conf_of(t)->single_shot && t->used)
		return false;
	if (l2tp_conf_of(t)->max_calls != 0 && t->n_calls >= l2tp_conf_of(t)->max_calls)
		return false;
	return conf->local_id != 0 && l2tp_of(t)->calls[conf->local_id] == NULL;
}

static void take_number(struct l2tp_call *c, enum l2tp_number which, const char *number)
{
	if (number[0] != '\0')
		l2tp_call_set_number(c, which, number, L2TP_NR_LEN);
}

struct l2tp_call *l2tp_call_open(struct l2tp_tunnel *t, const struct l2tp_call_conf *conf,
                                 void *user, uint64_t now_ms)
{
	struct l2tp *l = l2tp_of(t);
	struct l2tp_call *c = NULL;

	l2tp_enter(l, now_ms);
	if (may_open(t, conf))
		c = l2tp_call_alloc(t);
	if (c != NULL) {
		c->serial = conf->serial;
		c->bearer_type = conf->bearer_type;
		take_number(c, L2TP_NR_CALLING, conf->calling_number);
		take_number(c, L2TP_NR_CALLED, conf->called_number);
		l2tp_call_start(c, conf, user);
		l2tp_call_event(c, L2TP_CE_OPEN, &(struct l2tp_call_in){0});
		if (t->state == L2TP_TS_ESTABLISHED)
			l2tp_call_event(c, L2TP_CE_TUNNEL_UP, &(struct l2tp_call_in){0});
	}
	l2tp_leave(l);
	return c;
}

void l2tp_call_connect(struct l2tp_call *c, const struct l2tp_connect_info *info, uint64_t now_ms)
{
	struct l2tp *l = l2tp_of(c->t);

	l2tp_enter(l, now_ms);
	if (l2tp_call_replied(c))
		l2tp_call_event(c, L2TP_CE_CONNECT, &(struct l2tp_call_in){.info = info});
	l2tp_leave(l);
}

void l2tp_call_close(struct l2tp_call *c, const struct l2tp_result *res, uint64_t now_ms)
{
	struct l2tp *l = l2tp_of(c->t);

	l2tp_enter(l, now_ms);
	l2tp_call_event(c, L2TP_CE_CLOSE, &(struct l2tp_call_in){.res = res});
	l2tp_leave(l);
}
