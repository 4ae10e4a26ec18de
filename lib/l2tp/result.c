/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/engine.h"

#include <stdio.h>
#include <string.h>

/* In the words of JunosE's terminate reasons. */
static const char *const reason_names[L2TP_R_MAX] = {
        [L2TP_R_NONE] = "none",
        [L2TP_R_TUNNEL_ADMIN_CLOSE] = "tunnel admin close",
        [L2TP_R_TUNNEL_RX_STOPCCN] = "tunnel rx stopccn",
        [L2TP_R_TUNNEL_TIMEOUT_CONTROL] = "tunnel timeout control channel",
        [L2TP_R_TUNNEL_TIMEOUT_ESTABLISH] = "tunnel timeout establish",
        [L2TP_R_TUNNEL_TIMEOUT_IDLE] = "tunnel timeout idle",
        [L2TP_R_TUNNEL_TIMEOUT_FIRST_CALL] = "tunnel timeout first session",
        [L2TP_R_TUNNEL_SINGLE_SHOT_DONE] = "tunnel single shot session ended",
        [L2TP_R_TUNNEL_AUTH_FAILED] = "tunnel authentication failed",
        [L2TP_R_TUNNEL_REFUSED] = "tunnel refused",
        [L2TP_R_TUNNEL_TIE_LOST] = "tunnel tie breaker lost",
        [L2TP_R_TUNNEL_BAD_MESSAGE] = "tunnel rx bad message",
        [L2TP_R_TUNNEL_BAD_VERSION] = "tunnel rx unsupported protocol version",
        [L2TP_R_TUNNEL_FSM_ERROR] = "tunnel rx unexpected message",
        [L2TP_R_TUNNEL_TRANSPORT_DOWN] = "tunnel transport down",
        [L2TP_R_TUNNEL_NO_RESOURCES] = "tunnel no resources",
        [L2TP_R_CALL_ADMIN_CLOSE] = "session admin close",
        [L2TP_R_CALL_RX_CDN] = "session rx cdn",
        [L2TP_R_CALL_TUNNEL_DOWN] = "session tunnel down",
        [L2TP_R_CALL_TIMEOUT_ESTABLISH] = "session timeout establish",
        [L2TP_R_CALL_BAD_MESSAGE] = "session rx bad message",
        [L2TP_R_CALL_FSM_ERROR] = "session rx unexpected message",
        [L2TP_R_CALL_REFUSED] = "session refused",
        [L2TP_R_CALL_LIMIT_REACHED] = "session create failed limit reached",
        [L2TP_R_CALL_NO_RESOURCES] = "session create failed no resources",
        [L2TP_R_CALL_SINGLE_SHOT_FIRED] = "session create failed single shot tunnel already fired",
        [L2TP_R_CALL_NOT_SUPPORTED] = "session create failed not supported",
};

static const char *const tunnel_states[] = {
        [L2TP_TS_IDLE] = "idle",
        [L2TP_TS_WAIT_CTL_REPLY] = "wait-ctl-reply",
        [L2TP_TS_WAIT_CTL_CONN] = "wait-ctl-conn",
        [L2TP_TS_ESTABLISHED] = "established",
        [L2TP_TS_DISCONNECTING] = "disconnecting",
        [L2TP_TS_CLOSED] = "closed",
};

static const char *const call_states[] = {
        [L2TP_CS_IDLE] = "idle",
        [L2TP_CS_WAIT_TUNNEL] = "wait-tunnel",
        [L2TP_CS_WAIT_REPLY] = "wait-reply",
        [L2TP_CS_WAIT_CONNECT] = "wait-connect",
        [L2TP_CS_ESTABLISHED] = "established",
        [L2TP_CS_CLOSED] = "closed",
};

const char *l2tp_reason_name(enum l2tp_reason r)
{
	return (unsigned)r < L2TP_R_MAX && reason_names[r] != NULL ? reason_names[r] : "unknown";
}

const char *l2tp_tunnel_state_name(enum l2tp_tunnel_state s)
{
	return (unsigned)s <= L2TP_TS_CLOSED ? tunnel_states[s] : "unknown";
}

const char *l2tp_call_state_name(enum l2tp_call_state s)
{
	return (unsigned)s <= L2TP_CS_CLOSED ? call_states[s] : "unknown";
}

void l2tp_result_set(struct l2tp_result *res, enum l2tp_reason reason, uint16_t result, int error,
                     const char *message)
{
	*res = (struct l2tp_result){.reason = reason, .result = result};
	if (error >= 0) {
		res->has_error = true;
		res->error = (uint16_t)error;
	}
	if (message != NULL)
		snprintf(res->message, sizeof(res->message), "%s", message);
}

void l2tp_result_parse(struct l2tp_result *res, enum l2tp_reason reason, enum l2tp_msg_error e,
                       uint16_t bad_avp)
{
	int error = L2TP_ERR_VALUE;

	if (e == L2TP_MSG_UNKNOWN_TYPE || e == L2TP_MSG_UNKNOWN_MANDATORY)
		error = L2TP_ERR_UNKNOWN_AVP;
	else if (e == L2TP_MSG_BAD_LENGTH)
		error = L2TP_ERR_LENGTH;
	/* General error is result 2 for StopCCN and for CDN. */
	l2tp_result_set(res, reason, L2TP_STOP_ERROR, error, NULL);
	snprintf(res->message, sizeof(res->message), "%s, attribute %u", l2tp_msg_error_name(e),
	         bad_avp);
}

void l2tp_result_received(struct l2tp_result *res, enum l2tp_reason reason,
                          const struct l2tp_msg *msg)
{
	size_t n = msg->error_message.len;

	*res = (struct l2tp_result){.reason = reason};
	if (!l2tp_msg_has(msg, L2TP_AVP_RESULT_CODE))
		return;
	res->result = msg->result;
	res->error = msg->error;
	res->has_error = msg->has_error;
	if (n >= sizeof(res->message))
		n = sizeof(res->message) - 1;
	if (msg->has_error && n > 0)
		memcpy(res->message, msg->error_message.p, n);
	if (msg->type == L2TP_CDN && l2tp_msg_has(msg, L2TP_AVP_PPP_DISCONNECT_CAUSE)) {
		res->has_cause = true;
		res->cause_code = msg->cause_code;
		res->cause_proto = msg->cause_proto;
		res->cause_direction = msg->cause_direction;
	}
}
