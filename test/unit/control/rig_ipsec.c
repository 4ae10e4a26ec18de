/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/rig_ipsec.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void note(struct rig *r, enum rig_op op, uint32_t child, uint16_t type)
{
	r->events[r->n_events++ % RIG_EVENTS] =
	        (struct rig_event){.op = op, .child = child, .type = type};
}

/* ---- the data plane's functions ---- */

int dp_child_add(struct dp *dp, const struct dp_child *c, uint32_t *child)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_NOT_EQUAL(c->conn, 0);
	CU_ASSERT_TRUE(c->worker < RIG_WORKERS);
	for (uint32_t i = 1; i < RIG_CHILDREN; i++) {
		if (r->child[i].used)
			continue;
		r->child[i] = (struct rig_child){.c = *c, .used = true};
		r->n_children++;
		*child = i;
		return 0;
	}
	return -ENOSPC;
}

int dp_child_del(struct dp *dp, uint32_t child)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->child[child].used);
	CU_ASSERT_EQUAL(r->child[child].n_in + r->child[child].n_out, 0);
	CU_ASSERT_EQUAL(r->child[child].n_sessions, 0);
	r->child[child].used = false;
	r->n_children--;
	return 0;
}

void dp_child_latch(struct dp *dp, uint32_t child)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->child[child].used);
	r->child[child].latched = true;
	note(r, RIG_LATCH, child, 0);
}

uint16_t dp_spi_worker(uint32_t spi)
{
	return spi & 63;
}

int dp_spi_get(struct dp *dp, uint16_t worker, uint32_t *spi)
{
	struct rig *r = rig_of(dp);

	for (uint32_t i = 0; i < RIG_SPIS; i++) {
		uint32_t n = r->next_spi++ % RIG_SPIS;

		if (r->spi_used[n])
			continue;
		r->spi_used[n] = true;
		r->n_spis++;
		*spi = 0xc0000000u | n << 6 | worker;
		return 0;
	}
	return -ENOSPC;
}

static uint32_t spi_index(uint32_t spi)
{
	return (spi >> 6) % RIG_SPIS;
}

int dp_spi_take(struct dp *dp, uint32_t spi)
{
	struct rig *r = rig_of(dp);

	if (r->spi_used[spi_index(spi)])
		return -EBUSY;
	r->spi_used[spi_index(spi)] = true;
	r->n_spis++;
	return 0;
}

void dp_spi_put(struct dp *dp, uint32_t spi)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->spi_used[spi_index(spi)]);
	r->spi_used[spi_index(spi)] = false;
	r->n_spis--;
}

static struct rig_sa *sa_of(struct rig *r, dp_sa_id id)
{
	struct rig_sa *s = &r->sa[id % RIG_SAS];

	return id != 0 && s->id == id ? s : NULL;
}

int dp_sa_add(struct dp *dp, const struct dp_sa *sa, dp_sa_id *id, uint64_t *ticket)
{
	struct rig *r = rig_of(dp);
	struct rig_child *ch = &r->child[sa->child];

	if (r->fifo_full)
		return -EAGAIN;
	if (r->sa_limit != 0 && r->n_sas >= r->sa_limit)
		return -ENOSPC;
	CU_ASSERT_TRUE(ch->used && !ch->latched);
	if (sa->inbound) {
		CU_ASSERT_TRUE(r->spi_used[spi_index(sa->spi)]);
		CU_ASSERT_EQUAL(dp_spi_worker(sa->spi), ch->c.worker);
		CU_ASSERT_EQUAL(sa->pair, 0);
	} else if (sa->pair != 0) {
		CU_ASSERT_PTR_NOT_NULL(sa_of(r, sa->pair));
	}
	do
		r->next_sa++;
	while (r->sa[r->next_sa % RIG_SAS].id != 0);
	r->sa[r->next_sa % RIG_SAS] = (struct rig_sa){.s = *sa, .id = r->next_sa};
	r->n_sas++;
	ch->n_in += sa->inbound;
	ch->n_out += !sa->inbound;
	*id = r->next_sa;
	if (ticket != NULL)
		*ticket = ++r->tickets;
	note(r, RIG_SA_ADD, sa->child, 0);
	return 0;
}

int dp_sa_update(struct dp *dp, dp_sa_id id, const struct endpoint *local,
                 const struct endpoint *peer, bool encap)
{
	struct rig *r = rig_of(dp);
	struct rig_sa *s = sa_of(r, id);

	if (r->fifo_full)
		return -EAGAIN;
	if (s == NULL)
		return -ENOENT;
	s->s.local = *local;
	s->s.peer = *peer;
	s->s.encap = encap;
	return 0;
}

int dp_sa_use(struct dp *dp, dp_sa_id id)
{
	struct rig *r = rig_of(dp);
	struct rig_sa *s = sa_of(r, id);

	if (r->fifo_full)
		return -EAGAIN;
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_FALSE(s->s.inbound);
	note(r, RIG_SA_USE, s->s.child, 0);
	return 0;
}

int dp_sa_del(struct dp *dp, dp_sa_id id, uint64_t *ticket)
{
	struct rig *r = rig_of(dp);
	struct rig_sa *s = sa_of(r, id);

	if (r->fifo_full)
		return -EAGAIN;
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	note(r, RIG_SA_DEL, s->s.child, 0);
	r->child[s->s.child].n_in -= s->s.inbound;
	r->child[s->s.child].n_out -= !s->s.inbound;
	if (s->s.inbound)
		dp_spi_put(dp, s->s.spi);
	s->id = 0;
	r->n_sas--;
	*ticket = ++r->tickets;
	return 0;
}

int dp_sa_stats(struct dp *dp, dp_sa_id id, struct dp_sa_stats *out)
{
	struct rig_sa *s = sa_of(rig_of(dp), id);

	if (s == NULL)
		return -ENOENT;
	*out = (struct dp_sa_stats){.packets = 3, .bytes = 300, .used = true, .idle_ms = 7000};
	return 0;
}

/* ---- the model ---- */

static bool is_any(const struct rig_child *ch)
{
	return ch->c.peer.addr.family == 0; /* made without IKE */
}

bool rig_child_sends(const struct rig *r, uint32_t child)
{
	const struct rig_child *ch = &r->child[child];

	return ch->used && (is_any(ch) || ch->n_out > 0);
}

static struct rig_child *child_of(struct rig *r, const struct l2tp_path *path)
{
	struct rig_child *found = NULL;

	for (uint32_t i = 1, n = r->n_children; n > 0 && i < RIG_CHILDREN; i++) {
		struct rig_child *ch = &r->child[i];

		if (!ch->used)
			continue;
		n--;
		if (ch->c.conn != path->conn)
			continue;
		if (is_any(ch) || (ch->n_in > 0 && ch->c.peer.port == path->remote.port))
			return ch;
		if (ch->n_in > 0 && ch->c.peer.port == 0)
			found = ch;
	}
	return found;
}

bool rig_comes_in(struct rig *r, const struct l2tp_path *path, const struct l2tp_hdr *h)
{
	const struct rig_child *ch = child_of(r, path);

	if (ch == NULL) {
		r->no_sa_drops++;
		return false;
	}
	/* Of those without IKE the tests want to see what control itself does. */
	if (!ch->latched || is_any(ch))
		return true;
	if (h->t && h->tunnel_id != 0 && r->tunnel_known[h->tunnel_id] &&
	    r->tunnel_conn[h->tunnel_id] == path->conn)
		return true;
	/* A frame of PPP's own is no forwarded packet, but a latched child lets no data in at all. */
	r->latched_drops++;
	return false;
}

void rig_check_tunnel(const struct rig *r, uint64_t conn)
{
	const struct conn *k = ctl_conn(r->ctl, conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_FALSE(k->used_by_single_shot || k->fired || k->disconnecting || k->down);
}

void rig_check_session(struct rig *r, const struct dp_session *s)
{
	const struct conn *k = ctl_conn(r->ctl, s->conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_FALSE(k->fired || k->disconnecting || k->down);
	if (k->used_by_single_shot)
		CU_ASSERT_EQUAL(r->conn_sessions[s->conn % RIG_CONNS], 0);
	r->conn_sessions[s->conn % RIG_CONNS]++;
}

void rig_forward(struct rig *r, const struct dp_session *s)
{
	const struct conn *k = ctl_conn(r->ctl, s->conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_FALSE(k->fired);
	CU_ASSERT_FALSE(s->conn != 0 && r->conn_goodbye[s->conn % RIG_CONNS]);
	r->forwarded++;
}

void rig_session_child(struct rig *r, const struct dp_session *s, int change)
{
	CU_ASSERT_EQUAL(s->child != 0, s->conn != 0);
	if (s->child == 0)
		return;
	CU_ASSERT_TRUE(r->child[s->child].used);
	CU_ASSERT_EQUAL(r->child[s->child].c.conn, s->conn);
	CU_ASSERT_EQUAL(r->child[s->child].c.worker, s->worker);
	r->child[s->child].n_sessions += (uint32_t)change;
}

void rig_check_send(struct rig *r, uint32_t child, const uint8_t *p, size_t len)
{
	const struct rig_child *ch = &r->child[child];
	const struct conn *k = ctl_conn(r->ctl, ch->c.conn);
	static struct l2tp_msg m;
	uint16_t bad;

	if (l2tp_msg_parse(p, len, NULL, 0, &m, &bad) != L2TP_MSG_OK) {
		note(r, RIG_SEND, child, 0);
		return;
	}
	note(r, RIG_SEND, child, m.hdr.data_len != 0 ? m.type : 0);
	if (m.hdr.data_len == 0 || k == NULL)
		return;
	if (m.type == L2TP_CDN && l2tp_msg_has(&m, L2TP_AVP_ASSIGNED_SESSION_ID)) {
		const struct rig_dps *d = &r->dps[m.assigned_session_id];

		CU_ASSERT_FALSE(d->used && d->s.conn == ch->c.conn && d->s.open);
		if (d->deleted && d->s.conn == ch->c.conn && k->used_by_single_shot) {
			CU_ASSERT_TRUE(ch->latched);
			r->conn_goodbye[k->id % RIG_CONNS] = true;
		}
	}
	if (m.type == L2TP_STOPCCN && l2tp_msg_has(&m, L2TP_AVP_ASSIGNED_TUNNEL_ID) &&
	    r->tunnel_known[m.assigned_tunnel_id] &&
	    r->tunnel_conn[m.assigned_tunnel_id] == ch->c.conn && k->used_by_single_shot) {
		CU_ASSERT_TRUE(ch->latched);
		r->conn_goodbye[k->id % RIG_CONNS] = true;
	}
}

/* ---- charon ---- */

int rig_ike_send(void *ctx, const struct sslink_msg *m)
{
	struct rig *r = ctx;
	struct rig_charon *ch = &r->charon;

	if (ch->stuck)
		return -EAGAIN;
	if (m->type == SSLINK_ANSWER) {
		if (m->seq == ch->seq) {
			CU_ASSERT_FALSE(ch->answered);
			ch->answered = true;
			ch->answer = m->answer;
		}
		return 0;
	}
	CU_ASSERT_EQUAL(m->seq, 0);
	ch->msgs[ch->n_msgs++ % RIG_MSGS] = *m;
	ch->n_terminate += m->type == SSLINK_TERMINATE_IKE;
	ch->n_delete_child += m->type == SSLINK_DELETE_CHILD;
	ch->n_mapping += m->type == SSLINK_MAPPING;
	ch->n_soft += m->type == SSLINK_EXPIRE && !m->expire.hard;
	ch->n_hard += m->type == SSLINK_EXPIRE && m->expire.hard;
	if (m->type == SSLINK_TERMINATE_IKE)
		note(r, RIG_TERMINATE, 0, 0);
	if (ch->hook != NULL)
		ch->hook(r, m);
	return 0;
}

uint8_t rig_ask(struct rig *r, struct sslink_msg *m)
{
	m->seq = ++r->charon.seq;
	r->charon.answered = false;
	ctl_ike_rx(r->ctl, m, r->now_ms);
	return r->charon.answered ? r->charon.answer.status : RIG_NONE;
}

void rig_tell(struct rig *r, struct sslink_msg *m)
{
	m->seq = 0;
	ctl_ike_rx(r->ctl, m, r->now_ms);
}

void rig_link_hello(struct rig *r, uint64_t instance)
{
	struct sslink_msg m = {
	        .type = SSLINK_HELLO,
	        .hello = {.version = SSLINK_VERSION, .instance = instance, .pid = 1},
	};

	ctl_ike_link_up(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	r->charon.instance = instance;
}

uint8_t rig_sync_end(struct rig *r)
{
	struct sslink_msg m = {.type = SSLINK_SYNC_END};

	return rig_ask(r, &m);
}

void rig_link_up(struct rig *r, uint64_t instance)
{
	rig_link_hello(r, instance);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
}

struct sslink_ike rig_ike(uint32_t id)
{
	struct sslink_ike e = {
	        .id = id,
	        .version = 2,
	        .auth = SSLINK_AUTH_PSK,
	        .local = {ipaddr_v4(RIG_LNS), 500},
	        .remote = {ipaddr_v4(RIG_PEER), 500},
	        .connection = "lns",
	};

	snprintf(e.remote_id, sizeof(e.remote_id), "client%u.example", id);
	return e;
}

uint8_t rig_get_spi(struct rig *r, uint32_t ike, uint32_t *spi)
{
	struct sslink_msg m = {
	        .type = SSLINK_GET_SPI,
	        .get_spi = {.ike = rig_ike(ike),
	                    .src = ipaddr_v4(RIG_PEER),
	                    .dst = ipaddr_v4(RIG_LNS)},
	};
	uint8_t status = rig_ask(r, &m);

	*spi = r->charon.answer.spi;
	return status;
}

static struct sslink_ts selector(uint32_t ip, uint16_t port)
{
	return (struct sslink_ts){
	        .first = ipaddr_v4(ip),
	        .last = ipaddr_v4(ip),
	        .proto = IPPROTO_UDP,
	        .port_first = port,
	        .port_last = port != 0 ? port : 0xffff,
	};
}

struct sslink_msg rig_add_msg(const struct rig_pair *p, bool inbound)
{
	struct endpoint us = {ipaddr_v4(RIG_LNS), 0}, them = {ipaddr_v4(RIG_PEER), 0};

	return (struct sslink_msg){
	        .type = SSLINK_ADD_SA,
	        .add_sa = {.ike = rig_ike(p->ike),
	                   .spi = inbound ? p->spi_in : p->spi_out,
	                   .inbound = inbound,
	                   .src = inbound ? them : us,
	                   .dst = inbound ? us : them,
	                   .enc_alg = 12,
	                   .auth_alg = 12,
	                   .enc_key_len = 16,
	                   .auth_key_len = 32,
	                   .replay_window = inbound ? 32 : 0,
	                   .life = p->life,
	                   .local_ts = selector(RIG_LNS, 1701),
	                   .remote_ts = selector(RIG_PEER, p->port)},
	};
}

uint8_t rig_child_up(struct rig *r, uint32_t ike, uint16_t port, struct rig_pair *p)
{
	struct sslink_msg m;
	uint8_t status;

	p->ike = ike;
	p->port = port;
	status = rig_get_spi(r, ike, &p->spi_in);
	if (status != SSLINK_OK)
		return status;
	p->spi_out = 0x10000 + ++r->charon.next_spi;
	for (int inbound = 1; inbound >= 0 && status == SSLINK_OK; inbound--) {
		m = rig_add_msg(p, inbound);
		status = rig_ask(r, &m);
	}
	if (status != SSLINK_OK && status != RIG_NONE)
		rig_child_down(r, p); /* as charon does */
	return status;
}

uint8_t rig_del_sa(struct rig *r, uint32_t spi, bool inbound)
{
	struct sslink_msg m = {
	        .type = SSLINK_DEL_SA,
	        .sa_id = {.spi = spi,
	                  .inbound = inbound,
	                  .dst = ipaddr_v4(inbound ? RIG_LNS : RIG_PEER)},
	};

	return rig_ask(r, &m);
}

void rig_child_down(struct rig *r, const struct rig_pair *p)
{
	rig_del_sa(r, p->spi_out, false);
	rig_del_sa(r, p->spi_in, true);
}

static uint32_t *ike_slot(struct rig *r, uint32_t id)
{
	for (uint32_t i = 0; i < r->charon.n_ikes; i++)
		if (r->charon.ikes[i] == id)
			return &r->charon.ikes[i];
	return NULL;
}

static void ike_add(struct rig *r, uint32_t id)
{
	if (ike_slot(r, id) != NULL)
		return;
	CU_ASSERT_TRUE_FATAL(r->charon.n_ikes < RIG_IKES);
	r->charon.ikes[r->charon.n_ikes++] = id;
}

static void ike_del(struct rig *r, uint32_t id)
{
	uint32_t *at = ike_slot(r, id);

	if (at != NULL)
		*at = r->charon.ikes[--r->charon.n_ikes];
}

void rig_ike_up(struct rig *r, uint32_t ike)
{
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = rig_ike(ike)};

	ike_add(r, ike);
	rig_tell(r, &m);
}

void rig_ike_down(struct rig *r, uint32_t ike)
{
	struct sslink_msg m = {.type = SSLINK_IKE_DOWN, .ike_rekey.old_id = ike};

	ike_del(r, ike);
	rig_tell(r, &m);
}

void rig_ike_rekey(struct rig *r, uint32_t old_id, uint32_t new_id)
{
	struct sslink_msg m = {
	        .type = SSLINK_IKE_REKEY,
	        .ike_rekey = {.old_id = old_id, .new_id = new_id},
	};

	ike_del(r, old_id);
	ike_add(r, new_id);
	rig_tell(r, &m);
}

void rig_migrate(struct rig *r, uint32_t old_id, uint32_t new_id, const uint32_t *spis, uint16_t n)
{
	struct sslink_msg m = {
	        .type = SSLINK_CHILDREN_MIGRATE,
	        .ike_rekey = {.old_id = old_id, .new_id = new_id, .n_spis = n},
	};

	memcpy(m.ike_rekey.spis, spis, n * sizeof(*spis));
	rig_tell(r, &m);
}

uint64_t rig_connect(struct rig *r, uint32_t ike, uint16_t port, struct rig_pair *p)
{
	struct rig_pair own = {0};

	if (p == NULL)
		p = &own;
	if (r->charon.instance == 0)
		rig_link_up(r, 1);
	rig_ike_up(r, ike);
	if (rig_child_up(r, ike, port, p) != SSLINK_OK)
		return 0;
	return rig_conn_of(r, p->spi_in);
}

dp_sa_id rig_sa_id(const struct rig *r, uint32_t spi, bool inbound)
{
	for (uint32_t i = 0; i < RIG_SAS; i++)
		if (r->sa[i].id != 0 && r->sa[i].s.spi == spi && r->sa[i].s.inbound == inbound)
			return r->sa[i].id;
	return 0;
}

uint64_t rig_conn_of(const struct rig *r, uint32_t spi_in)
{
	dp_sa_id id = rig_sa_id(r, spi_in, true);

	return id != 0 ? r->child[r->sa[id % RIG_SAS].s.child].c.conn : 0;
}

void rig_sa_event(struct rig *r, uint32_t spi, bool inbound, enum dp_sa_event ev,
                  const struct endpoint *src)
{
	struct dp_punt p = {
	        .class = DP_PUNT_SA,
	        .sa = rig_sa_id(r, spi, inbound),
	        .sa_event = ev,
	};

	if (src != NULL)
		p.src = *src;
	ctl_punt(r->ctl, &p, r->now_ms);
}

struct ctl_ipsec_stats rig_ipsec_stats(const struct rig *r)
{
	struct ctl_ipsec_stats st;

	ctl_ipsec_stats_get(r->ctl, &st);
	return st;
}

struct ctl_conn_view rig_conn_view(const struct rig *r, uint64_t conn)
{
	struct ctl_conn_view v = {0};

	CU_ASSERT_TRUE_FATAL(ctl_conn_get(r->ctl, conn, r->now_ms, &v));
	return v;
}

/* charon goes home: every IKE_SA ends; then whatever had none. */
void rig_ipsec_end(struct rig *r)
{
	struct ctl_conn_view v;
	uint32_t cursor = 0;

	r->fifo_full = false;
	r->charon.stuck = false;
	r->charon.hook = NULL;
	if (r->charon.instance != 0 && !rig_ipsec_stats(r).link_up)
		rig_link_up(r, r->charon.instance);
	while (r->charon.n_ikes > 0)
		rig_ike_down(r, r->charon.ikes[0]);
	while (ctl_conn_next(r->ctl, &cursor, r->now_ms, &v))
		ctl_conn_closed(r->ctl, v.id, r->now_ms);
	ctl_tick(r->ctl, r->now_ms);
}

void rig_ipsec_check_empty(const struct rig *r)
{
	struct ctl_ipsec_stats st = rig_ipsec_stats(r);

	CU_ASSERT_EQUAL(r->n_children, 0);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_spis, 0);
	CU_ASSERT_EQUAL(st.ike_now, 0);
	CU_ASSERT_EQUAL(st.conns_now, 0);
	CU_ASSERT_EQUAL(st.conns_up, 0);
	CU_ASSERT_EQUAL(st.children_now, 0);
	CU_ASSERT_EQUAL(st.sas_now, 0);
	CU_ASSERT_EQUAL(st.orphans_now, 0);
}
