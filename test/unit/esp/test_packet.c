/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Packets that are authentic or not, but not well-formed. */
#include "unit/esp/rig.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Every length below the true one, each in memory of its own that ends with it. */
static void test_truncated(void)
{
	struct tally t = {0};

	rig_seed(41);
	for (size_t i = 0; i < esp_n_kats * 2; i++) {
		struct pair p;
		uint8_t text[60], iv[16] = {9}, pkt[RIG_MAX];
		size_t n, least;
		char name[40];

		pair_make(&p, &esp_kats[i / 2].suite, i % 2, 64);
		esp_suite_name(&p.ref.suite, name, sizeof(name));
		rig_fill(text, sizeof(text));
		n = ref_encrypt(&p.ref, 5, iv, text, sizeof(text), 17, pkt);
		least = 8 + ref_iv_len(&p.ref) + ref_block(&p.ref) + ref_icv_len(&p.ref);
		for (size_t len = 0; len < n; len++) {
			bool whole = (len - least) % ref_block(&p.ref) == 0;
			uint8_t *copy = malloc(len > 0 ? len : 1);
			struct esp_pkt v = {.sa = p.in, .data = copy, .len = (uint16_t)len};

			memcpy(copy, pkt, len);
			esp_decrypt(rig_esp, &v, 1);
			TALLY(&t, v.status == (len < least || !whole ? ESP_SHORT : ESP_AUTH),
			      "%s %zu: %d", name, len, v.status);
			TALLY(&t, v.data == copy && v.len == len, "%s %zu", name, len);
			free(copy);
		}
		TALLY(&t, p.in->seq == 0, "%s", name);
		pair_free(&p);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
}

/* What comes of inner bytes under a true ICV. */
static enum esp_status inner(struct pair *p, const uint8_t *b, size_t n, struct esp_pkt *v)
{
	static uint8_t pkt[RIG_MAX];
	uint8_t iv[16];

	rig_fill(iv, sizeof(iv));
	*v = (struct esp_pkt){.sa = p->in, .data = pkt, .next_header = 200};
	v->len = (uint16_t)ref_seal(&p->ref, p->in->seq + 1, iv, b, n, pkt);
	esp_decrypt(rig_esp, v, 1);
	return (enum esp_status)v->status;
}

static void test_padding(void)
{
	rig_seed(42);
	for (size_t i = 0; i < esp_n_kats; i++) {
		uint8_t b[320];
		struct esp_pkt v;
		struct pair p;

		pair_make(&p, &esp_kats[i].suite, i % 2, 64);
		for (unsigned int k = 0; k < sizeof(b); k++)
			b[k] = (uint8_t)(k + 1);
		/* all of it padding: nothing remains, which is for the caller to judge */
		b[30] = 30, b[31] = 4;
		CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_OK);
		CU_ASSERT_EQUAL(v.len, 0);
		CU_ASSERT_EQUAL(v.next_header, 4);
		/* one byte longer than there is room */
		b[30] = 31;
		CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_PAD);
		CU_ASSERT_EQUAL(v.next_header, 200);
		b[30] = 255;
		CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_PAD);
		/* none, and next header 0 */
		b[30] = 0, b[31] = 0;
		CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_OK);
		CU_ASSERT_EQUAL(v.len, 30);
		CU_ASSERT_EQUAL(v.next_header, 0);
		/* one wrong byte, anywhere in it */
		for (unsigned int k = 0; k < 30; k++) {
			b[30] = 30;
			b[k] ^= 0x10;
			CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_PAD);
			b[k] ^= 0x10;
		}
		/* as much as the length can say */
		for (unsigned int k = 0; k < 255; k++)
			b[63 + k] = (uint8_t)(k + 1);
		b[318] = 255, b[319] = 17;
		CU_ASSERT_EQUAL(inner(&p, b, 320, &v), ESP_OK);
		CU_ASSERT_EQUAL(v.len, 63);
		b[317] = 254;
		CU_ASSERT_EQUAL(inner(&p, b, 320, &v), ESP_PAD);
		pair_free(&p);
	}
}

/* Padding that would begin in the header, whose last byte happens to be the 1 that it should be. */
static void test_padding_into_the_header(void)
{
	static const struct esp_suite suite = {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0};
	struct esp_pkt v;
	struct pair p;
	uint8_t b[32];

	pair_make(&p, &suite, false, 64);
	for (unsigned int k = 0; k < 30; k++)
		b[k] = (uint8_t)(k + 2);
	b[30] = 31, b[31] = 17;
	CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_PAD);
	CU_ASSERT_EQUAL(esp_sa_seq(p.in), 1);
	pair_free(&p);
}

/* RFC 4303 2.6: the rest of a dummy packet need not be well-formed, and it is no error. */
static void test_dummy(void)
{
	rig_seed(43);
	for (size_t i = 0; i < esp_n_kats; i++) {
		uint8_t b[32];
		struct esp_pkt v;
		struct pair p;

		pair_make(&p, &esp_kats[i].suite, i % 2, 64);
		rig_fill(b, sizeof(b));
		b[31] = 59;
		for (unsigned int pad = 0; pad < 256; pad += 51) {
			b[30] = (uint8_t)pad;
			CU_ASSERT_EQUAL(inner(&p, b, 32, &v), ESP_DUMMY);
			CU_ASSERT_TRUE(v.newest); /* its number is taken all the same */
		}
		CU_ASSERT_EQUAL(p.in->seq, 6);
		pair_free(&p);
	}
}

/* The smallest packet: only a trailer. Ours may send it, too. */
static void test_empty(void)
{
	for (size_t i = 0; i < esp_n_kats; i++) {
		static struct buf b;
		struct esp_pkt v = {.len = 0, .next_header = 59};
		uint8_t out[64], next_header = 0;
		struct pair p;

		pair_make(&p, &esp_kats[i].suite, i % 2, 64);
		v.sa = p.out;
		v.data = rig_buf(&b, esp_sa_head(p.out), 0, esp_sa_tail_max(p.out));
		esp_encrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_OK);
		CU_ASSERT_TRUE(rig_intact(&b));
		CU_ASSERT_EQUAL(ref_decrypt(&p.ref, 1, v.data, v.len, out, &next_header), 0);
		CU_ASSERT_EQUAL(next_header, 59);
		v.sa = p.in;
		esp_decrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_DUMMY);
		pair_free(&p);
	}
}

/* A length that the packet could not bear is refused before anything is written. */
static void test_too_long(void)
{
	uint8_t *big = malloc(1 << 17);

	for (size_t i = 0; i < esp_n_kats; i++) {
		struct pair p;
		struct esp_pkt v;
		uint32_t block, most;

		pair_make(&p, &esp_kats[i].suite, false, 64);
		block = (uint32_t)ref_block(&p.ref);
		most = (UINT16_MAX - esp_sa_head(p.out) - (uint32_t)ref_icv_len(&p.ref)) / block *
		               block -
		       2;
		v = (struct esp_pkt){.sa = p.out, .data = big + 64, .len = (uint16_t)(most + 1)};
		esp_encrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_SHORT);
		CU_ASSERT_PTR_EQUAL(v.data, big + 64);
		CU_ASSERT_EQUAL(esp_sa_seq(p.out), 0);
		CU_ASSERT_EQUAL(esp_seal(rig_esp, p.out, v.data, v.len, 0), ESP_UNSEALED);
		esp_seal_end(rig_esp);
		CU_ASSERT_EQUAL(esp_sa_seq(p.out), 0);
		v.len = UINT16_MAX;
		esp_encrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_SHORT);
		v.len = (uint16_t)most;
		memset(v.data, 3, most);
		esp_encrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_OK);
		v.sa = p.in;
		esp_decrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_OK);
		CU_ASSERT_EQUAL(v.len, most);
		CU_ASSERT_EQUAL(v.data[most - 1], 3);
		pair_free(&p);
	}
	free(big);
}

/* len bytes there and back, at either end of a page between two that nobody may touch. */
static void at_the_edge(struct pair *p, uint8_t *page, size_t size, uint16_t len, struct tally *t)
{
	uint16_t head = esp_sa_head(p->out), tail = esp_sa_tail_max(p->out);

	for (int end = 0; end < 2; end++) {
		uint8_t *d = end ? page + size - len - tail : page + head;
		struct esp_pkt v = {.sa = p->out, .data = d, .len = len, .next_header = 17};
		uint16_t n;

		memset(d, 0x21, len);
		esp_encrypt(rig_esp, &v, 1);
		n = v.len;
		TALLY(t, v.status == ESP_OK && n <= head + len + tail, "%u", len);
		/* exactly to the end, or from the start */
		d = end ? page + size - n : page;
		memmove(d, v.data, n);
		v = (struct esp_pkt){.sa = p->in, .data = d, .len = n};
		esp_decrypt(rig_esp, &v, 1);
		TALLY(t, v.status == ESP_OK && v.len == len, "%u: %d", len, v.status);
		for (uint16_t i = 0; i < len; i++)
			TALLY(t, v.data[i] == 0x21, "%u at %u", len, i);
	}
}

/* Nothing outside of a packet and the room that was promised is as much as read. */
static void test_edges_of_memory(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct tally t = {0};

	CU_ASSERT_FATAL(map != MAP_FAILED);
	CU_ASSERT_FATAL(mprotect(map + size, size, PROT_READ | PROT_WRITE) == 0);
	for (size_t i = 0; i < esp_n_kats * 2; i++) {
		struct pair p;

		pair_make(&p, &esp_kats[i / 2].suite, i % 2, 64);
		for (uint16_t len = 0; len < 400; len++)
			at_the_edge(&p, map + size, size, len, &t);
		at_the_edge(&p, map + size, size, 1500, &t);
		pair_free(&p);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	munmap(map, 3 * size);
}

static void test_no_packets(void)
{
	esp_encrypt(rig_esp, NULL, 0);
	esp_decrypt(rig_esp, NULL, 0);
}

/* All that can go wrong side by side in one vector. */
static void test_mixture(void)
{
	static const struct esp_suite suite = {ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 0};
	static const enum esp_status want[] = {ESP_OK,  ESP_SHORT, ESP_AUTH, ESP_REPLAY,
	                                       ESP_PAD, ESP_DUMMY, ESP_OK};
	static struct buf b[7];
	uint8_t text[30] = {0}, bad[16] = {0}, iv[16] = {1};
	struct esp_pkt v[7];
	struct pair p;

	pair_make(&p, &suite, true, 64);
	rig_sealed(&p, 1, text, 30, &b[0], &v[0]);
	rig_sealed(&p, 2, text, 30, &b[1], &v[1]);
	v[1].len--;
	rig_sealed(&p, 3, text, 30, &b[2], &v[2]);
	v[2].data[20] ^= 1;
	rig_sealed(&p, 1, text, 30, &b[3], &v[3]);
	bad[14] = 3, bad[15] = 17;
	for (int i = 4; i < 6; i++) {
		rig_sealed(&p, 1, text, 10, &b[i], &v[i]); /* as long */
		v[i].len = (uint16_t)ref_seal(&p.ref, (uint64_t)i, iv, bad, 16, v[i].data);
		bad[15] = 59;
	}
	rig_sealed(&p, 6, text, 30, &b[6], &v[6]);
	esp_decrypt(rig_esp, v, 7);
	for (int i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(v[i].status, want[i]);
	CU_ASSERT_EQUAL(esp_sa_seq(p.in), 6);
	pair_free(&p);
}

CU_TestInfo tests_packet[] = {
        {"every length below the true one", test_truncated},
        {"padding", test_padding},
        {"padding longer than the packet", test_padding_into_the_header},
        {"dummies", test_dummy},
        {"no payload", test_empty},
        {"more than 65535 bytes", test_too_long},
        {"at the edges of memory", test_edges_of_memory},
        {"no packets", test_no_packets},
        {"all that can go wrong in one vector", test_mixture},
        CU_TEST_INFO_NULL,
};
