/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "config/proposal.h"

#include "config/schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum type { CIPHER, HASH, PRF, GROUP, OTHER };

enum trait { IKE = 1, ESP = 2, WEAK = 4, AEAD = 8 };

struct algorithm {
	const char *word;
	enum type type;
	unsigned int traits;
	unsigned int id; /* enum esp_cipher or esp_auth; of a group, IANA's number */
	uint8_t key_len, icv_len;
};

#define BOTH (IKE | ESP)

/* The first word of a group is the one that config_dh_name gives. */
static const struct algorithm table[] = {
        {"aes128", CIPHER, BOTH, ESP_AES_CBC, 16, 0},
        {"aes192", CIPHER, BOTH, ESP_AES_CBC, 24, 0},
        {"aes256", CIPHER, BOTH, ESP_AES_CBC, 32, 0},
        {"aes128ctr", CIPHER, ESP, ESP_AES_CTR, 16, 0},
        {"aes192ctr", CIPHER, ESP, ESP_AES_CTR, 24, 0},
        {"aes256ctr", CIPHER, ESP, ESP_AES_CTR, 32, 0},
        {"aes128gcm8", CIPHER, BOTH | AEAD, ESP_AES_GCM, 16, 8},
        {"aes192gcm8", CIPHER, BOTH | AEAD, ESP_AES_GCM, 24, 8},
        {"aes256gcm8", CIPHER, BOTH | AEAD, ESP_AES_GCM, 32, 8},
        {"aes128gcm12", CIPHER, BOTH | AEAD, ESP_AES_GCM, 16, 12},
        {"aes192gcm12", CIPHER, BOTH | AEAD, ESP_AES_GCM, 24, 12},
        {"aes256gcm12", CIPHER, BOTH | AEAD, ESP_AES_GCM, 32, 12},
        {"aes128gcm16", CIPHER, BOTH | AEAD, ESP_AES_GCM, 16, 16},
        {"aes192gcm16", CIPHER, BOTH | AEAD, ESP_AES_GCM, 24, 16},
        {"aes256gcm16", CIPHER, BOTH | AEAD, ESP_AES_GCM, 32, 16},
        {"chacha20poly1305", CIPHER, BOTH | AEAD, ESP_CHACHA20_POLY1305, 32, 16},
        {"3des", CIPHER, BOTH | WEAK, ESP_3DES_CBC, 24, 0},
        {"null", CIPHER, ESP | WEAK, ESP_NULL, 0, 0},
        {"sha1", HASH, BOTH, ESP_HMAC_SHA1_96, 0, 12},
        {"sha256", HASH, BOTH, ESP_HMAC_SHA256_128, 0, 16},
        {"sha384", HASH, BOTH, ESP_HMAC_SHA384_192, 0, 24},
        {"sha512", HASH, BOTH, ESP_HMAC_SHA512_256, 0, 32},
        {"md5", HASH, IKE | WEAK, 0, 0, 0},
        {"prfsha1", PRF, IKE, 0, 0, 0},
        {"prfsha256", PRF, IKE, 0, 0, 0},
        {"prfsha384", PRF, IKE, 0, 0, 0},
        {"prfsha512", PRF, IKE, 0, 0, 0},
        {"prfmd5", PRF, IKE | WEAK, 0, 0, 0},
        {"modp1024", GROUP, IKE | WEAK, 2, 0, 0},
        {"modp1536", GROUP, IKE | WEAK, 5, 0, 0},
        {"modp2048", GROUP, IKE, 14, 0, 0},
        {"modp3072", GROUP, IKE, 15, 0, 0},
        {"modp4096", GROUP, IKE, 16, 0, 0},
        {"modp6144", GROUP, IKE, 17, 0, 0},
        {"modp8192", GROUP, IKE, 18, 0, 0},
        {"ecp256", GROUP, IKE, 19, 0, 0},
        {"ecp384", GROUP, IKE, 20, 0, 0},
        {"ecp521", GROUP, IKE, 21, 0, 0},
        {"curve25519", GROUP, IKE, 31, 0, 0},
        {"esn", OTHER, 0, 0, 0, 0},
        {"noesn", OTHER, 0, 0, 0, 0},
};

#define N_ALGORITHMS  (sizeof(table) / sizeof(table[0]))
#define MAX_OF_A_TYPE 16

struct proposal {
	enum proposal_kind kind;
	const struct algorithm *of[OTHER][MAX_OF_A_TYPE];
	unsigned int n[OTHER];
	char *why;
	size_t size;
};

const char *config_dh_name(uint32_t group)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		if (table[i].type == GROUP && table[i].id == group)
			return table[i].word;
	return NULL;
}

__attribute__((format(printf, 2, 3))) static bool refuse(struct proposal *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->size, fmt, ap);
	va_end(ap);
	return false;
}

static const char *kind_name(enum proposal_kind kind)
{
	return kind == PROPOSAL_IKE ? "IKE" : "ESP";
}

static const struct algorithm *find(const char *word, size_t len)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		if (strlen(table[i].word) == len && memcmp(table[i].word, word, len) == 0)
			return &table[i];
	return NULL;
}

static const char *word_at(const void *arg, unsigned int i)
{
	return i < N_ALGORITHMS ? table[i].word : NULL;
}

static bool unknown(struct proposal *p, const char *word, int len)
{
	char copy[CFG_PROPOSAL_MAX];
	const char *near;

	snprintf(copy, sizeof(copy), "%.*s", len, word);
	near = nearest_word(copy, word_at, NULL);
	return refuse(p, "\"%s\" is no algorithm of %s%s%s%s", copy, kind_name(p->kind),
	              near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	              near != NULL ? "\"?" : "");
}

static bool add(struct proposal *p, const char *word, size_t len, bool weak)
{
	const struct algorithm *a = find(word, len);
	unsigned int *n;

	if (a == NULL)
		return unknown(p, word, (int)len);
	if (a->type == OTHER)
		return refuse(p, "\"%s\" has a key of its own, esn", a->word);
	if (p->kind == PROPOSAL_ESP && a->type == GROUP)
		return refuse(p, "\"%s\" has a key of its own, pfs-group", a->word);
	if (!(a->traits & (p->kind == PROPOSAL_IKE ? IKE : ESP)))
		return refuse(p, "\"%s\" is not done for %s", a->word, kind_name(p->kind));
	if (a->traits & WEAK && !weak)
		return refuse(p, "\"%s\" is weak and needs weak-algorithms = true", a->word);
	n = &p->n[a->type];
	for (unsigned int i = 0; i < *n; i++)
		if (p->of[a->type][i] == a)
			return refuse(p, "\"%s\" is there twice", a->word);
	if (*n == MAX_OF_A_TYPE)
		return refuse(p, "it is too long");
	p->of[a->type][(*n)++] = a;
	return true;
}

static bool read(struct proposal *p, const char *text, bool weak)
{
	for (;;) {
		size_t len = strcspn(text, "-");

		if (!add(p, text, len, weak))
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* What the parts need of each other (RFC 7296 3.3.3). */
static bool fits(struct proposal *p)
{
	const struct algorithm *first = p->of[CIPHER][0];
	bool aead;

	if (p->n[CIPHER] == 0)
		return refuse(p, "it has no cipher, such as aes256");
	aead = first->traits & AEAD;
	for (unsigned int i = 1; i < p->n[CIPHER]; i++)
		if (!(p->of[CIPHER][i]->traits & AEAD) == aead)
			return refuse(p, "\"%s\" and \"%s\" cannot be in one proposal, make two",
			              first->word, p->of[CIPHER][i]->word);
	if (aead && p->n[HASH] > 0)
		return refuse(p, "\"%s\" takes no hash, leave \"%s\" out", first->word,
		              p->of[HASH][0]->word);
	if (!aead && p->n[HASH] == 0)
		return refuse(p, "\"%s\" needs a hash, such as sha256", first->word);
	if (p->kind == PROPOSAL_ESP)
		return true;
	if (aead && p->n[PRF] == 0)
		return refuse(p, "\"%s\" needs a prf, such as prfsha256", first->word);
	if (p->n[GROUP] == 0)
		return refuse(p, "it has no group, such as ecp256");
	return true;
}

bool proposal_ok(const char *text, enum proposal_kind kind, bool weak, char *why, size_t size)
{
	struct proposal p = {.kind = kind, .why = why, .size = size};

	return read(&p, text, weak) && fits(&p);
}

int proposal_suite(const char *text, struct esp_suite *out, char *why, size_t size)
{
	struct proposal p = {.kind = PROPOSAL_ESP, .why = why, .size = size};
	const struct algorithm *c, *h;

	if (!read(&p, text, true) || !fits(&p))
		return -EINVAL;
	c = p.of[CIPHER][0];
	h = p.of[HASH][0];
	if (p.n[CIPHER] > 1 || p.n[HASH] > 1) {
		refuse(&p, "it has more than one cipher and one hash");
		return -EINVAL;
	}
	*out = (struct esp_suite){.cipher = c->id, .key_len = c->key_len};
	out->auth = h != NULL ? (enum esp_auth)h->id : ESP_AUTH_AEAD;
	out->icv_len = h != NULL ? h->icv_len : c->icv_len;
	return 0;
}

bool proposal_single(const char *text, enum proposal_kind kind, unsigned int n,
                     char out[CFG_PROPOSAL_MAX])
{
	const struct algorithm *chosen[OTHER] = {NULL};
	struct proposal p = {.kind = kind, .why = out, .size = CFG_PROPOSAL_MAX};
	size_t len = 0;

	if (!read(&p, text, true) || !fits(&p))
		return false;
	for (int type = OTHER - 1; type >= 0; type--) {
		if (p.n[type] == 0)
			continue;
		chosen[type] = p.of[type][n % p.n[type]];
		n /= p.n[type];
	}
	if (n > 0)
		return false;
	for (int type = 0; type < OTHER; type++)
		if (chosen[type] != NULL)
			len += (size_t)snprintf(out + len, CFG_PROPOSAL_MAX - len, "%s%s",
			                        len > 0 ? "-" : "", chosen[type]->word);
	return true;
}
