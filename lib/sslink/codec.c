/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * One function a structure walks its fields, for reading and for writing alike, so that the two
 * cannot differ. Every value has one form on the wire: what decodes encodes to the same bytes.
 */
#include "sslink/sslink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Header: version 16 bits, type 16, length of the whole message 16, seq 32. */
#define HEADER_LEN 10
#define TYPE_AT    2

/* A message being read or written. Once err is set, nothing more is read, written or stored. */
struct io {
	uint8_t *p; /* not written to when decoding */
	size_t at, size;
	bool decode;
	int err;
};

static void refuse(struct io *io)
{
	if (io->err == 0)
		io->err = -EINVAL;
}

static uint8_t *take(struct io *io, size_t n)
{
	uint8_t *p = io->p + io->at;

	if (io->err != 0)
		return NULL;
	if (io->size - io->at < n) {
		io->err = io->decode ? -EINVAL : -EMSGSIZE;
		return NULL;
	}
	io->at += n;
	return p;
}

/* Writes v, or returns what was read; 0 after an error. */
static uint64_t number(struct io *io, uint64_t v, unsigned int bytes)
{
	uint8_t *p = take(io, bytes);
	uint64_t r = 0;
	unsigned int i;

	if (p == NULL)
		return 0;
	for (i = 0; i < bytes; i++) {
		if (io->decode)
			r = r << 8 | p[i];
		else
			p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	}
	return io->decode ? r : v;
}

/* A message that is encoded may be a constant: store only when decoding. */
static void io_u8(struct io *io, uint8_t *v)
{
	uint64_t r = number(io, *v, 1);

	if (io->decode)
		*v = (uint8_t)r;
}

static void io_u16(struct io *io, uint16_t *v)
{
	uint64_t r = number(io, *v, 2);

	if (io->decode)
		*v = (uint16_t)r;
}

static void io_u32(struct io *io, uint32_t *v)
{
	uint64_t r = number(io, *v, 4);

	if (io->decode)
		*v = (uint32_t)r;
}

static void io_u64(struct io *io, uint64_t *v)
{
	uint64_t r = number(io, *v, 8);

	if (io->decode)
		*v = r;
}

static void io_bool(struct io *io, bool *v)
{
	uint64_t r = number(io, *v, 1);

	if (r > 1)
		refuse(io);
	else if (io->decode)
		*v = r != 0;
}

static void io_bytes(struct io *io, uint8_t *v, size_t n)
{
	uint8_t *p = take(io, n);

	if (p == NULL)
		return;
	if (io->decode)
		memcpy(v, p, n);
	else
		memcpy(p, v, n);
}

/* A counted string without its NUL. Control characters would reach logs and terminals. */
static void io_text(struct io *io, char *v, size_t size)
{
	size_t i, n = io->decode ? 0 : strnlen(v, size);

	n = number(io, n, 2);
	if (n >= size) {
		refuse(io);
		return;
	}
	io_bytes(io, (uint8_t *)v, n);
	if (io->err != 0)
		return;
	if (io->decode)
		v[n] = '\0';
	for (i = 0; i < n; i++) {
		if ((unsigned char)v[i] < ' ' || v[i] == 0x7f)
			refuse(io);
	}
}

static void io_key(struct io *io, uint16_t *len, uint8_t *key)
{
	io_u16(io, len);
	if (*len > SSLINK_KEY_MAX)
		refuse(io);
	else
		io_bytes(io, key, *len);
}

/* The family is 0, 4 or 6 on the wire, and says how many bytes follow. */
static void io_addr(struct io *io, struct ipaddr *a)
{
	uint64_t family = a->family == AF_INET ? 4 : a->family == AF_INET6 ? 6 : 0;

	if (!io->decode && family == 0 && a->family != 0)
		refuse(io);
	family = number(io, family, 1);
	if (family == 4) {
		if (io->decode)
			a->family = AF_INET;
		io_bytes(io, a->b, 4);
	} else if (family == 6) {
		if (io->decode)
			a->family = AF_INET6;
		io_bytes(io, a->b, 16);
	} else if (family != 0) {
		refuse(io);
	}
}

static void io_endpoint(struct io *io, struct endpoint *e)
{
	io_addr(io, &e->addr);
	io_u16(io, &e->port);
}

static void io_ts(struct io *io, struct sslink_ts *ts)
{
	io_addr(io, &ts->first);
	io_addr(io, &ts->last);
	io_u8(io, &ts->proto);
	io_u16(io, &ts->port_first);
	io_u16(io, &ts->port_last);
	if (ts->first.family != ts->last.family || ts->port_first > ts->port_last)
		refuse(io);
	if (ts->first.family != 0 &&
	    memcmp(ts->first.b, ts->last.b, ts->first.family == AF_INET6 ? 16 : 4) > 0)
		refuse(io);
}

static void io_ike(struct io *io, struct sslink_ike *ike)
{
	io_u32(io, &ike->id);
	io_u8(io, &ike->version);
	io_u8(io, &ike->auth);
	io_endpoint(io, &ike->local);
	io_endpoint(io, &ike->remote);
	io_text(io, ike->connection, sizeof(ike->connection));
	io_text(io, ike->remote_id, sizeof(ike->remote_id));
	if (ike->version > 2 || (ike->version == 0) != (ike->id == 0) ||
	    ike->auth > SSLINK_AUTH_EAP)
		refuse(io);
}

static void io_hello(struct io *io, struct sslink_hello *h)
{
	/* The version stands in the header: it is what a newer end can still read. */
	if (!io->decode && h->version == 0)
		refuse(io);
	io_u64(io, &h->instance);
	io_u32(io, &h->pid);
	if (io->decode)
		h->version = SSLINK_VERSION;
}

static void io_add_sa(struct io *io, struct sslink_add_sa *a)
{
	io_ike(io, &a->ike);
	io_u32(io, &a->spi);
	io_bool(io, &a->inbound);
	io_bool(io, &a->resync);
	io_bool(io, &a->encap);
	io_bool(io, &a->esn);
	io_bool(io, &a->tunnel_mode);
	io_bool(io, &a->update);
	io_endpoint(io, &a->src);
	io_endpoint(io, &a->dst);
	io_u16(io, &a->enc_alg);
	io_u16(io, &a->auth_alg);
	io_key(io, &a->enc_key_len, a->enc_key);
	io_key(io, &a->auth_key_len, a->auth_key);
	io_u32(io, &a->replay_window);
	io_u32(io, &a->reqid);
	io_u64(io, &a->life.soft_s);
	io_u64(io, &a->life.hard_s);
	io_u64(io, &a->life.soft_bytes);
	io_u64(io, &a->life.hard_bytes);
	io_u64(io, &a->life.soft_packets);
	io_u64(io, &a->life.hard_packets);
	io_ts(io, &a->local_ts);
	io_ts(io, &a->remote_ts);
}

static void io_update_sa(struct io *io, struct sslink_update_sa *u)
{
	io_u32(io, &u->spi);
	io_bool(io, &u->inbound);
	io_bool(io, &u->encap);
	io_endpoint(io, &u->src);
	io_endpoint(io, &u->dst);
	io_endpoint(io, &u->new_src);
	io_endpoint(io, &u->new_dst);
}

static void io_sa_id(struct io *io, struct sslink_sa_id *id)
{
	io_u32(io, &id->spi);
	io_bool(io, &id->inbound);
	io_addr(io, &id->dst);
}

static void io_ike_rekey(struct io *io, struct sslink_ike_rekey *r, enum sslink_type type)
{
	unsigned int i;

	io_u32(io, &r->old_id);
	io_u32(io, &r->new_id);
	io_u16(io, &r->n_spis);
	if (r->n_spis > SSLINK_SPIS_MAX || (type != SSLINK_CHILDREN_MIGRATE && r->n_spis != 0) ||
	    (type == SSLINK_IKE_DOWN) != (r->new_id == 0)) {
		refuse(io);
		return;
	}
	for (i = 0; i < r->n_spis && io->err == 0; i++)
		io_u32(io, &r->spis[i]);
}

static void io_answer(struct io *io, struct sslink_answer *a)
{
	io_u8(io, &a->status);
	io_u32(io, &a->spi);
	io_u64(io, &a->a);
	io_u64(io, &a->b);
	io_u64(io, &a->c);
	if (a->status >= SSLINK_STATUS_MAX)
		refuse(io);
}

static void io_expire(struct io *io, struct sslink_expire *e)
{
	io_u32(io, &e->spi);
	io_bool(io, &e->inbound);
	io_bool(io, &e->hard);
	io_addr(io, &e->dst);
}

static void io_mapping(struct io *io, struct sslink_mapping *m)
{
	io_u32(io, &m->spi);
	io_endpoint(io, &m->local);
	io_endpoint(io, &m->remote);
}

static void io_body(struct io *io, struct sslink_msg *m)
{
	switch (m->type) {
	case SSLINK_HELLO:
		io_hello(io, &m->hello);
		break;
	case SSLINK_SYNC_END:
		io_u32(io, &m->sync_end);
		break;
	case SSLINK_GET_SPI:
		io_ike(io, &m->get_spi.ike);
		io_addr(io, &m->get_spi.src);
		io_addr(io, &m->get_spi.dst);
		break;
	case SSLINK_ADD_SA:
		io_add_sa(io, &m->add_sa);
		break;
	case SSLINK_UPDATE_SA:
		io_update_sa(io, &m->update_sa);
		break;
	case SSLINK_QUERY_SA:
	case SSLINK_DEL_SA:
	case SSLINK_DELETE_CHILD:
		io_sa_id(io, &m->sa_id);
		break;
	case SSLINK_FLUSH_SAS:
		break;
	case SSLINK_IKE_UP:
		io_ike(io, &m->ike_up);
		break;
	case SSLINK_IKE_DOWN:
	case SSLINK_IKE_REKEY:
	case SSLINK_CHILDREN_MIGRATE:
		io_ike_rekey(io, &m->ike_rekey, m->type);
		break;
	case SSLINK_CHILD_REKEY:
		io_u32(io, &m->child_rekey.ike_id);
		io_u32(io, &m->child_rekey.old_spi_in);
		io_u32(io, &m->child_rekey.new_spi_in);
		break;
	case SSLINK_ANSWER:
		io_answer(io, &m->answer);
		break;
	case SSLINK_EXPIRE:
		io_expire(io, &m->expire);
		break;
	case SSLINK_TERMINATE_IKE:
		io_u32(io, &m->terminate.ike_id);
		io_bool(io, &m->terminate.force);
		break;
	case SSLINK_MAPPING:
		io_mapping(io, &m->mapping);
		break;
	default:
		refuse(io);
	}
}

/* Requests and their answers are numbered, events and orders are not. */
static bool numbered(enum sslink_type t)
{
	return t <= SSLINK_FLUSH_SAS || t == SSLINK_ANSWER;
}

static bool known(uint64_t type)
{
	return type >= SSLINK_HELLO && type < SSLINK_TYPE_MAX;
}

static int other_version(const struct io *io, uint16_t version, struct sslink_msg *out)
{
	uint16_t type = (uint16_t)(io->p[TYPE_AT] << 8 | io->p[TYPE_AT + 1]);

	/* Only these two fields have the same place in every version. */
	out->type = known(type) ? (enum sslink_type)type : 0;
	if (out->type == SSLINK_HELLO)
		out->hello.version = version;
	return -EPROTONOSUPPORT;
}

int sslink_decode(const uint8_t *p, size_t len, struct sslink_msg *out)
{
	struct io io = {.p = (uint8_t *)p, .size = len, .decode = true};
	uint64_t type, length;
	uint16_t version;

	memset(out, 0, sizeof(*out));
	if (len < HEADER_LEN)
		return -EINVAL;
	version = (uint16_t)number(&io, 0, 2);
	if (version != SSLINK_VERSION)
		return other_version(&io, version, out);
	type = number(&io, 0, 2);
	length = number(&io, 0, 2);
	if (!known(type) || length != len || length > SSLINK_MSG_MAX)
		return -EINVAL;
	out->type = (enum sslink_type)type;
	io_u32(&io, &out->seq);
	if (numbered(out->type) != (out->seq != 0))
		refuse(&io);
	io_body(&io, out);
	if (io.at != len)
		refuse(&io);
	if (io.err != 0)
		sslink_wipe(out, sizeof(*out));
	return io.err;
}

int sslink_encode(const struct sslink_msg *m, uint8_t *buf, size_t size)
{
	struct io io = {.p = buf, .size = size < SSLINK_MSG_MAX ? size : SSLINK_MSG_MAX};
	struct io head = io;

	if (!known(m->type) || numbered(m->type) != (m->seq != 0))
		return -EINVAL;
	take(&io, HEADER_LEN);
	io_body(&io, (struct sslink_msg *)m);
	if (io.err != 0) {
		sslink_wipe(buf, size);
		return io.err;
	}
	number(&head, m->type == SSLINK_HELLO ? m->hello.version : SSLINK_VERSION, 2);
	number(&head, m->type, 2);
	number(&head, io.at, 2);
	number(&head, m->seq, 4);
	return (int)io.at;
}

void sslink_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}
