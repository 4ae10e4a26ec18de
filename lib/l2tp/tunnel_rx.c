/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Control messages in order: judged here, and turned into events of the state machine. */
#include "l2tp/engine.h"

#include <stdlib.h>
#include <string.h>

#define PROTOCOL_VERSION 1 /* 4.4.3 */

/*
 * ICRPs and refusals that a peer may leave unacknowledged before its tunnel is given up: some, more with
 * a larger window and with each call that it has. A peer that sends but never acknowledges cannot make
 * the queue grow beyond this.
 */
#define REPLIES_BASE 128

static const char *text(struct l2tp *l, const struct l2tp_bytes *b)
{
	return texts_get(l->texts, b->len > 0 ? (const char *)b->p : "",
	                 b->len < 255 ? b->len : 255);
}

void l2tp_tunnel_learn(struct l2tp_tunnel *t, const struct l2tp_msg *msg)
{
	struct l2tp *l = l2tp_of(t);

	t->peer_version = msg->version;
	t->peer_revision = msg->revision;
	t->peer_framing = msg->framing_caps;
	t->peer_bearer = msg->bearer_caps;
	t->peer_firmware = msg->firmware;
	texts_put(l->texts, t->peer_host);
	texts_put(l->texts, t->peer_vendor);
	t->peer_host = text(l, &msg->host_name);
	t->peer_vendor =
	        l2tp_msg_has(msg, L2TP_AVP_VENDOR_NAME) ? text(l, &msg->vendor_name) : NULL;
	l2tp_chan_set_peer(&t->chan, msg->assigned_tunnel_id,
	                   l2tp_msg_has(msg, L2TP_AVP_RECEIVE_WINDOW_SIZE) ? msg->rws
	                                                                   : t->chan.peer_rws);
}

/* Takes as long whatever the bytes are. */
static bool equal_ct(const uint8_t *a, const uint8_t *b, size_t n)
{
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

/* The peer's proof that it knows the secret (4.4.3), when we have asked for one. */
static bool proof_ok(struct l2tp_tunnel *t, const struct l2tp_msg *msg)
{
	const struct l2tp_tunnel_conf *conf = l2tp_conf_of(t);
	uint8_t want[16];

	if (!l2tp_challenges(t))
		return true;
	if (!l2tp_msg_has(msg, L2TP_AVP_CHALLENGE_RESPONSE))
		return false;
	l2tp_challenge_response((uint8_t)msg->type, conf->secret, conf->secret_len,
	                        t->setup->challenge, sizeof(t->setup->challenge), want);
	t->authenticated = equal_ct(want, msg->challenge_response, sizeof(want));
	explicit_bzero(want, sizeof(want));
	return t->authenticated;
}

/* True when the tunnel may go on with this SCCRQ, SCCRP or SCCCN; else res says why not. */
static bool acceptable(struct l2tp_tunnel *t, const struct l2tp_msg *msg, struct l2tp_result *res)
{
	if (msg->type != L2TP_SCCCN && msg->version != PROTOCOL_VERSION) {
		l2tp_result_set(res, L2TP_R_TUNNEL_BAD_VERSION, L2TP_STOP_BAD_VERSION,
		                PROTOCOL_VERSION, NULL);
		return false;
	}
	if (msg->type != L2TP_SCCCN && msg->assigned_tunnel_id == 0) {
		l2tp_result_set(res, L2TP_R_TUNNEL_BAD_MESSAGE, L2TP_STOP_ERROR, L2TP_ERR_VALUE,
		                "assigned tunnel id 0");
		return false;
	}
	/* A challenge must be answered (4.4.3), and without a secret it cannot be. */
	if (l2tp_msg_has(msg, L2TP_AVP_CHALLENGE) && msg->type != L2TP_SCCCN &&
	    l2tp_conf_of(t)->secret_len == 0) {
		l2tp_of(t)->stats.auth_failed++;
		l2tp_result_set(res, L2TP_R_TUNNEL_AUTH_FAILED, L2TP_STOP_NOT_AUTHORIZED, 0,
		                "no secret for this peer");
		return false;
	}
	if (msg->type != L2TP_SCCRQ && !proof_ok(t, msg)) {
		l2tp_of(t)->stats.auth_failed++;
		l2tp_result_set(res, L2TP_R_TUNNEL_AUTH_FAILED, L2TP_STOP_NOT_AUTHORIZED, 0,
		                "tunnel authentication failed");
		return false;
	}
	return true;
}

static void judge(struct l2tp_tunnel *t, enum l2tp_tunnel_event ev, const struct l2tp_msg *msg)
{
	struct l2tp_result res;
	struct l2tp_tunnel_in in = {.msg = msg, .res = &res};

	l2tp_tunnel_event(t, acceptable(t, msg, &res) ? ev : L2TP_TE_REFUSED, &in);
}

void l2tp_tunnel_first(struct l2tp_tunnel *t, const struct l2tp_msg *msg)
{
	l2tp_tunnel_learn(t, msg);
	l2tp_peer_insert(t);
	l2tp_chan_accept_first(&t->chan);
	judge(t, L2TP_TE_SCCRQ, msg);
}

static bool about_session(uint16_t type)
{
	return (type >= L2TP_OCRQ && type <= L2TP_ICCN) || type == L2TP_CDN || type == L2TP_WEN ||
	       type == L2TP_SLI;
}

/*
 * 4.1: what is wrong in a message about a session ends that session, anything else the tunnel. An
 * unknown message type that is mandatory ends the tunnel in any case (4.4.1). A StopCCN is obeyed
 * however badly it is made.
 */
static void bad_message(struct l2tp_tunnel *t, const struct l2tp_msg *msg, enum l2tp_msg_error err,
                        uint16_t bad_avp)
{
	struct l2tp_tunnel_in in = {.msg = msg, .err = err, .bad_avp = bad_avp};
	struct l2tp_result res;

	log_info(l2tp_of(t)->log, "l2tp tunnel=%u bad message=%s error=\"%s\" attribute=%u", t->id,
	         l2tp_msg_name(msg->type), l2tp_msg_error_name(err), bad_avp);
	if (msg->type == L2TP_STOPCCN) {
		l2tp_tunnel_event(t, L2TP_TE_STOPCCN, &in);
	} else if (t->state == L2TP_TS_ESTABLISHED && err != L2TP_MSG_UNKNOWN_TYPE &&
	           (about_session(msg->type) || msg->hdr.session_id != 0)) {
		l2tp_tunnel_event(t, L2TP_TE_SESSION, &in);
	} else {
		if (t->initiator && t->chan.peer_tid == 0 &&
		    l2tp_msg_has(msg, L2TP_AVP_ASSIGNED_TUNNEL_ID)) {
			l2tp_chan_set_peer(&t->chan, msg->assigned_tunnel_id, t->chan.peer_rws);
		}
		l2tp_result_parse(&res, L2TP_R_TUNNEL_BAD_MESSAGE, err, bad_avp);
		l2tp_tunnel_event(t, L2TP_TE_CLOSE, &(struct l2tp_tunnel_in){.res = &res});
	}
}

static void good_message(struct l2tp_tunnel *t, const struct l2tp_msg *msg)
{
	struct l2tp_tunnel_in in = {.msg = msg};

	switch (msg->type) {
	case L2TP_SCCRQ:
		l2tp_tunnel_event(t, L2TP_TE_SCCRQ, &in);
		break;
	case L2TP_SCCRP:
		/* Also when we have given up: now the StopCCN can be addressed. */
		if (t->initiator && t->chan.peer_tid == 0 && msg->assigned_tunnel_id != 0)
			l2tp_tunnel_learn(t, msg);
		if (t->state == L2TP_TS_WAIT_CTL_REPLY)
			judge(t, L2TP_TE_SCCRP, msg);
		else
			l2tp_tunnel_event(t, L2TP_TE_SCCRP, &in);
		break;
	case L2TP_SCCCN:
		if (t->state == L2TP_TS_WAIT_CTL_CONN)
			judge(t, L2TP_TE_SCCCN, msg);
		else
			l2tp_tunnel_event(t, L2TP_TE_SCCCN, &in);
		break;
	case L2TP_STOPCCN:
		l2tp_tunnel_event(t, L2TP_TE_STOPCCN, &in);
		break;
	case L2TP_HELLO:
		l2tp_tunnel_event(t, L2TP_TE_HELLO, &in);
		break;
	default:
		/* A type that we do not know and that is not mandatory is passed over (4.4.1). */
		if (about_session(msg->type))
			l2tp_tunnel_event(t, L2TP_TE_SESSION, &in);
		break;
	}
}

void l2tp_tunnel_deliver(struct l2tp_tunnel *t, const uint8_t *pkt, size_t len)
{
	const struct l2tp_tunnel_conf *conf = l2tp_conf_of(t);
	struct l2tp_msg *msg = &l2tp_of(t)->rx;
	enum l2tp_msg_error err;
	uint16_t bad_avp = 0;

	if (l2tp_chan_replies(&t->chan) > REPLIES_BASE + 2u * t->chan.conf->rws + 4 * t->n_calls) {
		l2tp_tunnel_fail(t, L2TP_R_TUNNEL_NO_RESOURCES, L2TP_STOP_ERROR, L2TP_ERR_RESOURCES,
		                 "too much unacknowledged");
		return;
	}
	err = l2tp_msg_parse(pkt, len, conf->secret, conf->secret_len, msg, &bad_avp);
	if (err != L2TP_MSG_OK)
		bad_message(t, msg, err, bad_avp);
	else
		good_message(t, msg);
}
