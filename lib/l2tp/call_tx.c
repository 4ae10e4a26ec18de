/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Messages of a call (RFC 2661 6.6 to 6.8, 6.12, 6.14). */
#include "l2tp/engine.h"

#include <string.h>

static void build_number(struct l2tp_build *b, enum l2tp_avp_type type, const char *number)
{
	if (number[0] != '\0')
		l2tp_build_bytes(b, type, number, strlen(number));
}

void l2tp_send_icrq(struct l2tp_call *c)
{
	struct l2tp_build b;

	l2tp_build_start(c->t, &b, L2TP_ICRQ, 0, true);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID, c->id);
	l2tp_build_u32(&b, L2TP_AVP_CALL_SERIAL, c->serial);
	if (c->has_bearer)
		l2tp_build_u32(&b, L2TP_AVP_BEARER_TYPE, c->bearer_type);
	build_number(&b, L2TP_AVP_CALLED_NUMBER, l2tp_call_number(c, L2TP_NR_CALLED));
	build_number(&b, L2TP_AVP_CALLING_NUMBER, l2tp_call_number(c, L2TP_NR_CALLING));
	l2tp_send_built(c->t, &b, false);
}

void l2tp_send_icrp(struct l2tp_call *c)
{
	struct l2tp_build b;

	l2tp_build_start(c->t, &b, L2TP_ICRP, c->peer_id, true);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID, c->id);
	l2tp_send_built(c->t, &b, true);
}

bool l2tp_send_iccn(struct l2tp_call *c, const struct l2tp_connect_info *info)
{
	const struct {
		enum l2tp_avp_type type;
		const uint8_t *p;
		uint16_t len;
	} proxy[] = {
	        {L2TP_AVP_INITIAL_LCP, info->initial_lcp.p, info->initial_lcp.len},
	        {L2TP_AVP_LAST_TX_LCP, info->last_tx_lcp.p, info->last_tx_lcp.len},
	        {L2TP_AVP_LAST_RX_LCP, info->last_rx_lcp.p, info->last_rx_lcp.len},
	        {L2TP_AVP_PROXY_AUTH_NAME, info->proxy_name.p, info->proxy_name.len},
	        {L2TP_AVP_PROXY_AUTH_CHALLENGE, info->proxy_challenge.p, info->proxy_challenge.len},
	        {L2TP_AVP_PROXY_AUTH_RESPONSE, info->proxy_response.p, info->proxy_response.len},
	};
	struct l2tp_build b;

	l2tp_build_start(c->t, &b, L2TP_ICCN, c->peer_id, true);
	l2tp_build_u32(&b, L2TP_AVP_TX_SPEED, info->tx_speed);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_TYPE, info->framing_type);
	for (size_t i = 0; i < sizeof(proxy) / sizeof(proxy[0]); i++) {
		if (proxy[i].p != NULL)
			l2tp_build_bytes(&b, proxy[i].type, proxy[i].p, proxy[i].len);
	}
	if (info->proxy_auth_type != 0) {
		l2tp_build_u16(&b, L2TP_AVP_PROXY_AUTH_TYPE, info->proxy_auth_type);
		/* 4.4.5: the first byte is reserved and zero */
		l2tp_build_u16(&b, L2TP_AVP_PROXY_AUTH_ID, info->proxy_auth_id & 0xff);
	}
	if (info->rx_speed != 0)
		l2tp_build_u32(&b, L2TP_AVP_RX_SPEED, info->rx_speed);
	if (c->sequencing)
		l2tp_build_empty(&b, L2TP_AVP_SEQUENCING_REQUIRED);
	c->tx_speed = info->tx_speed;
	c->rx_speed = info->rx_speed != 0 ? info->rx_speed : info->tx_speed;
	c->framing_type = info->framing_type;
	return l2tp_send_built(c->t, &b, false);
}

/* Not hidden, so that it is understood whatever went wrong before. */
void l2tp_send_cdn(struct l2tp_tunnel *t, const struct l2tp_last_cdn *cdn)
{
	const struct l2tp_result *res = cdn->res;
	struct l2tp_build b;

	l2tp_build_start(t, &b, L2TP_CDN, cdn->peer_sid, false);
	l2tp_build_result(&b, res->result != 0 ? res->result : L2TP_CDN_ADMIN, res->has_error,
	                  res->error, res->message);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_SESSION_ID, cdn->local_sid);
	if (res->has_cause)
		l2tp_build_cause(&b, res->cause_code, res->cause_proto, res->cause_direction, NULL);
	l2tp_send_built(t, &b, cdn->refusal);
}

void l2tp_call_send_sli(struct l2tp_call *c, uint32_t send_accm, uint32_t recv_accm,
                        uint64_t now_ms)
{
	struct l2tp *l = l2tp_of(c->t);
	struct l2tp_build b;

	l2tp_enter(l, now_ms);
	if (c->state == L2TP_CS_ESTABLISHED && c->t->state == L2TP_TS_ESTABLISHED) {
		l2tp_build_start(c->t, &b, L2TP_SLI, c->peer_id, true);
		l2tp_build_accm(&b, send_accm, recv_accm);
		l2tp_send_built(c->t, &b, false);
	}
	l2tp_leave(l);
}
