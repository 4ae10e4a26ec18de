/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The other end of charon's link as sslink_control.c plays it: the socket, what control sends by it
 * and whether that was owed, and messages that are right but for the few bytes that choose their ids.
 */
#pragma once

#include "ctl_stub.h"
#include "l2tp/msg.h"

#include <netinet/in.h>

#define US    0xc0000201u
#define THEM  0xc000020bu
#define ASKED 8192
#define SPIS  16

struct fuzz {
	const uint8_t *at, *end;
	struct timerq q;
	struct ctl *c;
	uint64_t now;
	uint32_t random, seq;
	bool link, failed; /* failed: a send was; nothing more may come on this link */
	uint32_t asked[ASKED], n_asked; /* on this link, and not answered yet */
	uint32_t spi[SPIS], n_spi; /* the newest that were handed out */
	uint16_t tid, sid, ns, nr; /* of the peer's newest tunnel */
	uint16_t calls; /* session ids beyond those that an order can name */
	uint32_t child; /* .. and what carries it */
};

static uint8_t u8(struct fuzz *f)
{
	return f->at < f->end ? *f->at++ : 0;
}

/* ---- what control sends ---- */

static void owed(struct fuzz *f, uint32_t seq)
{
	uint32_t i = 0;

	while (i < f->n_asked && f->asked[i] != seq)
		i++;
	check(i < f->n_asked);
	f->asked[i] = f->asked[--f->n_asked];
}

static void told_spi(struct fuzz *f, uint32_t spi)
{
	uint8_t *at = spi_of(spi);

	check(at != NULL && *at == STUB_SPI_OUT);
	*at = STUB_SPI_TOLD;
	f->spi[f->n_spi++ % SPIS] = spi;
}

static int ike_send(void *ctx, const struct sslink_msg *m)
{
	struct fuzz *f = ctx;
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg again;
	int n = sslink_encode(m, buf, sizeof(buf));

	check(f->link && !f->failed && n > 0);
	check(sslink_decode(buf, (size_t)n, &again) == 0 && again.type == m->type);
	check(m->type >= SSLINK_ANSWER && (m->seq != 0) == (m->type == SSLINK_ANSWER));
	if (stub_fails(STUB_DEAF_CHARON)) {
		f->failed = true;
		return -EAGAIN;
	}
	if (m->type != SSLINK_ANSWER)
		return 0;
	owed(f, m->seq);
	if (m->answer.spi != 0)
		told_spi(f, m->answer.spi);
	return 0;
}

static void fill_random(void *ctx, uint8_t *buf, size_t len)
{
	struct fuzz *f = ctx;

	while (len-- > 0) {
		f->random = f->random * 1664525u + 1013904223u;
		*buf++ = (uint8_t)(f->random >> 24);
	}
}

/* ---- the link, as src/ike does it ---- */

static void link_down(struct fuzz *f)
{
	f->link = f->failed = false;
	f->n_asked = 0;
	ctl_ike_link_down(f->c, f->now);
}

static void link_up(struct fuzz *f)
{
	f->link = true;
	f->failed = false;
	f->n_asked = 0;
	ctl_ike_link_up(f->c, f->now);
}

static void rx(struct fuzz *f, const uint8_t *p, size_t len)
{
	struct sslink_msg m;
	struct sslink_ike *ike;
	int ret;

	if (!f->link || f->failed)
		return;
	ret = sslink_decode(p, len, &m);
	if (ret == 0) {
		ike = m.type == SSLINK_GET_SPI  ? &m.get_spi.ike
		      : m.type == SSLINK_ADD_SA ? &m.add_sa.ike
		      : m.type == SSLINK_IKE_UP ? &m.ike_up
		                                : NULL;
		if (ike != NULL)
			ike->connection[strcspn(ike->connection, "@")] = '\0';
		if (m.seq != 0 && m.type != SSLINK_ANSWER && f->n_asked < ASKED)
			f->asked[f->n_asked++] = m.seq;
		ctl_ike_rx(f->c, &m, f->now);
	} else {
		link_down(f);
	}
	sslink_wipe(&m, sizeof(m));
}

static void datagram(struct fuzz *f)
{
	size_t len = (size_t)u8(f) << 8;
	uint8_t *copy;

	len |= u8(f);
	if (len > (size_t)(f->end - f->at))
		len = (size_t)(f->end - f->at);
	/* A block of just this size, so that a read beyond it shows. */
	copy = malloc(len > 0 ? len : 1);
	memcpy(copy, f->at, len);
	f->at += len;
	rx(f, copy, len);
	free(copy);
}

/* ---- messages out of a few bytes ---- */

static void say(struct fuzz *f, struct sslink_msg *m, bool request)
{
	uint8_t buf[SSLINK_MSG_MAX];
	int n;

	m->seq = request ? ++f->seq : 0;
	n = sslink_encode(m, buf, sizeof(buf));
	check(n > 0);
	rx(f, buf, (size_t)n);
}

static void hello(struct fuzz *f, uint8_t instance)
{
	struct sslink_msg m = {
	        .type = SSLINK_HELLO,
	        .hello = {.version = SSLINK_VERSION, .instance = 1 + instance, .pid = 1},
	};

	say(f, &m, true);
}

static void sync_over(struct fuzz *f)
{
	struct sslink_msg m = {.type = SSLINK_SYNC_END};

	say(f, &m, true);
}

static struct sslink_ike ike_of(uint8_t id)
{
	struct sslink_ike e = {
	        .id = id % 8,
	        .version = id % 8 == 0 ? 0
	                   : id & 0x40 ? 1
	                               : 2,
	        .auth = SSLINK_AUTH_PSK,
	        .local = {ipaddr_v4(US), 500},
	        .remote = {ipaddr_v4(THEM), 500},
	};

	snprintf(e.connection, sizeof(e.connection), "%s", id & 0x80 ? "strict@1" : "lax");
	snprintf(e.remote_id, sizeof(e.remote_id), "client%u.example", id);
	return e;
}

/* One of those handed out, newest first; or one that never was. */
static uint32_t spi_in(const struct fuzz *f, uint8_t which)
{
	if (which >= f->n_spi || which >= SPIS)
		return spi_make(which, which % 4);
	return f->spi[(f->n_spi - 1 - which) % SPIS];
}

static uint32_t spi_of_pair(const struct fuzz *f, uint8_t which, bool inbound)
{
	return inbound ? spi_in(f, which) : 0x10000u + spi_in(f, which) % 0x8000u;
}

static void get_spi(struct fuzz *f, uint8_t ike)
{
	struct sslink_msg m = {
	        .type = SSLINK_GET_SPI,
	        .get_spi = {.ike = ike_of(ike), .src = ipaddr_v4(THEM), .dst = ipaddr_v4(US)},
	};

	say(f, &m, true);
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

static const struct {
	uint16_t enc, enc_len, auth, auth_len;
} suites[] = {
        {12, 16, 12, 32}, {12, 32, 2, 20}, {3, 24, 2, 20},    {11, 0, 13, 48},  {13, 20, 14, 64},
        {20, 36, 0, 0},   {18, 20, 0, 0},  {28, 36, 1024, 0}, {12, 80, 12, 80}, {20, 36, 12, 32},
};

/* Flags: 1 inbound, 2 resync, 4 encap, 8 tunnel mode, 16 lifetimes, 32 any port, 64 moved, 128 esn. */
static void add_sa(struct fuzz *f, uint8_t ike, uint8_t which, uint8_t flags, uint8_t how)
{
	const bool in = flags & 1;
	struct endpoint us = {ipaddr_v4(US), flags & 4 ? 4500 : 0};
	struct endpoint them = {ipaddr_v4(THEM + (flags & 64 ? 1 : 0)), flags & 4 ? 4500 : 0};
	const size_t s = how % (sizeof(suites) / sizeof(suites[0]));
	struct sslink_msg m = {
	        .type = SSLINK_ADD_SA,
	        .add_sa = {.ike = ike_of(ike),
	                   .spi = spi_of_pair(f, which, in),
	                   .inbound = in,
	                   .resync = flags & 2,
	                   .encap = flags & 4,
	                   .tunnel_mode = flags & 8,
	                   .esn = flags & 128,
	                   .src = in ? them : us,
	                   .dst = in ? us : them,
	                   .enc_alg = suites[s].enc,
	                   .auth_alg = suites[s].auth,
	                   .enc_key_len = suites[s].enc_len,
	                   .auth_key_len = suites[s].auth_len,
	                   .replay_window = in ? 32 : 0,
	                   .local_ts = selector(US, L2TP_PORT),
	                   .remote_ts = selector(THEM, flags & 32 ? 0 : L2TP_PORT + (how >> 6))},
	};

	if (flags & 16)
		m.add_sa.life = (struct sslink_lifetime){.soft_s = 60, .hard_s = 90};
	say(f, &m, true);
}

/* What charon does for a CHILD_SA. */
static void pair(struct fuzz *f, uint8_t ike, uint8_t flags, uint8_t how)
{
	get_spi(f, ike);
	add_sa(f, ike, 0, flags | 1, how);
	add_sa(f, ike, 0, flags & 0xfe, how);
}

static void update(struct fuzz *f, uint8_t which, uint8_t to)
{
	const bool in = to & 1;
	struct endpoint us = {ipaddr_v4(US), 4500}, them = {ipaddr_v4(THEM), 4500};
	struct endpoint moved = {ipaddr_v4(THEM + (to >> 1 & 3)), 4500 + (to >> 4)};
	struct sslink_msg m = {
	        .type = SSLINK_UPDATE_SA,
	        .update_sa = {.spi = spi_of_pair(f, which, in),
	                      .inbound = in,
	                      .encap = to & 8,
	                      .src = in ? them : us,
	                      .dst = in ? us : them,
	                      .new_src = in ? moved : us,
	                      .new_dst = in ? us : moved},
	};

	say(f, &m, true);
}

static void by_spi(struct fuzz *f, enum sslink_type type, uint8_t which, uint8_t flags)
{
	struct sslink_msg m = {
	        .type = type,
	        .sa_id = {.spi = spi_of_pair(f, which, flags & 1),
	                  .inbound = flags & 1,
	                  .dst = ipaddr_v4(flags & 1 ? US : THEM + (flags >> 1 & 3))},
	};

	say(f, &m, true);
}

static void ike_news(struct fuzz *f, uint8_t what, uint8_t a, uint8_t b)
{
	struct sslink_msg m = {.ike_rekey = {.old_id = a % 8, .new_id = 1 + b % 7}};

	switch (what % 6) {
	case 0:
		m = (struct sslink_msg){.type = SSLINK_IKE_UP, .ike_up = ike_of(a)};
		break;
	case 1:
		m.type = SSLINK_IKE_DOWN;
		m.ike_rekey.new_id = 0;
		break;
	case 2:
		m.type = SSLINK_IKE_REKEY;
		break;
	case 3:
		m.type = SSLINK_CHILDREN_MIGRATE;
		m.ike_rekey.n_spis = a >> 4 & 3;
		for (uint16_t i = 0; i < m.ike_rekey.n_spis; i++)
			m.ike_rekey.spis[i] = spi_in(f, (uint8_t)(b >> 4) + i);
		break;
	case 4:
		m = (struct sslink_msg){
		        .type = SSLINK_CHILD_REKEY,
		        .child_rekey = {a % 8, spi_in(f, a >> 4), spi_in(f, b % SPIS)},
		};
		break;
	default:
		m = (struct sslink_msg){.type = SSLINK_FLUSH_SAS};
		say(f, &m, true);
		return;
	}
	say(f, &m, false);
}
