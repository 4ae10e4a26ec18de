/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "samples.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

struct ipaddr address(const char *text)
{
	struct ipaddr a;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(text, &a), 0);
	return a;
}

/* Field by field: a structure that is assigned may bring its padding along. */
static void set_endpoint(struct endpoint *e, const char *text, uint16_t port)
{
	e->addr = address(text);
	e->port = port;
}

size_t encoded(const struct sslink_msg *m, uint8_t buf[SSLINK_MSG_MAX])
{
	int n = sslink_encode(m, buf, SSLINK_MSG_MAX);

	CU_ASSERT_FATAL(n > 0);
	return (size_t)n;
}

static void sample_ike(struct sslink_ike *i)
{
	i->id = 0x01020304;
	i->version = 2;
	i->auth = SSLINK_AUTH_PSK;
	set_endpoint(&i->local, "192.0.2.1", 4500);
	set_endpoint(&i->remote, "2001:db8::7", 10001);
	snprintf(i->connection, sizeof(i->connection), "road-warrior");
	snprintf(i->remote_id, sizeof(i->remote_id), "CN=client-7, O=Ex\xc3\xa4mple");
}

static void sample_ts(struct sslink_ts *ts, const char *first, const char *last, uint16_t port)
{
	ts->first = address(first);
	ts->last = address(last);
	ts->proto = 17;
	ts->port_first = port;
	ts->port_last = (uint16_t)(port + 7);
}

static void sample_add_sa(struct sslink_add_sa *a)
{
	unsigned int i;

	sample_ike(&a->ike);
	a->spi = 0xc1020304;
	a->inbound = true;
	a->encap = true;
	a->tunnel_mode = true;
	set_endpoint(&a->src, "198.51.100.9", 15137);
	set_endpoint(&a->dst, "192.0.2.1", 4500);
	a->enc_alg = 20;
	a->auth_alg = 1024;
	a->enc_key_len = 36;
	a->auth_key_len = 20;
	for (i = 0; i < a->enc_key_len; i++)
		a->enc_key[i] = (uint8_t)(0xa0 + i);
	for (i = 0; i < a->auth_key_len; i++)
		a->auth_key[i] = (uint8_t)(0x50 + i);
	a->replay_window = 1024;
	a->reqid = 77;
	a->life = (struct sslink_lifetime){3000, 3600, 1ull << 33, 1ull << 34, 5000001, 5000002};
	sample_ts(&a->local_ts, "192.0.2.1", "192.0.2.2", 1701);
	sample_ts(&a->remote_ts, "2001:db8::7", "2001:db8::8", 10000);
}

static void sample_update_sa(struct sslink_update_sa *u)
{
	u->spi = 0xc1020305;
	u->encap = true;
	set_endpoint(&u->src, "198.51.100.9", 15137);
	set_endpoint(&u->dst, "192.0.2.1", 4500);
	set_endpoint(&u->new_src, "198.51.100.10", 15138);
	set_endpoint(&u->new_dst, "2001:db8::1", 4501);
}

static void sample_migrate(struct sslink_ike_rekey *r)
{
	unsigned int i;

	r->old_id = 11;
	r->new_id = 12;
	r->n_spis = SSLINK_SPIS_MAX;
	for (i = 0; i < SSLINK_SPIS_MAX; i++)
		r->spis[i] = 0xc0000100 + i;
}

static void sample_unnumbered(struct sslink_msg *m)
{
	switch (m->type) {
	case SSLINK_IKE_UP:
		sample_ike(&m->ike_up);
		break;
	case SSLINK_IKE_DOWN:
		m->ike_rekey.old_id = 13;
		break;
	case SSLINK_IKE_REKEY:
		m->ike_rekey.old_id = 14;
		m->ike_rekey.new_id = 15;
		break;
	case SSLINK_CHILDREN_MIGRATE:
		sample_migrate(&m->ike_rekey);
		break;
	case SSLINK_CHILD_REKEY:
		m->child_rekey = (struct sslink_child_rekey){16, 0xc0000001, 0xc0000002};
		break;
	case SSLINK_EXPIRE:
		m->expire.spi = 0xc0000003;
		m->expire.inbound = m->expire.hard = true;
		m->expire.dst = address("192.0.2.1");
		break;
	case SSLINK_TERMINATE_IKE:
		m->terminate.ike_id = 17;
		m->terminate.force = true;
		break;
	case SSLINK_MAPPING:
		m->mapping.spi = 0xc0000004;
		set_endpoint(&m->mapping.local, "192.0.2.1", 4500);
		set_endpoint(&m->mapping.remote, "198.51.100.9", 15139);
		break;
	default:
		break;
	}
}

void sample(enum sslink_type t, struct sslink_msg *m)
{
	memset(m, 0, sizeof(*m));
	m->type = t;
	if (t <= SSLINK_FLUSH_SAS || t == SSLINK_ANSWER)
		m->seq = 0x11223300u + (unsigned int)t;
	switch (t) {
	case SSLINK_HELLO:
		m->hello.version = SSLINK_VERSION;
		m->hello.instance = 0x1122334455667788;
		m->hello.pid = 4711;
		break;
	case SSLINK_SYNC_END:
		m->sync_end = 65535;
		break;
	case SSLINK_GET_SPI:
		sample_ike(&m->get_spi.ike);
		m->get_spi.src = address("2001:db8::7");
		m->get_spi.dst = address("192.0.2.1");
		break;
	case SSLINK_ADD_SA:
		sample_add_sa(&m->add_sa);
		break;
	case SSLINK_UPDATE_SA:
		sample_update_sa(&m->update_sa);
		break;
	case SSLINK_QUERY_SA:
	case SSLINK_DEL_SA:
	case SSLINK_DELETE_CHILD:
		m->sa_id.spi = 0xc0000005;
		m->sa_id.inbound = true;
		m->sa_id.dst = address("192.0.2.1");
		break;
	case SSLINK_ANSWER:
		m->answer.status = SSLINK_BUSY;
		m->answer.spi = 0xc0000006;
		m->answer.a = 1;
		m->answer.b = 2;
		m->answer.c = UINT64_MAX;
		break;
	default:
		sample_unnumbered(m);
	}
}
