/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "unit/esp/rig.h"

#include <stdlib.h>

struct esp *rig_esp;
static uint64_t state = 1;

void rig_seed(uint64_t seed)
{
	state = seed;
}

/* splitmix64 */
uint64_t rig_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void rig_fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(rig_random() >> 32);
}

#define GAP_NOISE 0xa5

struct esp_sa *rig_sa(const struct ref_sa *r, bool inbound, uint32_t window)
{
	struct esp_sa_conf c = {
	        .spi = r->spi,
	        .inbound = inbound,
	        .suite = r->suite,
	        .enc_key = r->enc,
	        .auth_key = r->auth,
	        .enc_key_len = esp_suite_enc_key_len(&r->suite),
	        .auth_key_len = esp_suite_auth_key_len(&r->suite),
	        .esn = r->esn,
	        .replay_window = window,
	};
	struct esp_sa *sa = esp_sa_new(rig_esp, &c);
	size_t gap = esp_sa_gap(rig_esp, &c);

	if (sa != NULL && gap != 0)
		memset((uint8_t *)sa + gap, GAP_NOISE, ESP_GAP);
	return sa;
}

/* Whatever was done with the SA: the gap is the caller's. */
static void gap_intact(const struct esp_sa *sa)
{
	const uint8_t *gap = (const uint8_t *)sa->key + ESP_GCM128_KEYS;
	unsigned int left = 0;

	if (sa->group != ESP_G_GCM128)
		return;
	for (size_t i = 0; i < ESP_GAP; i++)
		left += gap[i] == GAP_NOISE;
	CU_ASSERT_EQUAL(left, ESP_GAP);
}

void pair_make(struct pair *p, const struct esp_suite *s, bool esn, uint32_t window)
{
	p->ref.suite = *s;
	p->ref.esn = esn;
	p->ref.spi = (uint32_t)rig_random() | 0x100;
	rig_fill(p->ref.enc, sizeof(p->ref.enc));
	rig_fill(p->ref.auth, sizeof(p->ref.auth));
	p->out = rig_sa(&p->ref, false, 0);
	p->in = rig_sa(&p->ref, true, window);
	if (p->out == NULL || p->in == NULL)
		abort();
}

void pair_free(struct pair *p)
{
	gap_intact(p->out);
	gap_intact(p->in);
	esp_sa_free(p->out);
	esp_sa_free(p->in);
}

void pair_seq(struct pair *p, uint64_t seq)
{
	p->out->seq = seq;
	p->in->seq = seq;
}

/* The guard depends on the place, so that shifted bytes are seen, too. */
static uint8_t guard(size_t i)
{
	return (uint8_t)(i * 37 + 11);
}

uint8_t *rig_buf(struct buf *b, uint16_t head, uint16_t len, uint16_t tail)
{
	if (head + len + tail > RIG_MAX)
		abort();
	for (size_t i = 0; i < sizeof(b->bytes); i++)
		b->bytes[i] = guard(i);
	b->from = RIG_GUARD;
	b->to = (uint16_t)(RIG_GUARD + head + len + tail);
	return b->bytes + RIG_GUARD + head;
}

bool rig_intact(const struct buf *b)
{
	for (size_t i = 0; i < sizeof(b->bytes); i++) {
		if ((i < b->from || i >= b->to) && b->bytes[i] != guard(i))
			return false;
	}
	return true;
}

void rig_sealed(struct pair *p, uint64_t seq, const uint8_t *payload, uint16_t len, struct buf *b,
                struct esp_pkt *v)
{
	uint8_t iv[16], pkt[RIG_MAX];
	size_t n;

	rig_fill(iv, sizeof(iv));
	n = ref_encrypt(&p->ref, seq, iv, payload, len, 17, pkt);
	*v = (struct esp_pkt){
	        .sa = p->in, .data = rig_buf(b, 0, (uint16_t)n, 0), .len = (uint16_t)n};
	memcpy(v->data, pkt, n);
}
