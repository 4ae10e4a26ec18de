/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The calls into the multi-buffer library. Version 1.3 has synchronous bursts for AES-CBC, AES-CTR
 * and the HMACs, whose mode, direction and size of key are the same for all jobs of a call; GCM is
 * fastest packet by packet; 3DES (where it has lanes for many) and ChaCha20-Poly1305 go through the job queue, which is
 * empty before and after. The calls that check nothing are used: all that they would check is made here.
 */
#include "esp/lanes.h"

static const uint8_t zero_iv[16];

static IMB_KEY_SIZE_BYTES key_size(enum esp_group g, enum esp_group smallest)
{
	return (IMB_KEY_SIZE_BYTES)(IMB_KEY_128_BYTES + 8 * (g - smallest));
}

static void cipher_job(IMB_JOB *j, const struct esp_slot *s, uint64_t iv_len)
{
	j->enc_keys = s->sa->key;
	j->dec_keys = s->sa->key;
	j->src = s->text;
	j->dst = s->text;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = s->text_len;
	j->iv = s->iv != NULL ? s->iv : zero_iv;
	j->iv_len_in_bytes = iv_len;
}

static void sync_burst(struct esp *e, uint64_t set, IMB_CIPHER_MODE mode, IMB_CIPHER_DIRECTION dir,
                       IMB_KEY_SIZE_BYTES size)
{
	IMB_MGR *m = e->mgr;
	uint32_t n = 0;

	for (; set != 0; set &= set - 1) {
		IMB_JOB *j = &e->jobs[n++];

		cipher_job(j, &e->slot[__builtin_ctzll(set)], 16);
		j->key_len_in_bytes = size;
		j->cipher_mode = mode;
		j->cipher_direction = dir;
		j->hash_alg = IMB_AUTH_NULL;
		j->chain_order = IMB_ORDER_CIPHER_HASH;
	}
	if (mode == IMB_CIPHER_CBC && dir == IMB_DIR_ENCRYPT)
		m = esp_sealer(e->mgr, e->narrow, e->jobs, n);
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(m, e->jobs, n, mode, dir, size);
}

static void queue_des3(struct esp *e, uint64_t set, IMB_CIPHER_DIRECTION dir)
{
	for (; set != 0; set &= set - 1) {
		const struct esp_slot *s = &e->slot[__builtin_ctzll(set)];
		const struct esp_des3_keys *keys = s->sa->key;
		IMB_JOB *j = IMB_GET_NEXT_JOB(e->mgr);

		cipher_job(j, s, IMB_DES_BLOCK_SIZE);
		j->enc_keys = keys->by_pass;
		j->dec_keys = keys->by_pass;
		j->key_len_in_bytes = 24;
		j->cipher_mode = IMB_CIPHER_DES3;
		j->cipher_direction = dir;
		j->hash_alg = IMB_AUTH_NULL;
		j->chain_order = IMB_ORDER_CIPHER_HASH;
		IMB_SUBMIT_JOB_NOCHECK(e->mgr);
	}
	while (IMB_FLUSH_JOB(e->mgr) != NULL)
		;
}

/* 16 lanes take as long for one packet as libcrypto for more than four, one after the other. */
#define DES3_FEW 4

static void des3(struct esp *e, uint64_t set, bool encrypt)
{
	if (e->des3_lanes && __builtin_popcountll(set) > DES3_FEW) {
		queue_des3(e, set, encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT);
		return;
	}
	for (; set != 0; set &= set - 1)
		esp_des3_cbc(&e->slot[__builtin_ctzll(set)], encrypt);
}

void esp_cipher_burst(struct esp *e, uint64_t set, enum esp_group g, bool encrypt)
{
	IMB_CIPHER_DIRECTION dir = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;

	switch (g) {
	case ESP_G_CBC128:
	case ESP_G_CBC192:
	case ESP_G_CBC256:
		sync_burst(e, set, IMB_CIPHER_CBC, dir, key_size(g, ESP_G_CBC128));
		break;
	case ESP_G_CTR128:
	case ESP_G_CTR192:
	case ESP_G_CTR256:
		sync_burst(e, set, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, key_size(g, ESP_G_CTR128));
		break;
	case ESP_G_3DES:
		des3(e, set, encrypt);
		break;
	default: /* NULL has nothing to do, AEAD has its own burst */
		break;
	}
}

void esp_hash_burst(struct esp *e, uint64_t set, enum esp_auth a)
{
	static const IMB_HASH_ALG algs[ESP_AUTH_MAX] = {
	        [ESP_HMAC_SHA1_96] = IMB_AUTH_HMAC_SHA_1,
	        [ESP_HMAC_SHA256_128] = IMB_AUTH_HMAC_SHA_256,
	        [ESP_HMAC_SHA384_192] = IMB_AUTH_HMAC_SHA_384,
	        [ESP_HMAC_SHA512_256] = IMB_AUTH_HMAC_SHA_512,
	};
	uint32_t n = 0;
	IMB_MGR *m;

	for (; set != 0; set &= set - 1) {
		const struct esp_slot *s = &e->slot[__builtin_ctzll(set)];
		IMB_JOB *j = &e->jobs[n++];

		j->src = s->pkt;
		j->hash_start_src_offset_in_bytes = 0;
		j->msg_len_to_hash_in_bytes = s->hash_len;
		j->auth_tag_output = s->tag;
		j->auth_tag_output_len_in_bytes = s->sa->icv_len;
		j->u.HMAC._hashed_auth_key_xor_ipad = s->sa->hmac;
		j->u.HMAC._hashed_auth_key_xor_opad = s->sa->hmac + esp_hmac_state(s->sa->auth);
		j->cipher_mode = IMB_CIPHER_NULL;
		j->hash_alg = algs[a];
	}
	m = esp_hasher(e->mgr, e->narrow, algs[a], e->jobs, n);
	IMB_SUBMIT_HASH_BURST_NOCHECK(m, e->jobs, n, algs[a]);
}

/* With 32-bit numbers the header itself is the AAD; else the high half comes between (RFC 4106 5). */
static const uint8_t *aad(const struct esp_slot *s, uint64_t *len)
{
	*len = s->sa->esn ? ESP_HDR + 4 : ESP_HDR;
	return s->sa->esn ? s->aad : s->pkt;
}

static void gcm(struct esp *e, uint64_t set, aes_gcm_enc_dec_t run)
{
	for (; set != 0; set &= set - 1) {
		const struct esp_slot *s = &e->slot[__builtin_ctzll(set)];
		uint64_t aad_len;
		const uint8_t *a = aad(s, &aad_len);

		if ((set & (set - 1)) != 0) {
			const struct esp_slot *next = &e->slot[__builtin_ctzll(set & (set - 1))];

			esp_prefetch(next->text);
			esp_prefetch(next->sa->key);
		}
		run(s->sa->key, &e->gcm, s->text, s->text, s->text_len, s->iv, a, aad_len, s->tag,
		    s->sa->icv_len);
	}
}

static void chacha(struct esp *e, uint64_t set, bool encrypt)
{
	for (; set != 0; set &= set - 1) {
		const struct esp_slot *s = &e->slot[__builtin_ctzll(set)];
		IMB_JOB *j = IMB_GET_NEXT_JOB(e->mgr);
		uint64_t aad_len;

		cipher_job(j, s, 12);
		j->key_len_in_bytes = 32;
		j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
		j->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
		j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
		j->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
		j->hash_start_src_offset_in_bytes = 0;
		j->msg_len_to_hash_in_bytes = s->text_len;
		j->auth_tag_output = s->tag;
		j->auth_tag_output_len_in_bytes = s->sa->icv_len;
		j->u.CHACHA20_POLY1305.aad = aad(s, &aad_len);
		j->u.CHACHA20_POLY1305.aad_len_in_bytes = aad_len;
		IMB_SUBMIT_JOB_NOCHECK(e->mgr);
	}
	while (IMB_FLUSH_JOB(e->mgr) != NULL)
		;
}

void esp_aead_burst(struct esp *e, uint64_t set, enum esp_group g, bool encrypt)
{
	const IMB_MGR *m = e->mgr;

	switch (g) {
	case ESP_G_GCM128:
		gcm(e, set, encrypt ? m->gcm128_enc : m->gcm128_dec);
		break;
	case ESP_G_GCM192:
		gcm(e, set, encrypt ? m->gcm192_enc : m->gcm192_dec);
		break;
	case ESP_G_GCM256:
		gcm(e, set, encrypt ? m->gcm256_enc : m->gcm256_dec);
		break;
	default:
		chacha(e, set, encrypt);
		break;
	}
}
