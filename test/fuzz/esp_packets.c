/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * ESP from a stranger, and from a peer with the keys who builds nonsense. The input is a vector of
 * packets, each: how, SA, length, bytes. A raw one is bytes as they came: it must never be taken. A
 * sealed one has the bytes as number and inner text under a true ICV: it must be taken when, and
 * only when, number and trailer are right. What is refused keeps its place and length.
 */
#include "esp/esp_int.h"

#include <stdlib.h>

#define N_SAS (sizeof(suites) / sizeof(suites[0]) * 2)

static const struct esp_suite suites[] = {
        {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0},
        {ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 0},
        {ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0},
        {ESP_AES_CTR, ESP_HMAC_SHA512_256, 32, 0},
        {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16},
        {ESP_AES_GCM, ESP_AUTH_AEAD, 32, 8},
        {ESP_CHACHA20_POLY1305, ESP_AUTH_AEAD, 32, 16},
};

struct one {
	uint8_t *mem, inner[256];
	uint16_t n; /* inner bytes */
	uint64_t seq;
	bool sealed;
};

struct fuzz {
	struct esp_sa *in[N_SAS], *out[N_SAS];
	struct esp_pkt v[ESP_BURST_MAX];
	struct one one[ESP_BURST_MAX];
	uint16_t n;
};

static struct esp *engine;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct esp_sa *make(unsigned int i, bool inbound)
{
	static const uint8_t key[64] =
	        "keys for those who are to have them, and not for any one else..";
	static const uint32_t windows[] = {64, 0, 32, 4096};
	const struct esp_suite *s = &suites[i / 2];
	struct esp_sa_conf c = {
	        .spi = 0x1000 + i,
	        .inbound = inbound,
	        .suite = *s,
	        .enc_key = key,
	        .auth_key = key,
	        .enc_key_len = esp_suite_enc_key_len(s),
	        .auth_key_len = esp_suite_auth_key_len(s),
	        .esn = i % 2,
	        .replay_window = windows[i % 4],
	};
	struct esp_sa *sa = esp_sa_new(engine, &c);

	must(sa != NULL);
	sa->iv_seed = 0;
	return sa;
}

/* A packet as esp_encrypt makes it, but of any inner bytes and with any number. */
static void seal(struct esp_sa *sa, struct one *o, struct esp_pkt *p)
{
	struct esp_slot *s = &engine->slot[0];
	uint32_t high = (uint32_t)(o->seq >> 32);
	uint8_t *d;

	p->len = (uint16_t)(sa->head + o->n + sa->icv_len);
	p->data = o->mem = d = malloc(p->len);
	must(d != NULL);
	memset(d, 0x77, sa->head); /* the IV, too */
	memcpy(d, &sa->spi_be, 4);
	esp_put32(d + 4, (uint32_t)o->seq);
	memcpy(d + sa->head, o->inner, o->n);
	*s = (struct esp_slot){.sa = sa, .pkt = d, .text = d + sa->head, .text_len = o->n};
	s->hash_len = sa->head + o->n;
	s->tag = d + s->hash_len;
	s->iv = d + ESP_HDR;
	if (sa->group >= ESP_G_CTR128) {
		memcpy(s->nonce, sa->salt, ESP_SALT);
		memcpy(s->nonce + ESP_SALT, d + ESP_HDR, 8);
		esp_put32(s->nonce + 12, 1);
		s->iv = s->nonce;
	}
	memcpy(s->aad, d, 4);
	esp_put32(s->aad + 4, high);
	memcpy(s->aad + 8, d + 4, 4);
	if (o->n == 0)
		return; /* too short in any case */
	if (sa->group >= ESP_G_GCM128) {
		esp_aead_burst(engine, 1, (enum esp_group)sa->group, true);
		return;
	}
	esp_cipher_burst(engine, 1, (enum esp_group)sa->group, true);
	if (sa->esn) {
		esp_put32(s->tag, high);
		s->hash_len += 4;
	}
	esp_hash_burst(engine, 1, (enum esp_auth)sa->auth);
}

static void add(struct fuzz *z, uint8_t how, uint8_t which, const uint8_t *d, size_t len)
{
	struct one *o = &z->one[z->n];
	struct esp_pkt *p = &z->v[z->n];
	unsigned int i = which % N_SAS;

	memset(p, 0, sizeof(*p));
	o->sealed = how & 1;
	o->mem = NULL;
	p->sa = z->in[i];
	if (!o->sealed) {
		p->data = o->mem = malloc(len > 0 ? len : 1);
		must(o->mem != NULL);
		memcpy(p->data, d, len);
		p->len = (uint16_t)len;
	} else {
		size_t at = len < 2 ? len : 2;

		/* near the top, and far from it now and then */
		o->seq = z->in[i]->seq + (how & 2 ? 40 : 0);
		o->seq += at == 2 ? (uint64_t)(int64_t)(int8_t)d[0] << (d[1] & 31) : 1;
		if (!z->in[i]->esn)
			o->seq = (uint32_t)o->seq;
		o->n = (uint16_t)((len - at) / z->in[i]->block * z->in[i]->block);
		memcpy(o->inner, d + at, o->n);
		seal(z->out[i], o, p);
	}
	z->n++;
}

static enum esp_status trailer(const struct one *o)
{
	unsigned int pad;

	if (o->inner[o->n - 1] == 59)
		return ESP_DUMMY;
	pad = o->inner[o->n - 2];
	if (pad + 2 > o->n)
		return ESP_PAD;
	for (unsigned int k = 1; k <= pad; k++) {
		if (o->inner[o->n - 2 - pad + k - 1] != k)
			return ESP_PAD;
	}
	return ESP_OK;
}

static bool first(const struct fuzz *z, uint16_t i)
{
	for (uint16_t k = 0; k < i; k++) {
		if (z->v[k].sa == z->v[i].sa)
			return false;
	}
	return true;
}

static void judge(struct fuzz *z, const uint64_t *tops)
{
	for (uint16_t i = 0; i < z->n; i++) {
		const struct esp_pkt *p = &z->v[i];
		const struct one *o = &z->one[i];
		bool taken = p->status == ESP_OK || p->status == ESP_PAD || p->status == ESP_DUMMY;

		must(p->status < ESP_SEQ_END && (!p->newest || taken));
		if (p->status != ESP_OK)
			must(p->data == o->mem);
		must(!taken || (o->sealed && o->n > 0 && p->status == trailer(o)));
		if (p->status == ESP_OK)
			must(p->len == o->n - 2u - o->inner[o->n - 2] && p->len <= o->n &&
			     memcmp(p->data, o->inner, p->len) == 0);
		if (p->status == ESP_SHORT)
			must(!o->sealed || o->n == 0);
		/* Twice in one vector: only without a window. */
		for (uint16_t k = 0; taken && k < i; k++) {
			const struct esp_pkt *q = &z->v[k];

			must(q->sa != p->sa || q->status == ESP_AUTH || q->status == ESP_REPLAY ||
			     q->status == ESP_SHORT || z->one[k].seq != o->seq ||
			     p->sa->window == 0);
		}
		if (taken && p->sa->esn)
			must(o->seq <= p->sa->seq && o->seq != 0);
		/* A true packet just above the top must get in, if none of its SA came before. */
		if (o->sealed && o->n > 0 && o->seq > tops[i] && o->seq - tops[i] < 32)
			must(taken || !first(z, i));
	}
}

static void burst(struct fuzz *z)
{
	uint64_t tops[ESP_BURST_MAX];

	for (uint16_t i = 0; i < z->n; i++)
		tops[i] = z->v[i].sa->seq;
	esp_decrypt(engine, z->v, z->n);
	judge(z, tops);
	for (uint16_t i = 0; i < z->n; i++)
		free(z->one[i].mem);
	z->n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t len)
{
	static struct fuzz z;
	char why[200];

	if (engine == NULL)
		engine = esp_new(why, sizeof(why));
	must(engine != NULL);
	for (unsigned int i = 0; i < N_SAS; i++) {
		z.in[i] = make(i, true);
		z.out[i] = make(i, false);
		if (len > 0 && z.in[i]->esn && d[0] & 1) /* near a wrap */
			z.in[i]->seq = 0x4fffffff0ull;
	}
	while (len >= 3) {
		size_t n = d[2] < len - 3 ? d[2] : len - 3;

		add(&z, d[0], d[1], d + 3, n);
		if (z.n == ESP_BURST_MAX || d[0] & 0x80)
			burst(&z);
		d += 3 + n;
		len -= 3 + n;
	}
	burst(&z);
	for (unsigned int i = 0; i < N_SAS; i++) {
		esp_sa_free(z.in[i]);
		esp_sa_free(z.out[i]);
	}
	return 0;
}
