/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* bench_path: the frames that come in, and what must leave for them, byte for byte. */
#include "bench/path.h"
#include "dataplane/ip4.h"

#include <rte_ether.h>

#define ETH  RTE_ETHER_HDR_LEN
#define IP   sizeof(struct rte_ipv4_hdr)
#define UDP  sizeof(struct rte_udp_hdr)
#define L2TP 6

static const uint8_t lac_eth[12] = {2, 0, 0, 0, 0, 1, 2, 0xaa, 0, 0, 0, 0xfe};
static const uint8_t world_eth[12] = {2, 0, 0, 0, 0, 2, 2, 0xcc, 0, 0, 0, 0xfe};

/* ---- pieces ---- */

static uint8_t *eth_make(uint8_t *p, const uint8_t addresses[12], bool leaves)
{
	memcpy(p, addresses + (leaves ? 6 : 0), 6);
	memcpy(p + 6, addresses + (leaves ? 0 : 6), 6);
	put_be16(p + 12, RTE_ETHER_TYPE_IPV4);
	return p + ETH;
}

static uint8_t *ip_make(uint8_t *p, uint32_t src, uint32_t dst, uint8_t proto, uint8_t ttl,
                        uint16_t total, uint16_t id)
{
	const struct rte_ipv4_hdr ip = {
	        .version_ihl = RTE_IPV4_VHL_DEF,
	        .total_length = rte_cpu_to_be_16(total),
	        .packet_id = rte_cpu_to_be_16(id),
	        .time_to_live = ttl,
	        .next_proto_id = proto,
	        .src_addr = rte_cpu_to_be_32(src),
	        .dst_addr = rte_cpu_to_be_32(dst),
	};
	uint16_t sum;

	memcpy(p, &ip, sizeof(ip));
	sum = (uint16_t)~sum_fold(sum_bytes(p, sizeof(ip), 0));
	memcpy(p + offsetof(struct rte_ipv4_hdr, hdr_checksum), &sum, 2);
	return p + sizeof(ip);
}

/* The subscriber's packet, of the row's size; id tells packets apart. */
static void inner_make(uint8_t *p, const struct spec *s, uint32_t who, uint32_t id, uint8_t ttl)
{
	bool up = s->dir == UP;
	uint64_t x = (uint64_t)id << 32 | who;
	uint16_t i;

	p = ip_make(p, up ? sub_ip(who) : world_ip(who), up ? world_ip(who) : sub_ip(who),
	            IPPROTO_UDP, ttl, s->size, (uint16_t)id);
	for (i = IP; i + 8u <= s->size; i += 8, p += 8) {
		x = x * 0x5851f42d4c957f2dull + 0x14057b7ef767814full;
		memcpy(p, &x, 8);
	}
	memset(p, 0x5a, s->size - i);
}

static uint16_t ppp_len(const struct spec *s)
{
	return s->ff03 ? 4 : 2;
}

uint16_t l2tp_len(const struct spec *s)
{
	return (uint16_t)(UDP + L2TP + ppp_len(s) + s->size);
}

/* From the UDP header on; ids are those that the receiver knows. */
static void l2tp_make(uint8_t *p, const struct spec *s, uint32_t who, uint32_t id, uint8_t ttl)
{
	bool up = s->dir == UP;
	uint8_t *udp = p;

	put_be16(p, L2TP_PORT);
	put_be16(p + 2, L2TP_PORT);
	put_be16(p + 4, l2tp_len(s));
	put_be16(p + 6, 0);
	p += UDP;
	put_be16(p, 2);
	put_be16(p + 2, up ? sid_of(who) : peer_tid(who));
	put_be16(p + 4, up ? sid_of(who) : peer_sid(who));
	p += L2TP;
	if (s->ff03) {
		put_be16(p, 0xff03);
		p += 2;
	}
	put_be16(p, 0x0021);
	inner_make(p + 2, s, who, id, ttl);
	if (s->checksum)
		udp4_fill((void *)udp, l2tp_len(s), rte_cpu_to_be_32(up ? peer_ip(who) : LNS_IP),
		          rte_cpu_to_be_32(up ? LNS_IP : peer_ip(who)));
}

/* ---- what comes in ---- */

static void down_make(const struct spec *s, struct batch *b, const uint32_t *who, uint32_t serial)
{
	b->len = (uint16_t)(ETH + s->size);
	for (uint32_t i = 0; i < b->n; i++)
		inner_make(eth_make(frame_at(b->m[i]), world_eth, false), s, who[i], serial + i,
		           64);
}

static void up_plain_make(const struct spec *s, struct batch *b, const uint32_t *who,
                          uint32_t serial)
{
	uint16_t total = (uint16_t)(IP + l2tp_len(s));

	b->len = (uint16_t)(ETH + total);
	for (uint32_t i = 0; i < b->n; i++) {
		uint8_t *p = eth_make(frame_at(b->m[i]), lac_eth, false);

		p = ip_make(p, peer_ip(who[i]), LNS_IP, IPPROTO_UDP, 64, total,
		            (uint16_t)(serial + i));
		l2tp_make(p, s, who[i], serial + i, 64);
	}
}

/* Sequence numbers grow with every window; the peer's keys are not those that the path reads. */
static void up_esp_make(struct world *w, const struct spec *s, struct batch *b, const uint32_t *who,
                        uint32_t serial)
{
	struct esp_pkt v[ESP_BURST_MAX];

	for (uint32_t at = 0; at < b->n; at += ESP_BURST_MAX) {
		uint16_t n = (uint16_t)RTE_MIN(b->n - at, (uint32_t)ESP_BURST_MAX);

		for (uint16_t i = 0; i < n; i++) {
			struct esp_sa *sa = w->subs[who[at + i]].tx;
			uint8_t *p = frame_at(b->m[at + i]) + ETH + IP + esp_sa_head(sa);

			l2tp_make(p, s, who[at + i], serial + at + i, 64);
			v[i] = (struct esp_pkt){.sa = sa,
			                        .data = p,
			                        .len = l2tp_len(s),
			                        .next_header = IPPROTO_UDP};
		}
		esp_encrypt(w->peer, v, n);
		for (uint16_t i = 0; i < n; i++) {
			uint8_t *p = eth_make(frame_at(b->m[at + i]), lac_eth, false);
			uint16_t total = (uint16_t)(IP + v[i].len);

			if (v[i].status != ESP_OK)
				fail("A peer could not encrypt.");
			ip_make(p, peer_ip(who[at + i]), LNS_IP, IPPROTO_ESP, 64, total,
			        (uint16_t)(serial + at + i));
			b->len = (uint16_t)(ETH + total);
		}
	}
}

void frames_make(struct world *w, const struct spec *s, struct batch *b, const uint32_t *who,
                 uint32_t serial)
{
	if (s->dir == DOWN)
		down_make(s, b, who, serial);
	else if (s->suite == PLAIN)
		up_plain_make(s, b, who, serial);
	else
		up_esp_make(w, s, b, who, serial);
}

void frames_copy(struct batch *to, const struct batch *from)
{
	to->len = from->len;
	for (uint32_t i = 0; i < to->n; i++)
		memcpy(frame_at(to->m[i]), frame_at(from->m[i]), to->len);
}

uint8_t *text_at(const struct spec *s, const struct rte_mbuf *m)
{
	return frame_at(m) + ETH + s->size - l2tp_len(s);
}

void texts_make(struct world *w, const struct spec *s, struct batch *b, const uint32_t *who,
                uint32_t serial)
{
	const struct esp_sa *sa = w->subs[who[0]].ref_out;
	uint16_t text = l2tp_len(s),
	         pad = (uint16_t)((0u - (text + ESP_TRAILER)) & (sa->block - 1u));

	b->len = (uint16_t)(sa->head + text + pad + ESP_TRAILER + sa->icv_len);
	for (uint32_t i = 0; i < b->n; i++) {
		uint8_t *p = text_at(s, b->m[i]);

		l2tp_make(p, s, who[i], serial + i, 63);
		for (uint16_t k = 0; k < pad; k++)
			p[text + k] = (uint8_t)(k + 1);
		p[text + pad] = (uint8_t)pad;
		p[text + pad + 1] = IPPROTO_UDP;
	}
}

/* ---- what must leave ---- */

static void differ(const struct spec *s, uint32_t at)
{
	fail("A packet %s is wrong at byte %u (%s, %u bytes).", s->dir == UP ? "up" : "down", at,
	     suite_names[s->suite], s->size);
}

static void same(const struct spec *s, const uint8_t *got, const uint8_t *want, uint16_t len,
                 uint32_t at)
{
	for (uint16_t i = 0; i < len; i++) {
		if (got[i] != want[i])
			differ(s, at + i);
	}
}

/* The far end's own inbound SA, made for this packet. */
static void open_esp(struct world *w, const struct spec *s, uint8_t *esp, uint16_t len,
                     uint32_t who, const uint8_t *want)
{
	uint8_t keys[KEY_BYTES];
	struct esp_pkt p = {.data = esp, .len = len};
	struct esp_sa_conf c = {
	        .spi = w->subs[who].spi_out,
	        .inbound = true,
	        .suite = *suite_esp(w->suite),
	        .enc_key = keys,
	        .auth_key = keys + AUTH_KEY,
	        .enc_key_len = esp_suite_enc_key_len(suite_esp(w->suite)),
	        .auth_key_len = esp_suite_auth_key_len(suite_esp(w->suite)),
	};

	sub_keys(w, who, false, keys);
	p.sa = esp_sa_new(w->peer, &c);
	if (p.sa == NULL)
		fail("No memory for a security association.");
	esp_decrypt(w->peer, &p, 1);
	if (p.status != ESP_OK || p.len != l2tp_len(s) || p.next_header != IPPROTO_UDP)
		fail("A packet down does not decrypt: %s.", esp_status_name(p.status));
	same(s, p.data, want, p.len, (uint32_t)(p.data - esp));
	esp_sa_free(p.sa);
}

static void down_verify(struct world *w, const struct spec *s, const struct rte_mbuf *m,
                        uint32_t who, uint32_t id)
{
	const uint8_t *got = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t want[FRAME_MAX], copy[FRAME_MAX], *p;
	bool esp = s->suite != PLAIN;
	uint16_t total = (uint16_t)(m->data_len - ETH);

	if (m->data_len > FRAME_MAX || (!esp && total != IP + l2tp_len(s)))
		fail("A packet down has %u bytes.", m->data_len);
	p = eth_make(want, lac_eth, true);
	/* The outer id is the worker's to choose. */
	p = ip_make(p, LNS_IP, peer_ip(who), esp ? IPPROTO_ESP : IPPROTO_UDP, 64, total,
	            get_be16(got + ETH + 4));
	l2tp_make(p, s, who, id, 63);
	same(s, got, want, (uint16_t)(esp ? ETH + IP : m->data_len), 0);
	if (!esp)
		return;
	memcpy(copy, got, m->data_len);
	open_esp(w, s, copy + ETH + IP, (uint16_t)(total - IP), who, p);
}

void frame_verify(struct world *w, const struct spec *s, const struct rte_mbuf *m, uint32_t who,
                  uint32_t id)
{
	uint8_t want[FRAME_MAX];

	if (s->dir == DOWN) {
		down_verify(w, s, m, who, id);
		return;
	}
	if (m->data_len != ETH + s->size)
		fail("A packet up has %u bytes.", m->data_len);
	inner_make(eth_make(want, world_eth, true), s, who, id, 63);
	same(s, rte_pktmbuf_mtod(m, const uint8_t *), want, m->data_len, 0);
}
