/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Messages without a tunnel id: an SCCRQ, first or repeated, and a StopCCN of a half-open tunnel. */
#include "l2tp/engine.h"

#include <string.h>

#define PROTOCOL_VERSION 1 /* 4.4.3; version 1, revision 0 */
#define HDR_LEN          12

/*
 * Tells one SCCRQ from another: a retransmission differs only in its header. FNV-1a, because all it
 * has to resist is chance: who can send on this path needs no collision to do harm.
 */
static uint64_t digest(const uint8_t *pkt, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = HDR_LEN; i < len; i++)
		h = (h ^ pkt[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void refuse(struct l2tp *l, const struct l2tp_path *path, uint16_t local_id,
                   const struct l2tp_result *res)
{
	const struct l2tp_msg *msg = &l->rx;

	l->stats.tunnels_refused++;
	/* Without the peer's id there is no place to send an answer to. */
	if (l2tp_msg_has(msg, L2TP_AVP_ASSIGNED_TUNNEL_ID) && msg->assigned_tunnel_id != 0)
		l2tp_send_refusal(l, path, msg->assigned_tunnel_id, local_id, res);
}

static void reject(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_result *res)
{
	l->ops->tunnel_rejected(l->ctx, path, &l->rx, res);
	refuse(l, path, 0, res);
}

/*
 * The peer asks while our own SCCRQ to it is out (4.4.3, Tie Breaker). True: its request goes no
 * further. Without any tie breaker there will be two tunnels; we always send one, so a request that
 * has none has lost against it.
 */
static bool collision(struct l2tp *l, const struct l2tp_path *path)
{
	const struct l2tp_msg *msg = &l->rx;
	bool theirs = l2tp_msg_has(msg, L2TP_AVP_TIE_BREAKER);
	struct l2tp_tunnel *t = l2tp_wait_next(l, path, NULL);
	uint64_t lowest = UINT64_MAX;
	bool equal;

	if (t == NULL)
		return false;
	for (; t != NULL; t = l2tp_wait_next(l, path, t)) {
		if (t->setup->tie_breaker < lowest)
			lowest = t->setup->tie_breaker;
	}
	if (!theirs || lowest < msg->tie_breaker)
		return true;
	equal = lowest == msg->tie_breaker;
	while ((t = l2tp_wait_next(l, path, NULL)) != NULL) {
		struct l2tp_result res;

		l2tp_result_set(&res, L2TP_R_TUNNEL_TIE_LOST, 0, -1, NULL);
		l2tp_tunnel_event(t, L2TP_TE_TIE_LOST, &(struct l2tp_tunnel_in){.res = &res});
	}
	return equal;
}

static void request(struct l2tp *l, const struct l2tp_path *path, uint64_t request_digest)
{
	const struct l2tp_msg *msg = &l->rx;
	struct l2tp_tunnel *t = l2tp_tunnel_alloc(l, path);
	struct l2tp_tunnel_conf conf = {0};
	struct l2tp_result res = {0};
	enum l2tp_verdict verdict;
	void *user = NULL;

	if (t == NULL) {
		l2tp_result_set(&res, L2TP_R_TUNNEL_NO_RESOURCES, L2TP_STOP_ERROR,
		                L2TP_ERR_RESOURCES, NULL);
		reject(l, path, &res);
		return;
	}
	verdict = l->ops->tunnel_request(l->ctx, path, msg, &conf, &res, &user);
	if (verdict == L2TP_ACCEPT) {
		t->request_digest = request_digest;
		l2tp_tunnel_start(t, &conf, user, msg->assigned_tunnel_id,
		                  l2tp_msg_has(msg, L2TP_AVP_RECEIVE_WINDOW_SIZE)
		                          ? msg->rws
		                          : L2TP_RWS_DEFAULT);
		explicit_bzero(conf.secret, sizeof(conf.secret));
		l2tp_tunnel_first(t, msg);
		return;
	}
	explicit_bzero(conf.secret, sizeof(conf.secret));
	l2tp_bury_tunnel(t);
	if (verdict == L2TP_DISCARD)
		return;
	if (res.result == 0)
		l2tp_result_set(&res, L2TP_R_TUNNEL_REFUSED, L2TP_STOP_NOT_AUTHORIZED, -1, NULL);
	refuse(l, path, conf.local_id, &res);
}

/*
 * True when the SCCRQ belongs to a tunnel that is there (5.8: a duplicate is acknowledged, and the
 * SCCRP answers it better than anything). While we are disconnecting, another SCCRQ with the same id
 * proves that the peer has forgotten the tunnel: it makes room.
 */
static bool repeated(struct l2tp *l, const struct l2tp_path *path, uint64_t request_digest)
{
	struct l2tp_tunnel *t = l2tp_peer_find(l, path, l->rx.assigned_tunnel_id);

	if (t == NULL)
		return false;
	if (t->state == L2TP_TS_DISCONNECTING && t->request_digest != request_digest) {
		l2tp_tunnel_event(t, L2TP_TE_DEAD, &(struct l2tp_tunnel_in){0});
		return false;
	}
	/*
	 * On a tunnel that is up this may be a peer that has crashed and begins anew with the id that it
	 * had: a Hello finds out, and the old tunnel makes room when it is not acknowledged.
	 */
	if (t->state == L2TP_TS_ESTABLISHED && l2tp_chan_queued(&t->chan) == 0)
		l2tp_send_hello(t);
	else
		l2tp_chan_first_again(&t->chan);
	return true;
}

static void rx_sccrq(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h,
                     enum l2tp_msg_error err, uint16_t bad_avp, uint64_t request_digest)
{
	struct l2tp_result res;

	if (h->ns != 0) {
		l->stats.rx_out_of_window++;
		return;
	}
	if (err == L2TP_MSG_OK && l->rx.assigned_tunnel_id == 0) {
		err = L2TP_MSG_BAD_VALUE; /* 4.4.3 */
		bad_avp = L2TP_AVP_ASSIGNED_TUNNEL_ID;
	}
	if (err != L2TP_MSG_OK) {
		l2tp_result_parse(&res, L2TP_R_TUNNEL_BAD_MESSAGE, err, bad_avp);
		reject(l, path, &res);
		return;
	}
	if (repeated(l, path, request_digest))
		return;
	if (l->rx.version != PROTOCOL_VERSION) {
		/* The error code tells the highest version that we know (4.4.2). */
		l2tp_result_set(&res, L2TP_R_TUNNEL_BAD_VERSION, L2TP_STOP_BAD_VERSION,
		                PROTOCOL_VERSION, NULL);
		reject(l, path, &res);
		return;
	}
	if (!collision(l, path))
		request(l, path, request_digest);
}

void l2tp_rx_without_id(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h,
                        const uint8_t *pkt, size_t len)
{
	enum l2tp_msg_error err;
	struct l2tp_tunnel *t;
	uint16_t bad_avp = 0;

	if (h->data_len == 0) {
		l->stats.rx_unknown_tunnel++;
		return;
	}
	err = l2tp_msg_parse(pkt, len, NULL, 0, &l->rx, &bad_avp);
	if (err == L2TP_MSG_BAD_HEADER) {
		l->stats.rx_malformed++;
		return;
	}
	if (l->rx.type == L2TP_SCCRQ && h->session_id == 0) {
		rx_sccrq(l, path, h, err, bad_avp, digest(pkt, len));
		return;
	}
	/* The peer gives up before it has heard our id: its own tells the tunnel (4.4.3). */
	t = NULL;
	if (err == L2TP_MSG_OK && l->rx.type == L2TP_STOPCCN)
		t = l2tp_peer_find(l, path, l->rx.assigned_tunnel_id);
	if (t != NULL && t->state == L2TP_TS_WAIT_CTL_CONN)
		l2tp_chan_rx(&t->chan, h, pkt, len, l->now_ms);
	else if (l->rx.type != L2TP_STOPCCN ||
	         !l2tp_linger_rx_peer(l, path, h, l->rx.assigned_tunnel_id))
		l->stats.rx_unknown_tunnel++;
}
