/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Sessions: admission, life with the data plane, and their records. */
#include "control/ctl_int.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CDN result codes (RFC 2661 4.4.2). */
#define CDN_GENERAL_ERROR 2
#define CDN_NO_FACILITIES 4
#define CDN_NEVER         5 /* permanent lack of facilities */
#define ERR_NO_RESOURCES  4

#define CLOSED_A_TURN 32

#define LINK      offsetof(struct session, link)
#define WAIT_LINK offsetof(struct session, wait_link)

static void count_refused(struct tunnel *tn, const struct l2tp_result *res)
{
	struct ctl *c = tunnel_ctl(tn);
	uint64_t skipped;

	c->st.sessions.total++;
	c->st.sessions.failed++;
	if (res->reason == L2TP_R_CALL_SINGLE_SHOT_FIRED) {
		c->st.ss_refused_icrq++;
		conn_count(tn->conn, CONN_REFUSED_ICRQ);
	}
	if (log_limit_ok(&c->limit_refused_calls, c->now_ms, &skipped))
		log_info(c->log,
		         "event=session-refused tunnel=%u reason=\"%s\" result=%u error=%u "
		         "suppressed=%lu",
		         tn->id, l2tp_reason_name(res->reason), res->result, res->error, skipped);
}

static enum l2tp_verdict refuse(struct tunnel *tn, struct l2tp_result *res, uint16_t result,
                                enum l2tp_reason reason, const char *text)
{
	*res = (struct l2tp_result){.result = result, .reason = reason};
	/* Some LACs look for another LNS on a general error only (spec 4.1). */
	if (tunnel_host(tn)->conf->session_out_of_resource_result_code_override) {
		res->result = CDN_GENERAL_ERROR;
		res->error = ERR_NO_RESOURCES;
	}
	res->has_error = res->error != 0 || text[0] != '\0';
	snprintf(res->message, sizeof(res->message), "%s", text);
	count_refused(tn, res);
	return L2TP_REFUSE;
}

static bool limits_reached(const struct tunnel *tn)
{
	const struct cfg_dest_profile *p = tunnel_profile(tn);
	const struct host *h = tunnel_host(tn);

	return (p->max_sessions != 0 &&
	        tunnel_ctl(tn)->profile_sessions[h->profile] >= p->max_sessions) ||
	       (h->conf->max_sessions != 0 && h->sessions >= h->conf->max_sessions);
}

/* ---- what follows from what is kept ---- */

struct ctl *session_ctl(const struct session *s)
{
	return tunnel_ctl(s->tunnel);
}

struct session *session_first(const struct tunnel *tn)
{
	return session_at(tunnel_ctl(tn), tn->sessions.first);
}

struct session *session_next(const struct session *s)
{
	return session_at(session_ctl(s), s->link.next);
}

uint32_t session_gen(const struct session *s)
{
	return (uint32_t)s->serial;
}

const struct cfg_user *session_user(const struct session *s)
{
	return s->user != 0 ? &session_ctl(s)->conf->users[s->user - 1] : NULL;
}

const struct cfg_interface_profile *session_ifprof(const struct session *s)
{
	return tunnel_host(s->tunnel)->ifprof;
}

#define IP_TCP_HEADERS 40

/* What the data plane is told of it. */
static struct dp_session order_of(const struct session *s, uint16_t peer_id)
{
	const struct tunnel *tn = s->tunnel;
	const struct l2tp_tunnel *t = tunnel_engine(tn);
	const struct cfg_l2tp *g = &tunnel_ctl(tn)->conf->l2tp;
	bool clamp = s->mtu != 0 && session_ifprof(s)->mss_clamp;

	return (struct dp_session){
	        .session_id = s->id,
	        .tunnel_id = tn->id,
	        .peer_session_id = peer_id,
	        .peer_tunnel_id = t != NULL ? l2tp_tunnel_peer_id(t) : 0,
	        .gen = session_gen(s),
	        .worker = s->worker,
	        .local = tunnel_path(tn)->local,
	        .peer = tunnel_path(tn)->remote,
	        .conn = tunnel_path(tn)->conn,
	        .child = s->child != NULL ? ipsec_child_index(s->child) : 0,
	        .open = s->open,
	        .udp_checksum = g->data_checksum && tn->conn->kind == CONN_UDP,
	        .sequencing = s->sequencing,
	        .check_sequence = s->sequencing && !g->ignore_receive_data_sequencing,
	        .length_bit = tunnel_host(tn)->conf->data_length_bit,
	        .outer_df = g->outer_df,
	        .tx_acfc = s->tx_acfc,
	        .tx_pfc = s->tx_pfc,
	        .mtu = s->mtu,
	        .mss_clamp = clamp ? (uint16_t)(s->mtu - IP_TCP_HEADERS) : 0,
	        .peer_ip = s->mtu != 0 ? s->peer_ip : 0,
	};
}

static int session_add(const struct session *s, uint16_t peer_id)
{
	struct dp_session order = order_of(s, peer_id);

	return dp_session_add(session_ctl(s)->dp, &order);
}

int session_update(const struct session *s)
{
	const struct l2tp_call *call = session_engine(s);
	struct dp_session order = order_of(s, call != NULL ? l2tp_call_peer_id(call) : 0);

	return dp_session_update(session_ctl(s)->dp, &order);
}

/* Whose worker it is: in a connection that of its SAs. False: its SAs have just gone. */
static bool take_owner(struct session *s, const struct tunnel *tn)
{
	if (tn->conn->kind == CONN_UDP) {
		s->worker = (uint8_t)ctl_pick_worker(session_ctl(s));
		return true;
	}
	s->child = ipsec_child_of(tn->conn, &tunnel_path(tn)->local, &tunnel_path(tn)->remote);
	if (s->child == NULL)
		return false;
	s->worker = (uint8_t)tn->conn->worker;
	return true;
}

int session_change_child(struct session *s)
{
	struct tunnel *tn = s->tunnel;
	struct child *ch =
	        ipsec_child_of(tn->conn, &tunnel_path(tn)->local, &tunnel_path(tn)->remote);
	struct child *old = s->child;
	int ret;

	if (ch == NULL)
		return -ENOENT;
	s->child = ch;
	ret = session_update(s);
	if (ret < 0) {
		s->child = old;
		return ret;
	}
	ipsec_child_hold(ch);
	ipsec_child_put(old);
	return 0;
}

static void let_go_of_child(struct session *s)
{
	if (s->child != NULL)
		ipsec_child_put(s->child);
	s->child = NULL;
}

/* At table-full the oldest record gives way. */
static void make_room(struct ctl *c)
{
	struct session *oldest = session_at(c, c->dead_sessions.first);

	if (!table_full(&c->sessions) || oldest == NULL)
		return;
	c->st.records_reclaimed++;
	session_record_free(oldest);
}

static struct session *session_new(struct ctl *c, struct tunnel *tn, uint16_t peer_id)
{
	struct session *s;

	make_room(c);
	s = table_get(&c->sessions);
	if (s == NULL)
		return NULL;
	s->tunnel = tn;
	s->serial = ctl_serial(c);
	s->id = idpool_get(c->session_ids, tn->serial, c->now_ms);
	if (s->id != 0) {
		if (take_owner(s, tn) && session_add(s, peer_id) == 0) {
			if (s->child != NULL)
				ipsec_child_hold(s->child);
			table_append(&c->sessions, &tn->sessions, s, LINK);
			return s;
		}
		idpool_put(c->session_ids, s->id, c->now_ms);
	}
	table_put(&c->sessions, s);
	return NULL;
}

enum l2tp_verdict session_request(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                                  struct l2tp_call_conf *conf, struct l2tp_result *res, void **user)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);
	struct session *s;

	if (!conn_guard_call(tn->conn))
		return refuse(tn, res, CDN_NEVER, L2TP_R_CALL_SINGLE_SHOT_FIRED,
		              "single-shot tunnel already fired");
	if (limits_reached(tn))
		return refuse(tn, res, CDN_NO_FACILITIES, L2TP_R_CALL_LIMIT_REACHED, "");
	s = session_new(c, tn, msg->assigned_session_id);
	if (s == NULL)
		return refuse(tn, res, CDN_NO_FACILITIES, L2TP_R_CALL_NO_RESOURCES, "");
	c->profile_sessions[tunnel_host(tn)->profile]++;
	tunnel_host(tn)->sessions++;
	c->st.sessions.total++;
	c->st.sessions.live++;
	tn->n_live++;
	*conf = (struct l2tp_call_conf){
	        .local_id = s->id,
	        .sequencing = tunnel_host(tn)->conf->data_sequencing,
	};
	*user = s;
	return L2TP_ACCEPT;
}

/* The engine itself refused a call; refuse() above has counted those of our own. */
void session_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                     const struct l2tp_result *res)
{
	(void)ctx;
	(void)msg;
	count_refused(l2tp_tunnel_user(t), res);
}

struct l2tp_call *session_engine(const struct session *s)
{
	if (s->phase != SESSION_LIVE)
		return NULL;
	return l2tp_call_by_id(session_ctl(s)->l2tp, s->id);
}

void session_reply(void *ctx, struct l2tp_call *call)
{
	static const struct l2tp_result why = {
	        .result = CDN_NO_FACILITIES,
	        .reason = L2TP_R_CALL_NOT_SUPPORTED,
	};

	/* This LNS places no calls, so no reply of ours can come; were one to, it ends here. */
	l2tp_call_close(call, &why, ((struct ctl *)ctx)->now_ms);
}

void session_up(void *ctx, struct l2tp_call *call, const struct l2tp_msg *msg)
{
	struct ctl *c = ctx;
	struct session *s = l2tp_call_user(call);
	struct l2tp_call_info info;

	static const struct l2tp_result none = {
	        .result = CDN_NO_FACILITIES,
	        .reason = L2TP_R_CALL_NO_RESOURCES,
	};

	s->established = true;
	c->st.sessions.active++;
	l2tp_call_info_get(call, &info);
	s->sequencing = info.sequencing;
	log_info(c->log, "event=session-up tunnel=%u session=%u calling=\"%s\" called=\"%s\"",
	         s->tunnel->id, s->id, info.calling_number, info.called_number);
	if (session_update(s) < 0 || session_ppp_start(s, msg) < 0)
		l2tp_call_close(call, &none, c->now_ms);
}

static void keep_last(struct session *s, struct l2tp_call *call)
{
	s->last = calloc(1, sizeof(*s->last));
	if (s->last == NULL)
		return;
	s->last->down_ms = session_ctl(s)->now_ms;
	l2tp_call_info_get(call, &s->last->call);
	if (s->ppp != NULL)
		ppp_info_get(s->ppp, &s->last->ppp);
}

static void keep_stats(const struct session *s)
{
	if (s->last != NULL)
		dp_session_stats(session_ctl(s)->dp, s->id, session_gen(s), &s->last->stats);
}

static void log_down(const struct session *s, const struct l2tp_result *res)
{
	const char *user = s->last != NULL ? s->last->ppp.user : "";

	log_info(session_ctl(s)->log,
	         "event=session-down tunnel=%u session=%u user=\"%s\" reason=\"%s\" ppp=\"%s\" "
	         "result=%u error=%u",
	         s->tunnel->id, s->id, user, l2tp_reason_name(res->reason),
	         ppp_reason_name(s->ppp_reason), res->result, res->error);
}

/* False: the FIFO is full, ctl_tick tries again. */
static bool order_away(struct session *s)
{
	if (dp_session_del(session_ctl(s)->dp, s->id, session_gen(s), &s->ticket) < 0)
		return false;
	s->phase = SESSION_CLOSING;
	let_go_of_child(s);
	return true;
}

/* What only a live session waits for. */
static void stop_waiting(struct session *s)
{
	if (s->ppp == NULL) {
		early_frame_free(s->early);
		s->early = NULL;
		return;
	}
	if (s->job != NULL)
		aaa_abandon(session_ctl(s)->aaa, s->job);
	s->job = NULL;
}

/*
 * The call has ended; its CDN leaves after this returns. The latch and the order to the worker come
 * first, so nothing of the session is forwarded after the CDN (T24).
 */
void session_gone(void *ctx, struct l2tp_call *call, const struct l2tp_result *res)
{
	struct ctl *c = ctx;
	struct session *s = l2tp_call_user(call);
	struct tunnel *tn = s->tunnel;

	tunnel_fire(tn, ss_reason_of_session(res->reason, s->ppp_reason));
	s->reason = (uint8_t)res->reason;
	stop_waiting(s);
	s->phase = SESSION_ENDED;
	keep_last(s, call);
	if (s->ppp != NULL)
		ppp_lower_down(s->ppp);
	if (s->user != 0)
		c->users[s->user - 1].sessions--;
	c->profile_sessions[tunnel_host(tn)->profile]--;
	tunnel_host(tn)->sessions--;
	c->st.sessions.live--;
	tn->n_live--;
	if (s->established)
		c->st.sessions.active--;
	else
		c->st.sessions.failed++;
	keep_stats(s);
	order_away(s);
	table_append(&c->sessions, &c->closing_sessions, s, WAIT_LINK);
	log_down(s, res);
}

/* Ids, addresses and final counters of sessions whose removal the workers have acknowledged. */
bool session_poll_closing(struct ctl *c)
{
	struct session *s, *next;
	uint32_t n = 0;

	for (s = session_at(c, c->closing_sessions.first); s != NULL; s = next) {
		if (n++ == CLOSED_A_TURN)
			return true;
		next = session_at(c, s->wait_link.next);
		if (s->phase == SESSION_ENDED && !order_away(s))
			break;
		if (!dp_applied(c->dp, s->ticket))
			break; /* later ones have later tickets */
		keep_stats(s);
		session_release_address(s);
		idpool_put(c->session_ids, s->id, c->now_ms);
		table_remove(&c->sessions, &c->closing_sessions, s, WAIT_LINK);
		/* None of its callbacks is on the stack here. */
		ppp_free(s->ppp);
		s->ppp = NULL;
		s->phase = SESSION_RECORD;
		session_destruct(s);
	}
	return false;
}

static void session_free(struct session *s)
{
	struct ctl *c = session_ctl(s);

	if (s->phase == SESSION_LIVE)
		stop_waiting(s);
	else
		free(s->last);
	if (s->ppp != NULL)
		ppp_free(s->ppp);
	table_remove(&c->sessions, &s->tunnel->sessions, s, LINK);
	table_put(&c->sessions, s);
}

void session_record_free(struct session *s)
{
	struct ctl *c = session_ctl(s);

	table_remove(&c->sessions, &c->dead_sessions, s, WAIT_LINK);
	session_free(s);
}

void session_drop(struct session *s)
{
	session_free(s);
}
