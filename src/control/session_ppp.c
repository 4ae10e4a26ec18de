/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The PPP link of a session: its configuration, credentials, addresses, and what its end means. */
#include "control/ctl_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CDN result codes (RFC 2661 4.4.2). */
#define CDN_GENERAL_ERROR  2
#define CDN_ADMINISTRATIVE 3
#define ERR_GENERIC        6

static void link_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct session *s = ctx;

	if (s->phase == SESSION_LIVE)
		dp_send_ppp(session_ctl(s)->dp, s->id, session_gen(s), frame, len);
}

static void link_auth(void *ctx, const struct ppp_auth_request *req)
{
	struct session *s = ctx;
	struct ctl *c = session_ctl(s);
	const struct cfg_user *user;
	struct ppp_auth_reply reply;

	if (s->phase != SESSION_LIVE)
		return; /* the place of a job is the record's now */
	c->st.ppp_auths++;
	s->job = aaa_check(c->aaa, req, s, &reply, &user);
	if (s->job == NULL)
		session_auth_result(s, &reply, user);
}

/* The pool of a session: the user's own, else the interface profile's. */
static struct pool *pool_of(const struct session *s, const struct cfg_user *user)
{
	const struct ctl *c = session_ctl(s);
	const char *name =
	        user != NULL && user->pool[0] != '\0' ? user->pool : session_ifprof(s)->pool;

	for (uint32_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].conf->name, name) == 0)
			return &c->pools[i];
	return NULL;
}

void session_auth_result(struct session *s, const struct ppp_auth_reply *verdict,
                         const struct cfg_user *user)
{
	struct ctl *c = session_ctl(s);
	struct ppp_auth_reply reply = *verdict;
	uint32_t number = user != NULL ? (uint32_t)(user - c->conf->users) + 1 : 0;
	uint16_t *n = user != NULL ? &c->users[number - 1].sessions : NULL;

	s->job = NULL;
	if (reply.accept && n != NULL && user->max_sessions != 0 && *n >= user->max_sessions &&
	    s->user != number) {
		reply.accept = false;
		snprintf(reply.message, sizeof(reply.message), "too many sessions");
	}
	if (!reply.accept)
		c->st.ppp_auth_failures++;
	if (reply.accept && s->user == 0 && n != NULL) {
		s->user = number;
		(*n)++;
	}
	ppp_auth_done(s->ppp, &reply, c->now_ms);
	explicit_bzero(&reply, sizeof(reply));
}

/* The address that the peer must use: the user's own, else one of the pool, kept for the session. */
static uint32_t link_peer_address(void *ctx, uint32_t requested)
{
	struct session *s = ctx;
	const struct cfg_user *user = session_user(s);
	uint32_t own = user != NULL ? ipaddr_to_v4(&user->address) : 0;
	struct pool *p;

	if (s->peer_ip != 0)
		return s->peer_ip;
	if (own != 0) {
		struct user_use *use = &session_ctl(s)->users[s->user - 1];

		if (use->address)
			return 0; /* the user's other session has it */
		use->address = true;
		s->framed = true;
		s->peer_ip = own;
		return own;
	}
	p = pool_of(s, user);
	if (p == NULL)
		return 0;
	if (session_ifprof(s)->accept_peer_address && requested != 0 &&
	    pool_take(p, requested) == 0)
		s->peer_ip = requested;
	else
		s->peer_ip = pool_get(p);
	return s->peer_ip;
}

/* No two pools have an address in common. */
struct pool *session_pool(const struct session *s)
{
	const struct ctl *c = session_ctl(s);

	if (s->peer_ip == 0 || s->framed || s->phase == SESSION_RECORD)
		return NULL;
	for (uint32_t i = 0; i < c->n_pools; i++)
		if (pool_has(&c->pools[i], s->peer_ip))
			return &c->pools[i];
	return NULL;
}

void session_release_address(struct session *s)
{
	struct pool *p = session_pool(s);

	if (s->framed)
		session_ctl(s)->users[s->user - 1].address = false;
	else if (p != NULL)
		pool_put(p, s->peer_ip);
}

static void link_lcp_up(void *ctx)
{
	struct session *s = ctx;
	struct l2tp_call *call = session_engine(s);
	struct ppp_info info;

	ppp_info_get(s->ppp, &info);
	/* RFC 2661 6.14: only an ACCM other than the LAC's default is worth telling. */
	if (call != NULL && (info.tx_accm != 0xffffffff || info.rx_accm != 0xffffffff))
		l2tp_call_send_sli(call, info.tx_accm, info.rx_accm, session_ctl(s)->now_ms);
}

static void link_network_up(void *ctx)
{
	struct session *s = ctx;
	struct ctl *c = session_ctl(s);
	struct ppp_info info;
	char a[IPADDR_STRLEN];
	struct ipaddr ip;

	ppp_info_get(s->ppp, &info);
	s->open = true;
	s->mtu = info.mtu;
	s->tx_acfc = info.tx_acfc;
	s->tx_pfc = info.tx_pfc;
	if (session_update(s) < 0) {
		ppp_close(s->ppp, c->now_ms);
		return;
	}
	ip = ipaddr_v4(info.peer_ip);
	log_info(c->log, "event=network-up tunnel=%u session=%u user=\"%s\" address=%s auth=%s",
	         s->tunnel->id, s->id, info.user, ipaddr_str(&ip, a, sizeof(a)),
	         ppp_auth_method_name(info.auth));
}

static void link_network_down(void *ctx)
{
	struct session *s = ctx;

	s->open = false;
	if (s->phase == SESSION_LIVE)
		session_update(s);
}

static void link_dead(void *ctx, enum ppp_reason reason)
{
	struct session *s = ctx;
	const struct cfg_host *h = tunnel_host(s->tunnel)->conf;
	struct l2tp_result res = {.reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct l2tp_call *call = session_engine(s);

	s->ppp_reason = (uint8_t)reason;
	switch (reason) {
	case PPP_R_PEER_TERMINATED:
	case PPP_R_ADMIN:
	case PPP_R_AUTH_REFUSED:
	case PPP_R_AUTH_FAILED:
	case PPP_R_AUTH_TIMEOUT:
	case PPP_R_AUTH_AGAIN:
		res.result = CDN_ADMINISTRATIVE;
		break;
	default:
		res.result = CDN_GENERAL_ERROR;
		res.error = ERR_GENERIC;
		res.has_error = true;
		snprintf(res.message, sizeof(res.message), "%s", ppp_reason_name(reason));
		break;
	}
	if (h->disconnect_cause || session_ctl(s)->conf->l2tp.disconnect_cause) {
		res.has_cause = true;
		ppp_reason_cause(reason, &res.cause_code, &res.cause_proto, &res.cause_direction);
	}
	if (call != NULL)
		l2tp_call_close(call, &res, session_ctl(s)->now_ms);
}

static void link_random(void *ctx, uint8_t *buf, size_t len)
{
	struct ctl *c = session_ctl(ctx);

	c->ops->random(c->ops_ctx, buf, len);
}

static const struct ppp_ops link_ops = {
        .send = link_send,
        .auth = link_auth,
        .peer_address = link_peer_address,
        .lcp_up = link_lcp_up,
        .network_up = link_network_up,
        .network_down = link_network_down,
        .dead = link_dead,
        .random = link_random,
};

/*
 * What a link inside ESP can carry so that no outer packet is longer than 1,500 bytes (RFC 3193 3.2
 * wants it known before the link is up, so it is reckoned for the longest suite and for NAT-T).
 */
#define OUTER_MTU     1500
#define IP_HEADER     20
#define UDP_HEADER    8
#define ESP_HEAD_MAX  (8 + 16) /* SPI, sequence number, IV of AES-CBC */
#define ESP_BLOCK_MAX 16
#define ESP_TRAILER   2 /* pad length, next header */
#define ESP_ICV_MAX   32 /* HMAC-SHA-512-256 */
#define L2TP_HEADER   6 /* flags, tunnel id, session id */
#define L2TP_LENGTH   2
#define L2TP_SEQUENCE 4
#define PPP_HEADER    4 /* ff 03, protocol */

static uint16_t mtu_over_ipsec(const struct session *s)
{
	unsigned int n = OUTER_MTU - IP_HEADER - UDP_HEADER - ESP_HEAD_MAX - ESP_ICV_MAX;

	n = n / ESP_BLOCK_MAX * ESP_BLOCK_MAX - ESP_TRAILER;
	if (s->child != NULL && ipsec_child_tunnel_mode(s->child))
		n -= IP_HEADER;
	n -= UDP_HEADER + L2TP_HEADER + L2TP_SEQUENCE + PPP_HEADER; /* 1384 */
	if (tunnel_host(s->tunnel)->conf->data_length_bit && s->sequencing)
		n -= L2TP_LENGTH;
	return (uint16_t)n;
}

static uint16_t at_most(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

static void link_conf(const struct session *s, struct ppp_conf *pc)
{
	const struct cfg_interface_profile *ip = session_ifprof(s);
	const struct cfg_host *h = tunnel_host(s->tunnel)->conf;

	*pc = (struct ppp_conf){
	        .role = PPP_AUTHENTICATOR,
	        .mru = ip->mru,
	        .mtu = ip->mtu,
	        .auth_methods = ip->auth_methods,
	        .want_acfc = ip->acfc,
	        .want_pfc = ip->pfc,
	        .single_shot = s->tunnel->single_shot,
	        .auth_tries = s->tunnel->single_shot ? 1 : ip->auth_tries,
	        .restart_ms = ip->lcp_restart_ms,
	        .max_configure = ip->lcp_max_configure,
	        .max_terminate = ip->lcp_max_terminate,
	        .max_failure = ip->lcp_max_failure,
	        .auth_timeout_ms = ip->auth_timeout_s * 1000,
	        .ncp_timeout_ms = ip->ncp_timeout_s * 1000,
	        .echo_ms = ip->echo_interval_s * 1000,
	        .echo_failures = ip->echo_failures,
	        .local_ip = ipaddr_to_v4(&ip->local_address),
	        .dns = {ipaddr_to_v4(&ip->dns[0]), ipaddr_to_v4(&ip->dns[1])},
	        .nbns = {ipaddr_to_v4(&ip->nbns[0]), ipaddr_to_v4(&ip->nbns[1])},
	};
	if (s->tunnel->conn->kind == CONN_IPSEC) {
		pc->mru = at_most(pc->mru, mtu_over_ipsec(s));
		pc->mtu = at_most(pc->mtu, mtu_over_ipsec(s));
	}
	snprintf(pc->local_name, sizeof(pc->local_name), "%s",
	         h->local_host[0] != '\0' ? h->local_host : session_ctl(s)->conf->system.host_name);
}

/* The proxy AVPs of an ICCN, as far as the host profile lets them count. */
static bool take_proxy(const struct session *s, const struct l2tp_msg *m, struct ppp_proxy *px)
{
	const struct cfg_host *h = tunnel_host(s->tunnel)->conf;

	*px = (struct ppp_proxy){0};
	if (h->disable_proxy_lcp || m == NULL || !l2tp_msg_has(m, L2TP_AVP_LAST_TX_LCP) ||
	    !l2tp_msg_has(m, L2TP_AVP_LAST_RX_LCP))
		return false;
	px->first_rx.p = l2tp_msg_has(m, L2TP_AVP_INITIAL_LCP) ? m->initial_lcp.p : NULL;
	px->first_rx.len = m->initial_lcp.len;
	px->last_tx.p = m->last_tx_lcp.p;
	px->last_tx.len = m->last_tx_lcp.len;
	px->last_rx.p = m->last_rx_lcp.p;
	px->last_rx.len = m->last_rx_lcp.len;
	px->use_auth = h->enable_proxy_authenticate && l2tp_msg_has(m, L2TP_AVP_PROXY_AUTH_TYPE);
	px->auth_type = m->proxy_auth_type;
	px->auth_id = m->proxy_auth_id;
	px->name = m->proxy_auth_name.p;
	px->name_len = m->proxy_auth_name.len;
	px->challenge = m->proxy_auth_challenge.p;
	px->challenge_len = m->proxy_auth_challenge.len;
	px->response = m->proxy_auth_response.p;
	px->response_len = m->proxy_auth_response.len;
	return true;
}

/*
 * The client's first Configure-Request may be here before the ICCN, which waits for the LAC's send window
 * or was lost. Without it the link would stand still for a restart interval.
 */
#define EARLY_MAX 256

void session_ppp_early(struct session *s, const uint8_t *frame, size_t len)
{
	struct early_frame *e;

	if (s->early != NULL || len > EARLY_MAX) {
		session_ctl(s)->st.stale_punts++;
		return;
	}
	e = malloc(sizeof(*e) + len);
	if (e == NULL)
		return;
	e->len = len;
	memcpy(e->bytes, frame, len);
	s->early = e;
}

/* Whatever it was, it may have been a password. */
void early_frame_free(struct early_frame *e)
{
	if (e != NULL)
		explicit_bzero(e, sizeof(*e) + e->len);
	free(e);
}

int session_ppp_start(struct session *s, const struct l2tp_msg *iccn)
{
	struct ctl *c = session_ctl(s);
	struct early_frame *early = s->early;
	struct ppp_proxy px;
	struct ppp_conf pc;
	bool proxied;

	s->early = NULL; /* with the link its place is the job's */
	link_conf(s, &pc);
	s->ppp = ppp_new_in(c->ppp_confs, &pc, &link_ops, s, c->timers, c->log);
	if (s->ppp == NULL) {
		early_frame_free(early);
		return -1;
	}
	proxied = take_proxy(s, iccn, &px);
	ppp_start(s->ppp, proxied ? &px : NULL, c->now_ms);
	if (early != NULL)
		ppp_rx(s->ppp, early->bytes, early->len, c->now_ms);
	early_frame_free(early);
	return 0;
}
