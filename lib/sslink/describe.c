/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "sslink/sslink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const type_names[SSLINK_TYPE_MAX] = {
        [SSLINK_HELLO] = "hello",
        [SSLINK_SYNC_END] = "sync-end",
        [SSLINK_GET_SPI] = "get-spi",
        [SSLINK_ADD_SA] = "add-sa",
        [SSLINK_UPDATE_SA] = "update-sa",
        [SSLINK_QUERY_SA] = "query-sa",
        [SSLINK_DEL_SA] = "del-sa",
        [SSLINK_FLUSH_SAS] = "flush-sas",
        [SSLINK_IKE_UP] = "ike-up",
        [SSLINK_IKE_DOWN] = "ike-down",
        [SSLINK_IKE_REKEY] = "ike-rekey",
        [SSLINK_CHILDREN_MIGRATE] = "children-migrate",
        [SSLINK_CHILD_REKEY] = "child-rekey",
        [SSLINK_ANSWER] = "answer",
        [SSLINK_EXPIRE] = "expire",
        [SSLINK_DELETE_CHILD] = "delete-child",
        [SSLINK_TERMINATE_IKE] = "terminate-ike",
        [SSLINK_MAPPING] = "mapping",
};

static const char *const status_names[SSLINK_STATUS_MAX] = {
        [SSLINK_OK] = "ok",
        [SSLINK_REFUSED] = "refused",
        [SSLINK_BUSY] = "busy",
        [SSLINK_UNSUPPORTED] = "unsupported",
        [SSLINK_NO_RESOURCES] = "no-resources",
};

static const char *const auth_names[] = {
        [SSLINK_AUTH_UNKNOWN] = "unknown",
        [SSLINK_AUTH_PSK] = "psk",
        [SSLINK_AUTH_PUBKEY] = "pubkey",
        [SSLINK_AUTH_EAP] = "eap",
};

struct line {
	char *buf;
	size_t size, at;
};

static void add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *l, const char *format, ...)
{
	va_list ap;
	int n;

	if (l->at >= l->size)
		return;
	va_start(ap, format);
	n = vsnprintf(l->buf + l->at, l->size - l->at, format, ap);
	va_end(ap);
	if (n > 0)
		l->at += (size_t)n;
}

static void add_addr(struct line *l, const char *word, const struct ipaddr *a)
{
	char s[IPADDR_STRLEN];

	add(l, " %s %s", word, ipaddr_str(a, s, sizeof(s)));
}

static void add_endpoint(struct line *l, const char *word, const struct endpoint *e)
{
	char s[ENDPOINT_STRLEN];

	add(l, " %s %s", word, endpoint_str(e, s, sizeof(s)));
}

static void add_direction(struct line *l, bool inbound)
{
	add(l, inbound ? " in" : " out");
}

static void add_ike(struct line *l, const struct sslink_ike *i)
{
	add(l, " ike %" PRIu32 " v%u auth %s connection '%s' id '%s'", i->id, i->version,
	    i->auth <= SSLINK_AUTH_EAP ? auth_names[i->auth] : "?", i->connection, i->remote_id);
	add_endpoint(l, "local", &i->local);
	add_endpoint(l, "remote", &i->remote);
}

static void add_ts(struct line *l, const char *word, const struct sslink_ts *ts)
{
	add_addr(l, word, &ts->first);
	if (!ipaddr_eq(&ts->first, &ts->last))
		add_addr(l, "to", &ts->last);
	add(l, "[%u/%u-%u]", ts->proto, ts->port_first, ts->port_last);
}

static void add_add_sa(struct line *l, const struct sslink_add_sa *a)
{
	add(l, " spi %08" PRIx32, a->spi);
	add_direction(l, a->inbound);
	add(l, " %s%s%s%s%s", a->tunnel_mode ? "tunnel" : "transport", a->encap ? " encap" : "",
	    a->esn ? " esn" : "", a->update ? " update" : "", a->resync ? " resync" : "");
	add_endpoint(l, "src", &a->src);
	add_endpoint(l, "dst", &a->dst);
	add(l, " enc %u/%u auth %u/%u replay %" PRIu32 " reqid %" PRIu32, a->enc_alg,
	    a->enc_key_len * 8, a->auth_alg, a->auth_key_len * 8, a->replay_window, a->reqid);
	add(l, " life %" PRIu64 "/%" PRIu64 " s", a->life.soft_s, a->life.hard_s);
	add_ts(l, "local-ts", &a->local_ts);
	add_ts(l, "remote-ts", &a->remote_ts);
	add_ike(l, &a->ike);
}

static void add_update_sa(struct line *l, const struct sslink_update_sa *u)
{
	add(l, " spi %08" PRIx32, u->spi);
	add_direction(l, u->inbound);
	add_endpoint(l, "src", &u->src);
	add_endpoint(l, "dst", &u->dst);
	add_endpoint(l, "new-src", &u->new_src);
	add_endpoint(l, "new-dst", &u->new_dst);
	if (u->encap)
		add(l, " encap");
}

static void add_migrate(struct line *l, const struct sslink_ike_rekey *r)
{
	unsigned int i;

	add(l, " ike %" PRIu32 " to %" PRIu32 " spis", r->old_id, r->new_id);
	for (i = 0; i < r->n_spis && i < SSLINK_SPIS_MAX; i++)
		add(l, " %08" PRIx32, r->spis[i]);
}

static void add_answer(struct line *l, const struct sslink_answer *a)
{
	add(l, " %s spi %08" PRIx32 " a %" PRIu64 " b %" PRIu64 " c %" PRIu64,
	    a->status < SSLINK_STATUS_MAX ? status_names[a->status] : "?", a->spi, a->a, a->b,
	    a->c);
}

static void add_order(struct line *l, const struct sslink_msg *m)
{
	switch (m->type) {
	case SSLINK_EXPIRE:
		add(l, " spi %08" PRIx32, m->expire.spi);
		add_direction(l, m->expire.inbound);
		add(l, m->expire.hard ? " hard" : " soft");
		add_addr(l, "dst", &m->expire.dst);
		break;
	case SSLINK_TERMINATE_IKE:
		add(l, " ike %" PRIu32 "%s", m->terminate.ike_id,
		    m->terminate.force ? " force" : "");
		break;
	case SSLINK_MAPPING:
		add(l, " spi %08" PRIx32, m->mapping.spi);
		add_endpoint(l, "local", &m->mapping.local);
		add_endpoint(l, "remote", &m->mapping.remote);
		break;
	default:
		break;
	}
}

static void add_body(struct line *l, const struct sslink_msg *m)
{
	switch (m->type) {
	case SSLINK_HELLO:
		add(l, " version %u instance %016" PRIx64 " pid %" PRIu32, m->hello.version,
		    m->hello.instance, m->hello.pid);
		break;
	case SSLINK_SYNC_END:
		add(l, " %" PRIu32, m->sync_end);
		break;
	case SSLINK_GET_SPI:
		add_addr(l, "src", &m->get_spi.src);
		add_addr(l, "dst", &m->get_spi.dst);
		add_ike(l, &m->get_spi.ike);
		break;
	case SSLINK_ADD_SA:
		add_add_sa(l, &m->add_sa);
		break;
	case SSLINK_UPDATE_SA:
		add_update_sa(l, &m->update_sa);
		break;
	case SSLINK_QUERY_SA:
	case SSLINK_DEL_SA:
	case SSLINK_DELETE_CHILD:
		add(l, " spi %08" PRIx32, m->sa_id.spi);
		add_direction(l, m->sa_id.inbound);
		add_addr(l, "dst", &m->sa_id.dst);
		break;
	case SSLINK_IKE_UP:
		add_ike(l, &m->ike_up);
		break;
	case SSLINK_IKE_DOWN:
		add(l, " ike %" PRIu32, m->ike_rekey.old_id);
		break;
	case SSLINK_IKE_REKEY:
		add(l, " ike %" PRIu32 " to %" PRIu32, m->ike_rekey.old_id, m->ike_rekey.new_id);
		break;
	case SSLINK_CHILDREN_MIGRATE:
		add_migrate(l, &m->ike_rekey);
		break;
	case SSLINK_CHILD_REKEY:
		add(l, " ike %" PRIu32 " spi %08" PRIx32 " to %08" PRIx32, m->child_rekey.ike_id,
		    m->child_rekey.old_spi_in, m->child_rekey.new_spi_in);
		break;
	case SSLINK_ANSWER:
		add_answer(l, &m->answer);
		break;
	default:
		add_order(l, m);
	}
}

const char *sslink_type_name(enum sslink_type t)
{
	if (t < SSLINK_HELLO || t >= SSLINK_TYPE_MAX)
		return "unknown";
	return type_names[t];
}

const char *sslink_describe(const struct sslink_msg *m, char *buf, size_t size)
{
	struct line l = {.buf = buf, .size = size};

	add(&l, "%s seq %" PRIu32, sslink_type_name(m->type), m->seq);
	add_body(&l, m);
	return buf;
}
