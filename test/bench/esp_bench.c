/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Cycles a packet through lib/esp: header, padding, IV, cipher and ICV, by suite, length of the
 * payload and size of the vector. Each figure is the least of many bursts in a hot cache, in units
 * of the time-stamp counter.
 *
 *   esp_bench [-r BURSTS] [SUITE ..]      aes128-sha1, aes128gcm16, ..; without any: a choice
 */
#include "esp/esp_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#define ROOM  1600
#define FRONT 64

struct bench {
	struct esp *e;
	struct esp_sa *out, *in;
	uint8_t buf[ESP_BURST_MAX][ROOM];
	struct esp_pkt v[ESP_BURST_MAX];
	uint64_t bursts;
};

static const uint16_t lengths[] = {64, 256, 512, 1024, 1408};
static const uint16_t vectors[] = {1, 4, 8, 16, 32, 64};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static void fail(const char *what)
{
	fprintf(stderr, "esp_bench: %s\n", what);
	exit(1);
}

static struct esp_sa *make(struct bench *b, const struct esp_suite *s, bool inbound)
{
	uint8_t keys[64];
	struct esp_sa_conf c = {
	        .spi = 0x1000,
	        .inbound = inbound,
	        .suite = *s,
	        .enc_key = keys,
	        .auth_key = keys,
	        .enc_key_len = esp_suite_enc_key_len(s),
	        .auth_key_len = esp_suite_auth_key_len(s),
	        .replay_window = 1024,
	};
	struct esp_sa *sa;

	for (unsigned int i = 0; i < sizeof(keys); i++)
		keys[i] = (uint8_t)(i * 5 + 1);
	sa = esp_sa_new(b->e, &c);
	if (sa == NULL)
		fail("no SA");
	return sa;
}

/* Cycles of one burst each way; the packets of the one are those of the other. */
static void once(struct bench *b, uint16_t len, uint16_t n, uint64_t *enc, uint64_t *dec)
{
	uint64_t t;

	for (uint16_t i = 0; i < n; i++) {
		memset(b->buf[i] + FRONT, i, len);
		b->v[i] = (struct esp_pkt){.sa = b->out, .data = b->buf[i] + FRONT, .len = len};
		b->v[i].next_header = 17;
	}
	t = __rdtsc();
	esp_encrypt(b->e, b->v, n);
	t = __rdtsc() - t;
	*enc = t < *enc ? t : *enc;
	for (uint16_t i = 0; i < n; i++)
		b->v[i].sa = b->in;
	t = __rdtsc();
	esp_decrypt(b->e, b->v, n);
	t = __rdtsc() - t;
	*dec = t < *dec ? t : *dec;
	for (uint16_t i = 0; i < n; i++) {
		if (b->v[i].status != ESP_OK || b->v[i].len != len || b->v[i].data[0] != (uint8_t)i)
			fail("a packet did not come back");
	}
}

static void suite(struct bench *b, const struct esp_suite *s)
{
	char name[40];

	b->out = make(b, s, false);
	b->in = make(b, s, true);
	for (size_t k = 0; k < N(vectors); k++) {
		printf("%-18s %6u ", esp_suite_name(s, name, sizeof(name)), vectors[k]);
		for (size_t l = 0; l < N(lengths); l++) {
			uint64_t enc = UINT64_MAX, dec = UINT64_MAX;

			for (uint64_t r = 0; r < b->bursts; r++)
				once(b, lengths[l], vectors[k], &enc, &dec);
			printf(" %6.0f %6.0f ", (double)enc / vectors[k], (double)dec / vectors[k]);
		}
		printf("\n");
	}
	esp_sa_free(b->out);
	esp_sa_free(b->in);
}

static bool wanted(const struct esp_suite *s, int argc, char **argv)
{
	static const char *const choice[] = {"aes128-sha1", "aes256-sha256",    "aes128gcm16",
	                                     "aes256gcm16", "chacha20poly1305", "null-sha1"};
	char name[40];

	esp_suite_name(s, name, sizeof(name));
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	for (size_t i = 0; argc == 0 && i < N(choice); i++) {
		if (strcmp(choice[i], name) == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof(*b));
	int first = 1;
	char why[200];

	if (b == NULL)
		fail("no memory");
	b->bursts = 300;
	if (argc > 2 && strcmp(argv[1], "-r") == 0) {
		b->bursts = strtoull(argv[2], NULL, 10);
		first = 3;
	}
	if (b->bursts == 0)
		fail("usage: esp_bench [-r BURSTS] [SUITE ..]");
	b->e = esp_new(why, sizeof(why));
	if (b->e == NULL)
		fail(why);
	printf("multi-buffer library: %s; cycles a packet, encrypting and decrypting\n",
	       esp_arch_name(b->e));
	printf("%-18s %6s ", "suite", "vector");
	for (size_t l = 0; l < N(lengths); l++)
		printf(" %5u B %6s ", lengths[l], "");
	printf("\n");
	for (size_t i = 0; i < esp_n_kats; i++) {
		if (wanted(&esp_kats[i].suite, argc - first, argv + first))
			suite(b, &esp_kats[i].suite);
	}
	esp_free(b->e);
	free(b);
	return 0;
}
