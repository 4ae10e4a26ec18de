/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Messages about calls: found, judged, and turned into events of the call's state machine. */
#include "l2tp/engine.h"

#include <stdio.h>
#include <string.h>

/* An attribute that the message may have. */
static void learn(struct l2tp_call *c, const struct l2tp_msg *msg, uint16_t avp,
                  const struct l2tp_bytes *text, enum l2tp_number which)
{
	if (l2tp_msg_has(msg, avp) && text->len > 0)
		l2tp_call_set_number(c, which, text->p, text->len);
}

void l2tp_call_learn_request(struct l2tp_call *c, const struct l2tp_msg *icrq)
{
	c->lns = true;
	c->peer_id = icrq->assigned_session_id;
	c->serial = icrq->call_serial;
	c->bearer_type = icrq->bearer_type;
	c->physical_channel = icrq->physical_channel;
	learn(c, icrq, L2TP_AVP_CALLING_NUMBER, &icrq->calling_number, L2TP_NR_CALLING);
	learn(c, icrq, L2TP_AVP_CALLED_NUMBER, &icrq->called_number, L2TP_NR_CALLED);
	learn(c, icrq, L2TP_AVP_SUB_ADDRESS, &icrq->sub_address, L2TP_NR_SUB_ADDRESS);
}

void l2tp_call_learn_connect(struct l2tp_call *c, const struct l2tp_msg *iccn)
{
	c->framing_type = iccn->framing_type;
	c->tx_speed = iccn->tx_speed;
	/* Without AVP 38 both directions are alike (4.4.4). */
	c->rx_speed = l2tp_msg_has(iccn, L2TP_AVP_RX_SPEED) ? iccn->rx_speed : iccn->tx_speed;
	c->sequencing_required = l2tp_msg_has(iccn, L2TP_AVP_SEQUENCING_REQUIRED);
	if (l2tp_call_number(c, L2TP_NR_PRIVATE_GROUP)[0] == '\0')
		learn(c, iccn, L2TP_AVP_PRIVATE_GROUP, &iccn->private_group, L2TP_NR_PRIVATE_GROUP);
}

/* An answer to a request that never became a call. fire: it was a single-shot tunnel's chance. */
static void refuse(struct l2tp_tunnel *t, const struct l2tp_msg *msg, uint16_t local_sid,
                   const struct l2tp_result *res, bool fire)
{
	struct l2tp_last_cdn cdn = {
	        .peer_sid = l2tp_msg_has(msg, L2TP_AVP_ASSIGNED_SESSION_ID)
	                            ? msg->assigned_session_id
	                            : 0,
	        .local_sid = local_sid != 0 ? local_sid : l2tp_spare_call_id(l2tp_of(t)),
	        .refusal = true,
	        .res = res,
	};

	l2tp_of(t)->stats.calls_refused++;
	t->calls_failed++;
	log_debug(l2tp_of(t)->log, "l2tp tunnel=%u peer-session=%u refused reason=\"%s\"", t->id,
	          cdn.peer_sid, l2tp_reason_name(res->reason));
	if (fire && l2tp_conf_of(t)->single_shot)
		l2tp_call_last_word(t, cdn.peer_sid != 0 ? &cdn : NULL);
	else if (cdn.peer_sid != 0 && t->state == L2TP_TS_ESTABLISHED)
		l2tp_send_cdn(t, &cdn);
}

/* What the engine itself has against a request. False: nothing. */
static bool objection(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in,
                      struct l2tp_result *res)
{
	const struct l2tp_tunnel_conf *conf = l2tp_conf_of(t);
	const struct l2tp_msg *msg = in->msg;

	if (in->err != L2TP_MSG_OK)
		l2tp_result_parse(res, L2TP_R_CALL_BAD_MESSAGE, in->err, in->bad_avp);
	else if (msg->type == L2TP_OCRQ)
		l2tp_result_set(res, L2TP_R_CALL_NOT_SUPPORTED, L2TP_CDN_NO_FACILITIES, 0,
		                "outgoing calls are not supported");
	else if (msg->assigned_session_id == 0 || l2tp_call_by_peer(t, msg->assigned_session_id))
		l2tp_result_set(res, L2TP_R_CALL_BAD_MESSAGE, L2TP_CDN_ERROR, L2TP_ERR_VALUE,
		                "session id 0 or in use");
	else if (conf->max_calls != 0 && t->n_calls >= conf->max_calls)
		l2tp_result_set(res, L2TP_R_CALL_LIMIT_REACHED,
		                conf->limit_result != 0 ? conf->limit_result
		                                        : L2TP_CDN_NO_FACILITIES,
		                conf->limit_error, "too many sessions");
	else
		return false;
	return true;
}

static void ask_owner(struct l2tp_tunnel *t, const struct l2tp_msg *msg)
{
	struct l2tp *l = l2tp_of(t);
	struct l2tp_call *c = l2tp_call_alloc(t);
	struct l2tp_call_conf conf = {0};
	struct l2tp_result res = {0};
	enum l2tp_verdict verdict;
	void *user = NULL;

	if (c == NULL) {
		l2tp_result_set(&res, L2TP_R_CALL_NO_RESOURCES, L2TP_CDN_ERROR, L2TP_ERR_RESOURCES,
		                NULL);
		l->ops->call_refused(l->ctx, t, msg, &res);
		refuse(t, msg, 0, &res, true);
		return;
	}
	l2tp_call_learn_request(c, msg);
	verdict = l->ops->call_request(l->ctx, t, msg, &conf, &res, &user);
	if (verdict == L2TP_ACCEPT) {
		l2tp_call_start(c, &conf, user);
		l2tp_call_peer_insert(c);
		/* The owner may have closed the tunnel while it was thinking. */
		if (t->state == L2TP_TS_ESTABLISHED) {
			l2tp_call_event(c, L2TP_CE_ICRQ, &(struct l2tp_call_in){.msg = msg});
		} else {
			l2tp_result_set(&res, L2TP_R_CALL_TUNNEL_DOWN, 0, -1, NULL);
			l2tp_call_event(c, L2TP_CE_TUNNEL_DOWN,
			                &(struct l2tp_call_in){.res = &res});
		}
		return;
	}
	l2tp_bury_call(c);
	if (verdict == L2TP_DISCARD)
		return;
	if (res.result == 0)
		l2tp_result_set(&res, L2TP_R_CALL_REFUSED, L2TP_CDN_NO_FACILITIES, -1, NULL);
	refuse(t, msg, conf.local_id, &res, true);
}

static void fired(const struct l2tp_tunnel *t, struct l2tp_result *res)
{
	l2tp_result_set(res, L2TP_R_CALL_SINGLE_SHOT_FIRED,
	                l2tp_conf_of(t)->fired_result != 0 ? l2tp_conf_of(t)->fired_result : 5,
	                l2tp_conf_of(t)->fired_error, "single-shot tunnel already fired");
}

/* ICRQ or OCRQ for a new call. */
static void rx_request(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	struct l2tp *l = l2tp_of(t);
	struct l2tp_result res;

	if (l2tp_conf_of(t)->single_shot && t->used) {
		/* B1: one call ever. The first one is not touched. */
		fired(t, &res);
		l->ops->call_refused(l->ctx, t, in->msg, &res);
		refuse(t, in->msg, 0, &res, false);
	} else if (objection(t, in, &res)) {
		l->ops->call_refused(l->ctx, t, in->msg, &res);
		refuse(t, in->msg, 0, &res, true);
	} else {
		ask_owner(t, in->msg);
	}
}

/*
 * By the session id in the header, which is ours; a CDN sent before the peer knew it carries the
 * peer's own (4.4.4, Assigned Session ID).
 */
static struct l2tp_call *find(struct l2tp_tunnel *t, const struct l2tp_msg *msg)
{
	struct l2tp_call *c;

	if (msg->hdr.session_id == 0)
		return msg->type == L2TP_CDN && l2tp_msg_has(msg, L2TP_AVP_ASSIGNED_SESSION_ID)
		               ? l2tp_call_by_peer(t, msg->assigned_session_id)
		               : NULL;
	c = l2tp_of(t)->calls[msg->hdr.session_id];
	return c != NULL && c->t == t ? c : NULL;
}

static enum l2tp_call_event event_of(const struct l2tp_call *c, const struct l2tp_msg *msg)
{
	switch (msg->type) {
	case L2TP_ICRP:
		/* The peer's session id cannot be 0, nor come twice. */
		return l2tp_call_replied(c) || c->lns || msg->assigned_session_id == 0
		               ? L2TP_CE_WRONG
		               : L2TP_CE_ICRP;
	case L2TP_ICCN:
		return L2TP_CE_ICCN;
	case L2TP_CDN:
		return L2TP_CE_CDN;
	case L2TP_WEN:
	case L2TP_SLI:
		return L2TP_CE_INFO;
	default:
		return L2TP_CE_WRONG; /* ICRQ of a call that is there, outgoing calls */
	}
}

void l2tp_call_deliver(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	const struct l2tp_msg *msg = in->msg;
	struct l2tp_call *c = find(t, msg);
	struct l2tp_result res;

	if (c == NULL) {
		/* Anything but a request is late news of a call that we have ended (idle, 7.4). */
		if (msg->type == L2TP_ICRQ || msg->type == L2TP_OCRQ)
			rx_request(t, in);
	} else if (in->err != L2TP_MSG_OK && msg->type != L2TP_CDN) {
		l2tp_result_parse(&res, L2TP_R_CALL_BAD_MESSAGE, in->err, in->bad_avp);
		l2tp_call_event(c, L2TP_CE_CLOSE, &(struct l2tp_call_in){.res = &res});
	} else {
		l2tp_call_event(c, event_of(c, msg), &(struct l2tp_call_in){.msg = msg});
	}
}

void l2tp_call_deliver_late(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in)
{
	struct l2tp_result res;

	if (in->msg->type != L2TP_ICRQ && in->msg->type != L2TP_OCRQ)
		return;
	if (l2tp_conf_of(t)->single_shot)
		fired(t, &res);
	else
		l2tp_result_set(&res, L2TP_R_CALL_TUNNEL_DOWN, 0, -1, NULL);
	l2tp_of(t)->stats.calls_refused++;
	t->calls_failed++;
	l2tp_of(t)->ops->call_refused(l2tp_of(t)->ctx, t, in->msg, &res);
}
