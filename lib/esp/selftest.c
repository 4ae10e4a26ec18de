/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Known answers of every suite: 17 packets with fixed keys, numbers and texts are enciphered as one
 * burst, and one number over all their ICVs is compared. The numbers were made by another
 * implementation of ESP over OpenSSL, which stands in test/unit/esp and makes them again there.
 */
#include "esp/esp_int.h"

#include <stdio.h>

#define ROOM 256 /* head, the longest text, padding, ICV */

const struct esp_kat esp_kats[] = {
        {{ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0}, {0x836facec8c227799ull, 0x850b0d509b0bb205ull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 0}, {0x817ff759a11a82b8ull, 0xf501e0497692f7e6ull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA384_192, 16, 0}, {0x922524a9137bb5cbull, 0x04dc5d12c1485719ull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA512_256, 16, 0}, {0xfed9903c85a68519ull, 0xec35ec0f1d2e1d0cull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA1_96, 24, 0}, {0x6348b91f25ba73b0ull, 0x80de8e972a68bf4dull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA256_128, 24, 0}, {0x4319e74b7791d150ull, 0x59139db76f63ed6dull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA384_192, 24, 0}, {0x7ade9bc8c14857dbull, 0x80fc0f93a7ce4bc0ull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA512_256, 24, 0}, {0xaf5e838855f5bf8dull, 0xbbf922023d162c0bull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA1_96, 32, 0}, {0xcbf39d55cff78453ull, 0xec4c1e5a4baaf93cull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA256_128, 32, 0}, {0xe9f9581b7b8269f7ull, 0xfa08882778f79d8eull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA384_192, 32, 0}, {0x91b535978e933a13ull, 0x1b31f84fbd0e61aeull}},
        {{ESP_AES_CBC, ESP_HMAC_SHA512_256, 32, 0}, {0xa2000751e92a0f38ull, 0x87122efb7835f33cull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA1_96, 16, 0}, {0x866eb40c3bd9f1eeull, 0x5a48c97abb64b351ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA256_128, 16, 0}, {0x8df4a1fdb4e19d7eull, 0x16b0ddb0e628ec30ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA384_192, 16, 0}, {0xd6821190880a70c0ull, 0x9c0275ce243a4e41ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA512_256, 16, 0}, {0x81749fc4d119d083ull, 0x499cc0c6f0481c1dull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA1_96, 24, 0}, {0x23cb2de241fa58a2ull, 0xe6cc09d662c97393ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA256_128, 24, 0}, {0x6eb5d6df75e51961ull, 0xcf5d4b767e78b0e2ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA384_192, 24, 0}, {0x2a87a964d4888aecull, 0x38ec4a5b3be44b8full}},
        {{ESP_AES_CTR, ESP_HMAC_SHA512_256, 24, 0}, {0xad5aa6bf85811c81ull, 0x6af2c62ad64322e3ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA1_96, 32, 0}, {0xcd34444e0e1f270cull, 0x00860850e5faaa59ull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA256_128, 32, 0}, {0xcd354e7d9c902010ull, 0xa7475a6ea159535aull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA384_192, 32, 0}, {0xfe462959d66393daull, 0x3429c1ae5d8e7f3eull}},
        {{ESP_AES_CTR, ESP_HMAC_SHA512_256, 32, 0}, {0x16bdc710631800daull, 0x98bf0796a81352b7ull}},
        {{ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0}, {0x01b82644236f23b7ull, 0xfefd28e81e03f45dull}},
        {{ESP_3DES_CBC, ESP_HMAC_SHA256_128, 24, 0},
         {0x4156336db71ace73ull, 0x47725f8514d1a017ull}},
        {{ESP_3DES_CBC, ESP_HMAC_SHA384_192, 24, 0},
         {0xf2dd3b0a77946511ull, 0x7772f61a90ff0566ull}},
        {{ESP_3DES_CBC, ESP_HMAC_SHA512_256, 24, 0},
         {0x33b3fe1bb871309cull, 0xd73b90f8cff631d1ull}},
        {{ESP_NULL, ESP_HMAC_SHA1_96, 0, 0}, {0x20c73689062281e0ull, 0xa20499331c127333ull}},
        {{ESP_NULL, ESP_HMAC_SHA256_128, 0, 0}, {0x65098673a5fc3fd6ull, 0x4fd4cd1129f2cfd3ull}},
        {{ESP_NULL, ESP_HMAC_SHA384_192, 0, 0}, {0xda0266ab35becf79ull, 0x3f406855cd05797cull}},
        {{ESP_NULL, ESP_HMAC_SHA512_256, 0, 0}, {0x7820b016ede6392full, 0x5648b838ac19ec4cull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 16, 8}, {0x1574378977361464ull, 0x4820da8705876a1dull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 16, 12}, {0xe910a6229632eb47ull, 0x198fa533d53c0efdull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16}, {0x5de66bcdcb63c9dcull, 0x258ac87ffb263d07ull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 24, 8}, {0x16dd448440079939ull, 0xaaa84509fe91cd5dull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 24, 12}, {0x6b2724ffe0690e22ull, 0xf70ae6fb552f06a7ull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 24, 16}, {0x1a4c7ed11b6968e2ull, 0x1b8c494791a87d02ull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 32, 8}, {0x8224a8443a60fa00ull, 0x9d847bf733b18b65ull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 32, 12}, {0xdd2d8129eafa602dull, 0xf49a6e201e334477ull}},
        {{ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16}, {0x7f452e73a2ed6988ull, 0x1721f7733f23833bull}},
        {{ESP_CHACHA20_POLY1305, ESP_AUTH_AEAD, 32, 16},
         {0x153fcee35aeee811ull, 0x11ae6735ed3d4e9dull}},
};
const size_t esp_n_kats = sizeof(esp_kats) / sizeof(esp_kats[0]);

static struct esp_sa *make(struct esp *e, const struct esp_suite *s, bool esn, bool inbound)
{
	uint8_t keys[64];
	struct esp_sa_conf c = {
	        .spi = ESP_KAT_SPI,
	        .inbound = inbound,
	        .suite = *s,
	        .enc_key = keys,
	        .auth_key = keys,
	        .enc_key_len = esp_suite_enc_key_len(s),
	        .auth_key_len = esp_suite_auth_key_len(s),
	        .esn = esn,
	        .replay_window = 64,
	};
	size_t gap = esp_sa_gap(e, &c);
	struct esp_sa *sa;

	for (unsigned int i = 0; i < sizeof(keys); i++)
		keys[i] = (uint8_t)(i * 3 + 1);
	sa = esp_sa_new(e, &c);
	if (sa != NULL) {
		sa->iv_seed = ESP_KAT_SEED;
		sa->seq = esp_kat_seq(esn);
		/* What the caller writes there is nothing to the library. */
		if (gap != 0)
			memset((uint8_t *)sa + gap, 0x5a, ESP_GAP);
	}
	return sa;
}

/* Every text must come back, but for the packet that is spoilt. */
static bool returns(struct esp *e, struct esp_pkt *v, struct esp_sa *in, unsigned int spoilt)
{
	for (unsigned int k = 0; k < ESP_KAT_PACKETS; k++)
		v[k].sa = in;
	v[spoilt].data[v[spoilt].len - 1] ^= 0x80;
	esp_decrypt(e, v, ESP_KAT_PACKETS);
	if (v[spoilt].status != ESP_AUTH)
		return false;
	for (unsigned int k = 0; k < ESP_KAT_PACKETS; k++) {
		if (k == spoilt)
			continue;
		if (v[k].status != ESP_OK || v[k].len != esp_kat_len(k))
			return false;
		for (unsigned int i = 0; i < v[k].len; i++) {
			if (v[k].data[i] != esp_kat_byte(k, i))
				return false;
		}
	}
	return true;
}

static bool answers(struct esp *e, const struct esp_kat *kat, struct esp_sa *out, struct esp_sa *in)
{
	uint8_t buf[ESP_KAT_PACKETS][ROOM];
	struct esp_pkt v[ESP_KAT_PACKETS];
	uint64_t sum = 0;

	for (unsigned int k = 0; k < ESP_KAT_PACKETS; k++) {
		v[k] = (struct esp_pkt){
		        .sa = out,
		        .data = buf[k] + out->head,
		        .len = esp_kat_len(k),
		        .next_header = 17,
		};
		for (unsigned int i = 0; i < v[k].len; i++)
			v[k].data[i] = esp_kat_byte(k, i);
	}
	esp_encrypt(e, v, ESP_KAT_PACKETS);
	for (unsigned int k = 0; k < ESP_KAT_PACKETS; k++)
		sum = esp_kat_add(sum, v[k].data, v[k].len);
	return sum == kat->answer[out->esn] &&
	       returns(e, v, in, kat->suite.key_len % ESP_KAT_PACKETS);
}

static bool works(struct esp *e, const struct esp_kat *kat)
{
	bool ok = true;

	for (int esn = 0; ok && esn < 2; esn++) {
		struct esp_sa *out = make(e, &kat->suite, esn, false);
		struct esp_sa *in = make(e, &kat->suite, esn, true);

		ok = out != NULL && in != NULL && answers(e, kat, out, in);
		esp_sa_free(out);
		esp_sa_free(in);
	}
	return ok;
}

const char *esp_selftest(struct esp *e, char *buf, size_t size)
{
	IMB_MGR *narrow = e->narrow;
	bool des3_lanes = e->des3_lanes;

	for (size_t i = 0; i < esp_n_kats; i++) {
		bool ok = works(e, &esp_kats[i]);

		/* The other code, too, which more packets would take, or fewer. */
		e->narrow = NULL;
		e->des3_lanes = false;
		ok = ok && ((narrow == NULL && !des3_lanes) || works(e, &esp_kats[i]));
		e->narrow = narrow;
		e->des3_lanes = des3_lanes;
		if (!ok)
			return esp_suite_name(&esp_kats[i].suite, buf, size);
	}
	return NULL;
}
