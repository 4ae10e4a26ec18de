/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * ESP through the whole data plane. Four children of different suites and modes are known; the fuzzer's
 * bytes stand inside of a right ICV, so that it need not guess one, or make up the ESP packet alone, or
 * a datagram to port 4500; and between packets it orders rekeys, updates and messages. The input is a
 * list of records as in dp_packets: kind and flags, a length, the bytes.
 */
#include "dp_fuzz.h"

#include "esp/esp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define CHILDREN 4
#define ROOM     128
#define INNER    IP(192, 168, 7, 7)
#define NAT_PORT 6789

enum { OP_PACKET, OP_INNER, OP_L2TP, OP_DATA, OP_NAT, OP_DOWN, OP_ORDER, OP_TAMPER, OP_KINDS };
enum { DO_REKEY, DO_USE, DO_UPDATE, DO_UDP, DO_PPP, DO_LATCH, DO_EARLY, DO_KINDS };

#define FLAG_CHILD 0xc0

/* A child, its SAs and what the peer has of them. */
struct peer {
	struct dp_child c;
	uint32_t child;
	bool tunnel_mode, encap, by_hand;
	struct esp_suite suite;
	struct dp_sa in, out;
	dp_sa_id in_id, out_id;
	struct esp_sa *tx;
	uint32_t seq; /* by_hand */
	bool fired;
};

struct state {
	struct peer peer[CHILDREN];
	struct esp *engine;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct state *state(void)
{
	static struct state s;

	return &s;
}

/* ---- set-up ---- */

static const uint8_t key[64] = "sixty-four bytes of no secret at all, for all keys of the target";

static struct dp_sa sa_conf(const struct peer *p, uint32_t spi, bool inbound)
{
	return (struct dp_sa){
	        .spi = spi,
	        .child = p->child,
	        .inbound = inbound,
	        .tunnel_mode = p->tunnel_mode,
	        .encap = p->encap,
	        .local = {ipaddr_v4(LNS), 4500},
	        .peer = {ipaddr_v4(LAC), NAT_PORT},
	        .suite = p->suite,
	        .enc_key = key,
	        .auth_key = key,
	        .enc_key_len = esp_suite_enc_key_len(&p->suite),
	        .auth_key_len = esp_suite_auth_key_len(&p->suite),
	        .replay_window = 64,
	};
}

static void keys_make(struct state *s, struct peer *p)
{
	static uint32_t peer_spi = 0xc0000000;
	struct esp_sa_conf c = {.suite = p->suite, .enc_key = key, .auth_key = key};
	uint32_t spi;

	must(dp_spi_get(fuzz()->dp, p->c.worker, &spi) == 0, "spi");
	p->in = sa_conf(p, spi, true);
	p->out = sa_conf(p, peer_spi++, false);
	c.spi = spi;
	c.enc_key_len = p->in.enc_key_len;
	c.auth_key_len = p->in.auth_key_len;
	esp_sa_free(p->tx);
	p->tx = esp_sa_new(s->engine, &c);
	must(p->tx != NULL, "peer's sa");
	p->seq = 0;
}

static void install(struct peer *p)
{
	must(dp_sa_add(fuzz()->dp, &p->in, &p->in_id, NULL) == 0, "inbound sa");
	p->out.pair = p->in_id;
	must(dp_sa_add(fuzz()->dp, &p->out, &p->out_id, NULL) == 0, "outbound sa");
}

static void session_make(const struct peer *p, uint16_t i)
{
	struct dp_session s = {
	        .session_id = (uint16_t)(SID + i),
	        .tunnel_id = (uint16_t)(TID + i),
	        .peer_session_id = 7,
	        .peer_tunnel_id = 8,
	        .gen = 1,
	        .worker = p->c.worker,
	        .local = p->c.local,
	        .peer = p->c.peer,
	        .conn = p->c.conn,
	        .child = p->child,
	        .open = true,
	        .mtu = (uint16_t)(1500 - i * 300),
	        .length_bit = i & 1,
	        .peer_ip = SUB + i,
	};

	must(dp_tunnel_add(fuzz()->dp, s.tunnel_id, &s.local, &s.peer, s.conn) == 0, "tunnel");
	must(dp_session_add(fuzz()->dp, &s) == 0, "session");
}

static void child_make(struct state *s, uint16_t i)
{
	static const struct esp_suite suites[CHILDREN] = {
	        {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0},
	        {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16},
	        {ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 0},
	        {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0},
	};
	struct peer *p = &s->peer[i];

	*p = (struct peer){
	        .c = {.conn = 100u + i,
	              .worker = i & 1,
	              .local = {ipaddr_v4(LNS), 1701},
	              .peer = {ipaddr_v4(INNER), i == 2 ? 0 : 1701}},
	        .tunnel_mode = i == 1 || i == 3,
	        .encap = i == 1 || i == 2,
	        .by_hand = suites[i].cipher == ESP_NULL,
	        .suite = suites[i],
	};
	must(dp_child_add(fuzz()->dp, &p->c, &p->child) == 0, "child");
	p->c.peer.port = 1701;
	keys_make(s, p);
	install(p);
	session_make(p, i);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct state *s = state();
	char why[128];

	fuzz_start();
	s->engine = esp_new(why, sizeof(why));
	must(s->engine != NULL, "engine");
	for (uint16_t i = 0; i < CHILDREN; i++)
		child_make(s, i);
	turn(fuzz());
	return 0;
}

/* ---- packets ---- */

static void bytes(struct frame *f, const void *p, uint16_t n)
{
	memcpy(f->b + f->len, p, n);
	f->len += n;
}

/* NULL and HMAC-SHA1-96, with the trailer that the last two bytes say. */
static void by_hand(struct frame *esp, struct peer *p, const struct frame *inner)
{
	uint8_t mac[20];
	unsigned n = sizeof(mac);

	put16(esp, (uint16_t)(p->in.spi >> 16));
	put16(esp, (uint16_t)p->in.spi);
	p->seq++;
	put16(esp, (uint16_t)(p->seq >> 16));
	put16(esp, (uint16_t)p->seq);
	bytes(esp, inner->b, inner->len);
	must(HMAC(EVP_sha1(), key, p->in.auth_key_len, esp->b, esp->len, mac, &n) != NULL, "hmac");
	bytes(esp, mac, 12);
}

static void by_library(struct frame *esp, struct peer *p, const struct frame *inner, uint8_t next)
{
	uint8_t room[FRAME_MAX + 200 + 2 * ROOM] = {0};
	struct esp_pkt pkt = {
	        .sa = p->tx, .data = room + ROOM, .len = inner->len, .next_header = next};

	memcpy(pkt.data, inner->b, inner->len);
	esp_encrypt(state()->engine, &pkt, 1);
	must(pkt.status == ESP_OK, "encrypt");
	bytes(esp, pkt.data, pkt.len);
}

/* Padding as it should be, when the packet is made by hand and has none of the fuzzer's. */
static void trailer(struct frame *f, uint8_t next)
{
	uint8_t n = (uint8_t)((4 - (f->len + 2) % 4) % 4);

	for (uint8_t i = 1; i <= n; i++)
		bytes(f, &i, 1);
	bytes(f, &n, 1);
	bytes(f, &next, 1);
}

static void inner_headers(struct frame *f, const struct peer *p, uint8_t kind, uint16_t i,
                          uint16_t n)
{
	uint16_t extra = kind == OP_DATA ? 6 : 0;

	if (kind == OP_INNER)
		return;
	if (p->tunnel_mode)
		ip4(f, INNER, LNS, 17, 0, (uint16_t)(8 + extra + n));
	put16(f, 1701);
	put16(f, 1701);
	put16(f, (uint16_t)(8 + extra + n));
	put16(f, 0);
	if (kind == OP_DATA) {
		put16(f, 0x0002);
		put16(f, (uint16_t)(TID + i));
		put16(f, (uint16_t)(SID + i));
	}
}

/* An ESP packet around the bytes; OP_PACKET: they are all of it but the SPI. */
static void esp_make(struct frame *esp, uint8_t op, const uint8_t *b, uint16_t n)
{
	uint8_t kind = op % OP_KINDS, next = 17;
	uint16_t i = op >> 6;
	struct peer *p = &state()->peer[i];
	struct frame inner = {0};

	if (kind == OP_PACKET) {
		put16(esp, (uint16_t)(p->in.spi >> 16));
		put16(esp, (uint16_t)p->in.spi);
		bytes(esp, b, n);
		return;
	}
	if (kind == OP_TAMPER)
		kind = OP_DATA;
	inner_headers(&inner, p, kind, i, n);
	bytes(&inner, b, n);
	if (p->tunnel_mode)
		next = 4;
	if (p->by_hand && kind != OP_INNER)
		trailer(&inner, next);
	if (p->by_hand)
		by_hand(esp, p, &inner);
	else
		by_library(esp, p, &inner, next);
	if (op % OP_KINDS == OP_TAMPER && n > 0)
		esp->b[b[0] % esp->len] ^= (uint8_t)(n | 1);
}

static void put_esp(struct fuzz *fz, uint8_t op, const uint8_t *b, uint16_t n)
{
	bool encap = state()->peer[op >> 6].encap;
	struct frame f = {0}, esp = {0};

	if (op % OP_KINDS == OP_NAT) {
		encap = true;
		bytes(&esp, b, n);
	} else {
		esp_make(&esp, op, b, n);
	}
	eth(&f, op & (uint8_t)~FLAG_CORE);
	ip4(&f, LAC, LNS, encap ? 17 : 50, 0, (uint16_t)(esp.len + (encap ? 8 : 0)));
	if (encap) {
		put16(&f, op & FLAG_CORE ? 7777 : NAT_PORT); /* a NAT that moves */
		put16(&f, 4500);
		put16(&f, (uint16_t)(8 + esp.len));
		put16(&f, 0);
	}
	bytes(&f, esp.b, esp.len);
	deliver(fz, &f, op & (uint8_t)~FLAG_CORE, true);
}

static void put_down(struct fuzz *fz, uint8_t op, const uint8_t *b, uint16_t n)
{
	uint16_t frag = n >= 2 ? get_be16(b) & 0x7fff : 0;
	struct frame f = {0};

	eth(&f, (op | FLAG_CORE) & (uint8_t)~FLAG_VLAN);
	ip4(&f, WORLD, SUB + (op >> 6), 6, frag, n);
	bytes(&f, b, n);
	deliver(fz, &f, op | FLAG_CORE, false);
}

/* ---- orders ---- */

static void rekey(struct peer *p, bool early)
{
	dp_sa_id in = p->in_id, out = p->out_id;

	keys_make(state(), p);
	if (early) /* a packet that comes before the SA */
		put_esp(fuzz(), (uint8_t)((p - state()->peer) << 6 | OP_DATA), key, 20);
	if (early)
		turn(fuzz());
	install(p);
	must(dp_sa_del(fuzz()->dp, in, NULL) == 0 && dp_sa_del(fuzz()->dp, out, NULL) == 0, "del");
}

/* A child that has fired makes way for a new one. */
static void refill(struct peer *p)
{
	uint16_t i = (uint16_t)(p - state()->peer);
	struct dp *dp = fuzz()->dp;
	uint64_t ticket;

	must(dp_session_del(dp, (uint16_t)(SID + i), 1, &ticket) == 0, "session del");
	must(dp_sa_del(dp, p->in_id, NULL) == 0 && dp_sa_del(dp, p->out_id, NULL) == 0, "del");
	must(dp_child_del(dp, p->child) == 0, "child del");
	turn(fuzz());
	esp_sa_free(p->tx);
	child_make(state(), i);
}

static void order(uint8_t op, const uint8_t *b, uint16_t n)
{
	struct peer *p = &state()->peer[op >> 6];
	const struct endpoint outer = {ipaddr_v4(LAC), n > 1 ? b[1] + 1u : NAT_PORT};
	struct dp *dp = fuzz()->dp;

	switch (n > 0 ? b[0] % DO_KINDS : DO_USE) {
	case DO_REKEY:
		rekey(p, false);
		break;
	case DO_EARLY:
		rekey(p, true);
		break;
	case DO_USE:
		dp_sa_use(dp, p->out_id);
		break;
	case DO_UPDATE:
		dp_sa_update(dp, p->out_id, &p->out.local, &outer, p->encap);
		break;
	case DO_UDP:
		dp_send_udp(dp, &p->c.local, &p->c.peer, p->child, b, n);
		break;
	case DO_PPP:
		dp_send_ppp(dp, (uint16_t)(SID + (op >> 6)), 1, b, n);
		break;
	case DO_LATCH:
		if (p->fired)
			refill(p);
		else
			dp_child_latch(dp, p->child);
		p->fired = !p->fired;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data_in, size_t size)
{
	struct fuzz *f = fuzz();
	uint32_t n_records = 0;

	while (size >= 3 && n_records++ < 64) {
		uint16_t n = (uint16_t)RTE_MIN(
		        (size_t)(data_in[1] << 8 | data_in[2]) % (FRAME_MAX - 100), size - 3);

		if (data_in[0] % OP_KINDS == OP_DOWN)
			put_down(f, data_in[0], data_in + 3, n);
		else if (data_in[0] % OP_KINDS == OP_ORDER)
			order(data_in[0], data_in + 3, n);
		else
			put_esp(f, data_in[0], data_in + 3, n);
		data_in += 3 + n;
		size -= 3u + n;
	}
	turn(f);
	law(f->dp);
	dp_tick(f->dp, 0);
	return 0;
}
