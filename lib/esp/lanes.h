/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Which code of the multi-buffer library is the sooner done with some jobs. The code for wide registers has lanes, 8
 * with AVX2 and 16 with AVX512, and takes the time of all of them, and of the longest packet, however many are filled.
 * Beside it stands a second, narrow manager: SHA instructions, which only the library's SSE code knows, do two packets
 * at a time, and its AES-CBC has 4 or 8 lanes.
 */
#pragma once

#include "esp/esp_int.h"

/* The narrow manager beside mgr; NULL: the CPU has no SHA instructions, or mgr is it. To be freed. */
IMB_MGR *esp_narrow_mgr(const IMB_MGR *mgr);

static inline uint32_t esp_lanes(const IMB_MGR *mgr)
{
	return mgr->used_arch == IMB_ARCH_AVX512 ? 16 : mgr->used_arch == IMB_ARCH_AVX2 ? 8 : 4;
}

/* n jobs in lanes, a round after the other, fill more than so many of 16. */
static inline bool esp_fills(uint32_t n, uint32_t lanes, uint32_t more)
{
	const uint32_t all = (n + lanes - 1) & ~(lanes - 1);

	return 16 * n > more * all;
}

#define ESP_LONG 512 /* bytes of a packet: more are many */

/* All have nearly one length, of more than so many bytes: of what is hashed, or ciphered. */
static inline bool esp_alike(const IMB_JOB *j, uint32_t n, bool hashed, uint64_t more)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t len =
		        hashed ? j[i].msg_len_to_hash_in_bytes : j[i].msg_len_to_cipher_in_bytes;

		least = len < least ? len : least;
		most = len > most ? len : most;
	}
	return least > more && least * 8 >= most * 7;
}

/*
 * The manager that hashes n packets sooner. Measured: SHA-256 gains nothing even by 16 full lanes. SHA-1 does with long
 * packets: by 8 lanes when they are about full, by 16 from 10 on; by these with short ones too, when they are about full.
 */
static inline IMB_MGR *esp_hasher(IMB_MGR *mgr, IMB_MGR *narrow, IMB_HASH_ALG alg, const IMB_JOB *j,
                                  uint32_t n)
{
	const uint32_t lanes = esp_lanes(mgr);
	bool full;

	if (narrow == NULL || (alg != IMB_AUTH_HMAC_SHA_1 && alg != IMB_AUTH_HMAC_SHA_256))
		return mgr;
	full = esp_fills(n, lanes, 14);
	if (alg == IMB_AUTH_HMAC_SHA_256 || !(full || (lanes == 16 && esp_fills(n, lanes, 9))))
		return narrow;
	return esp_alike(j, n, true, full && lanes == 16 ? 0 : ESP_LONG) ? mgr : narrow;
}

/* The same of AES-CBC out, whose packets wait for each block: 16 lanes gain with long ones, when over half are full. */
static inline IMB_MGR *esp_sealer(IMB_MGR *mgr, IMB_MGR *narrow, const IMB_JOB *j, uint32_t n)
{
	if (narrow == NULL || esp_lanes(mgr) != 16)
		return mgr;
	return esp_fills(n, 16, 8) && esp_alike(j, n, false, ESP_LONG) ? mgr : narrow;
}
