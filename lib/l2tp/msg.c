/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/avp.h"
#include "l2tp/hide.h"

#include <errno.h>
#include <string.h>

const char *l2tp_msg_error_name(enum l2tp_msg_error e)
{
	switch (e) {
	case L2TP_MSG_OK:
		return "ok";
	case L2TP_MSG_BAD_HEADER:
		return "bad header";
	case L2TP_MSG_BAD_LENGTH:
		return "bad length";
	case L2TP_MSG_BAD_VALUE:
		return "bad value";
	case L2TP_MSG_NO_TYPE:
		return "no message type";
	case L2TP_MSG_UNKNOWN_TYPE:
		return "unknown message type";
	case L2TP_MSG_UNKNOWN_MANDATORY:
		return "unknown mandatory avp";
	case L2TP_MSG_MISSING:
		return "missing avp";
	case L2TP_MSG_NO_SECRET:
		return "hidden avp without secret";
	case L2TP_MSG_NO_VECTOR:
		return "hidden avp without random vector";
	}
	return "unknown";
}

/* A reader that refuses to go beyond its end. */
struct cursor {
	const uint8_t *p, *end;
};

static bool take16(struct cursor *c, uint16_t *v)
{
	if (c->end - c->p < 2)
		return false;
	*v = l2tp_get16(c->p);
	c->p += 2;
	return true;
}

int l2tp_hdr_parse(const uint8_t *p, size_t len, struct l2tp_hdr *h)
{
	struct cursor c = {p, p + len};
	uint16_t flags, pad = 0;

	memset(h, 0, sizeof(*h));
	if (len > UINT16_MAX || !take16(&c, &flags))
		return -EPROTO;
	h->t = (flags & L2TP_HDR_T) != 0;
	h->l = (flags & L2TP_HDR_L) != 0;
	h->s = (flags & L2TP_HDR_S) != 0;
	h->o = (flags & L2TP_HDR_O) != 0;
	h->p = (flags & L2TP_HDR_P) != 0;
	h->ver = flags & L2TP_HDR_VER;
	h->length = (uint16_t)len;
	if (h->l && !take16(&c, &h->length))
		return -EPROTO;
	if (!take16(&c, &h->tunnel_id) || !take16(&c, &h->session_id))
		return -EPROTO;
	if (h->s && (!take16(&c, &h->ns) || !take16(&c, &h->nr)))
		return -EPROTO;
	if (h->o && !take16(&c, &pad))
		return -EPROTO;
	if (h->length > len || pad > c.end - c.p || (c.p - p) + pad > h->length)
		return -EPROTO;
	h->hdr_len = (uint16_t)((c.p - p) + pad);
	h->data_len = h->length - h->hdr_len;
	return 0;
}

/* One attribute as it stands on the wire. */
struct raw_avp {
	bool mandatory, hidden, reserved;
	uint16_t vendor, type;
	const uint8_t *v;
	size_t len;
};

struct parser {
	struct l2tp_msg *m;
	struct cursor c;
	struct l2tp_hide_key key; /* the secret, and the latest Random Vector */
	enum l2tp_msg_error err; /* the first one */
	uint16_t bad_avp;
};

static void fail(struct parser *ps, enum l2tp_msg_error err, uint16_t type)
{
	if (ps->err != L2TP_MSG_OK)
		return;
	ps->err = err;
	ps->bad_avp = type;
}

/* False at the end of the message, or when the lengths do not fit (4.1). */
static bool next_avp(struct parser *ps, struct raw_avp *a)
{
	struct cursor *c = &ps->c;
	size_t left = (size_t)(c->end - c->p);
	uint16_t flags;
	size_t len;

	if (left == 0)
		return false;
	if (left < L2TP_AVP_HDR) {
		fail(ps, L2TP_MSG_BAD_LENGTH, 0);
		return false;
	}
	flags = l2tp_get16(c->p);
	len = flags & L2TP_AVP_LENGTH;
	a->mandatory = (flags & L2TP_AVP_M) != 0;
	a->hidden = (flags & L2TP_AVP_H) != 0;
	a->reserved = (flags & L2TP_AVP_RESERVED) != 0;
	a->vendor = l2tp_get16(c->p + 2);
	a->type = l2tp_get16(c->p + 4);
	if (len < L2TP_AVP_HDR || len > left) {
		fail(ps, L2TP_MSG_BAD_LENGTH, a->type);
		return false;
	}
	a->v = c->p + L2TP_AVP_HDR;
	a->len = len - L2TP_AVP_HDR;
	c->p += len;
	return true;
}

/* An attribute that cannot be used: fatal when it is mandatory, else passed over (4.1). */
static void unusable(struct parser *ps, const struct raw_avp *a, enum l2tp_msg_error err)
{
	if (a->mandatory)
		fail(ps, err, a->type);
	else
		ps->m->n_ignored++;
}

/* Puts the plain value of a into scratch. NULL: it cannot be had, and that was dealt with. */
static const uint8_t *take_value(struct parser *ps, const struct raw_avp *a, size_t *len)
{
	struct l2tp_msg *m = ps->m;
	uint8_t *at = m->scratch + m->scratch_used;
	const uint8_t *value = at;

	if (a->len > sizeof(m->scratch) - m->scratch_used) {
		unusable(ps, a, L2TP_MSG_BAD_LENGTH);
		return NULL;
	}
	*len = a->len;
	if (!a->hidden) {
		memcpy(at, a->v, a->len);
	} else if (ps->key.secret_len == 0) {
		unusable(ps, a, L2TP_MSG_NO_SECRET);
		return NULL;
	} else if (ps->key.vector == NULL) {
		unusable(ps, a, L2TP_MSG_NO_VECTOR);
		return NULL;
	} else {
		/* The length inside came out of a cipher: with a wrong secret it is noise. */
		if (a->len < L2TP_HIDE_LEN ||
		    !l2tp_hide_crypt(false, a->type, &ps->key, a->v, at, a->len) ||
		    l2tp_get16(at) > a->len - L2TP_HIDE_LEN) {
			explicit_bzero(at, a->len);
			unusable(ps, a, L2TP_MSG_BAD_VALUE);
			return NULL;
		}
		*len = l2tp_get16(at);
		value = at + L2TP_HIDE_LEN;
	}
	m->scratch_used += (uint16_t)a->len;
	return value;
}

/*
 * Numbers that 4.4.3 and 4.4.4 forbid to be zero. A peer that ends a tunnel or call may never have
 * assigned an id.
 */
static bool forbidden_zero(const struct parser *ps, const struct l2tp_avp_def *d)
{
	bool ends = ps->m->type == L2TP_STOPCCN || ps->m->type == L2TP_CDN;
	uint16_t v;

	if ((d->traits & (L2TP_TRAIT_ID | L2TP_TRAIT_NONZ)) == 0)
		return false;
	memcpy(&v, (const uint8_t *)ps->m + d->offset, sizeof(v));
	return v == 0 && !((d->traits & L2TP_TRAIT_ID) != 0 && ends);
}

static void take_avp(struct parser *ps, const struct raw_avp *a)
{
	const struct l2tp_avp_def *d = a->vendor == 0 ? l2tp_avp_find(a->type) : NULL;
	struct l2tp_msg *m = ps->m;
	const uint8_t *value;
	size_t len;

	if (d == NULL || a->reserved) {
		unusable(ps, a, L2TP_MSG_UNKNOWN_MANDATORY);
		return;
	}
	if (d->kind == L2TP_KIND_VECTOR) {
		if (a->hidden || a->len < d->min) {
			unusable(ps, a, L2TP_MSG_BAD_VALUE);
			return;
		}
		ps->key.vector = a->v;
		ps->key.vector_len = a->len;
		m->has |= 1ull << d->type;
		return;
	}
	if (l2tp_msg_has(m, d->type))
		return;
	value = take_value(ps, a, &len);
	if (value == NULL)
		return;
	if (!l2tp_avp_store(d, value, len, m))
		unusable(ps, a, L2TP_MSG_BAD_VALUE);
	else if (forbidden_zero(ps, d))
		fail(ps, L2TP_MSG_BAD_VALUE, d->type);
	else
		m->has |= 1ull << d->type;
}

/* The Message Type comes first, in clear (4.4.1). False: no further attribute need be looked at. */
static bool take_type(struct parser *ps)
{
	const struct l2tp_avp_def *d = l2tp_avp_find(L2TP_AVP_MESSAGE_TYPE);
	struct l2tp_msg *m = ps->m;
	struct raw_avp a;

	if (!next_avp(ps, &a))
		return false;
	if (a.vendor != 0 || a.type != L2TP_AVP_MESSAGE_TYPE || a.reserved || a.hidden) {
		fail(ps, L2TP_MSG_NO_TYPE, a.type);
		/* It may be the id that the answer needs. */
		take_avp(ps, &a);
		return true;
	}
	if (!l2tp_avp_store(d, a.v, a.len, m)) {
		fail(ps, L2TP_MSG_BAD_VALUE, a.type);
		return true;
	}
	m->has |= 1ull << L2TP_AVP_MESSAGE_TYPE;
	m->type_mandatory = a.mandatory;
	if (l2tp_msg_known(m->type))
		return true;
	/* Type 0 is reserved (3.2) and must not pass for a ZLB, whatever its M bit says. */
	if (!a.mandatory && m->type != L2TP_ZLB)
		return false;
	fail(ps, L2TP_MSG_UNKNOWN_TYPE, a.type);
	return true;
}

static void check_required(struct parser *ps)
{
	uint64_t lacking = l2tp_msg_required(ps->m->type) & ~ps->m->has;

	if (lacking != 0)
		fail(ps, L2TP_MSG_MISSING, (uint16_t)__builtin_ctzll(lacking));
}

static bool control_header(const struct l2tp_hdr *h)
{
	return h->t && h->l && h->s && !h->o && !h->p && h->ver == L2TP_VERSION;
}

enum l2tp_msg_error l2tp_msg_parse(const uint8_t *pkt, size_t len, const uint8_t *secret,
                                   size_t secret_len, struct l2tp_msg *m, uint16_t *bad_avp)
{
	struct parser ps = {.m = m, .key = {.secret = secret, .secret_len = secret_len}};
	struct raw_avp a;

	memset(m, 0, offsetof(struct l2tp_msg, scratch));
	if (bad_avp != NULL)
		*bad_avp = 0;
	if (l2tp_hdr_parse(pkt, len, &m->hdr) != 0 || !control_header(&m->hdr))
		return L2TP_MSG_BAD_HEADER;
	if (m->hdr.data_len == 0)
		return L2TP_MSG_OK; /* m->type is L2TP_ZLB */
	if (m->hdr.length > L2TP_MSG_MAX)
		return L2TP_MSG_BAD_LENGTH;
	ps.c.p = pkt + m->hdr.hdr_len;
	ps.c.end = ps.c.p + m->hdr.data_len;
	/* After an error the rest is still read, for the ids with which to answer. */
	if (take_type(&ps)) {
		while (next_avp(&ps, &a))
			take_avp(&ps, &a);
		check_required(&ps);
	}
	if (bad_avp != NULL)
		*bad_avp = ps.bad_avp;
	return ps.err;
}
