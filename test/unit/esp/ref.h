/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * ESP once more, over OpenSSL's EVP: one packet at a time, out of place, no state. It shares with
 * lib/esp only the names of the suites. The tests hold the two against each other.
 */
#pragma once

#include "esp/esp.h"

struct ref_sa {
	struct esp_suite suite;
	uint8_t enc[36], auth[64]; /* keying material as RFC 7296 2.17 cuts it */
	uint32_t spi;
	bool esn;
};

size_t ref_iv_len(const struct ref_sa *r);
size_t ref_icv_len(const struct ref_sa *r);
size_t ref_block(const struct ref_sa *r);

/* The packet around inner (payload, padding, trailer), which must be whole blocks. Returns its length. */
size_t ref_seal(const struct ref_sa *r, uint64_t seq, const uint8_t *iv, const uint8_t *inner,
                size_t len, uint8_t *out);
/* The same with the padding of RFC 4303 2.4, as little as there may be. */
size_t ref_encrypt(const struct ref_sa *r, uint64_t seq, const uint8_t *iv, const uint8_t *payload,
                   size_t len, uint8_t next_header, uint8_t *out);
/* The inner bytes of a packet; -1: the ICV is wrong or SPI and number are not those. */
int ref_open(const struct ref_sa *r, uint64_t seq, const uint8_t *pkt, size_t len, uint8_t *inner);
/* .. and the payload; -1: also when its padding is wrong. */
int ref_decrypt(const struct ref_sa *r, uint64_t seq, const uint8_t *pkt, size_t len,
                uint8_t *payload, uint8_t *next_header);

/* E(counter): what the IV of a CBC packet must be. */
void ref_cbc_iv(const struct ref_sa *r, uint64_t counter, uint8_t *iv);
