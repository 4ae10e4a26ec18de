/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The ways in; here for all suites but those of gcm.c and cbc.c. */
#include "esp/packet.h"

/* Lengths and the number; fills the slot. Nothing is authentic yet. */
static enum esp_status open_packet(struct esp_slot *s, const struct esp_pkt *p)
{
	const struct esp_sa *sa = p->sa;
	uint32_t around = (uint32_t)sa->head + sa->icv_len, inner = p->len - around;
	uint8_t *icv;

	if (p->len <= around || inner % sa->block != 0)
		return ESP_SHORT;
	if (!esp_replay_check(sa, esp_get32(p->data + 4), &s->seq))
		return ESP_REPLAY;
	icv = p->data + p->len - sa->icv_len;
	s->sa = sa;
	s->pkt = p->data;
	s->text = p->data + sa->head;
	s->text_len = inner;
	s->hash_len = sa->head + inner;
	s->icv = icv;
	s->tag = s->computed;
	s->iv = p->data + ESP_HDR;
	if (sa->group >= ESP_G_CTR128) {
		memcpy(s->nonce, sa->salt, ESP_SALT);
		memcpy(s->nonce + ESP_SALT, p->data + ESP_HDR, 8);
		esp_put32(s->nonce + 12, 1);
		s->iv = s->nonce;
	}
	if (sa->esn && sa->auth == ESP_AUTH_AEAD) {
		memcpy(s->aad, s->pkt, 4);
		esp_put32(s->aad + 4, (uint32_t)(s->seq >> 32));
		memcpy(s->aad + 8, s->pkt + 4, 4);
	} else if (
	        sa->esn) { /* the high half goes where the ICV stands: nothing behind is touched */
		memcpy(s->came, icv, sa->icv_len);
		s->icv = s->came;
		esp_put32(icv, (uint32_t)(s->seq >> 32));
		s->hash_len += 4;
	}
	return ESP_OK;
}

/* After the ICV of all: in the order of the burst, for one packet may be there twice. */
static enum esp_status admit(const struct esp_slot *s, struct esp_pkt *p)
{
	if (!esp_same(s->icv, s->computed, s->sa->icv_len)) {
		/* An AEAD has deciphered already: nobody shall see what of. */
		if (s->sa->auth == ESP_AUTH_AEAD)
			memset(s->text, 0, s->text_len);
		return ESP_AUTH;
	}
	return esp_replay_take(p->sa, s->seq, &p->newest) ? ESP_OK : ESP_REPLAY;
}

/* Computes the ICVs; AEADs decipher with it, in one pass. */
static void authenticate(struct esp *e, const struct esp_pkt *v, uint64_t live)
{
	struct esp_sets sets = {0};

	for (uint64_t m = live; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		if (v[i].sa->auth == ESP_AUTH_AEAD)
			sets.cipher[v[i].sa->group] |= 1ull << i;
		else
			sets.auth[v[i].sa->auth] |= 1ull << i;
	}
	for (int a = ESP_AUTH_AEAD + 1; a < ESP_AUTH_MAX; a++) {
		if (sets.auth[a] != 0)
			esp_hash_burst(e, sets.auth[a], (enum esp_auth)a);
	}
	for (int g = ESP_G_GCM128; g < ESP_G_MAX; g++) {
		if (sets.cipher[g] != 0)
			esp_aead_burst(e, sets.cipher[g], (enum esp_group)g, false);
	}
}

static void decipher(struct esp *e, const struct esp_pkt *v, uint64_t live)
{
	struct esp_sets sets = {0};

	for (uint64_t m = live; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		sets.cipher[v[i].sa->group] |= 1ull << i;
	}
	for (int g = ESP_G_NULL + 1; g < ESP_G_GCM128; g++) {
		if (sets.cipher[g] != 0)
			esp_cipher_burst(e, sets.cipher[g], (enum esp_group)g, false);
	}
}

/* The packets of set, of any suite. */
static void open_others(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	uint64_t live = 0;

	for (uint64_t m = set; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		v[i].status = (uint8_t)open_packet(&e->slot[i], &v[i]);
		if (v[i].status == ESP_OK)
			live |= 1ull << i;
	}
	authenticate(e, v, live);
	for (uint64_t m = live; m != 0; m &= m - 1) {
		int i = __builtin_ctzll(m);

		v[i].status = (uint8_t)admit(&e->slot[i], &v[i]);
		if (v[i].status != ESP_OK)
			live &= ~(1ull << i);
	}
	decipher(e, v, live);
	for (uint64_t m = live; m != 0; m &= m - 1) {
		const struct esp_slot *s = &e->slot[__builtin_ctzll(m)];
		struct esp_pkt *p = &v[__builtin_ctzll(m)];

		p->status = (uint8_t)esp_close(p, s->text, s->text_len);
	}
}

uint8_t esp_sa_opens(const struct esp_sa *sa)
{
	if (esp_is_gcm(sa) && !sa->esn)
		return ESP_OPENS_ALONE;
	if (!esp_is_cbc(sa))
		return ESP_OPENS_SET;
	return (uint8_t)(ESP_OPENS_JOINED + (sa->group - ESP_G_CBC128) * ESP_AUTH_MAX + sa->auth);
}

/* Packets of one SA are of one suite: that suites are done one after the other shows nowhere. */
void esp_decrypt_set(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	uint64_t gcm = 0, cbc = 0, others = 0;

	for (; set != 0; set &= set - 1) {
		struct esp_pkt *p = &v[__builtin_ctzll(set)];
		uint64_t bit = set & -set;

		p->newest = false;
		if (esp_is_cbc(p->sa))
			cbc |= bit;
		else if (esp_is_gcm(p->sa))
			gcm |= bit;
		else
			others |= bit;
	}
	esp_gcm_open(e, v, gcm);
	while (cbc != 0)
		cbc = esp_cbc_open(e, v, cbc);
	if (others != 0)
		open_others(e, v, others);
}

void esp_decrypt(struct esp *e, struct esp_pkt *v, uint16_t n)
{
	uint64_t alone = 0;

	if (n == 0)
		return;
	for (uint16_t i = 0; i < n; i++)
		alone |= (uint64_t)(esp_sa_opens(v[i].sa) == ESP_OPENS_ALONE) << i;
	esp_decrypt_set(e, v, ~alone & ~0ull >> (ESP_BURST_MAX - n));
	for (uint16_t i = 0; i < n; i++) {
		if ((alone >> i & 1) == 0)
			continue;
		if (i + e->keys_ahead < n)
			esp_open_ahead(&v[i + e->keys_ahead]);
		esp_open(e, &v[i]);
	}
}
