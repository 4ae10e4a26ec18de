/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Messages of the control connection (RFC 2661 6.1 to 6.5). */
#include "l2tp/engine.h"

#include <string.h>

#define PROTOCOL_VERSION 0x0100 /* 4.4.3: version 1, revision 0 */
#define FRAMING_CAPS     3 /* 4.4.3: synchronous and asynchronous */
#define BEARER_CAPS      0 /* 4.4.3: we place no outgoing calls */

void l2tp_build_start(struct l2tp_tunnel *t, struct l2tp_build *b, uint16_t type, uint16_t peer_sid,
                      bool may_hide)
{
	const struct l2tp_tunnel_conf *conf = l2tp_conf_of(t);
	struct l2tp *l = l2tp_of(t);
	uint8_t vector[16];

	l2tp_build_begin(b, l->tx, sizeof(l->tx), type, t->chan.peer_tid, peer_sid);
	if (!may_hide || !conf->hide_avps || conf->secret_len == 0)
		return;
	l->ops->random(l->ctx, vector, sizeof(vector));
	l2tp_build_hide(b, conf->secret, conf->secret_len, vector);
}

bool l2tp_send_built(struct l2tp_tunnel *t, struct l2tp_build *b, bool reply)
{
	size_t len = l2tp_build_end(b);

	if (len == 0) {
		log_error(l2tp_of(t)->log, "l2tp tunnel=%u message too long", t->id);
		return false;
	}
	/* Without memory the tunnel ends with its timer. */
	l2tp_chan_send(&t->chan, b->buf, len, reply, l2tp_of(t)->now_ms);
	return true;
}

/* What SCCRQ and SCCRP have in common. */
static void build_self(struct l2tp_tunnel *t, struct l2tp_build *b)
{
	const char *host_name = l2tp_conf_of(t)->host_name;
	struct l2tp *l = l2tp_of(t);

	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, PROTOCOL_VERSION);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, FRAMING_CAPS);
	l2tp_build_u32(b, L2TP_AVP_BEARER_CAPS, BEARER_CAPS);
	l2tp_build_u16(b, L2TP_AVP_FIRMWARE_REVISION, l->firmware);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, host_name,
	                 strnlen(host_name, sizeof(l2tp_conf_of(t)->host_name)));
	if (l->vendor[0] != '\0')
		l2tp_build_bytes(b, L2TP_AVP_VENDOR_NAME, l->vendor, strlen(l->vendor));
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, t->id);
	l2tp_build_u16(b, L2TP_AVP_RECEIVE_WINDOW_SIZE, t->chan.conf->rws);
	if (l2tp_challenges(t))
		l2tp_build_bytes(b, L2TP_AVP_CHALLENGE, t->setup->challenge,
		                 sizeof(t->setup->challenge));
}

/* The answer to the peer's challenge, made for the message that carries it (4.4.3). */
static void build_response(struct l2tp_tunnel *t, struct l2tp_build *b, uint8_t type,
                           const struct l2tp_msg *from)
{
	uint8_t response[16];

	if (!l2tp_msg_has(from, L2TP_AVP_CHALLENGE))
		return;
	l2tp_challenge_response(type, l2tp_conf_of(t)->secret, l2tp_conf_of(t)->secret_len,
	                        from->challenge.p, from->challenge.len, response);
	l2tp_build_bytes(b, L2TP_AVP_CHALLENGE_RESPONSE, response, sizeof(response));
}

/* Nothing is hidden in an SCCRQ: the peer does not know yet which secret is meant. */
void l2tp_send_sccrq(struct l2tp_tunnel *t)
{
	struct l2tp_build b;

	l2tp_build_start(t, &b, L2TP_SCCRQ, 0, false);
	build_self(t, &b);
	l2tp_build_u64(&b, L2TP_AVP_TIE_BREAKER, t->setup->tie_breaker);
	l2tp_send_built(t, &b, false);
}

void l2tp_send_sccrp(struct l2tp_tunnel *t, const struct l2tp_msg *sccrq)
{
	struct l2tp_build b;

	l2tp_build_start(t, &b, L2TP_SCCRP, 0, true);
	build_self(t, &b);
	build_response(t, &b, L2TP_SCCRP, sccrq);
	l2tp_send_built(t, &b, false);
}

void l2tp_send_scccn(struct l2tp_tunnel *t, const struct l2tp_msg *sccrp)
{
	struct l2tp_build b;

	l2tp_build_start(t, &b, L2TP_SCCCN, 0, false);
	build_response(t, &b, L2TP_SCCCN, sccrp);
	l2tp_send_built(t, &b, false);
}

void l2tp_send_hello(struct l2tp_tunnel *t)
{
	struct l2tp_build b;

	l2tp_build_start(t, &b, L2TP_HELLO, 0, false);
	l2tp_send_built(t, &b, false);
}

static void build_stop(struct l2tp_build *b, uint16_t local_id, const struct l2tp_result *res)
{
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, local_id);
	l2tp_build_result(b, res->result != 0 ? res->result : L2TP_STOP_CLEAR, res->has_error,
	                  res->error, res->message);
}

/* Not hidden, so that a peer in whatever state understands it. */
void l2tp_send_stopccn(struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct l2tp_build b;
	size_t len;

	l2tp_build_start(t, &b, L2TP_STOPCCN, 0, false);
	build_stop(&b, t->id, res);
	len = l2tp_build_end(&b);
	l2tp_chan_send_last(&t->chan, b.buf, len, l2tp_of(t)->now_ms);
}

void l2tp_send_refusal(struct l2tp *l, const struct l2tp_path *path, uint16_t peer_id,
                       uint16_t local_id, const struct l2tp_result *res)
{
	struct l2tp_build b;
	size_t len;

	if (local_id == 0)
		local_id = l2tp_spare_tunnel_id(l);
	l2tp_build_begin(&b, l->tx, sizeof(l->tx), L2TP_STOPCCN, peer_id, 0);
	build_stop(&b, local_id, res);
	len = l2tp_build_end(&b);
	l2tp_set_seq(l->tx, 0, 1); /* first of ours, and the SCCRQ is acknowledged */
	l->stats.tx++;
	l->ops->send(l->ctx, path, l->tx, len);
}
