/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The ways out; here for all suites but those of gcm.c and cbc.c. */
#include "esp/packet.h"

/* The default contents of padding (RFC 4303 2.4). */
static const uint8_t pad_bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/*
 * The IV in the packet, and what the cipher starts from. CBC: a counter as the first block of the
 * text under a zero IV, so that E(counter) is the IV on the wire: unique, and nobody can foretell it
 * (NIST SP 800-38A appendix C). The others need a nonce that never repeats: the sequence number.
 */
static void put_iv(struct esp_slot *s, uint64_t seq)
{
	const struct esp_sa *sa = s->sa;

	s->iv = NULL;
	switch (sa->group) {
	case ESP_G_CBC128:
	case ESP_G_CBC192:
	case ESP_G_CBC256:
		memset(s->text + 8, 0, 8);
		/* fallthrough */
	case ESP_G_3DES:
		esp_put64(s->text, sa->iv_seed + seq);
		break;
	case ESP_G_NULL:
		break;
	default:
		esp_put64(s->text, seq);
		s->text += 8;
		s->text_len -= 8;
		memcpy(s->nonce, sa->salt, ESP_SALT);
		esp_put64(s->nonce + ESP_SALT, seq);
		esp_put32(s->nonce + 12, 1); /* RFC 3686 4; AEADs look at 12 bytes only */
		s->iv = s->nonce;
		break;
	}
}

/* Header, IV and trailer; p becomes the packet as it will leave. */
static enum esp_status frame(struct esp_slot *s, struct esp_pkt *p)
{
	struct esp_sa *sa = p->sa;
	uint32_t pad = (0u - (p->len + ESP_TRAILER)) & (sa->block - 1u);
	uint32_t inner = p->len + pad + ESP_TRAILER, total = sa->head + inner + sa->icv_len;
	uint8_t *end = p->data + p->len;
	enum esp_status bad;
	uint64_t seq;

	bad = esp_number(sa, total, &seq);
	if (bad != ESP_OK)
		return bad;
	/* More than the padding is written, but not more than esp_sa_tail_max. */
	if (sa->block == 16)
		memcpy(end, pad_bytes, 16);
	else
		memcpy(end, pad_bytes, 8);
	end[pad] = (uint8_t)pad;
	end[pad + 1] = p->next_header;

	p->data -= sa->head;
	p->len = (uint16_t)total;
	esp_put_header(p->data, sa, seq);
	s->sa = sa;
	s->pkt = p->data;
	s->text = p->data + ESP_HDR;
	s->text_len = sa->iv_len + inner;
	s->hash_len = ESP_HDR + s->text_len;
	s->tag = p->data + s->hash_len;
	put_iv(s, seq);
	if (sa->esn) {
		uint32_t high = (uint32_t)(seq >> 32);

		memcpy(s->aad, s->pkt, 4);
		esp_put32(s->aad + 4, high);
		memcpy(s->aad + 8, s->pkt + 4, 4);
		if (sa->auth != ESP_AUTH_AEAD) { /* hashed behind the packet (RFC 4303 2.2.1) */
			esp_put32(s->tag, high);
			s->hash_len += 4;
		}
	}
	return ESP_OK;
}

/* The packets of set, of any suite. */
static void seal_others(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	struct esp_sets sets = {0};

	for (; set != 0; set &= set - 1) {
		int i = __builtin_ctzll(set);

		v[i].status = (uint8_t)frame(&e->slot[i], &v[i]);
		if (v[i].status != ESP_OK)
			continue;
		sets.cipher[v[i].sa->group] |= 1ull << i;
		sets.auth[v[i].sa->auth] |= 1ull << i;
	}
	for (int g = 0; g < ESP_G_MAX; g++) {
		if (sets.cipher[g] == 0)
			continue;
		if (g >= ESP_G_GCM128)
			esp_aead_burst(e, sets.cipher[g], (enum esp_group)g, true);
		else
			esp_cipher_burst(e, sets.cipher[g], (enum esp_group)g, true);
	}
	for (int a = ESP_AUTH_AEAD + 1; a < ESP_AUTH_MAX; a++) {
		if (sets.auth[a] != 0)
			esp_hash_burst(e, sets.auth[a], (enum esp_auth)a);
	}
}

/* Packets of one SA are of one suite: that suites are done one after the other shows nowhere. */
void esp_encrypt(struct esp *e, struct esp_pkt *v, uint16_t n)
{
	uint64_t cbc = 0, others = 0;
	uint8_t gcm[ESP_BURST_MAX] = {0};
	uint16_t n_gcm = 0;

	for (uint16_t i = 0; i < n; i++) {
		v[i].newest = false;
		if (esp_is_gcm(v[i].sa))
			gcm[n_gcm++] = (uint8_t)i;
		else if (esp_is_cbc(v[i].sa))
			cbc |= 1ull << i;
		else
			others |= 1ull << i;
	}
	esp_gcm_seal(e, v, gcm, n_gcm);
	while (cbc != 0)
		cbc = esp_cbc_seal(e, v, cbc);
	if (others != 0)
		seal_others(e, v, others);
}

enum esp_sealed esp_seal(struct esp *e, struct esp_sa *sa, uint8_t *data, uint16_t len,
                         uint8_t next_header)
{
	if (esp_is_gcm(sa))
		return esp_gcm_seal_one(e, sa, data, len, next_header);
	if (esp_is_cbc(sa))
		return esp_cbc_seal_one(e, sa, data, len, next_header);
	return ESP_UNSEALED;
}

void esp_seal_end(struct esp *e)
{
	if (e->n_sealing > 0)
		esp_cbc_seal_end(e);
}

void esp_seal_ahead(const struct esp_sa *sa, const uint8_t *data, uint16_t len)
{
	esp_prefetch_keys(sa);
	esp_prefetch_text(data, len);
}
