/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A charon that does as it is told. */
#include "control/rig_ipsec.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

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
		rig_note(r, RIG_TERMINATE, 0, 0);
	if (ch->hook != NULL)
		ch->hook(r, m);
	return 0;
}

uint8_t rig_ask(struct rig *r, struct sslink_msg *m)
{
	m->seq = ++r->charon.seq;
	r->charon.answered = false;
	r->turn_updates = 0;
	ctl_ike_rx(r->ctl, m, r->now_ms);
	return r->charon.answered ? r->charon.answer.status : RIG_NONE;
}

void rig_tell(struct rig *r, struct sslink_msg *m)
{
	m->seq = 0;
	r->turn_updates = 0;
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
	bool encap = p->peer.addr.family != 0;

	if (encap) {
		us.port = 4500;
		them = p->peer;
	}
	return (struct sslink_msg){
	        .type = SSLINK_ADD_SA,
	        .add_sa = {.ike = rig_ike(p->ike),
	                   .spi = inbound ? p->spi_in : p->spi_out,
	                   .inbound = inbound,
	                   .encap = encap,
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

uint8_t rig_update(struct rig *r, const struct rig_pair *p, bool inbound, struct endpoint was,
                   struct endpoint is)
{
	struct endpoint us = {ipaddr_v4(RIG_LNS), 4500};
	struct sslink_msg m = {
	        .type = SSLINK_UPDATE_SA,
	        .update_sa = {.spi = inbound ? p->spi_in : p->spi_out,
	                      .inbound = inbound,
	                      .encap = true,
	                      .src = inbound ? was : us,
	                      .dst = inbound ? us : was,
	                      .new_src = inbound ? is : us,
	                      .new_dst = inbound ? us : is},
	};

	return rig_ask(r, &m);
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
	/* One authentication, whatever it adopts: each connection may begin anew for it. */
	for (uint16_t i = 0; i < n; i++) {
		uint64_t conn = rig_conn_of(r, spis[i]);
		bool counted = conn == 0;

		for (uint16_t j = 0; j < i; j++)
			counted |= rig_conn_of(r, spis[j]) == conn;
		if (!counted)
			r->conn_renewals[conn % RIG_CONNS]++;
	}
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
	for (int turns = 0; turns < 10000 && (ctl_tick(r->ctl, r->now_ms) || ctl_waits(r->ctl));
	     turns++)
		;
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
