/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Packets for tests, right or wrong as ordered. */
#include "dataplane/rig.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void put(struct bytes *d, const void *p, size_t n)
{
	if (n > 0)
		memcpy(d->b + d->len, p, n);
	d->len += n;
}

void put8(struct bytes *d, uint8_t v)
{
	d->b[d->len++] = v;
}

void put16(struct bytes *d, uint16_t v)
{
	put8(d, (uint8_t)(v >> 8));
	put8(d, (uint8_t)v);
}

void put32(struct bytes *d, uint32_t v)
{
	put16(d, (uint16_t)(v >> 16));
	put16(d, (uint16_t)v);
}

void hex_make(struct bytes *d, const char *hex)
{
	char two[3] = {0};

	d->len = 0;
	while (*hex != '\0') {
		if (isspace((unsigned char)*hex)) {
			hex++;
			continue;
		}
		memcpy(two, hex, 2);
		put8(d, (uint8_t)strtoul(two, NULL, 16));
		hex += 2;
	}
}

/* The plain sum of RFC 1071, for checks that do not lean on the code under test. */
static uint32_t sum16(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static uint32_t pseudo(const uint8_t *ip, uint16_t len)
{
	return sum16(ip + 12, 8, (uint32_t)ip[9] + len);
}

bool ip4_sum_right(const uint8_t *p)
{
	return sum16(p, (size_t)(p[0] & 15) * 4, 0) == 0xffff;
}

bool tcp_sum_right(const uint8_t *ip)
{
	uint16_t hl = (uint16_t)((ip[0] & 15) * 4), len = (uint16_t)(get_be16(ip + 2) - hl);

	return sum16(ip + hl, len, pseudo(ip, len)) == 0xffff;
}

void ip4_fix(struct bytes *d, size_t off)
{
	uint8_t *p = d->b + off;

	put_be16(p + 10, 0);
	put_be16(p + 10, (uint16_t)~sum16(p, (size_t)(p[0] & 15) * 4, 0));
}

void ip4_make(struct bytes *d, const struct ipspec *s)
{
	size_t off = d->len;

	put8(d, (uint8_t)(0x45 + s->n_options / 4));
	put8(d, 0);
	put16(d, (uint16_t)(20 + s->n_options + s->payload));
	put16(d, s->id);
	put16(d, s->frag);
	put8(d, s->ttl != 0 ? s->ttl : 64);
	put8(d, s->proto != 0 ? s->proto : 17);
	put16(d, 0);
	put32(d, s->src);
	put32(d, s->dst);
	put(d, s->options, s->n_options);
	for (uint16_t i = 0; i < s->payload; i++)
		put8(d, s->bytes != NULL ? s->bytes[i] : (uint8_t)(i * 7 + 3));
	ip4_fix(d, off);
}

void tcp_syn_make(struct bytes *d, uint32_t src, uint32_t dst, uint16_t mss, bool odd)
{
	struct bytes t = {0}, whole = {0};

	put16(&t, 40000);
	put16(&t, 80);
	put32(&t, 1);
	put32(&t, 0);
	put16(&t, 0x7002); /* 28 bytes of header, SYN */
	put16(&t, 65535);
	put32(&t, 0);
	if (odd)
		put8(&t, 1);
	put8(&t, 2);
	put8(&t, 4);
	put16(&t, mss);
	while (t.len < 28)
		put8(&t, 1);
	ip4_make(&whole, &(struct ipspec){.src = src,
	                                  .dst = dst,
	                                  .proto = 6,
	                                  .payload = (uint16_t)t.len,
	                                  .bytes = t.b});
	put_be16(whole.b + 36,
	         (uint16_t)~sum16(whole.b + 20, t.len, pseudo(whole.b, (uint16_t)t.len)));
	put(d, whole.b, whole.len);
}

void eth(struct bytes *d, uint16_t ifidx, uint16_t type)
{
	const struct dp_if_conf *c = &rig()->dp->ifs[ifidx].conf;
	const uint8_t from[6] = {2, 0xee, 0, 0, 0, 9};

	d->len = 0;
	put(d, c->mac, 6);
	put(d, from, 6);
	if (c->vlan != 0) {
		put16(d, 0x8100);
		put16(d, c->vlan);
	}
	put16(d, type);
}

void eth_ip4(struct bytes *d, uint16_t ifidx, const struct ipspec *s)
{
	eth(d, ifidx, 0x0800);
	ip4_make(d, s);
}

static void l2tp_header(struct bytes *d, const struct l2tpspec *s)
{
	size_t off = d->len;

	put16(d, s->flags);
	if (s->flags & 0x4000)
		put16(d, 0);
	put16(d, s->tid != 0 || s->zero_ids ? s->tid : TID);
	put16(d, s->sid != 0 || s->zero_ids ? s->sid : SID);
	if (s->flags & 0x0800) {
		put16(d, s->ns);
		put16(d, s->nr);
	}
	if (s->flags & 0x0200) {
		put16(d, s->offset);
		for (uint16_t i = 0; i < s->offset; i++)
			put8(d, 0xa5);
	}
	if (s->body != NULL)
		put(d, s->body->b, s->body->len);
	if (s->flags & 0x4000)
		put_be16(d->b + off + 2, (uint16_t)(d->len - off + (size_t)s->length_add));
}

void l2tp_make(struct bytes *d, const struct l2tpspec *s)
{
	struct bytes u = {0};
	size_t ip;
	uint16_t sum;

	put16(&u, s->sport != 0 ? s->sport : 1701);
	put16(&u, s->dport != 0 ? s->dport : 1701);
	put16(&u, 0);
	put16(&u, 0);
	l2tp_header(&u, s);
	put_be16(u.b + 4, (uint16_t)(u.len + (size_t)s->udp_add));
	eth(d, s->ifidx, 0x0800);
	ip = d->len;
	ip4_make(d, &(struct ipspec){.src = s->src != 0 ? s->src : LAC,
	                             .dst = s->dst != 0 ? s->dst : LNS,
	                             .id = s->ip_id,
	                             .payload = (uint16_t)u.len,
	                             .bytes = u.b});
	if (s->sum != SUM_NONE) {
		/* The UDP length counts here, not what follows the datagram. */
		uint16_t len = (uint16_t)(u.len + (size_t)s->udp_add);

		sum = (uint16_t)~sum16(d->b + ip + 20, len, pseudo(d->b + ip, len));
		put_be16(d->b + ip + 26, s->sum == SUM_WRONG ? sum ^ 0x5555 : sum);
	}
	for (uint16_t i = 0; i < s->pad; i++)
		put8(d, 0);
}

void ppp_make(struct bytes *d, const char *hex, const struct bytes *packet)
{
	hex_make(d, hex);
	if (packet != NULL)
		put(d, packet->b, packet->len);
}
