/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * AES-GCM (RFC 4106). The multi-buffer library has nothing for several packets of it at a time, so a
 * packet is done from its header to its padding before the next one is looked at.
 */
#include "esp/packet.h"

#define IV_LEN 8

/*
 * Salt and IV as it stands in the packet, in the low half of iv; the counter behind them the cipher sets itself. In one
 * piece: some ciphers read it in one.
 */
static inline void nonce_make(uint8_t *nonce, const struct esp_sa *sa, __m128i iv)
{
	int salt;

	memcpy(&salt, sa->salt, sizeof(salt));
	_mm_storeu_si128((__m128i *)(void *)nonce,
	                 _mm_or_si128(_mm_slli_si128(iv, ESP_SALT), _mm_cvtsi32_si128(salt)));
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

#define FN sizeof(aes_gcm_enc_dec_t)
_Static_assert(offsetof(IMB_MGR, gcm192_enc) == offsetof(IMB_MGR, gcm128_enc) + FN &&
                       offsetof(IMB_MGR, gcm256_enc) == offsetof(IMB_MGR, gcm128_enc) + 2 * FN &&
                       offsetof(IMB_MGR, gcm192_dec) == offsetof(IMB_MGR, gcm128_dec) + FN &&
                       offsetof(IMB_MGR, gcm256_dec) == offsetof(IMB_MGR, gcm128_dec) + 2 * FN,
               "the three stand one behind the other");

/* Of three at first: no branch, which SAs of several sizes of key would make hard to foretell. */
static inline aes_gcm_enc_dec_t by_group(const IMB_MGR *m, size_t first, uint8_t group)
{
	aes_gcm_enc_dec_t fn;

	memcpy(&fn, (const uint8_t *)m + first - ESP_G_GCM128 * FN + group * FN, FN);
	return fn;
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

/* Text of len bytes with a trailer: what is ciphered. */
static inline uint32_t inner_len(uint32_t len)
{
	return (len + ESP_TRAILER + 3) & ~3u;
}

static inline enum esp_status seal(struct esp *e, struct esp_sa *sa, uint8_t *text, uint32_t len,
                                   uint8_t next_header)
{
	const uint32_t inner = inner_len(len);
	uint8_t *pkt = text - IV_LEN - ESP_HDR;
	uint64_t seq, iv, aad_len;
	enum esp_status bad;
	const uint8_t *aad;

	bad = esp_number(sa, ESP_HDR + IV_LEN + inner + sa->icv_len, &seq);
	if (bad != ESP_OK)
		return bad;
	iv = __builtin_bswap64(seq);
	trailer(text + len, inner - ESP_TRAILER - len, next_header);
	esp_put_header(pkt, sa, seq);
	memcpy(pkt + ESP_HDR, &iv, sizeof(iv));
	nonce_make(e->nonce, sa, _mm_cvtsi64_si128((int64_t)iv));
	/* Not in an array of this function's, for which the compiler would guard the stack. */
	aad = aad_make(e->icv, sa, pkt, seq, &aad_len);
	by_group(e->mgr, offsetof(IMB_MGR, gcm128_enc), sa->group)(sa->key, &e->gcm, text, text,
	                                                           inner, e->nonce, aad, aad_len,
	                                                           text + inner, sa->icv_len);
	return ESP_OK;
}

enum esp_sealed esp_gcm_seal_one(struct esp *e, struct esp_sa *sa, uint8_t *text, uint16_t len,
                                 uint8_t next_header)
{
	return seal(e, sa, text, len, next_header) == ESP_OK ? ESP_SEALED : ESP_UNSEALED;
}

static inline void seal_packet(struct esp *e, struct esp_pkt *p)
{
	p->status = (uint8_t)seal(e, p->sa, p->data, p->len, p->next_header);
	if (p->status != ESP_OK)
		return;
	p->data -= IV_LEN + ESP_HDR;
	p->len = (uint16_t)(ESP_HDR + IV_LEN + inner_len(p->len) + p->sa->icv_len);
}

void esp_gcm_seal(struct esp *e, struct esp_pkt *v, const uint8_t *order, uint16_t n)
{
	for (uint16_t k = 0; k < n; k++) {
		if (k + e->keys_ahead < n)
			esp_prefetch_keys(v[order[k + e->keys_ahead]].sa);
		seal_packet(e, &v[order[k]]);
	}
}

/* Of what is ciphered: to be looked at by whole before. */
static inline uint32_t text_len(const struct esp_pkt *p)
{
	return p->len - (uint32_t)(ESP_HDR + IV_LEN) - p->sa->icv_len;
}

static inline bool whole(uint32_t text_len)
{
	return (int32_t)text_len > 0 && text_len % 4 == 0;
}

/* It has been deciphered already: nobody shall see what of. */
static __attribute__((noinline, cold)) enum esp_status forged(uint8_t *text, uint32_t len)
{
	memset(text, 0, len);
	return ESP_AUTH;
}

/* Up to 16 bytes, 8 at least, as esp_same. */
static inline bool same_icv(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	uint64_t x[2], y[2];

	memcpy(x, a, 8);
	memcpy(y, b, 8);
	memcpy(x + 1, a + n - 8, 8);
	memcpy(y + 1, b + n - 8, 8);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* p, whose text of len bytes has been looked at: deciphers it. */
static __attribute__((always_inline)) inline enum esp_status
open_packet(struct esp *e, struct esp_pkt *p, uint32_t len, uint64_t seq, const uint8_t *aad,
            uint64_t aad_len)
{
	struct esp_sa *sa = p->sa;
	uint8_t *text = p->data + ESP_HDR + IV_LEN;

	nonce_make(e->nonce, sa,
	           _mm_loadl_epi64((const __m128i *)(const void *)(p->data + ESP_HDR)));
	by_group(e->mgr, offsetof(IMB_MGR, gcm128_dec), sa->group)(
	        sa->key, &e->gcm, text, text, len, e->nonce, aad, aad_len, e->icv, sa->icv_len);
	if (!same_icv(text + len, e->icv, sa->icv_len))
		return forged(text, len);
	if (!esp_replay_in(sa, seq, &p->newest))
		return ESP_REPLAY;
	return esp_close(p, text, len);
}

void esp_open_ahead(const struct esp_pkt *p)
{
	esp_prefetch_keys(p->sa);
	esp_prefetch_text(p->data, (uint16_t)(p->len - (p->len > 0)));
}

/* The rest of the window: only a number beyond the newest one is new for sure. */
static __attribute__((noinline)) bool may_be_late(const struct esp_sa *sa, uint32_t low)
{
	uint64_t seq;

	return esp_replay_check(sa, low, &seq);
}

void esp_open(struct esp *e, struct esp_pkt *p)
{
	const uint32_t len = text_len(p);
	enum esp_status status = ESP_SHORT;
	uint32_t seq;

	p->newest = false;
	if (whole(len)) {
		seq = esp_get32(p->data + 4);
		status = ESP_REPLAY;
		if (seq > p->sa->seq || may_be_late(p->sa, seq))
			status = open_packet(e, p, len, seq, p->data, ESP_HDR);
	}
	if (status != ESP_OK)
		p->status = (uint8_t)status;
}

void esp_gcm_open(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	uint64_t seq[ESP_BURST_MAX];

	/* What an ESN's low half means, the window before the burst says. */
	for (uint64_t m = set; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		esp_prefetch_keys(v[i].sa);
		v[i].status = ESP_SHORT;
		if (whole(text_len(&v[i])))
			v[i].status = esp_replay_may(v[i].sa, esp_get32(v[i].data + 4), &seq[i])
			                      ? ESP_OK
			                      : ESP_REPLAY;
	}
	for (uint64_t m = set; m != 0; m &= m - 1) {
		struct esp_pkt *p = &v[__builtin_ctzll(m)];
		uint64_t number = seq[__builtin_ctzll(m)], len;
		uint8_t buf[16];
		const uint8_t *aad;

		if (p->status != ESP_OK)
			continue;
		aad = aad_make(buf, p->sa, p->data, number, &len);
		p->status = (uint8_t)open_packet(e, p, text_len(p), number, aad, len);
	}
}
