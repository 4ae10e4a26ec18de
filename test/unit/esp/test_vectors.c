/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Published test vectors: as whole ESP packets where the document has such (RFC 3602, RFC 7634,
 * draft-mcgrew-gcm-test-01 for RFC 4106), else the algorithm as lib/esp calls it (SP 800-38A, RFC
 * 3686, SP 800-67, RFC 2202, RFC 4868). A document that has packets without a hash gets one.
 */
#include "unit/esp/mcgrew.h"
#include "unit/esp/rig.h"

#include <stdlib.h>

static size_t unhex(const char *s, uint8_t *out)
{
	size_t n = 0;
	unsigned int v;

	for (; *s != '\0'; s += 2) {
		while (*s == ' ')
			s++;
		if (sscanf(s, "%2x", &v) != 1)
			abort();
		out[n++] = (uint8_t)v;
	}
	return n;
}

static struct esp_sa *sa_of(const struct esp_suite *s, const char *key, const uint8_t *auth,
                            bool esn, bool inbound)
{
	struct ref_sa r = {.suite = *s, .spi = 0x4321, .esn = esn};

	unhex(key, r.enc);
	if (auth != NULL)
		memcpy(r.auth, auth, sizeof(r.auth));
	return rig_sa(&r, inbound, 64);
}

/* RFC 3602 4, cases 5 to 8: packet, payload, next header. */
static void test_rfc3602_packets(void)
{
	static const struct {
		const char *key, *pkt, *payload;
		uint8_t next_header;
	} cases[] = {
	        {"90d382b410eeba7ad938c46cec1a82bf",
	         "0000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849"
	         "a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c"
	         "538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6",
	         "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	         "202122232425262728292a2b2c2d2e2f3031323334353637",
	         1},
	        {"90d382b410eeba7ad938c46cec1a82bf",
	         "000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109"
	         "689bb379d2d750c0d915dca346a89f75",
	         "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777", 1},
	        {"0123456789abcdef0123456789abcdef",
	         "0000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c"
	         "237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b"
	         "8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d",
	         "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b"
	         "0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233"
	         "34353637",
	         4},
	        {"0123456789abcdef0123456789abcdef",
	         "000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048f"
	         "e45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de"
	         "435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892",
	         "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffff"
	         "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	         4},
	};
	static const struct esp_suite suite = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0};
	static const struct esp_suite bare = {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ref_sa r = {.suite = bare};
		uint8_t raw[256], pkt[300], want[256];
		size_t n = unhex(cases[i].pkt, raw), len = unhex(cases[i].payload, want);
		struct esp_pkt v;

		/* The hash of all that the RFC gives: a packet with the NULL cipher. */
		r.spi = esp_get32(raw);
		rig_fill(r.auth, sizeof(r.auth));
		v.len = (uint16_t)ref_seal(&r, esp_get32(raw + 4), raw, raw + 8, n - 8, pkt);
		v.data = pkt;
		v.sa = sa_of(&suite, cases[i].key, r.auth, false, true);
		CU_ASSERT_PTR_NOT_NULL_FATAL(v.sa);
		esp_decrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_OK);
		CU_ASSERT_EQUAL(v.len, len);
		CU_ASSERT_EQUAL(v.next_header, cases[i].next_header);
		CU_ASSERT_EQUAL(memcmp(v.data, want, len), 0);
		esp_sa_free(v.sa);
	}
}

static void aead_case(const struct aead_case *c, enum esp_cipher cipher)
{
	struct esp_suite suite = {cipher, ESP_AUTH_AEAD, (uint16_t)(strlen(c->key) / 2 - 4), 16};
	bool esn = strlen(c->header) == 24;
	uint8_t aad[12], pkt[256], sealed[256], inner[128], text[128];
	size_t aad_len = unhex(c->header, aad), len = unhex(c->inner, inner), n = 0;
	struct esp_sa *in = sa_of(&suite, c->key, NULL, esn, true);
	struct esp_sa *out = sa_of(&suite, c->key, NULL, esn, false);
	struct esp_slot *s = &rig_esp->slot[0];
	struct esp_pkt v = {.sa = in, .data = pkt};
	uint64_t seq = esp_get32(aad + aad_len - 4);

	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	if (esn)
		seq |= (uint64_t)esp_get32(aad + 4) << 32;
	memcpy(pkt, aad, 4);
	memcpy(pkt + 4, aad + aad_len - 4, 4);
	n = 8 + unhex(c->iv, pkt + 8);
	unhex(c->text, text);
	memcpy(pkt + n, text, len);
	n += len;
	n += unhex(c->icv, pkt + n);
	memcpy(sealed, pkt, n);

	v.len = (uint16_t)n;
	in->seq = seq - 1;
	esp_decrypt(rig_esp, &v, 1);
	CU_ASSERT_EQUAL(v.status, ESP_OK);
	CU_ASSERT_EQUAL(in->seq, seq);
	CU_ASSERT_EQUAL(v.len, len - 2 - inner[len - 2]);
	CU_ASSERT_EQUAL(v.next_header, inner[len - 1]);
	CU_ASSERT_EQUAL(memcmp(pkt + 16, inner, len), 0);

	/* Enciphering: the IV is not what esp_encrypt would choose, so a step below it. */
	memset(pkt + 16 + len, 0, 16);
	*s = (struct esp_slot){.sa = out, .pkt = pkt, .text = pkt + 16, .text_len = (uint32_t)len};
	memcpy(s->nonce, out->salt, 4);
	memcpy(s->nonce + 4, pkt + 8, 8);
	memcpy(s->aad, aad, 12);
	s->iv = s->nonce;
	s->tag = pkt + 16 + len;
	esp_aead_burst(rig_esp, 1, (enum esp_group)out->group, true);
	CU_ASSERT_EQUAL(memcmp(pkt, sealed, n), 0);
	esp_sa_free(in);
	esp_sa_free(out);
}

static void test_rfc4106_packets(void)
{
	for (size_t i = 0; i < sizeof(mcgrew) / sizeof(mcgrew[0]); i++)
		aead_case(&mcgrew[i], ESP_AES_GCM);
}

/* Appendix A */
static void test_rfc7634_packet(void)
{
	static const struct aead_case c = {
	        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3",
	        "0102030400000005",
	        "1011121314151617",
	        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b"
	        "0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233"
	        "3435363701020204",
	        "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb"
	        "61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da"
	        "9165b82829f641e0",
	        "76aaa8266b7fb0f7b11b369907e1ad43"};

	aead_case(&c, ESP_CHACHA20_POLY1305);
}

/* One block cipher or counter mode by itself: in all lanes at once, both ways. */
static void cipher_case(const struct esp_suite *suite, const char *key, const char *iv,
                        const char *plain, const char *text)
{
	uint8_t auth[64] = {0}, a[20][96], b[96], p[96], iv_bytes[16];
	size_t len = unhex(plain, p);

	unhex(text, b);
	unhex(iv, iv_bytes);
	for (int inbound = 0; inbound < 2; inbound++) {
		struct esp_sa *sa = sa_of(suite, key, auth, false, inbound);

		CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
		for (int i = 0; i < 20; i++) {
			struct esp_slot *s = &rig_esp->slot[i];

			memcpy(a[i], inbound ? b : p, len);
			*s = (struct esp_slot){
			        .sa = sa, .text = a[i], .text_len = (uint32_t)len, .iv = s->nonce};
			memcpy(s->nonce, iv_bytes, sizeof(iv_bytes));
		}
		esp_cipher_burst(rig_esp, (1u << 20) - 1, (enum esp_group)sa->group, !inbound);
		for (int i = 0; i < 20; i++)
			CU_ASSERT_EQUAL(memcmp(a[i], inbound ? p : b, len), 0);
		esp_sa_free(sa);
	}
}

/* SP 800-38A F.2.1, F.2.3, F.2.5, and RFC 3602 4, case 1 */
static void test_aes_cbc(void)
{
	static const char iv[] = "000102030405060708090a0b0c0d0e0f";
	static const char plain[] =
	        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
	        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
	struct esp_suite s = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0};

	cipher_case(&s, "2b7e151628aed2a6abf7158809cf4f3c", iv, plain,
	            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
	            "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7");
	cipher_case(&s, "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
	            "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a");
	s.key_len = 24;
	cipher_case(&s, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", iv, plain,
	            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
	            "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd");
	s.key_len = 32;
	cipher_case(&s, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", iv,
	            plain,
	            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	            "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
}

/* RFC 3686 6, all nine */
static void test_aes_ctr(void)
{
	static const char one[] = "53696e676c6520626c6f636b206d7367";
	static const char two[] =
	        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	static const char more[] =
	        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223";
	static const struct {
		const char *key, *counter, *plain, *text;
	} cases[] = {
	        {"ae6852f8121067cc4bf7a5765577f39e00000030", "00000030000000000000000000000001",
	         one, "e4095d4fb7a7b3792d6175a3261311b8"},
	        {"7e24067817fae0d743d6ce1f32539163006cb6db", "006cb6dbc0543b59da48d90b00000001",
	         two, "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28"},
	        {"7691be035e5020a8ac6e618529f9a0dc00e0017b", "00e0017b27777f3f4a1786f000000001",
	         more, "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"},
	        {"16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048",
	         "0000004836733c147d6d93cb00000001", one, "4b55384fe259c9c84e7935a003cbe928"},
	        {"7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a0096b03b",
	         "0096b03b020c6eadc2cb500d00000001", two,
	         "453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00"},
	        {"02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd",
	         "0007bdfd5cbd60278dcc091200000001", more,
	         "96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935"},
	        {"776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060",
	         "00000060db5672c97aa8f0b200000001", one, "145ad01dbf824ec7560863dc71e3e0c0"},
	        {"f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a2388400faac24",
	         "00faac24c1585ef15a43d87500000001", two,
	         "f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c"},
	        {"ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7",
	         "001cc5b751a51d70a1c1114800000001", more,
	         "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_suite s = {ESP_AES_CTR, ESP_HMAC_SHA1_96, (uint16_t)(16 + i / 3 * 8), 0};

		cipher_case(&s, cases[i].key, cases[i].counter, cases[i].plain, cases[i].text);
	}
}

/* SP 800-67 appendix B.1 has single blocks: each is a CBC of its own, under a zero IV. */
static void test_3des(void)
{
	static const struct esp_suite s = {ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0};
	static const char key[] = "0123456789abcdef23456789abcdef01456789abcdef0123";
	static const char zero[] = "0000000000000000";
	bool lanes = rig_esp->des3_lanes;

	for (int turn = 0; turn < 2; turn++) {
		rig_esp->des3_lanes = turn;
		cipher_case(&s, key, zero, "5468652071756663", "a826fd8ce53b855f");
		cipher_case(&s, key, zero, "6b2062726f776e20", "cce21c8112256fe6");
		cipher_case(&s, key, zero, "666f78206a756d70", "68d5c05dd9b6b900");
	}
	rig_esp->des3_lanes = lanes;
}

/* RFC 2202 3 (cases 1, 3) and RFC 4868 2.7.2 (AUTH tests): those with keys of ESP's length. */
static void test_hmac(void)
{
	static const struct {
		enum esp_auth auth;
		const char *repeat; /* fills the key */
		const char *data, *icv;
	} cases[] = {
	        {ESP_HMAC_SHA1_96, "0b", "4869205468657265", "b617318655057264e28bc0b6"},
	        {ESP_HMAC_SHA1_96, "aa", NULL, "125d7342b9ac11cd91a39af4"},
	        {ESP_HMAC_SHA256_128, "0b", "4869205468657265", "198a607eb44bfbc69903a0f1cf2bbdc5"},
	        {ESP_HMAC_SHA256_128, "4a656665",
	         "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	         "167f928588c5cc2eef8e3093caa0e87c"},
	        {ESP_HMAC_SHA256_128, "aa", NULL, "cdcb1220d1ecccea91e53aba3092f962"},
	        {ESP_HMAC_SHA384_192, "0b", "4869205468657265",
	         "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"},
	        {ESP_HMAC_SHA384_192, "4a656665",
	         "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	         "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d"},
	        {ESP_HMAC_SHA384_192, "aa", NULL,
	         "809f439be00274321d4a538652164b53554a508184a0c316"},
	        {ESP_HMAC_SHA512_256, "0b", "4869205468657265",
	         "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"},
	        {ESP_HMAC_SHA512_256, "4a656665",
	         "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	         "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454"},
	        {ESP_HMAC_SHA512_256, "aa", NULL,
	         "2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_suite suite = {ESP_NULL, cases[i].auth, 0, 0};
		uint8_t unit[4], key[64], data[64], icv[32], got[20][32];
		size_t k = unhex(cases[i].repeat, unit), n, len = unhex(cases[i].icv, icv);
		struct esp_sa *sa;

		for (size_t j = 0; j < sizeof(key); j++)
			key[j] = unit[j % k];
		memset(data, 0xdd, 50);
		n = cases[i].data != NULL ? unhex(cases[i].data, data) : 50;
		sa = sa_of(&suite, "", key, false, true);
		CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
		for (int j = 0; j < 20; j++) {
			rig_esp->slot[j] = (struct esp_slot){
			        .sa = sa, .pkt = data, .hash_len = (uint32_t)n, .tag = got[j]};
		}
		esp_hash_burst(rig_esp, (1u << 20) - 1, cases[i].auth);
		for (int j = 0; j < 20; j++)
			CU_ASSERT_EQUAL(memcmp(got[j], icv, len), 0);
		esp_sa_free(sa);
	}
}

static uint64_t known_answer(const struct esp_suite *suite, bool esn)
{
	struct ref_sa r = {.suite = *suite, .esn = esn, .spi = ESP_KAT_SPI};
	uint64_t sum = 0;

	for (unsigned int b = 0; b < 64; b++) {
		r.auth[b] = (uint8_t)(b * 3 + 1);
		if (b < sizeof(r.enc))
			r.enc[b] = r.auth[b];
	}
	for (unsigned int k = 0; k < ESP_KAT_PACKETS; k++) {
		uint64_t seq = esp_kat_seq(esn) + 1 + k;
		uint8_t text[256], pkt[256], iv[16];
		size_t n;

		for (unsigned int b = 0; b < esp_kat_len(k); b++)
			text[b] = esp_kat_byte(k, b);
		if (r.suite.cipher == ESP_AES_CBC || r.suite.cipher == ESP_3DES_CBC)
			ref_cbc_iv(&r, ESP_KAT_SEED + seq, iv);
		else
			esp_put64(iv, seq);
		n = ref_encrypt(&r, seq, iv, text, esp_kat_len(k), 17, pkt);
		sum = esp_kat_add(sum, pkt, n);
	}
	return sum;
}

/* The answers of the self test, from OpenSSL alone. */
static void test_known_answers(void)
{
	for (size_t i = 0; i < esp_n_kats; i++) {
		for (int esn = 0; esn < 2; esn++)
			CU_ASSERT_EQUAL(known_answer(&esp_kats[i].suite, esn),
			                esp_kats[i].answer[esn]);
	}
}

CU_TestInfo tests_vectors[] = {
        {"RFC 3602, packets", test_rfc3602_packets},
        {"draft-mcgrew-gcm-test-01, packets", test_rfc4106_packets},
        {"RFC 7634, packet", test_rfc7634_packet},
        {"SP 800-38A, CBC", test_aes_cbc},
        {"RFC 3686, CTR", test_aes_ctr},
        {"SP 800-67, 3DES", test_3des},
        {"RFC 2202 and 4868, HMAC", test_hmac},
        {"known answers of the self test", test_known_answers},
        CU_TEST_INFO_NULL,
};
