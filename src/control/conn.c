/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/conn.h"

#include <stdlib.h>

static const char *const names[SS_REASON_MAX] = {
        [SS_NONE] = "none",
        [SS_TUNNEL_AUTH_FAILED] = "tunnel-auth-failed",
        [SS_TUNNEL_FAILED] = "tunnel-failed",
        [SS_TUNNEL_TIMEOUT] = "tunnel-timeout",
        [SS_TUNNEL_STOPCCN_RX] = "tunnel-stopccn-rx",
        [SS_TUNNEL_ADMIN] = "tunnel-admin",
        [SS_SESSION_CDN_RX] = "session-cdn-rx",
        [SS_SESSION_FAILED] = "session-failed",
        [SS_SESSION_TIMEOUT] = "session-timeout",
        [SS_PPP_AUTH_FAILED] = "ppp-auth-failed",
        [SS_PPP_LCP_FAILED] = "ppp-lcp-failed",
        [SS_PPP_ENDED] = "ppp-ended",
        [SS_NCP_FAILED] = "ncp-failed",
        [SS_SESSION_ADMIN] = "session-admin",
        [SS_IPSEC_DOWN] = "ipsec-down",
        [SS_FIRST_SESSION_TIMEOUT] = "first-session-timeout",
        [SS_SECOND_TUNNEL] = "second-tunnel",
};

const char *ss_reason_name(enum ss_reason r)
{
	return names[r];
}

enum ss_reason ss_reason_of_tunnel(enum l2tp_reason r)
{
	switch (r) {
	case L2TP_R_TUNNEL_ADMIN_CLOSE:
		return SS_TUNNEL_ADMIN;
	case L2TP_R_TUNNEL_RX_STOPCCN:
		return SS_TUNNEL_STOPCCN_RX;
	case L2TP_R_TUNNEL_TIMEOUT_CONTROL:
	case L2TP_R_TUNNEL_TIMEOUT_ESTABLISH:
	case L2TP_R_TUNNEL_TIMEOUT_IDLE:
		return SS_TUNNEL_TIMEOUT;
	case L2TP_R_TUNNEL_TIMEOUT_FIRST_CALL:
		return SS_FIRST_SESSION_TIMEOUT;
	case L2TP_R_TUNNEL_AUTH_FAILED:
		return SS_TUNNEL_AUTH_FAILED;
	case L2TP_R_TUNNEL_TRANSPORT_DOWN:
		return SS_IPSEC_DOWN;
	default:
		return SS_TUNNEL_FAILED;
	}
}

static enum ss_reason of_ppp(enum ppp_reason p)
{
	switch (p) {
	case PPP_R_PEER_TERMINATED:
		return SS_PPP_ENDED;
	case PPP_R_ADMIN:
		return SS_SESSION_ADMIN;
	case PPP_R_AUTH_REFUSED:
	case PPP_R_AUTH_FAILED:
	case PPP_R_AUTH_TIMEOUT:
	case PPP_R_AUTH_AGAIN:
		return SS_PPP_AUTH_FAILED;
	case PPP_R_NCP_TIMEOUT:
	case PPP_R_NCP_NOT_CONVERGED:
	case PPP_R_NCP_REJECTED:
	case PPP_R_NO_ADDRESS:
		return SS_NCP_FAILED;
	default:
		return SS_PPP_LCP_FAILED;
	}
}

enum ss_reason ss_reason_of_session(enum l2tp_reason r, enum ppp_reason p)
{
	if (p != PPP_R_NONE)
		return of_ppp(p);
	switch (r) {
	case L2TP_R_CALL_ADMIN_CLOSE:
		return SS_SESSION_ADMIN;
	case L2TP_R_CALL_RX_CDN:
		return SS_SESSION_CDN_RX;
	case L2TP_R_CALL_TIMEOUT_ESTABLISH:
		return SS_SESSION_TIMEOUT;
	default:
		return SS_SESSION_FAILED;
	}
}

void conn_init(struct conn *k, uint64_t id, enum conn_kind kind)
{
	*k = (struct conn){.id = id, .kind = (uint8_t)kind};
}

void conn_fini(struct conn *k)
{
	free(k->counts);
	k->counts = NULL;
}

void conn_count(struct conn *k, enum conn_counter what)
{
	if (k->counts == NULL)
		k->counts = calloc(1, sizeof(*k->counts));
	if (k->counts != NULL)
		k->counts->n[what]++;
}

uint32_t conn_counted(const struct conn *k, enum conn_counter what)
{
	return k->counts != NULL ? k->counts->n[what] : 0;
}

enum ss_reason conn_guard_tunnel(const struct conn *k, bool single_shot)
{
	if (k->kind == CONN_UDP)
		return SS_NONE;
	if (k->down)
		return SS_IPSEC_DOWN;
	if (k->fired)
		return (enum ss_reason)k->fired_reason;
	if (k->used_by_single_shot || k->disconnecting || (single_shot && k->used_by_tunnel))
		return SS_SECOND_TUNNEL;
	return SS_NONE;
}

bool conn_begin_anew(struct conn *k)
{
	if (!k->renewed || k->fired || k->disconnecting || k->down)
		return false;
	k->renewed = k->used_by_tunnel = k->used_by_single_shot = false;
	return true;
}

bool conn_guard_call(const struct conn *k)
{
	return !k->fired && !k->down;
}

void conn_use(struct conn *k, bool single_shot)
{
	if (k->kind == CONN_UDP)
		return;
	k->renewed = false;
	k->used_by_tunnel = true;
	k->used_by_single_shot |= single_shot;
}

bool conn_fire(struct conn *k, enum ss_reason r, uint64_t now_ms)
{
	if (k->kind == CONN_UDP || k->fired)
		return false;
	k->fired = true;
	k->fired_reason = (uint8_t)r;
	k->fired_at_ms = now_ms;
	return true;
}

bool conn_take_disconnect(struct conn *k)
{
	if (k->kind == CONN_UDP || k->disconnecting || k->down)
		return false;
	k->disconnecting = true;
	return true;
}
