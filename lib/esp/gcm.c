/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * AES-GCM (RFC 4106). The multi-buffer library has nothing for several packets of it at a time, so a
 * packet is done from its header to its padding before the next one is looked at.
 */
#include "esp/packet.h"

#define IV_LEN 8
#define LONG   512 /* bytes, and more: a packet of which more lines are fetched */

/* Salt, IV as it stands in the packet, and a counter that the cipher sets itself: as two words. */
static inline void nonce_make(uint8_t *nonce, const struct esp_sa *sa, uint64_t iv)
{
	uint64_t front, back = iv >> 32 | 1ull << 56;
	uint32_t salt;

	memcpy(&salt, sa->salt, sizeof(salt));
	front = iv << 32 | salt;
	memcpy(nonce, &front, sizeof(front));
	memcpy(nonce + 8, &back, sizeof(back));
}

/* With 32-bit numbers the header itself is the AAD; else the high half comes between (RFC 4106 5). */
static inline const uint8_t *aad_make(uint8_t *aad, const struct esp_sa *sa, const uint8_t *hdr,
                                      uint64_t seq, uint64_t *len)
{
	*len = ESP_HDR;
	if (!sa->esn)
		return hdr;
	*len = ESP_HDR + 4;
	memcpy(aad, hdr, 4);
	esp_put32(aad + 4, (uint32_t)(seq >> 32));
	memcpy(aad + 8, hdr + 4, 4);
	return aad;
}

static inline aes_gcm_enc_dec_t sealer(const IMB_MGR *m, uint8_t group)
{
	return group == ESP_G_GCM128   ? m->gcm128_enc
	       : group == ESP_G_GCM192 ? m->gcm192_enc
	                               : m->gcm256_enc;
}

static inline aes_gcm_enc_dec_t opener(const IMB_MGR *m, uint8_t group)
{
	return group == ESP_G_GCM128   ? m->gcm128_dec
	       : group == ESP_G_GCM192 ? m->gcm192_dec
	                               : m->gcm256_dec;
}

/*
 * Padding of pad bytes, its length and the next header in one word: the text is read right after, and
 * in larger pieces than single bytes were written in.
 */
static inline void trailer(uint8_t *end, uint32_t pad, uint8_t next_header)
{
	static const uint32_t pads[4] = {0, 0x101, 0x20201, 0x3030201};
	uint64_t v = pads[pad] | (uint64_t)next_header << (8 * (pad + 1));

	memcpy(end, &v, sizeof(v));
}

static inline void seal(struct esp *e, struct esp_pkt *p)
{
	struct esp_sa *sa = p->sa;
	uint32_t pad = (0u - (p->len + ESP_TRAILER)) & 3, inner = p->len + pad + ESP_TRAILER;
	uint32_t total = ESP_HDR + IV_LEN + inner + sa->icv_len;
	uint8_t *text = p->data, *pkt = text - IV_LEN - ESP_HDR;
	uint8_t nonce[16], aad[16];
	uint64_t seq, iv, aad_len;
	const uint8_t *a;

	p->status = (uint8_t)esp_number(sa, total, &seq);
	if (p->status != ESP_OK)
		return;
	iv = __builtin_bswap64(seq);
	trailer(text + p->len, pad, p->next_header);
	esp_put_header(pkt, sa, seq);
	memcpy(pkt + ESP_HDR, &iv, sizeof(iv));
	nonce_make(nonce, sa, iv);
	a = aad_make(aad, sa, pkt, seq, &aad_len);
	p->data = pkt;
	p->len = (uint16_t)total;
	sealer(e->mgr, sa->group)(sa->key, &e->gcm, text, text, inner, nonce, a, aad_len,
	                          text + inner, sa->icv_len);
}

void esp_gcm_seal(struct esp *e, struct esp_pkt *v, const uint8_t *order, uint16_t n)
{
	for (uint16_t k = 0; k < n; k++) {
		if (k + ESP_KEYS_AHEAD < n)
			esp_prefetch_keys(v[order[k + ESP_KEYS_AHEAD]].sa);
		seal(e, &v[order[k]]);
	}
}

/* Lengths and the number. */
static inline enum esp_status check(const struct esp_pkt *p, uint64_t *seq)
{
	const struct esp_sa *sa = p->sa;
	uint32_t around = ESP_HDR + IV_LEN + (uint32_t)sa->icv_len;

	if (p->len <= around || (p->len - around) % 4 != 0)
		return ESP_SHORT;
	return esp_replay_may(sa, esp_get32(p->data + 4), seq) ? ESP_OK : ESP_REPLAY;
}

static inline enum esp_status open_packet(struct esp *e, struct esp_pkt *p, uint64_t seq)
{
	struct esp_sa *sa = p->sa;
	uint32_t icv_len = sa->icv_len, inner = p->len - (ESP_HDR + IV_LEN + icv_len);
	uint8_t *text = p->data + ESP_HDR + IV_LEN;
	uint8_t nonce[16], aad[16], icv[16];
	uint64_t iv, aad_len;
	const uint8_t *a;

	memcpy(&iv, p->data + ESP_HDR, sizeof(iv));
	nonce_make(nonce, sa, iv);
	a = aad_make(aad, sa, p->data, seq, &aad_len);
	opener(e->mgr, sa->group)(sa->key, &e->gcm, text, text, inner, nonce, a, aad_len, icv,
	                          icv_len);
	if (!esp_same(text + inner, icv, icv_len)) {
		/* It has been deciphered already: nobody shall see what of. */
		memset(text, 0, inner);
		return ESP_AUTH;
	}
	if (!esp_replay_in(sa, seq, &p->newest))
		return ESP_REPLAY;
	return esp_close(p, text, inner);
}

void esp_open_ahead(const struct esp_pkt *p)
{
	esp_prefetch_keys(p->sa);
	esp_prefetch(p->data + p->len - 1);
	/* What a long text begins with; the CPU itself brings the rest. */
	if (p->len > LONG) {
		for (uint32_t at = 2; at < 8; at++)
			esp_prefetch(p->data + at * ESP_CACHE_LINE);
	}
}

void esp_open(struct esp *e, struct esp_pkt *p)
{
	uint64_t seq;

	p->newest = false;
	p->status = (uint8_t)check(p, &seq);
	if (p->status == ESP_OK)
		p->status = (uint8_t)open_packet(e, p, seq);
}

void esp_gcm_open(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	uint64_t seq[ESP_BURST_MAX];

	/* What an ESN's low half means, the window before the burst says. */
	for (uint64_t m = set; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		v[i].status = (uint8_t)check(&v[i], &seq[i]);
		esp_prefetch_keys(v[i].sa);
	}
	for (uint64_t m = set; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		if (v[i].status == ESP_OK)
			v[i].status = (uint8_t)open_packet(e, &v[i], seq[i]);
	}
}
