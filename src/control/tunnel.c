/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Tunnels: which are accepted, what their end means for the connection, and their records. */
#include "control/ctl_int.h"

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

struct l2tp_tunnel *tunnel_engine(const struct tunnel *tn)
{
	return tn->live ? l2tp_tunnel_by_id(tn->ctl->l2tp, tn->id) : NULL;
}

const struct cfg_host *tunnel_host(const struct tunnel *tn)
{
	return &tn->ctl->conf->dest_profiles[tn->profile].hosts[tn->host];
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
	struct ctl *c = tn->ctl;
	char a[ENDPOINT_STRLEN];

	if (!tn->single_shot || !ctl_conn_fire(c, tn->conn, r))
		return;
	log_notice(c->log, "event=single-shot-fired conn=%lu peer=%s tunnel=%u reason=%s",
	           tn->conn->id, endpoint_str(&tn->path.remote, a, sizeof(a)), tn->id,
	           ss_reason_name(r));
}

/* Room for a tunnel and its record: at table-full a destructing record gives way (T28). */
static uint32_t slot_get(struct ctl *c)
{
	struct tunnel *tn = TAILQ_FIRST(&c->dead_tunnels), *next;

	for (int tries = 8; c->n_free_tunnel_slots == 0 && tn != NULL && tries > 0; tries--) {
		next = TAILQ_NEXT(tn, dead_link);
		tunnel_record_free(tn); /* may have to wait for the workers */
		if (c->n_free_tunnel_slots != 0)
			c->st.records_reclaimed++;
		tn = next;
	}
	if (c->n_free_tunnel_slots == 0)
		return 0;
	return c->free_tunnel_slots[--c->n_free_tunnel_slots];
}

static void destruct_due(struct timer *t, void *arg, uint64_t now_ms)
{
	struct tunnel *tn = arg;

	(void)t;
	tn->ctl->now_ms = now_ms;
	tunnel_record_free(tn);
}

/*
 * The engine acknowledges a repeated StopCCN for a while, so the workers' entry outlives the tunnel. A
 * new tunnel of another peer may have taken the id, and the entry with it.
 */
static void stop_lingering(struct tunnel *tn)
{
	struct ctl *c = tn->ctl;

	timer_cancel(c->timers, &tn->linger);
	if (tn->lingers && c->tunnel_of_id[tn->id] == NULL)
		dp_tunnel_del(c->dp, tn->id);
	tn->lingers = false;
}

static void linger_due(struct timer *t, void *arg, uint64_t now_ms)
{
	stop_lingering(arg);
}

/* Frees a tunnel that nothing but its own lists refers to. */
static void tunnel_free(struct tunnel *tn)
{
	struct ctl *c = tn->ctl;

	timer_cancel(c->timers, &tn->destruct);
	stop_lingering(tn);
	halfopen_del(c->half_open, &tn->half_open);
	c->tunnel_slot[tn->slot] = NULL;
	c->free_tunnel_slots[c->n_free_tunnel_slots++] = (uint16_t)tn->slot;
	dest_put(c, tn->dest);
	free(tn->last);
	free(tn);
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
	struct halfopen_entry *e = halfopen_victim(c->half_open);
	struct l2tp_tunnel *victim;

	if (e == NULL)
		return;
	victim = tunnel_engine((struct tunnel *)((char *)e - offsetof(struct tunnel, half_open)));
	c->st.half_open_evicted++;
	/* Nothing is sent: the victim is most likely a forged address. */
	if (victim != NULL)
		l2tp_tunnel_abort(victim, &why, c->now_ms);
}

static struct tunnel *tunnel_new(struct ctl *c, const struct l2tp_path *path, struct conn *k)
{
	struct tunnel *tn = calloc(1, sizeof(*tn));
	uint64_t scope = endpoint_hash(&path->remote, c->hash_seed ^ path->conn);

	if (tn == NULL)
		return NULL;
	tn->ctl = c;
	tn->path = *path;
	tn->conn = k;
	timer_init(&tn->destruct, destruct_due, tn);
	timer_init(&tn->linger, linger_due, tn);
	TAILQ_INIT(&tn->sessions);
	if (halfopen_full(c->half_open))
		evict_half_open(c);
	tn->slot = slot_get(c);
	tn->id = tn->slot != 0 ? idpool_get(c->tunnel_ids, scope, c->now_ms) : 0;
	tn->dest = tn->id != 0 ? dest_get(c, &path->remote.addr) : NULL;
	if (tn->dest == NULL ||
	    halfopen_add(c->half_open, &tn->half_open, &path->remote.addr) < 0 ||
	    dp_tunnel_add(c->dp, tn->id, &path->local, &path->remote, path->conn) < 0) {
		halfopen_del(c->half_open, &tn->half_open);
		if (tn->dest != NULL)
			dest_put(c, tn->dest);
		if (tn->id != 0)
			idpool_put(c->tunnel_ids, tn->id, c->now_ms);
		if (tn->slot != 0)
			c->free_tunnel_slots[c->n_free_tunnel_slots++] = (uint16_t)tn->slot;
		free(tn);
		return NULL;
	}
	tn->live = true;
	tn->serial = ++c->next_serial;
	c->tunnel_slot[tn->slot] = tn;
	c->tunnel_of_id[tn->id] = tn;
	return tn;
}

static void tunnel_conf(const struct ctl *c, const struct tunnel *tn, struct l2tp_tunnel_conf *conf)
{
	const struct cfg_l2tp *g = &c->conf->l2tp;
	const struct cfg_host *h = tunnel_host(tn);
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
	const struct tunnel *tn = LIST_FIRST(&k->live);
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
	for (tn = LIST_FIRST(&k->live); tn != NULL; tn = next) {
		next = LIST_NEXT(tn, conn_link);
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
	uint32_t profile = 0, host = 0;
	struct tunnel *tn;

	*res = (struct l2tp_result){0};
	if (k == NULL)
		return L2TP_DISCARD;
	if (c->closing) {
		fill_result(res, STOPCCN_SHUTTING_DOWN, 0, L2TP_R_TUNNEL_REFUSED, "");
		return refuse(c, path, msg, res, "shutting down");
	}
	if (!dest_match(c, path, &msg->host_name, &profile, &host)) {
		c->st.sccrq_no_profile++;
		fire_unknown(c, path, k);
		return refuse(c, path, msg, res, "no destination profile or remote host");
	}
	h = &c->conf->dest_profiles[profile].hosts[host];
	if (h->enable_ipsec_transport && k->kind != CONN_IPSEC) {
		c->st.sccrq_needs_ipsec++;
		return refuse(c, path, msg, res, "ipsec transport required");
	}
	guard = conn_guard_tunnel(k, h->single_shot_tunnel);
	if (guard == SS_SECOND_TUNNEL && begin_anew(c, k))
		guard = conn_guard_tunnel(k, h->single_shot_tunnel);
	if (guard != SS_NONE) {
		c->st.ss_refused_sccrq++;
		k->refused_sccrq++;
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
	tn->profile = profile;
	tn->host = host;
	tn->single_shot = h->single_shot_tunnel;
	LIST_INSERT_HEAD(&k->live, tn, conn_link);
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

void tunnel_up(void *ctx, struct l2tp_tunnel *t)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);
	struct l2tp_tunnel_info info;
	char a[ENDPOINT_STRLEN];

	halfopen_del(c->half_open, &tn->half_open);
	tn->established = true;
	tn->up_ms = c->now_ms;
	c->st.tunnels.active++;
	dest_active(c, tn->dest, 1);
	l2tp_tunnel_info(t, &info);
	log_info(c->log,
	         "event=tunnel-up tunnel=%u peer-tunnel=%u peer=%s host=\"%s\" profile=%s%s",
	         tn->id, info.peer_id, endpoint_str(&tn->path.remote, a, sizeof(a)), info.peer_host,
	         c->conf->dest_profiles[tn->profile].name,
	         tn->single_shot ? " single-shot=yes" : "");
}

void tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);
	char a[ENDPOINT_STRLEN];

	tunnel_fire(tn, ss_reason_of_tunnel(res->reason));
	if (tn->n_live > L2TP_CALLS_AT_ONCE)
		dp_tunnel_close(c->dp, tn->id); /* its sessions end later, their packets here */
	halfopen_del(c->half_open, &tn->half_open);
	tn->went_down = true;
	tn->down_ms = c->now_ms;
	tn->end = *res;
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
	        tn->id, endpoint_str(&tn->path.remote, a, sizeof(a)), l2tp_reason_name(res->reason),
	        res->result, res->error, res->message);
}

/* The destruct period begins: the id is free, the record stays (spec section 2). */
void tunnel_gone(void *ctx, struct l2tp_tunnel *t)
{
	struct ctl *c = ctx;
	struct tunnel *tn = l2tp_tunnel_user(t);
	bool keep;

	tn->lingers = true;
	timer_set(c->timers, &tn->linger,
	          c->now_ms + (uint64_t)c->conf->l2tp.linger_timeout_s * 1000);
	c->tunnel_of_id[tn->id] = NULL;
	idpool_put(c->tunnel_ids, tn->id, c->now_ms);
	tn->last = malloc(sizeof(*tn->last));
	if (tn->last != NULL)
		l2tp_tunnel_info(t, tn->last);
	tn->live = false;
	c->st.tunnels.live--;
	tn->conn->tunnels--;
	LIST_REMOVE(tn, conn_link);
	tn->conn->records++;
	TAILQ_INSERT_TAIL(&c->dead_tunnels, tn, dead_link);
	if (tn->single_shot)
		ctl_conn_disconnect(c, tn->conn); /* B4: at the beginning */
	conn_tunnel_gone(c, tn->conn);
	/*
	 * Over plain UDP a try that never was a tunnel leaves no record: a flood of forged addresses
	 * must not fill the table. Over IPsec the record holds the connection (T23).
	 */
	keep = tn->established || tn->conn->kind == CONN_IPSEC;
	timer_set(c->timers, &tn->destruct,
	          c->now_ms + (keep ? (uint64_t)c->conf->l2tp.destruct_timeout_s * 1000 : 0));
}

void tunnel_record_free(struct tunnel *tn)
{
	struct ctl *c = tn->ctl;
	struct conn *k = tn->conn;
	struct session *s;

	while ((s = TAILQ_FIRST(&tn->sessions)) != NULL) {
		if (s->phase != SESSION_RECORD) {
			/* The workers have not answered yet: wait for them. */
			timer_set(c->timers, &tn->destruct, c->now_ms + 100);
			return;
		}
		session_record_free(s);
	}
	TAILQ_REMOVE(&c->dead_tunnels, tn, dead_link);
	k->records--;
	if (!tn->single_shot && k->tunnels == 0 && k->records == 0)
		ctl_conn_disconnect(c, k); /* T13, T13a, T13b: at the end of the last one */
	tunnel_free(tn);
	ctl_conn_release(c, k);
}
