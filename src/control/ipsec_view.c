/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What shows and metrics say of IPsec, and the operator's clear. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <stdio.h>

const char *ctl_conn_state_name(enum ctl_conn_state s)
{
	static const char *const names[] = {
	        [CTL_CONN_UP] = "up",         [CTL_CONN_NO_SA] = "no-sa",
	        [CTL_CONN_ORPHAN] = "orphan", [CTL_CONN_DISCONNECTING] = "disconnecting",
	        [CTL_CONN_DOWN] = "down",
	};

	return names[s];
}

static enum ctl_conn_state state_of(const struct conn *k)
{
	if (k->down)
		return CTL_CONN_DOWN;
	if (k->disconnecting)
		return CTL_CONN_DISCONNECTING;
	if (k->orphan)
		return CTL_CONN_ORPHAN;
	return k->n_sas != 0 ? CTL_CONN_UP : CTL_CONN_NO_SA;
}

static uint64_t left(uint64_t at_ms, uint64_t now_ms)
{
	if (at_ms == UINT64_MAX)
		return UINT64_MAX;
	return at_ms > now_ms ? (at_ms - now_ms + 999) / 1000 : 0;
}

static void view_sa(const struct ctl *c, const struct sa *sa, uint64_t now_ms,
                    struct ctl_sa_view *v)
{
	*v = (struct ctl_sa_view){
	        .spi = sa->spi,
	        .inbound = sa->inbound,
	        .tunnel_mode = sa->child->tunnel_mode,
	        .encap = sa->encap,
	        .esn = sa->esn,
	        .local = *sa_local(sa),
	        .peer = *sa_peer(sa),
	        .peer_port = sa->child->peer.port,
	        .suite = sa_suite(sa),
	        .replay_window = sa->replay_window,
	        .age_s = (now_ms - sa->created_ms) / 1000,
	        .soft_left_s = left(sa->soft_at, now_ms),
	        .hard_left_s = left(sa->hard_at, now_ms),
	};
	if (sa->id != 0)
		dp_sa_stats(c->dp, sa->id, &v->stats);
}

/* Newest first over all children: each list is in that order, so this merges them. */
static void view_sas(const struct ctl *c, const struct conn *k, uint64_t now_ms,
                     struct ctl_conn_view *v)
{
	const struct sa *shown[CTL_CONN_SAS_MAX];
	const struct child *ch;
	const struct sa *sa;
	uint32_t n = 0, i;

	CHILD_FOREACH (ch, k)
		SA_FOREACH (sa, ch) {
			for (i = n; i > 0 && shown[i - 1]->created_ms < sa->created_ms; i--)
				if (i < CTL_CONN_SAS_MAX)
					shown[i] = shown[i - 1];
			if (i < CTL_CONN_SAS_MAX)
				shown[i] = sa;
			if (n < CTL_CONN_SAS_MAX)
				n++;
		}
	for (i = 0; i < n; i++)
		view_sa(c, shown[i], now_ms, &v->sas[i]);
}

static void view_conn(const struct ctl *c, const struct conn *k, uint64_t now_ms,
                      struct ctl_conn_view *v)
{
	const struct tunnel *tn = tunnel_first(k);

	*v = (struct ctl_conn_view){
	        .id = k->id,
	        .state = state_of(k),
	        .is_static = k->is_static,
	        .local = k->local,
	        .peer = k->peer,
	        .encap = k->encap,
	        .ike_id = k->ike_id,
	        .ike_version = k->ike_version,
	        .auth = k->auth,
	        .worker = k->worker,
	        .uptime_s = ((k->down ? k->down_ms : now_ms) - k->created_ms) / 1000,
	        .used_by_tunnel = k->used_by_tunnel,
	        .used_by_single_shot = k->used_by_single_shot,
	        .fired = k->fired,
	        .disconnecting = k->disconnecting,
	        .fired_reason = k->fired_reason,
	        .fired_ago_s = k->fired ? (now_ms - k->fired_at_ms) / 1000 : 0,
	        .tunnels = k->tunnels,
	        .records = k->records,
	        .tunnel_id = tn != NULL ? tn->id : 0,
	        .refused_sccrq = conn_counted(k, CONN_REFUSED_SCCRQ),
	        .refused_icrq = conn_counted(k, CONN_REFUSED_ICRQ),
	        .refused_sas = conn_counted(k, CONN_REFUSED_SAS),
	        .rekeys = conn_counted(k, CONN_REKEYS),
	        .ike_rekeys = conn_counted(k, CONN_IKE_REKEYS),
	        .nat_moves = conn_counted(k, CONN_NAT_MOVES),
	        .n_children = k->n_children,
	        .n_sas = k->n_sas,
	};
	if (k->profile != NULL)
		snprintf(v->profile, sizeof(v->profile), "%s", k->profile);
	if (k->remote_id != NULL)
		snprintf(v->remote_id, sizeof(v->remote_id), "%s", k->remote_id);
	view_sas(c, k, now_ms, v);
}

bool ctl_conn_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                   struct ctl_conn_view *out)
{
	while (*cursor < c->conns.n_slots) {
		const struct conn *k = c->conns.slot[(*cursor)++];

		if (k == NULL)
			continue;
		view_conn(c, k, now_ms, out);
		return true;
	}
	return false;
}

bool ctl_conn_get(const struct ctl *c, uint64_t id, uint64_t now_ms, struct ctl_conn_view *out)
{
	const struct conn *k = ctl_conn_find(c, id);

	if (k == NULL || k->kind == CONN_UDP)
		return false;
	view_conn(c, k, now_ms, out);
	return true;
}

/* Each tunnel says good-bye, and no answer is waited for: the SAs go behind its StopCCN. */
int ctl_clear_conn(struct ctl *c, uint64_t id, uint64_t now_ms)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct conn *k = ctl_conn_find(c, id);
	struct tunnel *tn, *next;

	if (k == NULL || k->kind == CONN_UDP || k->down)
		return -ENOENT;
	c->now_ms = now_ms;
	for (tn = tunnel_first(k); tn != NULL; tn = tunnel_next(tn))
		l2tp_tunnel_close(tunnel_engine(tn), &why, now_ms);
	for (tn = tunnel_first(k); tn != NULL; tn = next) {
		next = tunnel_next(tn);
		l2tp_tunnel_abort(tunnel_engine(tn), &why, now_ms);
	}
	ctl_conn_disconnect(c, k);
	log_notice(c->log, "event=ipsec-cleared conn=%lu ike=%u", k->id, k->ike_id);
	ipsec_poll(c);
	return 0;
}

void ctl_ipsec_stats_get(const struct ctl *c, struct ctl_ipsec_stats *out)
{
	*out = c->ipsec->st;
	out->link_up = c->ipsec->link != LINK_DOWN;
	out->syncing = c->ipsec->link == LINK_HELLO || c->ipsec->link == LINK_SYNC;
}
