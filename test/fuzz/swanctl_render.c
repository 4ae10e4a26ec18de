/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Any strings in a transport profile. Rendering refuses them, or makes a text that differs from a
 * harmless profile's only between quotes and in the keys' base64: nothing in a string is ever syntax.
 */
#include "config/config.h"
#include "ike/swanctl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fills a field with the bytes up to the next newline, or with as many as fit. */
static void take(const uint8_t **p, size_t *left, char *field, size_t size)
{
	size_t n = 0;

	for (; *left > 0 && **p != '\n'; ++*p, --*left)
		if (n < size - 1 && **p != '\0')
			field[n++] = (char)**p;
	if (*left > 0) {
		++*p;
		--*left;
	}
	field[n] = '\0';
}

/* Cuts what is between quotes, by the rules of strongSwan's lexer, and base64. */
static void skeleton(char *text)
{
	char *out = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"') {
			for (p++; *p != '"'; p++) {
				if (*p == '\0' || *p == '\n')
					abort(); /* a string that does not end in its line */
				if (*p == '\\' && p[1] != '\0')
					p++;
			}
			*out++ = '"';
			continue;
		}
		if (strncmp(p, "= 0s", 4) == 0 && p[4] != '\n') {
			while (p[1] != '\n')
				p++;
			continue;
		}
		*out++ = *p;
	}
	*out = '\0';
}

static void fill(struct config *c, struct cfg_ipsec_profile *p, struct cfg_psk *psk)
{
	*c = (struct config){.ipsec_profiles = p, .n_ipsec_profiles = 1};
	*p = (struct cfg_ipsec_profile){.psks = psk, .n_psks = 1, .lifetime_s = 3600};
	strcpy(p->name, "p");
	p->local_address = ipaddr_v4(0xc0000201);
	p->version = CFG_IKE_V2;
	strcpy(p->ike_proposals[0], "aes128-sha1-ecp256");
	strcpy(p->esp_proposals[0], "aes128-sha1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_ipsec_profile p, q;
	struct cfg_psk a = {"x", "y"}, b = {"x", "y"};
	struct config hostile, harmless;
	char *text = NULL, *want = NULL;
	size_t len, want_len;

	fill(&hostile, &p, &a);
	fill(&harmless, &q, &b);
	take(&data, &size, p.local_identity, sizeof(p.local_identity));
	take(&data, &size, p.remote_identity, sizeof(p.remote_identity));
	take(&data, &size, a.identity, sizeof(a.identity));
	take(&data, &size, a.secret, sizeof(a.secret));
	take(&data, &size, p.group_psk, sizeof(p.group_psk));
	take(&data, &size, p.certificate, sizeof(p.certificate));
	take(&data, &size, p.ca_certificates[0], sizeof(p.ca_certificates[0]));
	/* What is absent has no line. */
	strcpy(q.local_identity, p.local_identity[0] != '\0' ? "x" : "");
	strcpy(q.group_psk, p.group_psk[0] != '\0' ? "x" : "");
	strcpy(q.certificate, p.certificate[0] != '\0' ? "/x" : "");
	strcpy(q.ca_certificates[0], p.ca_certificates[0][0] != '\0' ? "/x" : "");
	if (a.secret[0] == '\0')
		strcpy(a.secret, "z"); /* the schema refuses an empty one */
	if (swanctl_render(&harmless, false, &want, &want_len) < 0)
		abort();
	if (swanctl_render(&hostile, false, &text, &len) == 0) {
		skeleton(text);
		skeleton(want);
		if (strcmp(text, want) != 0)
			abort();
		swanctl_text_free(text, strlen(text));
	}
	swanctl_text_free(want, strlen(want));
	return 0;
}
