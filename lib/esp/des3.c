/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * 3DES of a few packets, and of any number without AVX512. The multi-buffer library then goes through
 * all of each S-box for every look-up, so as not to leak by the cache: 5000 cycles a byte, 3 ms a packet,
 * and everyone else on that worker waits. libcrypto takes a fiftieth of that. Its tables could in theory
 * be watched by another process on the same core; who minds that does not choose 3DES. The low-level
 * functions neither allocate nor need the legacy provider; the warning about them is silenced here alone.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "esp/esp_int.h"

#include <openssl/des.h>

_Static_assert(sizeof(DES_key_schedule) * 3 == ESP_DES3_SCHEDULE, "three schedules");

void esp_des3_expand(const uint8_t *key, void *schedule)
{
	DES_key_schedule *ks = schedule;

	for (int i = 0; i < 3; i++)
		DES_set_key_unchecked((const_DES_cblock *)(const void *)(key + i * 8), &ks[i]);
}

void esp_des3_cbc(const struct esp_slot *s, bool encrypt)
{
	/* The functions take schedules that they do not change as if they did. */
	DES_key_schedule *ks = (DES_key_schedule *)(uintptr_t)s->sa->key;
	DES_cblock iv = {0};

	if (s->iv != NULL)
		memcpy(iv, s->iv, sizeof(iv));
	DES_ede3_cbc_encrypt(s->text, s->text, (long)s->text_len, &ks[0], &ks[1], &ks[2], &iv,
	                     encrypt ? DES_ENCRYPT : DES_DECRYPT);
}
