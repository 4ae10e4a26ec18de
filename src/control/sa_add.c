/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* ADD_SA: what is accepted, where it belongs, and the order to the worker. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool one_v4(const struct sslink_ts *ts)
{
	return ts->first.family == AF_INET && ipaddr_eq(&ts->first, &ts->last) &&
	       !ipaddr_is_any(&ts->first);
}

static bool any_port(const struct sslink_ts *ts)
{
	return ts->port_first == 0 && ts->port_last == 0xffff;
}

/* RFC 3193 4: UDP between our port 1701 and one port of the peer's, or any. NULL: good. */
static const char *read_selectors(const struct sslink_add_sa *a, struct child_key *key)
{
	const struct sslink_ts *us = &a->local_ts, *them = &a->remote_ts;

	if (!one_v4(us) || !one_v4(them))
		return "selectors are not one IPv4 address each";
	if (us->proto != IPPROTO_UDP || them->proto != IPPROTO_UDP)
		return "selectors are not of UDP";
	if (!any_port(us) && (us->port_first != L2TP_PORT || us->port_last != L2TP_PORT))
		return "our selector is not port 1701";
	if (!any_port(them) && (them->port_first != them->port_last || them->port_first == 0))
		return "the peer's selector is not one port, nor any";
	key->local = (struct endpoint){us->first, L2TP_PORT};
	key->peer = (struct endpoint){them->first, any_port(them) ? 0 : them->port_first};
	key->tunnel_mode = a->tunnel_mode;
	return NULL;
}

static const char *read_outer(const struct sslink_add_sa *a, const struct endpoint *local,
                              const struct endpoint *peer)
{
	if (ipaddr_to_v4(&local->addr) == 0 || ipaddr_to_v4(&peer->addr) == 0)
		return "outer address is not IPv4";
	if (a->encap && (local->port == 0 || peer->port == 0))
		return "no port of UDP encapsulation";
	if (a->spi < 256)
		return "SPI is reserved";
	return NULL;
}

/* What stands in an ADD_SA, read and found to be possible. */
struct wish {
	struct child_key key;
	struct esp_suite suite;
	const struct endpoint *local, *peer;
};

static const char *read_wish(const struct sslink_add_sa *a, struct wish *w)
{
	const char *why;

	w->local = a->inbound ? &a->dst : &a->src;
	w->peer = a->inbound ? &a->src : &a->dst;
	why = read_outer(a, w->local, w->peer);
	if (why == NULL)
		why = read_selectors(a, &w->key);
	if (why == NULL &&
	    !suite_of(a->enc_alg, a->enc_key_len, a->auth_alg, a->auth_key_len, &w->suite))
		why = "algorithms";
	if (why == NULL && a->replay_window > 4096)
		why = "replay window";
	return why;
}

/* What its transport profile does not allow. NULL: nothing. */
static const char *profile_objection(const struct ctl *c, const struct sslink_add_sa *a)
{
	const struct cfg_ipsec_profile *p = config_ipsec_profile(c->conf, a->ike.connection);

	if (p != NULL && a->tunnel_mode && !p->allow_tunnel_mode)
		return "the profile allows no tunnel mode";
	if (p != NULL && a->encap && !p->nat_traversal)
		return "the profile allows no NAT";
	return NULL;
}

static enum sslink_status status_of(int err)
{
	switch (err) {
	case ENOSPC:
	case ENOMEM:
		return SSLINK_NO_RESOURCES;
	case EINVAL:
	case EAFNOSUPPORT:
		return SSLINK_UNSUPPORTED;
	default:
		return SSLINK_REFUSED;
	}
}

static dp_sa_id take_pair(struct child *ch)
{
	struct sa *sa;

	SA_FOREACH (sa, ch)
		if (sa->inbound && !sa->paired && sa->id != 0) {
			sa->paired = true;
			return sa->id;
		}
	return 0;
}

static void fill_order(struct sa *sa, const struct sslink_add_sa *a, struct dp_sa *o)
{
	*o = (struct dp_sa){
	        .spi = sa->spi,
	        .child = sa->child->index,
	        .inbound = sa->inbound,
	        .tunnel_mode = sa->child->tunnel_mode,
	        .encap = sa->encap,
	        .local = *sa_local(sa),
	        .peer = *sa_peer(sa),
	        .suite = sa_suite(sa),
	        .enc_key = a->enc_key,
	        .auth_key = a->auth_key,
	        .enc_key_len = a->enc_key_len,
	        .auth_key_len = a->auth_key_len,
	        .esn = sa->esn,
	        .replay_window = sa->replay_window,
	        .soft_bytes = a->life.soft_bytes,
	        .hard_bytes = a->life.hard_bytes,
	        .soft_packets = a->life.soft_packets,
	        .hard_packets = a->life.hard_packets,
	        .user = sa,
	};
}

/* 0 (given, or kept to be given again), or the data plane's refusal. */
static int give(struct sa *sa, const struct dp_sa *o)
{
	struct sa_order *keep;
	int ret = dp_sa_add(sa_ctl(sa)->dp, o, &sa->id, &sa->ticket);

	if (ret == 0) {
		sa_wait(sa);
		return 0;
	}
	sa->id = 0;
	if (ret != -EAGAIN)
		return ret;
	if (sa->order != NULL) {
		sa_wait(sa);
		return 0;
	}
	keep = calloc(1, sizeof(*keep));
	if (keep == NULL)
		return -ENOMEM;
	keep->sa = *o;
	memcpy(keep->enc_key, o->enc_key, o->enc_key_len);
	memcpy(keep->auth_key, o->auth_key, o->auth_key_len);
	keep->sa.enc_key = keep->enc_key;
	keep->sa.auth_key = keep->auth_key;
	sa->order = keep;
	sa_wait(sa);
	return 0;
}

void sa_join_child(struct sa *sa, struct child *ch)
{
	struct conn *k = ch->conn;
	struct ctl *c = k->ctl;

	sa->child = ch;
	sa->conn = k;
	ref_push(&ch->sas, sa, SA_NEXT);
	if (sa->inbound)
		ch->n_in++;
	else
		ch->n_out++;
	if (k->n_sas++ == 0)
		c->ipsec->st.conns_up++;
	c->ipsec->st.sas_now++;
	k->encap = sa->encap;
}

/* The order was refused. An SPI that was handed out stays so until charon deletes it. */
static void back_out(struct sa *sa, struct ike *e)
{
	struct ctl *c = sa_ctl(sa);
	struct child *ch = sa->child;

	sa_leave_child(sa);
	if (sa->inbound && e != NULL) {
		sa->state = SA_LARVAL;
		sa->child = NULL;
		free(sa->moves);
		sa->moves = NULL;
		sa->ike = e;
		sa->soft_at = UINT64_MAX;
		sa_larval_list(sa);
	} else {
		if (sa->inbound)
			dp_spi_put(c->dp, sa->spi);
		sa_free(c, sa);
	}
	child_check(c, ch);
}

bool sa_order_again(struct sa *sa)
{
	int ret = -EACCES;

	/* Of one that has fired meanwhile there is no new SA, as if charon had asked now (B3). */
	if (sa->child->latched) {
		sa_ctl(sa)->ipsec->st.refused_latched++;
		conn_count(sa->conn, CONN_REFUSED_SAS);
	} else {
		ret = give(sa, &sa->order->sa);
	}
	if (ret == 0 && sa->id == 0)
		return false;
	sa_order_free(sa);
	if (ret == 0)
		return true;
	sa_answer(sa, status_of(-ret));
	back_out(sa, sa->conn->ike);
	return false;
}

static uint64_t at(uint64_t now_ms, uint64_t s)
{
	return s != 0 && s < UINT32_MAX ? now_ms + s * 1000 : UINT64_MAX;
}

static void announce(struct ctl *c, struct conn *k)
{
	char a[ENDPOINT_STRLEN];

	if (k->announced)
		return;
	k->announced = true;
	c->ipsec->st.ike_auths += !k->is_static;
	log_info(c->log, "event=ipsec-up conn=%lu ike=%u peer=%s id=\"%s\" profile=%s%s", k->id,
	         k->ike_id, endpoint_str(&k->peer, a, sizeof(a)),
	         k->remote_id != NULL ? k->remote_id : "", k->profile != NULL ? k->profile : "",
	         k->encap ? " nat=yes" : "");
}

void sa_applied(struct sa *sa)
{
	struct ctl *c = sa_ctl(sa);

	sa->state = SA_LIVE;
	c->ipsec->st.sas_total++;
	if (!sa->inbound && sa->child->n_out > 1) {
		sa->use_due = true;
		sa->use_at = c->now_ms + USE_MS;
	}
	sa_arm(sa);
	sa_answer(sa, SSLINK_OK);
	if (sa->inbound)
		return;
	announce(c, sa->conn);
	early_deliver(c, sa->child);
}

/* The SA that an inbound request is about: the SPI must be this IKE_SA's own. */
static struct sa *take_larval(struct ctl *c, const struct sslink_add_sa *a, struct ike *e)
{
	struct sa *sa = sa_find(c, a->spi, true, NULL);

	if (sa == NULL || sa->state != SA_LARVAL || sa->ike != e)
		return NULL;
	return sa;
}

/* Finds or makes the child. NULL with errno. */
static struct child *child_for(struct ctl *c, struct ike *e, const struct sslink_add_sa *a,
                               const struct wish *w)
{
	struct conn *k = a->inbound ? ike_conn(e) : e->conn;
	struct child *ch = k != NULL ? child_find(k, &w->key) : NULL;

	errno = a->inbound && k == NULL ? ENOSPC : ENOENT;
	if (ch == NULL && k != NULL && a->inbound) {
		errno = ENOSPC;
		if (k->n_children < CHILDREN_MAX)
			ch = child_new(c, k, &w->key);
	}
	if (ch != NULL && (a->inbound ? ch->n_in : ch->n_out) >= CHILD_SAS_MAX) {
		errno = ENOSPC;
		ch = NULL;
	}
	return ch;
}

static void install(struct sa *sa, struct child *ch, const struct sslink_msg *m,
                    const struct wish *w)
{
	const struct sslink_add_sa *a = &m->add_sa;
	struct ctl *c = ch->conn->ctl;
	struct ike *e = ch->conn->ike;
	struct dp_sa o;
	int ret;

	sa_larval_unlist(sa);
	sa->state = SA_ADDING;
	sa->encap = a->encap;
	sa->esn = a->esn;
	sa_set_suite(sa, &w->suite);
	sa->replay_window = (uint16_t)a->replay_window;
	sa->soft_at = at(c->now_ms, a->life.soft_s);
	sa->hard_at = at(c->now_ms, a->life.hard_s);
	sa->created_ms = c->now_ms;
	sa_join_child(sa, ch);
	fill_order(sa, a, &o);
	if (!sa->inbound)
		o.pair = take_pair(ch);
	sa->answer_seq = m->seq;
	sa->answer_link = c->ipsec->link_no;
	ret = give(sa, &o);
	if (ret == 0)
		return;
	sa->answer_link = 0;
	ipsec_refuse(c, m, &a->ike, ch->conn, status_of(-ret), "the data plane refuses");
	back_out(sa, e);
}

void sa_on_add(struct ctl *c, const struct sslink_msg *m)
{
	const struct sslink_add_sa *a = &m->add_sa;
	struct ike *e = ike_find(c, a->ike.id);
	struct wish w;
	const char *why = read_wish(a, &w);
	struct child *ch;
	struct sa *sa;

	if (why == NULL)
		why = profile_objection(c, a);
	if (why != NULL) {
		ipsec_refuse(c, m, &a->ike, e != NULL ? e->conn : NULL, SSLINK_UNSUPPORTED, why);
		return;
	}
	why = e == NULL ? "no SPI was handed out to this IKE_SA" : ike_objection(c, e);
	if (why == NULL && a->inbound && take_larval(c, a, e) == NULL)
		why = "the SPI was not handed out to this IKE_SA";
	if (why == NULL && !a->inbound && sa_find(c, a->spi, false, &w.peer->addr) != NULL)
		why = "another SA toward this peer has the SPI";
	if (why != NULL) {
		ipsec_refuse(c, m, &a->ike, e != NULL ? e->conn : NULL, SSLINK_REFUSED, why);
		return;
	}
	e = ike_get(c, &a->ike);
	ch = child_for(c, e, a, &w);
	if (ch == NULL) {
		ipsec_refuse(c, m, &a->ike, e->conn, status_of(errno), "no room for a child or SA");
		return;
	}
	sa = a->inbound ? take_larval(c, a, e) : sa_new(c, a->spi, false);
	if (sa == NULL || (sa->inbound && sa->worker != ch->conn->worker)) {
		ipsec_refuse(c, m, &a->ike, e->conn,
		             sa == NULL ? SSLINK_NO_RESOURCES : SSLINK_REFUSED,
		             "no memory, or another worker's SPI");
		child_check(c, ch);
		return;
	}
	if (!conn_move(ch->conn, w.local, w.peer)) {
		if (!sa->inbound)
			sa_free(c, sa);
		ipsec_refuse(c, m, &a->ike, e->conn, SSLINK_NO_RESOURCES, "no memory");
		child_check(c, ch);
		return;
	}
	install(sa, ch, m, &w);
}
