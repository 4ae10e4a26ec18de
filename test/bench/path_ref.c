/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* bench_path: the references. What the path cannot do without, done as well as we can. */
#include "bench/path.h"
#include "dataplane/ip4.h"
#include "esp/lanes.h"

#include <stdlib.h>

#include <rte_ether.h>
#include <rte_prefetch.h>

#define OFF_IP  RTE_ETHER_HDR_LEN
#define OFF_ESP (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr))

/* ---- ref.ip4 ---- */

/* RFC 1812 5.2.2, with the header's sum over five words. */
static inline bool ip4_good(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t p[5];
	uint64_t sum;

	memcpy(p, ip, sizeof(p));
	sum = (uint64_t)p[0] + p[1] + p[2] + p[3] + p[4];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ip->version_ihl == RTE_IPV4_VHL_DEF && sum == 0xffff && ip->time_to_live > 1 &&
	       rte_be_to_cpu_16(ip->total_length) <= len;
}

/* Next hops by the index that the routes give: what the Ethernet header begins with. */
static const struct {
	_Alignas(16) uint8_t eth[2 * RTE_ETHER_ADDR_LEN];
} hops[] = {[HOP_WORLD] = {{2, 0xcc, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 2}},
            [HOP_LAC] = {{2, 0xaa, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 1}}};

void ref_ip4(struct world *w, struct rte_mbuf **v, uint16_t n)
{
	uint32_t dst[VEC_MAX], hop[VEC_MAX];

	for (uint16_t i = 0; i < n; i++) {
		struct rte_ipv4_hdr *ip =
		        rte_pktmbuf_mtod_offset(v[i], struct rte_ipv4_hdr *, OFF_IP);
		const unaligned_uint16_t *type = rte_pktmbuf_mtod_offset(v[i], const void *, 12);

		if (unlikely(*type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		             !ip4_good(ip, (uint32_t)(v[i]->data_len - OFF_IP))))
			fail("The reference takes no such packet.");
		ip4_ttl_down(ip);
		dst[i] = rte_be_to_cpu_32(ip->dst_addr);
	}
	rte_lpm_lookup_bulk(w->lpm, dst, hop, n);
	for (uint16_t i = 0; i < n; i++) {
		if (unlikely((hop[i] & RTE_LPM_LOOKUP_SUCCESS) == 0))
			fail("The reference has no route.");
		memcpy(rte_pktmbuf_mtod(v[i], void *), hops[hop[i] & 0xff].eth,
		       sizeof(hops[0].eth));
	}
	if (rte_eth_tx_burst(LAC_PORT, 0, v, n) != n)
		fail("The reference's port is full.");
}

void ref_ip4_verify(const struct spec *s, const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
	        rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, OFF_IP);

	if (!ip4_good(ip, (uint32_t)(m->data_len - OFF_IP)) || ip->time_to_live != 63 ||
	    memcmp(rte_pktmbuf_mtod(m, const void *), hops[s->dir == UP ? HOP_WORLD : HOP_LAC].eth,
	           sizeof(hops[0].eth)) != 0)
		fail("The reference forwards wrong packets.");
}

/* ---- crypto.* ---- */

/* A packet for GCM, as the direct API wants it. */
struct gcm_call {
	const struct gcm_key_data *key;
	uint8_t *text, *tag;
	const uint8_t *aad;
	uint64_t len;
	uint8_t iv[12];
};

struct ref_crypto {
	IMB_MGR *mgr, *narrow; /* as in struct esp: whichever is the faster one is the limit */
	uint16_t n;
	bool encrypt;
	enum suite suite;
	uint32_t together; /* CBC up: packets in one call */
	uint32_t key_bytes; /* of each SA, from its cipher's schedule on: the hash's pads follow */
	aes_gcm_enc_dec_t gcm;
	struct gcm_context_data ctx;
	struct gcm_call calls[VEC_MAX]; /* of the vector at work */
	IMB_JOB jobs[VEC_MAX];
	uint8_t tags[VEC_MAX][ESP_ICV_MAX]; /* up: computed ones */
	struct gcm_call all_calls[BATCH_MAX];
	IMB_JOB all_jobs[BATCH_MAX];
};

static const uint8_t zero_iv[16];

struct ref_crypto *ref_crypto_new(void)
{
	struct ref_crypto *r = aligned_alloc(64, (sizeof(*r) + 63) / 64 * 64);
	IMB_ARCH arch;

	if (r == NULL)
		fail("No memory for the reference.");
	memset(r, 0, sizeof(*r));
	r->mgr = alloc_mb_mgr(0);
	if (r->mgr == NULL)
		fail("No memory for the reference.");
	init_mb_mgr_auto(r->mgr, &arch);
	r->narrow = esp_narrow_mgr(r->mgr);
	return r;
}

void ref_crypto_free(struct ref_crypto *r)
{
	free_mb_mgr(r->mgr);
	if (r->narrow != NULL)
		free_mb_mgr(r->narrow);
	free(r);
}

/* Header and IV as the path writes them, for sequence numbers that grow in step with its own. */
static void head_make(struct esp_sa *sa, uint8_t *esp)
{
	uint64_t seq = ++sa->seq;

	memcpy(esp, &sa->spi_be, 4);
	esp_put32(esp + 4, (uint32_t)seq);
	if (sa->iv_len == 16) {
		esp_put64(esp + ESP_HDR, sa->iv_seed + seq);
		memset(esp + ESP_HDR + 8, 0, 8);
	} else {
		esp_put64(esp + ESP_HDR, seq);
	}
}

static void gcm_call(struct gcm_call *c, const struct esp_sa *sa, uint8_t *esp, uint16_t len,
                     uint8_t *tag)
{
	*c = (struct gcm_call){
	        .key = sa->key,
	        .text = esp + sa->head,
	        .tag = tag,
	        .aad = esp,
	        .len = (uint64_t)(len - sa->head - sa->icv_len),
	};
	memcpy(c->iv, sa->salt, ESP_SALT);
	memcpy(c->iv + ESP_SALT, esp + ESP_HDR, 8);
}

/* One job for both bursts: each looks at its own fields only. */
static void cbc_job(IMB_JOB *j, const struct ref_crypto *r, const struct esp_sa *sa, uint8_t *esp,
                    uint16_t len, uint8_t *tag)
{
	uint16_t skip = r->encrypt ? ESP_HDR : sa->head;

	*j = (IMB_JOB){
	        .enc_keys = sa->key,
	        .dec_keys = sa->key,
	        .key_len_in_bytes = sa->suite.key_len,
	        .src = esp,
	        .dst = esp + skip,
	        .cipher_start_src_offset_in_bytes = skip,
	        .msg_len_to_cipher_in_bytes = (uint64_t)(len - skip - sa->icv_len),
	        .hash_start_src_offset_in_bytes = 0,
	        .msg_len_to_hash_in_bytes = (uint64_t)(len - sa->icv_len),
	        .iv = r->encrypt ? zero_iv : esp + ESP_HDR,
	        .iv_len_in_bytes = 16,
	        .auth_tag_output = tag,
	        .auth_tag_output_len_in_bytes = sa->icv_len,
	        .cipher_mode = IMB_CIPHER_CBC,
	        .cipher_direction = r->encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
	        .hash_alg = r->suite == CBC128_SHA1 ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256,
	        .chain_order = r->encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER,
	};
	j->u.HMAC._hashed_auth_key_xor_ipad = sa->hmac;
	j->u.HMAC._hashed_auth_key_xor_opad = sa->hmac + esp_hmac_state(sa->auth);
}

static aes_gcm_enc_dec_t gcm_of(const struct ref_crypto *r)
{
	if (r->suite == GCM128)
		return r->encrypt ? r->mgr->gcm128_enc : r->mgr->gcm128_dec;
	return r->encrypt ? r->mgr->gcm256_enc : r->mgr->gcm256_dec;
}

void ref_crypto_prepare(struct ref_crypto *r, struct world *w, const struct spec *s,
                        const struct batch *b, const uint32_t *who)
{
	uint16_t len = (uint16_t)(s->dir == UP ? b->len - OFF_ESP : b->len);

	r->suite = s->suite;
	r->encrypt = s->dir == DOWN;
	r->gcm = gcm_of(r);
	r->together =
	        esp_open_together(w->peer, &(struct esp_pkt){.sa = w->subs[0].ref_in, .len = len});
	for (uint32_t i = 0; i < b->n; i++) {
		struct esp_sa *sa = r->encrypt ? w->subs[who[i]].ref_out : w->subs[who[i]].ref_in;
		uint8_t *esp =
		        r->encrypt ? text_at(s, b->m[i]) - sa->head : frame_at(b->m[i]) + OFF_ESP;
		uint8_t *tag = r->encrypt ? esp + len - sa->icv_len : r->tags[i % VEC_MAX];

		r->key_bytes = (uint32_t)((uint8_t *)sa + sa->size - (const uint8_t *)sa->key);
		if (r->encrypt)
			head_make(sa, esp);
		if (sa->auth == ESP_AUTH_AEAD)
			gcm_call(&r->all_calls[i], sa, esp, len, tag);
		else
			cbc_job(&r->all_jobs[i], r, sa, esp, len, tag);
	}
}

void ref_crypto_load(struct ref_crypto *r, uint32_t at, uint16_t n)
{
	r->n = n;
	if (r->suite == GCM128 || r->suite == GCM256)
		memcpy(r->calls, r->all_calls + at, n * sizeof(*r->calls));
	else
		memcpy(r->jobs, r->all_jobs + at, n * sizeof(*r->jobs));
}

/* ---- fetching in time, much as the path does it: esp_open_ahead, esp_seal_ahead ---- */

#define LONG 512 /* bytes: of a text of more only lines in front are fetched */

static inline void lines_prefetch(const void *p, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0((const uint8_t *)p + at);
}

/* The end of a long text is not fetched: the CPU itself brings what follows the lines that have been. */
static inline void text_prefetch(const uint8_t *text, uint64_t len)
{
	lines_prefetch(text, len > LONG ? 8 * RTE_CACHE_LINE_SIZE : len + ESP_ICV_MAX);
}

static inline void gcm_prefetch(const struct ref_crypto *r, uint32_t i)
{
	const struct gcm_call *c = &r->calls[i];

	if (i >= r->n)
		return;
	lines_prefetch(c->key, r->key_bytes);
	text_prefetch(c->text, c->len);
}

/*
 * n from at on. It is for bursts that hash first, of few packets; those that cipher first are of all, in lanes, whose
 * lines come side by side anyway, and lose by it.
 */
static inline void cbc_prefetch(const struct ref_crypto *r, uint32_t at, uint32_t n)
{
	for (uint32_t i = at; i < at + n && i < r->n; i++) {
		const IMB_JOB *j = &r->jobs[i];

		lines_prefetch(j->dec_keys, r->key_bytes);
		text_prefetch(j->src, j->msg_len_to_hash_in_bytes);
	}
}

static void gcm_run(struct ref_crypto *r)
{
	const uint32_t ahead = r->key_bytes > 512 ? 2 : 4; /* fewer where keys are of many lines */

	for (uint32_t i = 0; i < ahead; i++)
		gcm_prefetch(r, i);
	for (uint16_t i = 0; i < r->n; i++) {
		struct gcm_call *c = &r->calls[i];

		gcm_prefetch(r, i + ahead);
		r->gcm(c->key, &r->ctx, c->text, c->text, c->len, c->iv, c->aad, ESP_HDR, c->tag,
		       16);
	}
}

static void cbc_encrypt(struct ref_crypto *r, IMB_KEY_SIZE_BYTES size, IMB_HASH_ALG hash)
{
	IMB_MGR *hasher = esp_hasher(r->mgr, r->narrow, hash, r->jobs, r->n);
	IMB_MGR *sealer = esp_sealer(r->mgr, r->narrow, r->jobs, r->n);

	IMB_SUBMIT_CIPHER_BURST_NOCHECK(sealer, r->jobs, r->n, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT,
	                                size);
	IMB_SUBMIT_HASH_BURST_NOCHECK(hasher, r->jobs, r->n, hash);
}

/* As many at a time as the path does: all of a vector in one call take longer. */
static void cbc_decrypt(struct ref_crypto *r, IMB_KEY_SIZE_BYTES size, IMB_HASH_ALG hash)
{
	uint32_t n;

	cbc_prefetch(r, 0, r->together);
	for (uint32_t i = 0; i < r->n; i += n) {
		IMB_JOB *j = &r->jobs[i];
		IMB_MGR *hasher;

		n = RTE_MIN(r->together, r->n - i);
		hasher = esp_hasher(r->mgr, r->narrow, hash, j, n);
		cbc_prefetch(r, i + n, r->together / 2);
		IMB_SUBMIT_HASH_BURST_NOCHECK(hasher, j, n, hash);
		cbc_prefetch(r, i + n + r->together / 2, (r->together + 1) / 2);
		IMB_SUBMIT_CIPHER_BURST_NOCHECK(r->mgr, j, n, IMB_CIPHER_CBC, IMB_DIR_DECRYPT,
		                                size);
	}
}

void ref_crypto_run(struct ref_crypto *r)
{
	IMB_KEY_SIZE_BYTES size = r->suite == CBC128_SHA1 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES;
	IMB_HASH_ALG hash = r->suite == CBC128_SHA1 ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256;

	if (r->suite == GCM128 || r->suite == GCM256)
		gcm_run(r);
	else if (r->encrypt)
		cbc_encrypt(r, size, hash);
	else
		cbc_decrypt(r, size, hash);
}

void ref_crypto_verify(struct world *w, const struct spec *s, const struct rte_mbuf *ref,
                       const struct rte_mbuf *path, uint32_t who)
{
	const struct esp_sa *sa = w->subs[who].ref_out;
	const uint8_t *a, *b;
	uint16_t len;

	if (s->dir == DOWN) {
		a = text_at(s, ref) - sa->head;
		b = rte_pktmbuf_mtod_offset(path, const uint8_t *, OFF_ESP);
		len = (uint16_t)(path->data_len - OFF_ESP);
	} else {
		/* What the path has left as it was: all behind the inner IPv4 header. */
		len = (uint16_t)(s->size - sizeof(struct rte_ipv4_hdr));
		a = frame_at(ref) + OFF_ESP + sa->head + l2tp_len(s) - len;
		b = rte_pktmbuf_mtod_offset(path, const uint8_t *, OFF_ESP);
	}
	if (memcmp(a, b, len) != 0)
		fail("The reference ciphers other bytes than the path (%s, %u bytes).",
		     suite_names[s->suite], s->size);
}
