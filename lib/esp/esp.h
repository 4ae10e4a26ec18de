/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * ESP (RFC 4303) over intel-ipsec-mb: security associations, and bursts of packets through them.
 *
 * An engine (struct esp) belongs to one thread: it holds that thread's multi-buffer manager and
 * scratch space. An SA is made and freed by any one thread and used by the one that owns it; nothing
 * here locks. No function but esp_new, esp_sa_new and the frees allocates memory.
 *
 * A packet is bytes: this library knows of no buffers, no IP header and no UDP encapsulation
 * (RFC 3948); those are the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct esp; /* one thread's engine */
struct esp_sa; /* one direction of a security association */

enum esp_cipher {
	ESP_NULL, /* RFC 2410 */
	ESP_AES_CBC, /* RFC 3602: keys of 16, 24, 32 bytes */
	ESP_3DES_CBC, /* RFC 2451: 24 bytes */
	ESP_AES_CTR, /* RFC 3686: 16, 24, 32 bytes, then 4 of nonce */
	ESP_AES_GCM, /* RFC 4106: 16, 24, 32 bytes, then 4 of salt */
	ESP_CHACHA20_POLY1305, /* RFC 7634: 32 bytes, then 4 of salt */
	ESP_CIPHER_MAX
};

enum esp_auth {
	ESP_AUTH_AEAD, /* the cipher's own; with AES_GCM and CHACHA20_POLY1305 only */
	ESP_HMAC_SHA1_96, /* RFC 2404: key of 20 bytes */
	ESP_HMAC_SHA256_128, /* RFC 4868: 32 */
	ESP_HMAC_SHA384_192, /* 48 */
	ESP_HMAC_SHA512_256, /* 64 */
	ESP_AUTH_MAX
};

struct esp_suite {
	enum esp_cipher cipher;
	enum esp_auth auth;
	uint16_t key_len; /* of the cipher in bytes, nonce or salt not counted; NULL: 0 */
	uint16_t icv_len; /* AES_GCM: 8, 12 or 16; otherwise what the algorithm says, or 0 */
};

/* "aes128-sha1", "aes256gcm16", "null-sha256", ..: the words of strongSwan's proposals. */
const char *esp_suite_name(const struct esp_suite *s, char *buf, size_t size);
/* Bytes of keying material (RFC 7296 2.17): cipher key with nonce or salt, and key of the hash. */
uint16_t esp_suite_enc_key_len(const struct esp_suite *s);
uint16_t esp_suite_auth_key_len(const struct esp_suite *s);
/* True when this library does the suite. CTR and NULL need a hash; no hash alone is not done. */
bool esp_suite_ok(const struct esp_suite *s);

struct esp_sa_conf {
	uint32_t spi; /* host order, above 255 (RFC 4303 2.1) */
	bool inbound;
	struct esp_suite suite;
	const uint8_t *enc_key, *auth_key; /* of the lengths above; copied */
	uint16_t enc_key_len, auth_key_len;
	bool esn; /* 64-bit sequence numbers (RFC 4304) */
	uint32_t replay_window; /* inbound: 0 (none), or 32..4096, rounded up to a power of two */
};

/*
 * Makes the calling thread's engine and runs the self test of every suite on it (known answers).
 * NULL: failed; a sentence about it in why.
 */
struct esp *esp_new(char *why, size_t size);
void esp_free(struct esp *e);
/* "AVX512", "AVX2", "SSE": what the multi-buffer library chose. */
const char *esp_arch_name(const struct esp *e);

/*
 * Makes an SA; e is the calling thread's engine (the SA may be used with another one later). NULL
 * with errno: EINVAL (suite, key length, spi, window), ENOMEM.
 */
struct esp_sa *esp_sa_new(struct esp *e, const struct esp_sa_conf *conf);
/* Wipes the keys and frees what esp_sa_new has made. NULL is nothing. Its owner has let go of it. */
void esp_sa_free(struct esp_sa *sa);

/*
 * The same in the caller's memory, beside what he keeps about the SA: esp_sa_size bytes (0: EINVAL) at
 * a multiple of 64. esp_sa_wipe, and not esp_sa_free, before the memory serves something else.
 */
size_t esp_sa_size(const struct esp *e, const struct esp_sa_conf *conf);
struct esp_sa *esp_sa_place(struct esp *e, const struct esp_sa_conf *conf, void *at);
/*
 * Where in an SA of that conf ESP_GAP bytes, at a multiple of 64, are left to the caller: their offset; 0: nowhere.
 * With AES-128-GCM a schedule's room for longer keys is empty. esp_sa_place and esp_sa_wipe zero them with the rest.
 */
#define ESP_GAP 64
size_t esp_sa_gap(const struct esp *e, const struct esp_sa_conf *conf);
/* Zeroes the SA with its keys and window; esp_sa_free does it before it frees. */
void esp_sa_wipe(struct esp_sa *sa);

uint32_t esp_sa_spi(const struct esp_sa *sa);
const struct esp_suite *esp_sa_suite(const struct esp_sa *sa);
bool esp_sa_esn(const struct esp_sa *sa);
/*
 * Outbound: the last number used; inbound: the highest authenticated one. Any thread, relaxed. An SA
 * begins with it: it is asked for with every packet.
 */
static inline uint64_t esp_sa_seq(const struct esp_sa *sa)
{
	return __atomic_load_n((const uint64_t *)(const void *)sa, __ATOMIC_RELAXED);
}

/* What an outbound packet grows by: in front (SPI, sequence number, IV) .. */
uint16_t esp_sa_head(const struct esp_sa *sa);
/*
 * .. and at most behind: padding up to one byte less than esp_sa_block, two bytes of trailer, and the ICV, in
 * whose room the high half of an ESN has its place.
 */
uint16_t esp_sa_tail_max(const struct esp_sa *sa);
/* What payload and two bytes of trailer are padded to a multiple of. A power of two. */
uint8_t esp_sa_block(const struct esp_sa *sa);

enum esp_status {
	ESP_OK,
	ESP_SHORT, /* no room for header, IV, one block or trailer, and ICV; or not whole blocks */
	ESP_REPLAY, /* the sequence number was seen, is older than the window, or is 0 */
	ESP_AUTH, /* the ICV is wrong */
	ESP_PAD, /* padding is not 1, 2, 3 .. or longer than the packet (RFC 4303 2.4) */
	ESP_DUMMY, /* next header 59: to be discarded (RFC 4303 2.6) */
	ESP_SEQ_END, /* outbound: no sequence number is left (RFC 4303 3.3.3) */
	ESP_STATUS_MAX
};

const char *esp_status_name(enum esp_status s);

#define ESP_BURST_MAX 64

struct esp_pkt {
	struct esp_sa *sa;
	uint8_t *data; /* decrypt: at the ESP header, then at the payload; encrypt: the reverse */
	uint16_t len; /* of what data points to */
	uint8_t next_header; /* encrypt: given; decrypt: found */
	uint8_t status; /* enum esp_status, set by the burst */
	bool newest; /* decrypt: the highest sequence number of the SA so far */
	uint8_t mark; /* the caller's own */
};

/*
 * Decrypts a burst in place (RFC 4303 3.4): replay check, ICV compared in constant time before
 * anything is decrypted, replay check once more and the window moved, padding checked. n up to
 * ESP_BURST_MAX packets, of any SAs in any order (inbound ones, all this thread's). A packet that
 * fails keeps data and len; what its bytes are then is undefined. It harms no other one. An AEAD
 * deciphers in the pass that computes its ICV; what it made of a forged packet is zeroed.
 *
 * With ESN and a separate hash up to 4 bytes behind the packet's ICV are not touched: the high half
 * is hashed in a place of the library's own or in the ICV's, which is consumed.
 */
void esp_decrypt(struct esp *e, struct esp_pkt *v, uint16_t n);

/*
 * The same in parts, for a caller that has something else to do between packets. All packets of an SA are opened in
 * one of these ways, in their order; which one is soonest:
 */
#define ESP_OPENS_SET    0 /* esp_decrypt_set */
#define ESP_OPENS_ALONE  1 /* esp_open: they gain nothing from a burst */
#define ESP_OPENS_JOINED 2 /* or higher: esp_open_join, with those of the same number */
uint8_t esp_sa_opens(const struct esp_sa *sa);
/* One packet, as esp_decrypt does it. */
void esp_open(struct esp *e, struct esp_pkt *p);
/*
 * Brings what esp_open or esp_open_joined will need for p; some packets before, when the first lines of the SA and of
 * the packet are there.
 */
void esp_open_ahead(const struct esp_pkt *p);
/* How many packets before: 2 or 3, fewer where keys of GCM are of many lines. esp_seal_ahead alike. */
uint32_t esp_keys_ahead(const struct esp *e);
/*
 * Up to ESP_BURST_MAX packets, one after the other as the caller comes to them, then esp_open_joined, which does them
 * all, before anything else is asked of the engine. Until then they stay where they are, and nothing is known of
 * them. Halfway it does esp_open_ahead for n_later others, where memory has some time for them.
 */
void esp_open_join(struct esp *e, struct esp_pkt *p);
void esp_open_joined(struct esp *e, const struct esp_pkt *later, uint32_t n_later);
/*
 * How many packets like p, of its suite and length, esp_open_joined needs to be as fast as it gets, 1 to ESP_BURST_MAX.
 * More at a time gain nothing, and while their keys come the CPU waits: esp_open_ahead is for as many, some packets
 * before.
 */
uint32_t esp_open_together(const struct esp *e, const struct esp_pkt *p);
/* Those packets of v whose bits are in set, whatever their SAs. */
void esp_decrypt_set(struct esp *e, struct esp_pkt *v, uint64_t set);

/*
 * Encrypts a burst in place (RFC 4303 3.3). The caller has esp_sa_head bytes before data and
 * esp_sa_tail_max bytes behind it. Sequence numbers follow the order of v within each SA. IVs: an
 * encrypted counter for CBC (NIST SP 800-38A appendix C), the sequence number for the others. What
 * would grow past 65535 bytes is ESP_SHORT; it and ESP_SEQ_END leave packet and SA alone.
 */
void esp_encrypt(struct esp *e, struct esp_pkt *v, uint16_t n);

/* What esp_seal has done with a packet. */
enum esp_sealed {
	ESP_SEALED, /* encrypted */
	ESP_SEALING, /* will be by esp_seal_end, with others of its suite: till then it stays where it is */
	ESP_UNSEALED, /* nothing: it is esp_encrypt's, after esp_seal_end, which does it or says why not */
};

/*
 * The same packet by packet, for those that are made one after the other: each is encrypted while the next one
 * is made, as far as its suite allows. data, len and next_header are as in struct esp_pkt; the packet will
 * begin esp_sa_head bytes before data, and is as long as esp_sa_block says. Up to ESP_BURST_MAX
 * packets, then esp_seal_end, before anything else is asked of the engine. The packets of one SA are all done or
 * all esp_encrypt's, so their numbers follow their order.
 */
enum esp_sealed esp_seal(struct esp *e, struct esp_sa *sa, uint8_t *data, uint16_t len,
                         uint8_t next_header);
void esp_seal_end(struct esp *e);
/*
 * Brings what esp_seal will need of sa and of len bytes at data, with what is put behind them; some packets before, when
 * the first line of both is there.
 */
void esp_seal_ahead(const struct esp_sa *sa, const uint8_t *data, uint16_t len);
