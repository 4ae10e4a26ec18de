/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files of lib/esp, its tests and its benchmark share. */
#pragma once

#include "esp/esp.h"

#define NO_COMPAT_IMB_API_053 /* no short names of old */
#include <intel-ipsec-mb.h>

#include <string.h>

#define ESP_HDR        8 /* SPI and sequence number (RFC 4303 2) */
#define ESP_TRAILER    2 /* pad length and next header */
#define ESP_NH_DUMMY   59 /* no next header (2.6) */
#define ESP_ICV_MAX    32 /* HMAC-SHA2-512-256 */
#define ESP_WINDOW_MIN 32
#define ESP_WINDOW_MAX 4096
#define ESP_SPI_MIN    256 /* below: reserved (2.1) */
#define ESP_SALT       4 /* salt or nonce, behind the key of a counter mode */
#define ESP_CACHE_LINE 64

/*
 * struct gcm_key_data: round keys, as many as a key of 256 bits has, and then powers of the hash key. A key of 128 bits
 * has no more than 11 of them, and to the rest the library does nothing that matters.
 */
#define ESP_GCM128_KEYS (11 * 16)
#define ESP_GCM_POWERS  (15 * 16)
_Static_assert(ESP_GCM128_KEYS + ESP_GAP == ESP_GCM_POWERS &&
                       offsetof(struct gcm_key_data, ghash_keys) == ESP_GCM_POWERS,
               "esp_sa_gap");

/* What one call of the multi-buffer library can do together: one mode and one size of key. */
enum esp_group {
	ESP_G_NULL,
	ESP_G_CBC128,
	ESP_G_CBC192,
	ESP_G_CBC256,
	ESP_G_3DES,
	ESP_G_CTR128,
	ESP_G_CTR192,
	ESP_G_CTR256,
	ESP_G_GCM128,
	ESP_G_GCM192,
	ESP_G_GCM256,
	ESP_G_CHACHA,
	ESP_G_MAX
};

/*
 * All that a packet needs to know of its SA is in the first line; only seq is written while packets
 * flow. In room: the key schedule, which may have the caller's gap in it, the replay window (inbound) in
 * front or behind, the hashed pads of the HMAC key.
 */
struct esp_sa {
	uint64_t seq; /* written by the owner, read by anyone */
	union {
		uint64_t iv_seed; /* outbound, CBC: the counter of packet 0 */
		/*
		 * Inbound: that many numbers up to seq have been seen, whatever the window's bits say of
		 * them. While every number is the next one, no bit is written.
		 */
		uint64_t streak;
	};
	const void *key; /* schedule of the one direction; CHACHA20: the key itself */
	const uint8_t *hmac; /* hashed ipad, opad; each esp_hmac_state; NULL: AEAD */
	uint32_t spi_be;
	uint8_t salt[ESP_SALT];
	uint16_t window; /* numbers; a power of two, or 0 */
	uint16_t size; /* of the SA with its room */
	uint8_t group; /* enum esp_group */
	uint8_t auth; /* enum esp_auth */
	uint8_t head, iv_len, block,
	        icv_len; /* bytes; block: what text and trailer are padded to */
	uint8_t map; /* where the window's bits begin in room, in words of 64 */
	bool esn;
	struct esp_suite suite;
	_Alignas(ESP_CACHE_LINE) uint8_t room[];
};
_Static_assert(sizeof(struct esp_sa) == ESP_CACHE_LINE, "the hot fields are one line");
_Static_assert(offsetof(struct esp_sa, seq) == 0, "esp_sa_seq");

/* One packet of the burst at work. */
struct esp_slot {
	const struct esp_sa *sa;
	uint8_t *pkt; /* the ESP header */
	uint8_t *text; /* what is to be ciphered .. */
	uint32_t text_len;
	uint32_t hash_len; /* of pkt, for a separate hash */
	const uint8_t *iv;
	uint8_t *tag; /* where the computed ICV goes */
	const uint8_t *icv; /* decrypt: the one that came */
	uint64_t seq; /* decrypt: with the inferred high half */
	uint8_t nonce[16]; /* salt or nonce, IV, block counter */
	uint8_t aad[16]; /* SPI, high and low half (RFC 4106 5) */
	uint8_t came[ESP_ICV_MAX], computed[ESP_ICV_MAX];
};

/* Bit i is packet i: the packets of a burst by what is to be done with them. */
struct esp_sets {
	uint64_t cipher[ESP_G_MAX];
	uint64_t auth[ESP_AUTH_MAX];
};
_Static_assert(ESP_BURST_MAX <= 64, "a burst fits a word of bits");

/* A packet in a burst of cbc.c, and the number that it came with. */
struct esp_opening {
	struct esp_pkt *p;
	uint64_t seq;
};

struct esp {
	IMB_MGR *mgr;
	IMB_MGR *narrow; /* lanes.h; NULL: there is none, or mgr is it */
	bool des3_lanes; /* 3DES of more than a few packets by the multi-buffer library */
	uint16_t gcm_key_size; /* of struct gcm_key_data, what this CPU's code uses */
	uint16_t keys_ahead; /* esp_keys_ahead */
	uint16_t n_sealing; /* jobs that esp_seal_end submits .. */
	uint8_t sealing_group, sealing_auth; /* .. of this suite */
	uint32_t n_opening; /* jobs that esp_open_joined submits */
	struct gcm_context_data gcm;
	_Alignas(16) uint8_t nonce[16], icv[16]; /* of gcm.c's packet in hand */
	struct esp_slot slot[ESP_BURST_MAX];
	IMB_JOB jobs[ESP_BURST_MAX]; /* of crypt.c */
	/* Of cbc.c: what is the same for all packets stays filled in. */
	IMB_JOB sealing[ESP_BURST_MAX], opening[ESP_BURST_MAX];
	struct esp_opening opened[ESP_BURST_MAX]; /* whose packets are in opening */
	uint8_t tag[ESP_BURST_MAX][ESP_ICV_MAX]; /* .. and their computed ICVs */
};

/* Sizes of one cipher and of one hash; NULL when there is none. */
struct esp_cipher_def {
	const char *name; /* of strongSwan, without the size of the key */
	uint8_t salt, iv_len, block;
	bool aead, sized; /* sized: the key's bits stand in the name */
};
struct esp_auth_def {
	const char *name;
	uint8_t key_len, icv_len, block; /* block: of the hash, which the key is padded to */
};
const struct esp_cipher_def *esp_cipher_def(enum esp_cipher c);
const struct esp_auth_def *esp_auth_def(enum esp_auth a);

/*
 * The fast ways, which most traffic takes: GCM packet by packet, AES-CBC with a hash and 32-bit
 * numbers as jobs that serve cipher and hash alike. They give statuses and packets as esp_encrypt and
 * esp_decrypt do. Of GCM out: packets order[0] to order[n - 1] of v. Of the others: those whose bits are in
 * set; of CBC the ones of the first one's suite are done, the others' bits are returned.
 */
void esp_gcm_seal(struct esp *e, struct esp_pkt *v, const uint8_t *order, uint16_t n);
void esp_gcm_open(struct esp *e, struct esp_pkt *v, uint64_t set);
void esp_cbc_init(struct esp *e);
uint64_t esp_cbc_seal(struct esp *e, struct esp_pkt *v, uint64_t set);
uint64_t esp_cbc_open(struct esp *e, struct esp_pkt *v, uint64_t set);

/* Of esp_seal and its end. */
enum esp_sealed esp_gcm_seal_one(struct esp *e, struct esp_sa *sa, uint8_t *text, uint16_t len,
                                 uint8_t next_header);
enum esp_sealed esp_cbc_seal_one(struct esp *e, struct esp_sa *sa, uint8_t *text, uint16_t len,
                                 uint8_t next_header);
void esp_cbc_seal_end(struct esp *e);

/* Room for one hashed pad: two of the short hashes' are one line. */
static inline uint32_t esp_hmac_state(uint8_t auth)
{
	return auth <= ESP_HMAC_SHA256_128 ? 32 : 64;
}

static inline bool esp_is_gcm(const struct esp_sa *sa)
{
	return sa->group >= ESP_G_GCM128 && sa->group <= ESP_G_GCM256;
}

static inline bool esp_is_cbc(const struct esp_sa *sa)
{
	return sa->group >= ESP_G_CBC128 && sa->group <= ESP_G_CBC256 && !sa->esn;
}

/* The bursts of crypt.c work on the slots whose bits are in set. */
void esp_cipher_burst(struct esp *e, uint64_t set, enum esp_group g, bool encrypt);
void esp_hash_burst(struct esp *e, uint64_t set, enum esp_auth a);
void esp_aead_burst(struct esp *e, uint64_t set, enum esp_group g, bool encrypt);

/* The multi-buffer library wants the three schedules by pointers: where it has lanes for them. */
#define ESP_DES3_SCHEDULE (3 * 128)
struct esp_des3_keys {
	_Alignas(16) uint8_t few[ESP_DES3_SCHEDULE]; /* libcrypto's */
	const void *by_pass[3];
	_Alignas(16) uint64_t schedule[3][IMB_DES_KEY_SCHED_SIZE / 8];
};
/* 3DES by libcrypto: three keys become a schedule, which ciphers the text of a slot. */
void esp_des3_expand(const uint8_t *key, void *schedule);
void esp_des3_cbc(const struct esp_slot *s, bool encrypt);

/*
 * The number that low means (RFC 4303 appendix A), and whether it may come in: neither seen nor too
 * old. Nothing is changed: the packet is not authenticated yet.
 */
bool esp_replay_check(const struct esp_sa *sa, uint32_t low, uint64_t *seq);
/* The same again for an authentic packet, whose number is then taken. */
bool esp_replay_take(struct esp_sa *sa, uint64_t seq, bool *newest);

/* Known answers of every suite. Returns NULL, or the name of what failed in buf. */
const char *esp_selftest(struct esp *e, char *buf, size_t size);

/* One suite of the self test, as its known answer was made: see selftest.c. */
struct esp_kat {
	struct esp_suite suite;
	uint64_t answer[2]; /* with 32-bit numbers; with ESN */
};
#define ESP_KAT_PACKETS 17 /* more than any implementation has lanes */
#define ESP_KAT_SPI     0x5a11710eu
#define ESP_KAT_SEED    0x0123456789abcdefull
extern const struct esp_kat esp_kats[];
extern const size_t esp_n_kats;
/* The number before the first one's; with ESN the low half wraps in the burst. */
static inline uint64_t esp_kat_seq(bool esn)
{
	return esn ? 0x2fffffff8ull : 0x7ffffff8;
}
/* Byte i of packet k's payload, and its length. */
static inline uint8_t esp_kat_byte(unsigned int k, unsigned int i)
{
	return (uint8_t)(i * 7 + k);
}
static inline uint16_t esp_kat_len(unsigned int k)
{
	return (uint16_t)(40 + 5 * k);
}
/* The answer over the last 8 bytes of each packet: of its ICV, which covers all else. */
static inline uint64_t esp_kat_add(uint64_t sum, const uint8_t *pkt, size_t len)
{
	uint64_t v;

	memcpy(&v, pkt + len - sizeof(v), sizeof(v));
	return (sum ^ v) * 0x100000001b3ull;
}

/*
 * Brings a line. Not __builtin_prefetch: gcc takes a function that does nothing else for one without
 * effects, and drops the calls of it.
 */
static inline void esp_prefetch(const void *p)
{
	__asm__ volatile("prefetcht0 %0" : : "m"(*(const uint8_t *)p));
}

static inline void esp_put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void esp_put64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint32_t esp_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}
