/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/esp_rig.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 128 /* in front of and behind what is encrypted */

const struct esp_suite suite_gcm = {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16};
const struct esp_suite suite_cbc = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0};
const struct esp_suite suite_null = {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0};

/* Keys of one direction: told apart by the SPI. */
static const uint8_t *key_of(uint32_t spi, uint8_t salt)
{
	static uint8_t keys[1024][64];
	static unsigned next;
	uint8_t *k = keys[next++ % 1024];

	for (unsigned i = 0; i < 64; i++)
		k[i] = (uint8_t)(spi >> (i % 4 * 8)) ^ (uint8_t)(i * 37 + salt);
	return k;
}

struct esp *peer_engine(void)
{
	static struct esp *e;
	char why[128];

	if (e == NULL)
		e = esp_new(why, sizeof(why));
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	return e;
}

/* ---- both ends ---- */

void peer_init(struct peer *p)
{
	*p = (struct peer){
	        .c = {.conn = CONN,
	              .worker = rig()->owner,
	              .local = {ipaddr_v4(LNS), 1701},
	              .peer = {ipaddr_v4(PEER_INNER), 1701}},
	        .outer_ip = LAC,
	        .outer_port = PEER_NAT,
	        .suite = suite_gcm,
	};
}

void peer_add(struct peer *p)
{
	CU_ASSERT_EQUAL_FATAL(dp_child_add(rig()->dp, &p->c, &p->child), 0);
}

static struct dp_sa our_sa(const struct peer *p, uint32_t spi, bool inbound)
{
	return (struct dp_sa){
	        .spi = spi,
	        .child = p->child,
	        .inbound = inbound,
	        .tunnel_mode = p->tunnel_mode,
	        .encap = p->encap,
	        .local = {ipaddr_v4(LNS), 4500},
	        .peer = {ipaddr_v4(p->outer_ip), p->outer_port},
	        .suite = p->suite,
	        .enc_key = key_of(spi, 1),
	        .auth_key = key_of(spi, 2),
	        .enc_key_len = esp_suite_enc_key_len(&p->suite),
	        .auth_key_len = esp_suite_auth_key_len(&p->suite),
	        .esn = p->esn,
	        .replay_window = inbound ? 64 : 0,
	};
}

static struct esp_sa *their_sa(const struct dp_sa *ours)
{
	const struct esp_sa_conf c = {
	        .spi = ours->spi,
	        .inbound = !ours->inbound,
	        .suite = ours->suite,
	        .enc_key = ours->enc_key,
	        .auth_key = ours->auth_key,
	        .enc_key_len = ours->enc_key_len,
	        .auth_key_len = ours->auth_key_len,
	        .esn = ours->esn,
	        .replay_window = ours->inbound ? 0 : 64,
	};
	struct esp_sa *sa = esp_sa_new(peer_engine(), &c);

	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	return sa;
}

void pair_make(struct pair *q, const struct peer *p)
{
	static uint32_t peer_spi = 0xc0000001;
	uint32_t spi;

	CU_ASSERT_EQUAL_FATAL(dp_spi_get(rig()->dp, p->c.worker, &spi), 0);
	*q = (struct pair){.in = our_sa(p, spi, true), .out = our_sa(p, peer_spi++, false)};
	q->tx = their_sa(&q->in);
	q->rx = their_sa(&q->out);
}

void pair_in(struct pair *q)
{
	CU_ASSERT_EQUAL_FATAL(dp_sa_add(rig()->dp, &q->in, &q->in_id, NULL), 0);
	CU_ASSERT_NOT_EQUAL(q->in_id, 0);
}

void pair_out(struct pair *q)
{
	q->out.pair = q->in_id;
	CU_ASSERT_EQUAL_FATAL(dp_sa_add(rig()->dp, &q->out, &q->out_id, NULL), 0);
}

void pair_up(struct pair *q, const struct peer *p)
{
	pair_make(q, p);
	pair_in(q);
	pair_out(q);
	rig_turn();
}

void pair_free(struct pair *q)
{
	esp_sa_free(q->tx);
	esp_sa_free(q->rx);
}

void pair_del(struct pair *q)
{
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, q->in_id, NULL), 0);
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, q->out_id, NULL), 0);
}

struct dp_session peer_session(const struct peer *p)
{
	struct dp_session s = *rig_session();

	s.worker = p->c.worker;
	s.conn = p->c.conn;
	s.child = p->child;
	s.local = p->c.local;
	s.peer = p->c.peer;
	s.udp_checksum = false;
	return s;
}

/* ---- what the peer sends ---- */

void peer_message(struct bytes *d, const struct peer *p, const struct l2tpspec *s)
{
	struct l2tpspec spec = *s;
	size_t cut = p->tunnel_mode ? FRAME_IP : FRAME_UDP;
	struct bytes frame = {0};

	if (spec.src == 0)
		spec.src = PEER_INNER;
	l2tp_make(&frame, &spec);
	d->len = 0;
	put(d, frame.b + cut, frame.len - cut);
}

void peer_data(struct bytes *d, const struct peer *p, uint32_t dst, struct bytes *packet)
{
	struct bytes own = {0}, body = {0};

	if (packet == NULL)
		packet = &own;
	packet->len = 0;
	ip4_make(packet, &(struct ipspec){.src = SUB, .dst = dst, .id = 5, .payload = 40});
	ppp_make(&body, "ff030021", packet);
	peer_message(d, p, &(struct l2tpspec){.flags = 2, .body = &body});
}

void peer_esp(struct bytes *esp, const struct peer *p, struct pair *q, const struct bytes *inner)
{
	struct esp_pkt pkt = {.sa = q->tx,
	                      .data = esp->b + ROOM,
	                      .len = (uint16_t)inner->len,
	                      .next_header = p->tunnel_mode ? IPPROTO_IPIP : IPPROTO_UDP};

	memcpy(esp->b + ROOM, inner->b, inner->len);
	esp_encrypt(peer_engine(), &pkt, 1);
	CU_ASSERT_EQUAL_FATAL(pkt.status, ESP_OK);
	memmove(esp->b, pkt.data, pkt.len);
	esp->len = pkt.len;
}

void peer_wrap(struct bytes *frame, const struct peer *p, const struct bytes *esp)
{
	struct bytes u = {0};

	if (p->encap) {
		put16(&u, p->outer_port);
		put16(&u, 4500);
		put16(&u, (uint16_t)(8 + esp->len));
		put16(&u, 0);
	}
	put(&u, esp->b, esp->len);
	eth_ip4(frame, IF_LAC,
	        &(struct ipspec){.src = p->outer_ip,
	                         .dst = LNS,
	                         .proto = p->encap ? IPPROTO_UDP : IPPROTO_ESP,
	                         .id = 77,
	                         .payload = (uint16_t)u.len,
	                         .bytes = u.b});
}

void peer_put(const struct peer *p, struct pair *q, const struct bytes *inner)
{
	struct bytes esp = {0}, frame = {0};

	peer_esp(&esp, p, q, inner);
	peer_wrap(&frame, p, &esp);
	rig_put(0, 0, &frame);
}

void peer_put_data(const struct peer *p, struct pair *q, uint32_t dst)
{
	struct bytes inner = {0};

	peer_data(&inner, p, dst, NULL);
	peer_put(p, q, &inner);
}

void peer_put_down(void)
{
	struct bytes frame;

	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
	rig_put(1, 0, &frame);
}

void peer_up(struct peer *p, struct pair *q)
{
	struct dp_session s;

	peer_add(p);
	pair_up(q, p);
	s = peer_session(p);
	rig_add(&s);
	rig_clear();
	rig_mark();
}

/* ---- what the peer gets ---- */

static size_t outer_check(const struct bytes *f, const struct peer *p)
{
	const uint8_t *ip = f->b + FRAME_IP;

	CU_ASSERT_EQUAL(memcmp(f->b, "\x02\xaa\0\0\0\x10\x02\0\0\0\0\x01\x08\x00", 14), 0);
	CU_ASSERT_EQUAL(ip[0], 0x45);
	CU_ASSERT_EQUAL(get_be16(ip + 2), f->len - FRAME_IP);
	CU_ASSERT_EQUAL(get_be16(ip + 6), 0);
	CU_ASSERT_EQUAL(ip[8], 64);
	CU_ASSERT_TRUE(ip4_sum_right(ip));
	CU_ASSERT_EQUAL(get_be32(ip + 12), LNS);
	CU_ASSERT_EQUAL(get_be32(ip + 16), p->outer_ip);
	CU_ASSERT_EQUAL(ip[9], p->encap ? IPPROTO_UDP : IPPROTO_ESP);
	if (!p->encap)
		return FRAME_UDP;
	CU_ASSERT_EQUAL(get_be16(ip + 20), 4500);
	CU_ASSERT_EQUAL(get_be16(ip + 22), p->outer_port);
	CU_ASSERT_EQUAL(get_be16(ip + 24), f->len - FRAME_UDP);
	CU_ASSERT_EQUAL(get_be16(ip + 26), 0); /* RFC 3948 2.1 */
	return FRAME_UDP + 8;
}

static void tunnel_check(const struct bytes *ip, const struct peer *p)
{
	CU_ASSERT_EQUAL(get_be16(ip->b + 2), ip->len);
	CU_ASSERT_TRUE(ip4_sum_right(ip->b));
	CU_ASSERT_EQUAL(ip->b[9], IPPROTO_UDP);
	CU_ASSERT_EQUAL(get_be32(ip->b + 12), LNS);
	CU_ASSERT_EQUAL(get_be32(ip->b + 16), PEER_INNER);
}

void peer_opens(const struct bytes *frame, const struct peer *p, struct pair *q,
                struct bytes *inner)
{
	struct bytes esp = {0};
	size_t off = outer_check(frame, p);
	struct esp_pkt pkt = {.sa = q->rx};

	put(&esp, frame->b + off, frame->len - off);
	pkt.data = esp.b;
	pkt.len = (uint16_t)esp.len;
	esp_decrypt(peer_engine(), &pkt, 1);
	CU_ASSERT_EQUAL_FATAL(pkt.status, ESP_OK);
	CU_ASSERT_EQUAL(pkt.next_header, p->tunnel_mode ? IPPROTO_IPIP : IPPROTO_UDP);
	inner->len = 0;
	put(inner, pkt.data, pkt.len);
	if (p->tunnel_mode) {
		tunnel_check(inner, p);
		inner->len -= 20;
		memmove(inner->b, inner->b + 20, inner->len);
	}
	CU_ASSERT_EQUAL(get_be16(inner->b), 1701);
	CU_ASSERT_EQUAL(get_be16(inner->b + 2), p->c.peer.port);
	CU_ASSERT_EQUAL(get_be16(inner->b + 4), inner->len);
}

uint16_t peer_opens_nr(uint32_t i, const struct peer *p, struct pair *q, struct bytes *inner)
{
	CU_ASSERT_FATAL(i < rig()->n_frames);
	CU_ASSERT_EQUAL(rig()->frames[i].port, 0);
	peer_opens(&rig()->frames[i].d, p, q, inner);
	return get_be16(inner->b + 8);
}

/* ---- what control hears and sees ---- */

uint32_t events(dp_sa_id id, enum dp_sa_event e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rig()->n_punts; i++) {
		const struct dp_punt *p = &rig()->punts[i].p;

		n += p->class == DP_PUNT_SA && p->sa == id && p->sa_event == e;
	}
	return n;
}

struct dp_sa_stats sa_stats(dp_sa_id id)
{
	struct dp_sa_stats st = {0};

	CU_ASSERT_EQUAL(dp_sa_stats(rig()->dp, id, &st), 0);
	return st;
}
