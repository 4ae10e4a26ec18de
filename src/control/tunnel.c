/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Tunnels: which are accepted, what their end means for the connection, and their records. */
#include "control/ctl_int.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* StopCCN result codes (RFC 2661 4.4.2). */
#define STOPCCN_GENERAL_ERROR  2
#define STOPCCN_NOT_AUTHORIZED 4
#define STOPCCN_SHUTTING_DOWN  6
#define ERR_NO_RESOURCES       4

/* RFC 2661 5.8: a cap of the retransmission interval must not be less. */
#define RETRANSMIT_CAP_MIN_MS 8000

static void str_copy(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src);
}

struct ctl *tunnel_ctl(const struct tunnel *tn)
{
	return tn->conn->ctl;
}

struct l2tp_tunnel *tunnel_engine(const struct tunnel *tn)
{
	return tn->live ? l2tp_tunnel_by_id(tunnel_ctl(tn)->l2tp, tn->id) : NULL;
}

const struct l2tp_path *tunnel_path(const struct tunnel *tn)
{
	static const struct l2tp_path nowhere;
	const struct l2tp_tunnel *t = tunnel_engine(tn);

	if (t != NULL)
		return l2tp_tunnel_path(t);
	return tn->last != NULL ? &tn->last->path : &nowhere;
}

struct host *tunnel_host(const struct tunnel *tn)
{
	return &tunnel_ctl(tn)->hosts[tn->host];
}

const struct cfg_dest_profile *tunnel_profile(const struct tunnel *tn)
{
	return &tunnel_ctl(tn)->conf->dest_profiles[tunnel_host(tn)->profile];
}

struct tunnel *tunnel_first(const struct conn *k)
{
	return tunnel_at(k->ctl, k->live.first);
}

struct tunnel *tunnel_next(const struct tunnel *tn)
{
	return tunnel_at(tunnel_ctl(tn), tn->conn_link.next);
}

static void fill_result(struct l2tp_result *res, uint16_t result, uint16_t error,
                        enum l2tp_reason reason, const char *text)
{
	*res = (struct l2tp_result){
	        .result = result,
	        .error = error,
	        .has_error = error != 0 || text[0] != '\0',
	        .reason = reason,
	};
	str_copy(res->message, sizeof(res->message), text);
}

static enum l2tp_verdict refuse(struct ctl *c, const struct l2tp_path *path,
                                const struct l2tp_msg *msg, struct l2tp_result *res,
                                const char *why)
{
	char a[ENDPOINT_STRLEN];
	uint64_t skipped;

	if (log_limit_ok(&c->limit_refused, c->now_ms, &skipped))
		log_notice(
		        c->log,
		        "event=tunnel-refused peer=%s host=\"%.*s\" reason=\"%s\" suppressed=%lu",
		        endpoint_str(&path->remote, a, sizeof(a)), msg->host_name.len,
		        (const char *)msg->host_name.p, why, skipped);
	ipsec_answered(ctl_conn_find(c, path->conn), c->now_ms);
	if (res->reason == L2TP_R_NONE)
		fill_result(res, STOPCCN_NOT_AUTHORIZED, 0, L2TP_R_TUNNEL_REFUSED, why);
	return L2TP_REFUSE;
}

void tunnel_fire(struct tunnel *tn, enum ss_reason r)
{
	struct ctl *c = tunnel_ctl(tn);
	char a[ENDPOINT_STRLEN];

	if (!tn->single_shot || !ctl_conn_fire(c, tn->conn, r))
		return;
	log_notice(c->log, "event=single-shot-fired conn=%lu peer=%s tunnel=%u reason=%s",
	           tn->conn->id, endpoint_str(&tunnel_path(tn)->remote, a, sizeof(a)), tn->id,
	           ss_reason_name(r));
}

/* Room for a tunnel and its record: at table-full a destructing record gives way (T28). */
static void make_room(struct ctl *c)
{
	struct tunnel *tn = tunnel_at(c, c->dead_tunnels.first), *next;

	for (int tries = 8; table_full(&c->tunnels) && tn != NULL && tries > 0; tries--) {
		next = tunnel_at(c, tn->dead_link.next);
		tunnel_record_free(tn); /* may have to wait for the workers */
		if (!table_full(&c->tunnels))
			c->st.records_reclaimed++;
		tn = next;
	}
}

/* Frees a tunnel that nothing but its own lists refers to. */
static void tunnel_free(struct tunnel *tn)
{
	struct ctl *c = tunnel_ctl(tn);

	tunnel_stop_lingering(tn);
	if (tn->live)
		halfopen_del(c->half_open, tn->half_open);
	dest_put(c, tn->dest);
	free(tn->last);
	table_put(&c->tunnels, tn);
}

void tunnel_drop(struct tunnel *tn)
{
	tunnel_free(tn);
}

static void evict_half_open(struct ctl *c)
{
	static const struct l2tp_result why = {
	        .result = STOPCCN_GENERAL_ERROR,
	        .error = ERR_NO_RESOURCES,
	        .has_error = true,
	        .message = "too many half-open tunnels",
	        .reason = L2TP_R_TUNNEL_NO_RESOURCES,
	};
	const struct tunnel *tn = halfopen_victim(c->half_open);
	struct l2tp_tunnel *victim;

	if (tn == NULL)
		return;
	victim = tunnel_engine(tn);
	c->st.half_open_evicted++;
	/* Nothing is sent: the victim is most likely a forged address. */
	if (victim != NULL)
		l2tp_tunnel_abort(victim, &why, c->now_ms);
}

static struct tunnel *tunnel_new(struct ctl *c, const struct l2tp_path *path, struct conn *k)
{
	uint64_t scope = endpoint_hash(&path->remote, c->hash_seed ^ path->conn);
	struct tunnel *tn;

	if (halfopen_full(c->half_open))
		evict_half_open(c);
	make_room(c);
	tn = table_get(&c->tunnels);
	if (tn == NULL)
		return NULL;
	tn->conn = k;
	tn->id = idpool_get(c->tunnel_ids, scope, c->now_ms);
	tn->dest = tn->id != 0 ? dest_get(c, &path->remote.addr) : 0;
	if (tn->dest != 0)
		tn->half_open = halfopen_add(c->half_open, &path->remote.addr, tn);
	if (tn->half_open == NULL ||
	    dp_tunnel_add(c->dp, tn->id, &path->local, &path->remote, path->conn) < 0) {
		halfopen_del(c->half_open, tn->half_open);
		if (tn->dest != 0)
			dest_put(c, tn->dest);
		if (tn->id != 0)
			idpool_put(c->tunnel_ids, tn->id, c->now_ms);
		table_put(&c->tunnels, tn);
		return NULL;
	}
	tn->live = true;
	tn->serial = ctl_serial(c);
	return tn;
}

static void tunnel_conf(const struct ctl *c, const struct tunnel *tn, struct l2tp_tunnel_conf *conf)
{
	const struct cfg_l2tp *g = &c->conf->l2tp;
	const struct cfg_host *h = tunnel_host(tn)->conf;
	bool override = h->session_out_of_resource_result_code_override;

	*conf = (struct l2tp_tunnel_conf){
	        .local_id = tn->id,
	        .secret_len = (uint16_t)strlen(h->tunnel_password),
	        .challenge = h->tunnel_password[0] != '\0' && !g->disable_challenge,
	        .hide_avps = h->hide_avps,
	        .single_shot = h->single_shot_tunnel,
	        .rws = h->receive_window != 0           ? h->receive_window
	               : g->default_receive_window != 0 ? g->default_receive_window
	                                                : 4,
	        .retries_established = g->retransmission_established,
	        .retries_not_established = g->retransmission_not_established,
	        .retransmit_first_ms = g->retransmit_interval_ms,
	        .retransmit_cap_ms = 8 * g->retransmit_interval_ms > RETRANSMIT_CAP_MIN_MS
	                                     ? 8 * g->retransmit_interval_ms
	                                     : RETRANSMIT_CAP_MIN_MS,
	        .hello_ms = g->hello_interval_s * 1000,
	        .idle_ms = g->idle_timeout_s * 1000,
	        .first_call_ms = g->first_session_timeout_s * 1000,
	        .establish_ms = 40 * g->retransmit_interval_ms,
	        .call_establish_ms = 40 * g->retransmit_interval_ms,
	        .linger_ms = g->linger_timeout_s * 1000,
	        .limit_result = override ? 2 : 4,
	        .limit_error = override ? ERR_NO_RESOURCES : 0,
	        .fired_result = override ? 2 : 5,
	        .fired_error = override ? ERR_NO_RESOURCES : 0,
	};
	str_copy(conf->host_name, sizeof(conf->host_name),
	         h->local_host[0] != '\0' ? h->local_host : c->conf->system.host_name);
	memcpy(conf->secret, h->tunnel_password, conf->secret_len);
}

/*
 * E11: a peer that lost our SCCRP and began anew. Its second SCCRQ is refused, and the first tunnel will
 * time out and fire the latch: whoever reads the log should know why.
 */
static void note_restart(struct ctl *c, const struct conn *k)
{
	const struct tunnel *tn = tunnel_first(k);
	uint64_t skipped;

	if (k->fired || tn == NULL || tn->established || !tn->single_shot ||
	    !log_limit_ok(&c->limit_restart, c->now_ms, &skipped))
		return;
	log_notice(
	        c->log,
	        "event=single-shot-restart conn=%lu tunnel=%u text=\"second SCCRQ while the first "
	        "tunnel is half-open; it will time out and fire\" suppressed=%lu",
	        k->id, tn->id, skipped);
}

/*
 * E6 under IKEv1: charon gives the children of a peer's old IKE_SA to its new one, be that a renewal or a
 * client that has lost its memory and dials again. Only who has lost it asks for a new tunnel. It has paid
 * for that with an authentication, so what is left of the old dial ends without a word, and without the
 * latch, which is the new tunnel's now.
 */
static bool begin_anew(struct ctl *c, struct conn *k)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
	struct tunnel *tn, *next;

	if (!conn_begin_anew(k))
		return false;
	ipsec_began_anew(c, k);
	for (tn = tunnel_first(k); tn != NULL; tn = next) {
		next = tunnel_next(tn);
		tn->single_shot = false;
		l2tp_tunnel_abort(tunnel_engine(tn), &why, c->now_ms);
	}
	return true;
}

/*
 * E14: a request that failed before its host was known. When whoever asks can only have meant a host that
 * is single-shot over IPsec, the connection has had its try. One that is used already has its tunnel: a
 * second SCCRQ, bad or not, is only refused (T20).
 */
static void fire_unknown(struct ctl *c, const struct l2tp_path *path, struct conn *k)
{
	const struct cfg_dest_profile *p = dest_profile_of(c, &path->remote.addr);
	const struct cfg_host *h = p != NULL && p->n_hosts == 1 ? &p->hosts[0] : NULL;
	char a[ENDPOINT_STRLEN];

	for (uint32_t i = 0; p != NULL && i < p->n_hosts; i++)
		if (p->hosts[i].is_default)
			h = &p->hosts[i];
	if (h == NULL || !h->single_shot_tunnel || !h->enable_ipsec_transport ||
	    k->used_by_tunnel || !ctl_conn_fire(c, k, SS_TUNNEL_FAILED))
		return;
	log_notice(c->log, "event=single-shot-fired conn=%lu peer=%s tunnel=0 reason=%s", k->id,
	           endpoint_str(&path->remote, a, sizeof(a)), ss_reason_name(SS_TUNNEL_FAILED));
	ctl_conn_disconnect(c, k);
}

enum l2tp_verdict tunnel_request(void *ctx, const struct l2tp_path *path,
                                 const struct l2tp_msg *msg, struct l2tp_tunnel_conf *conf,
                                 struct l2tp_result *res, void **user)
{
	struct ctl *c = ctx;
	struct conn *k = ctl_conn_find(c, path->conn);
	const struct cfg_host *h;
	enum ss_reason guard;
	uint32_t host = 0;
	struct tunnel *tn;

	*res = (struct l2tp_result){0};
	if (k == NULL)
		return L2TP_DISCARD;
	if (c->closing) {
		fill_result(res, STOPCCN_SHUTTING_DOWN, 0, L2TP_R_TUNNEL_REFUSED, "");
		return refuse(c, path, msg, res, "shutting down");
	}
	if (!dest_match(c, path, &msg->host_name, &host)) {
		c->st.sccrq_no_profile++;
		fire_unknown(c, path, k);
		return refuse(c, path, msg, res, "no destination profile or remote host");
	}
	h = c->hosts[host].conf;
	if (h->enable_ipsec_transport && k->kind != CONN_IPSEC) {
		c->st.sccrq_needs_ipsec++;
		return refuse(c, path, msg, res, "ipsec transport required");
	}
	guard = conn_guard_tunnel(k, h->single_shot_tunnel);
	if (guard == SS_SECOND_TUNNEL && begin_anew(c, k))
		guard = conn_guard_tunnel(k, h->single_shot_tunnel);
	if (guard != SS_NONE) {
		c->st.ss_refused_sccrq++;
		conn_count(k, CONN_REFUSED_SCCRQ);
		note_restart(c, k);
		return refuse(c, path, msg, res, "single-shot tunnel already fired");
	}
	k->tunnels++; /* from here on: making room may take this connection's last record (T13b, T28) */
	tn = tunnel_new(c, path, k);
	if (tn == NULL) {
		if (--k->tunnels == 0 && k->records == 0 && k->used_by_tunnel)
			ctl_conn_disconnect(c, k);
		fill_result(res, STOPCCN_GENERAL_ERROR, ERR_NO_RESOURCES,
		            L2TP_R_TUNNEL_NO_RESOURCES, "no resources");
		return refuse(c, path, msg, res, "no resources");
	}
	tn->host = host;
	tn->single_shot = h->single_shot_tunnel;
	table_prepend(&c->tunnels, &k->live, tn, TUNNEL_CONN);
	conn_use(k, tn->single_shot);
	c->st.tunnels.total++;
	c->st.tunnels.live++;
	if (tn->single_shot)
		c->st.ss_tunnels++;
	tunnel_conf(c, tn, conf);
	*user = tn;
	return L2TP_ACCEPT;
}

/* The engine refused an SCCRQ before a profile was chosen (E14). */
void tunnel_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                     const struct l2tp_result *res)
{
	struct ctl *c = ctx;
	struct conn *k = ctl_conn_find(c, path->conn);
	char a[ENDPOINT_STRLEN];
	uint64_t skipped;

	c->st.tunnels.total++;
	c->st.tunnels.failed++;
	if (log_limit_ok(&c->limit_rejected, c->now_ms, &skipped))
		log_notice(c->log, "event=tunnel-rejected peer=%s reason=\"%s\" suppressed=%lu",
		           endpoint_str(&path->remote, a, sizeof(a)), l2tp_reason_name(res->reason),
		           skipped);
	if (k == NULL)
		return;
	ipsec_answered(k, c->now_ms);
	fire_unknown(c, path, k);
}

static void not_half_open(struct ctl *c, struct tunnel *tn)
{
	halfopen_del(c->half_open, tn->half_open);
	tn->half_open = NULL;
}

void tunnel_up(void *ctx, struct l2tp_tunnel *t)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);
	struct l2tp_tunnel_info info;
	char a[ENDPOINT_STRLEN];

	not_half_open(c, tn);
	tn->established = true;
	c->st.tunnels.active++;
	dest_active(c, tn->dest, 1);
	l2tp_tunnel_info(t, &info);
	log_info(c->log,
	         "event=tunnel-up tunnel=%u peer-tunnel=%u peer=%s host=\"%s\" profile=%s%s",
	         tn->id, info.peer_id, endpoint_str(&tunnel_path(tn)->remote, a, sizeof(a)),
	         info.peer_host, tunnel_profile(tn)->name,
	         tn->single_shot ? " single-shot=yes" : "");
}

/* What the record says of the end; tunnel_gone adds what the tunnel was. */
static void keep_last(struct tunnel *tn, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	tn->reason = (uint8_t)res->reason;
	if (tn->last == NULL)
		tn->last = calloc(1, sizeof(*tn->last));
	if (tn->last == NULL)
		return;
	tn->last->path = *l2tp_tunnel_path(t);
	tn->last->down_ms = tunnel_ctl(tn)->now_ms;
	tn->last->result = res->result;
	tn->last->error = res->error;
	memcpy(tn->last->message, res->message, sizeof(tn->last->message));
}

void tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);
	char a[ENDPOINT_STRLEN];

	tunnel_fire(tn, ss_reason_of_tunnel(res->reason));
	if (tn->n_live > L2TP_CALLS_AT_ONCE)
		dp_tunnel_close(c->dp, tn->id); /* its sessions end later, their packets here */
	not_half_open(c, tn);
	tn->went_down = true;
	keep_last(tn, t, res);
	if (tn->established) {
		c->st.tunnels.active--;
		dest_active(c, tn->dest, -1);
	} else {
		c->st.tunnels.failed++;
	}
	if (res->reason == L2TP_R_TUNNEL_AUTH_FAILED) {
		c->st.tunnels.auth_errors++;
		c->st.destinations.auth_errors++;
	}
	log_msg(c->log, tn->established ? LOG_LVL_INFO : LOG_LVL_DEBUG,
	        "event=tunnel-down tunnel=%u peer=%s reason=\"%s\" result=%u error=%u "
	        "message=\"%s\"",
	        tn->id, endpoint_str(&tunnel_path(tn)->remote, a, sizeof(a)),
	        l2tp_reason_name(res->reason), res->result, res->error, res->message);
}

/* The destruct period begins: the id is free, the record stays (spec section 2). */
void tunnel_gone(void *ctx, struct l2tp_tunnel *t)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);

	idpool_put(c->tunnel_ids, tn->id, c->now_ms);
	if (tn->last != NULL)
		l2tp_tunnel_info(t, &tn->last->info);
	table_remove(&c->tunnels, &tn->conn->live, tn, TUNNEL_CONN);
	tn->live = false;
	tn->gone_ms = c->now_ms;
	c->st.tunnels.live--;
	tn->conn->tunnels--;
	tn->conn->records++;
	tunnel_linger(tn);
	if (tn->single_shot)
		ctl_conn_disconnect(c, tn->conn); /* B4: at the beginning */
	conn_tunnel_gone(c, tn->conn);
	/*
	 * Over plain UDP a try that never was a tunnel leaves no record: a flood of forged addresses
	 * must not fill the table. Over IPsec the record holds the connection (T23).
	 */
	tn->keep = tn->established || tn->conn->kind == CONN_IPSEC;
	tunnel_destruct(tn);
}

bool tunnel_record_free(struct tunnel *tn)
{
	struct ctl *c = tunnel_ctl(tn);
	struct conn *k = tn->conn;
	struct session *s;

	while ((s = session_first(tn)) != NULL) {
		if (s->phase != SESSION_RECORD)
			return false; /* the workers have not answered yet */
		session_record_free(s);
	}
	table_remove(&c->tunnels, &c->dead_tunnels, tn, TUNNEL_DEAD);
	k->records--;
	if (!tn->single_shot && k->tunnels == 0 && k->records == 0)
		ctl_conn_disconnect(c, k); /* T13, T13a, T13b: at the end of the last one */
	tunnel_free(tn);
	ctl_conn_release(c, k);
	return true;
}
