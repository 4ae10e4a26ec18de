/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * AES-CBC with an HMAC (RFC 3602, 2404, 4868), 32-bit numbers: the packets of a suite are written
 * straight into the jobs of the multi-buffer library, one job a packet for both of its bursts. Which
 * fields of a job a burst looks at, and that mode, direction and algorithm are those of the call, is the
 * library's synchronous burst interface.
 */
#include "esp/lanes.h"
#include "esp/packet.h"

#include <assert.h>

#define IV_LEN 16

static const uint8_t zero_iv[IV_LEN];
/* The default contents of padding (RFC 4303 2.4). */
static const uint8_t pad_bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

void esp_cbc_init(struct esp *e)
{
	const IMB_JOB any = {
	        .iv_len_in_bytes = IV_LEN,
	        .cipher_mode = IMB_CIPHER_CBC,
	        .chain_order = IMB_ORDER_CIPHER_HASH,
	};

	for (int i = 0; i < ESP_BURST_MAX; i++) {
		e->sealing[i] = any;
		e->sealing[i].iv = zero_iv;
		e->sealing[i].cipher_start_src_offset_in_bytes = ESP_HDR;
		e->opening[i] = any;
		e->opening[i].auth_tag_output = e->tag[i];
	}
}

static IMB_KEY_SIZE_BYTES key_size(uint8_t group)
{
	return (IMB_KEY_SIZE_BYTES)(IMB_KEY_128_BYTES + 8 * (group - ESP_G_CBC128));
}

static IMB_HASH_ALG hash_alg(uint8_t auth)
{
	switch (auth) {
	case ESP_HMAC_SHA1_96:
		return IMB_AUTH_HMAC_SHA_1;
	case ESP_HMAC_SHA256_128:
		return IMB_AUTH_HMAC_SHA_256;
	case ESP_HMAC_SHA384_192:
		return IMB_AUTH_HMAC_SHA_384;
	default:
		return IMB_AUTH_HMAC_SHA_512;
	}
}

static inline void hash_fields(IMB_JOB *j, const struct esp_sa *sa, uint8_t *pkt, uint32_t len)
{
	j->src = pkt;
	j->msg_len_to_hash_in_bytes = len;
	j->auth_tag_output_len_in_bytes = sa->icv_len;
	j->u.HMAC._hashed_auth_key_xor_ipad = sa->hmac;
	j->u.HMAC._hashed_auth_key_xor_opad = sa->hmac + esp_hmac_state(sa->auth);
}

static void hash_burst(struct esp *e, IMB_JOB *jobs, uint32_t n, IMB_HASH_ALG alg)
{
	IMB_MGR *m = esp_hasher(e->mgr, e->narrow, alg, jobs, n);

	IMB_SUBMIT_HASH_BURST_NOCHECK(m, jobs, n, alg);
}

/* ---- out ---- */

/*
 * The IV is a counter as the first block of the text under a zero IV, so that E(counter) is what the
 * wire shows: unique, and nobody can foretell it (NIST SP 800-38A appendix C).
 */
static inline enum esp_status seal(IMB_JOB *j, struct esp_sa *sa, uint8_t *text, uint32_t len,
                                   uint8_t next_header)
{
	const uint32_t pad = (0u - (len + ESP_TRAILER)) & 15, inner = len + pad + ESP_TRAILER;
	const uint32_t ciphered = IV_LEN + inner, hashed = ESP_HDR + ciphered;
	uint8_t *end = text + len, *pkt = text - IV_LEN - ESP_HDR;
	enum esp_status bad;
	uint64_t seq;

	bad = esp_number(sa, hashed + sa->icv_len, &seq);
	if (bad != ESP_OK)
		return bad;
	/* More than the padding is written, but not more than esp_sa_tail_max. */
	memcpy(end, pad_bytes, sizeof(pad_bytes));
	end[pad] = (uint8_t)pad;
	end[pad + 1] = next_header;
	esp_put_header(pkt, sa, seq);
	esp_put64(pkt + ESP_HDR, sa->iv_seed + seq);
	memset(pkt + ESP_HDR + 8, 0, 8);

	j->enc_keys = sa->key;
	j->dst = pkt + ESP_HDR;
	j->msg_len_to_cipher_in_bytes = ciphered;
	j->auth_tag_output = pkt + hashed;
	hash_fields(j, sa, pkt, hashed);
	return ESP_OK;
}

static void seal_run(struct esp *e, uint32_t n, uint8_t group, uint8_t auth)
{
	IMB_MGR *m;

	if (n == 0)
		return;
	m = esp_sealer(e->mgr, e->narrow, e->sealing, n);
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(m, e->sealing, n, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT,
	                                key_size(group));
	hash_burst(e, e->sealing, n, hash_alg(auth));
}

uint64_t esp_cbc_seal(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	const struct esp_sa *first = v[__builtin_ctzll(set)].sa;
	const uint8_t group = first->group, auth = first->auth;
	uint64_t others = 0;
	uint32_t n = 0;

	for (; set != 0; set &= set - 1) {
		struct esp_pkt *p = &v[__builtin_ctzll(set)];

		if (p->sa->group != group || p->sa->auth != auth) {
			others |= set & -set;
			continue;
		}
		esp_prefetch_keys(p->sa);
		p->status = (uint8_t)seal(&e->sealing[n], p->sa, p->data, p->len, p->next_header);
		if (p->status != ESP_OK)
			continue;
		p->data -= IV_LEN + ESP_HDR;
		p->len = (uint16_t)(e->sealing[n].msg_len_to_hash_in_bytes + p->sa->icv_len);
		n++;
	}
	seal_run(e, n, group, auth);
	return others;
}

/* The first packet's suite is the one that is done, until the end. */
enum esp_sealed esp_cbc_seal_one(struct esp *e, struct esp_sa *sa, uint8_t *text, uint16_t len,
                                 uint8_t next_header)
{
	if (e->n_sealing == 0) {
		e->sealing_group = sa->group;
		e->sealing_auth = sa->auth;
	}
	assert(e->n_sealing < ESP_BURST_MAX);
	if (sa->group != e->sealing_group || sa->auth != e->sealing_auth ||
	    seal(&e->sealing[e->n_sealing], sa, text, len, next_header) != ESP_OK)
		return ESP_UNSEALED;
	e->n_sealing++;
	return ESP_SEALING;
}

void esp_cbc_seal_end(struct esp *e)
{
	seal_run(e, e->n_sealing, e->sealing_group, e->sealing_auth);
	e->n_sealing = 0;
}

/* ---- in ---- */

/* Lengths and the number: nothing is authentic yet. */
static inline enum esp_status hash_in(IMB_JOB *j, struct esp_opening *o, struct esp_pkt *p)
{
	const struct esp_sa *sa = p->sa;
	uint32_t around = ESP_HDR + IV_LEN + (uint32_t)sa->icv_len, inner = p->len - around;

	if (p->len <= around || inner % 16 != 0)
		return ESP_SHORT;
	if (!esp_replay_may(sa, esp_get32(p->data + 4), &o->seq))
		return ESP_REPLAY;
	o->p = p;
	hash_fields(j, sa, p->data, ESP_HDR + IV_LEN + inner);
	return ESP_OK;
}

/*
 * Of what hashes: deciphering takes one packet after the other. Four of unequal lengths keep the SHA instructions busy,
 * which do two at a time; lanes are for SHA-1 of long packets, and for all where there are none, as many as there are:
 * SHA-384 and SHA-512 take two each.
 */
uint32_t esp_open_together(const struct esp *e, const struct esp_pkt *p)
{
	const uint8_t auth = p->sa->auth;
	const uint32_t lanes = esp_lanes(e->mgr);

	if (auth > ESP_HMAC_SHA256_128)
		return lanes / 2;
	if (e->narrow != NULL && (auth != ESP_HMAC_SHA1_96 || p->len <= ESP_LONG + p->sa->icv_len))
		return 4;
	return lanes;
}

void esp_open_join(struct esp *e, struct esp_pkt *p)
{
	const uint32_t n = e->n_opening;
	enum esp_status status;

	assert(n < ESP_BURST_MAX);
	p->newest = false;
	status = hash_in(&e->opening[n], &e->opened[n], p);
	p->status = (uint8_t)status;
	e->n_opening = n + (status == ESP_OK);
}

/* After the ICV of all: in the order of the burst, for one packet may be there twice. */
static inline enum esp_status admit(IMB_JOB *j, const struct esp_opening *o, uint32_t hashed,
                                    const uint8_t *tag)
{
	struct esp_pkt *p = o->p;
	uint8_t *text = p->data + ESP_HDR + IV_LEN;

	if (!esp_same(p->data + hashed, tag, p->sa->icv_len))
		return ESP_AUTH;
	if (!esp_replay_in(p->sa, o->seq, &p->newest))
		return ESP_REPLAY;
	j->dec_keys = p->sa->key;
	j->src = text;
	j->dst = text;
	j->msg_len_to_cipher_in_bytes = hashed - ESP_HDR - IV_LEN;
	j->iv = text - IV_LEN;
	return ESP_OK;
}

/* How many packets have come through it. */
static uint32_t hashed_all(struct esp *e)
{
	const uint32_t n = e->n_opening;
	struct esp_opening *o = e->opened;
	IMB_JOB *jobs = e->opening;
	uint32_t left = 0;

	if (n == 0)
		return 0;
	e->n_opening = 0;
	hash_burst(e, jobs, n, hash_alg(o[0].p->sa->auth));
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t hashed = (uint32_t)jobs[i].msg_len_to_hash_in_bytes;
		enum esp_status status = admit(&jobs[left], &o[i], hashed, e->tag[i]);

		o[i].p->status = (uint8_t)status;
		if (status != ESP_OK)
			continue;
		o[left++].p = o[i].p;
	}
	return left;
}

void esp_open_joined(struct esp *e, const struct esp_pkt *later, uint32_t n_later)
{
	const uint32_t n = hashed_all(e);

	for (uint32_t i = 0; i < n_later; i++)
		esp_open_ahead(&later[i]);
	if (n == 0)
		return;
	IMB_SUBMIT_CIPHER_BURST_NOCHECK(e->mgr, e->opening, n, IMB_CIPHER_CBC, IMB_DIR_DECRYPT,
	                                key_size(e->opened[0].p->sa->group));
	for (uint32_t i = 0; i < n; i++) {
		struct esp_pkt *p = e->opened[i].p;

		p->status = (uint8_t)esp_close(p, p->data + ESP_HDR + IV_LEN,
		                               (uint32_t)e->opening[i].msg_len_to_cipher_in_bytes);
	}
}

/* Fetches for the first packet of set: what is left of it. */
static inline uint64_t next_ahead(const struct esp_pkt *v, uint64_t set)
{
	if (set != 0)
		esp_open_ahead(&v[__builtin_ctzll(set)]);
	return set & (set - 1);
}

uint64_t esp_cbc_open(struct esp *e, struct esp_pkt *v, uint64_t set)
{
	const struct esp_pkt *first = &v[__builtin_ctzll(set)];
	const uint32_t together = esp_open_together(e, first);
	uint64_t mine = 0, ahead;

	for (uint64_t left = set; left != 0; left &= left - 1) {
		const struct esp_sa *sa = v[__builtin_ctzll(left)].sa;

		if (sa->group == first->sa->group && sa->auth == first->sa->auth)
			mine |= left & -left;
	}
	set &= ~mine;
	ahead = mine;
	for (uint32_t i = 0; i < together; i++)
		ahead = next_ahead(v, ahead);
	for (; mine != 0; mine &= mine - 1) {
		ahead = next_ahead(v, ahead);
		esp_open_join(e, &v[__builtin_ctzll(mine)]);
		if (e->n_opening == together)
			esp_open_joined(e, NULL, 0);
	}
	esp_open_joined(e, NULL, 0);
	return set;
}
