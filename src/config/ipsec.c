/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* IPsec: defaults that depend on other values, and what must hold between values. */
#include "config/load.h"
#include "config/proposal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROFILES   "ipsec-transport-profiles"
#define STATICS    "static-security-associations"
#define WINDOW_MIN 32
#define SPI_WORKER 0x3f /* the bits of an SPI that name its owner (dataplane/dp.h) */
#define MODP_WEAK  5 /* IANA's group 5 and those below it */

void ipsec_finish(struct config *c)
{
	struct cfg_ipsec *ip = &c->ipsec;

	if (ip->socket[0] == '\0')
		snprintf(ip->socket, sizeof(ip->socket), "%s/ike.sock", ip->run_directory);
	if (ip->vici_socket[0] == '\0')
		snprintf(ip->vici_socket, sizeof(ip->vici_socket), "%s/charon.vici",
		         ip->run_directory);
	if (ip->charon_log[0] == '\0')
		snprintf(ip->charon_log, sizeof(ip->charon_log), "%s/charon.log",
		         ip->run_directory);
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		struct cfg_ipsec_profile *p = &c->ipsec_profiles[i];

		if (p->local_identity[0] == '\0' && p->certificate[0] == '\0' &&
		    p->local_address.family != 0)
			ipaddr_str(&p->local_address, p->local_identity, sizeof(p->local_identity));
	}
	for (uint32_t i = 0; i < c->n_static_sas; i++) {
		char why[128];

		proposal_suite(c->static_sas[i].algorithms, &c->static_sas[i].suite, why,
		               sizeof(why));
	}
}

/* A finding about list[i].key: its title, then the rest of the sentence. */
__attribute__((format(printf, 6, 7))) static void found(struct loader *ld, bool warning,
                                                        const char *list, uint32_t i,
                                                        const char *key, const char *fmt, ...)
{
	const config_setting_t *l = config_lookup(&ld->tree, list);
	char title[128], text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	load_title(cfg_key_find(&cfg_root, list)->stanza, config_setting_get_elem(l, i), title,
	           sizeof(title));
	(warning ? found_warning : found_error)(&ld->found, load_pos_of(ld, list, i, key), "%s: %s",
	                                        title, text);
}

#define wrong(ld, list, i, key, ...) found(ld, false, list, i, key, __VA_ARGS__)
#define doubt(ld, list, i, key, ...) found(ld, true, list, i, key, __VA_ARGS__)

static bool holds(const struct ipprefix *v, uint32_t n, const struct ipaddr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (ipaddr_eq(&v[i].addr, a))
			return true;
	return false;
}

static bool is_own(const struct config *c, const struct ipaddr *a)
{
	bool own = false;

	for (uint32_t i = 0; i < c->n_ports && !own; i++) {
		const struct cfg_port *p = &c->ports[i];

		own = holds(p->addresses, p->n_addresses, a);
		for (uint32_t j = 0; j < p->n_subifs && !own; j++)
			own = holds(p->subifs[j].addresses, p->subifs[j].n_addresses, a);
	}
	return own;
}

static void check_local(struct loader *ld, const char *list, uint32_t i, const struct ipaddr *a)
{
	char text[IPADDR_STRLEN];

	if (a->family != 0 && !is_own(ld->c, a))
		wrong(ld, list, i, "local-address", "local-address %s is not an address of a port",
		      ipaddr_str(a, text, sizeof(text)));
}

static void check_window(struct loader *ld, const char *list, uint32_t i, uint32_t window)
{
	if (window > 0 && window < WINDOW_MIN)
		wrong(ld, list, i, "replay-window",
		      "replay-window is %u, allowed is %u-4096 packets, or 0 for none", window,
		      WINDOW_MIN);
}

static void check_proposals(struct loader *ld, uint32_t i, const char *key,
                            char (*v)[CFG_PROPOSAL_MAX], enum proposal_kind kind)
{
	bool weak = ld->c->ipsec_profiles[i].weak_algorithms;
	char why[256];

	for (uint32_t j = 0; j < CFG_PROPOSALS_MAX; j++)
		if (v[j][0] != '\0' && !proposal_ok(v[j], kind, weak, why, sizeof(why)))
			wrong(ld, PROFILES, i, key, "%s \"%s\": %s", key, v[j], why);
}

/* IKEv1 has neither AEAD ciphers (RFC 5282 is of IKEv2) nor extended numbers. */
static void check_version_1(struct loader *ld, uint32_t i)
{
	const struct cfg_ipsec_profile *p = &ld->c->ipsec_profiles[i];
	bool classic = false;

	for (uint32_t j = 0; j < CFG_PROPOSALS_MAX; j++)
		classic = classic || (p->ike_proposals[j][0] != '\0' &&
		                      strstr(p->ike_proposals[j], "gcm") == NULL &&
		                      strstr(p->ike_proposals[j], "chacha") == NULL);
	if (!classic)
		wrong(ld, PROFILES, i, "ike-proposals",
		      "ike-proposals has AEAD ciphers only, which IKEv1 does not have");
	if (p->esn == CFG_ESN_YES)
		wrong(ld, PROFILES, i, "esn", "esn is \"yes\", which IKEv1 cannot agree on");
	for (uint32_t j = 0; j < p->n_psks; j++) {
		struct ipaddr a;

		if (p->psks[j].identity[0] != '\0' && ipaddr_parse(p->psks[j].identity, &a) < 0)
			found_error(&ld->found,
			            load_pos_in(ld, PROFILES, i, "pre-shared-keys", j, "identity"),
			            "pre-shared key of \"%s\": the identity is no address, and "
			            "IKEv1 looks for keys by address",
			            p->psks[j].identity);
	}
}

static void check_rules(struct loader *ld, uint32_t i)
{
	const struct cfg_ipsec_profile *p = &ld->c->ipsec_profiles[i];

	if (p->pfs_group != 0 && p->pfs_group <= MODP_WEAK && !p->weak_algorithms)
		wrong(ld, PROFILES, i, "pfs-group",
		      "pfs-group \"%s\" is weak and needs weak-algorithms = true",
		      config_dh_name(p->pfs_group));
	if (p->dpd_delay_s > 0 && p->dpd_timeout_s <= p->dpd_delay_s && p->version != CFG_IKE_V2)
		wrong(ld, PROFILES, i, "dpd-timeout",
		      "dpd-timeout %u s is not above dpd-delay %u s: every idle peer would be lost",
		      p->dpd_timeout_s, p->dpd_delay_s);
	if (p->force_encapsulation && !p->nat_traversal)
		wrong(ld, PROFILES, i, "force-encapsulation",
		      "force-encapsulation makes every peer look as if behind a NAT, which "
		      "nat-traversal = false refuses");
	if (p->version == CFG_IKE_V1)
		check_version_1(ld, i);
}

static void check_file(struct loader *ld, uint32_t i, const char *key, const char *path)
{
	struct stat st;

	if (path[0] == '\0' || ld->no_files)
		return;
	if (stat(path, &st) < 0 || access(path, R_OK) < 0)
		wrong(ld, PROFILES, i, key, "%s %s cannot be read: %s", key, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		wrong(ld, PROFILES, i, key, "%s %s is no file", key, path);
	else if (strcmp(key, "private-key") == 0 && st.st_mode & (S_IROTH | S_IWOTH))
		doubt(ld, PROFILES, i, key, "private-key %s can be read or written by everybody",
		      path);
}

/* One way to authenticate: both in one connection would be two rounds of one peer. */
static void check_auth(struct loader *ld, uint32_t i)
{
	const struct cfg_ipsec_profile *p = &ld->c->ipsec_profiles[i];
	bool keys = p->n_psks > 0 || p->group_psk[0] != '\0', cert = p->certificate[0] != '\0';

	if (keys && cert)
		wrong(ld, PROFILES, i, "certificate",
		      "both a certificate and pre-shared keys; make two profiles");
	if (!keys && !cert)
		wrong(ld, PROFILES, i, NULL,
		      "no pre-shared-keys, group-pre-shared-key or certificate: nobody could "
		      "authenticate");
	if (cert && p->private_key[0] == '\0')
		wrong(ld, PROFILES, i, "certificate", "certificate needs a private-key");
	if (cert && p->ca_certificates[0][0] == '\0')
		wrong(ld, PROFILES, i, "certificate",
		      "certificate needs ca-certificates, by which peers are checked");
	if (!cert && p->private_key[0] != '\0')
		wrong(ld, PROFILES, i, "private-key", "private-key needs a certificate");
	if (!cert && p->ca_certificates[0][0] != '\0')
		wrong(ld, PROFILES, i, "ca-certificates", "ca-certificates need a certificate");
	check_file(ld, i, "certificate", p->certificate);
	check_file(ld, i, "private-key", p->private_key);
	for (uint32_t j = 0; j < CFG_CERTS_MAX; j++)
		check_file(ld, i, "ca-certificates", p->ca_certificates[j]);
}

/* Charon's keys are known by identity, not by profile. */
static void check_key_owners(struct loader *ld, uint32_t i, uint32_t j)
{
	const struct cfg_ipsec_profile *a = &ld->c->ipsec_profiles[j];
	const struct cfg_ipsec_profile *b = &ld->c->ipsec_profiles[i];

	if (a->group_psk[0] != '\0' && b->group_psk[0] != '\0' &&
	    strcmp(a->local_identity, b->local_identity) == 0 &&
	    strcmp(a->group_psk, b->group_psk) != 0)
		wrong(ld, PROFILES, i, "group-pre-shared-key",
		      "group-pre-shared-key is another than that of profile \"%s\", which has the "
		      "same local identity: give one of them a local-identity of its own",
		      a->name);
	for (uint32_t k = 0; k < b->n_psks; k++)
		for (uint32_t l = 0; l < a->n_psks; l++)
			if (b->psks[k].identity[0] != '\0' &&
			    strcmp(a->psks[l].identity, b->psks[k].identity) == 0 &&
			    strcmp(a->psks[l].secret, b->psks[k].secret) != 0)
				found_error(&ld->found,
				            load_pos_in(ld, PROFILES, i, "pre-shared-keys", k,
				                        "identity"),
				            "pre-shared key of \"%s\": profile \"%s\" has another "
				            "one for the same identity",
				            b->psks[k].identity, a->name);
}

/* A key owned by our own identity would be everybody's. */
static void check_own_identity(struct loader *ld, uint32_t i)
{
	const struct config *c = ld->c;
	const struct cfg_ipsec_profile *p = &c->ipsec_profiles[i];

	for (uint32_t j = 0; j < p->n_psks; j++) {
		const char *id = p->psks[j].identity;
		bool own = false;

		for (uint32_t k = 0; k < c->n_ipsec_profiles; k++)
			own = own || (id[0] != '\0' &&
			              strcasecmp(id, c->ipsec_profiles[k].local_identity) == 0);
		if (own)
			found_error(&ld->found,
			            load_pos_in(ld, PROFILES, i, "pre-shared-keys", j, "identity"),
			            "pre-shared key of \"%s\": that is our own identity", id);
	}
}

static const char *nonce_cipher(enum esp_cipher c)
{
	switch (c) {
	case ESP_AES_CTR:
		return "CTR";
	case ESP_AES_GCM:
		return "GCM";
	case ESP_CHACHA20_POLY1305:
		return "ChaCha20";
	default:
		return NULL;
	}
}

static uint32_t hash_key_len(enum esp_auth a)
{
	switch (a) {
	case ESP_HMAC_SHA1_96:
		return 20;
	case ESP_HMAC_SHA256_128:
		return 32;
	case ESP_HMAC_SHA384_192:
		return 48;
	case ESP_HMAC_SHA512_256:
		return 64;
	default:
		return 0;
	}
}

static void check_key(struct loader *ld, uint32_t i, const char *key, uint32_t have, uint32_t want)
{
	const char *algorithms = ld->c->static_sas[i].algorithms;
	const config_setting_t *e = config_setting_get_elem(config_lookup(&ld->tree, STATICS), i);

	if (have == want || (have == 0 && config_setting_get_member(e, key) != NULL))
		return; /* or refused already */
	if (want == 0)
		wrong(ld, STATICS, i, key, "%s is given, but %s has no such key", key, algorithms);
	else if (have == 0)
		wrong(ld, STATICS, i, key, "%s is missing, %s needs %u hexadecimal digits", key,
		      algorithms, want * 2);
	else
		wrong(ld, STATICS, i, key, "%s has %u bytes, %s needs %u", key, have, algorithms,
		      want);
}

static void check_algorithms(struct loader *ld, uint32_t i)
{
	const struct cfg_static_sa *s = &ld->c->static_sas[i];
	struct esp_suite suite;
	const char *nonce;
	char why[256];

	if (s->algorithms[0] == '\0')
		return;
	if (proposal_suite(s->algorithms, &suite, why, sizeof(why)) < 0) {
		wrong(ld, STATICS, i, "algorithms", "algorithms \"%s\": %s", s->algorithms, why);
		return;
	}
	nonce = nonce_cipher(suite.cipher);
	if (nonce != NULL) {
		wrong(ld, STATICS, i, "algorithms",
		      "algorithms \"%s\": %s must never use a nonce twice with a key, and with a "
		      "key of this file a restart would repeat them all; use a cipher such as "
		      "aes256",
		      s->algorithms, nonce);
		return;
	}
	check_key(ld, i, "enc-key-in", s->n_enc_key_in, suite.key_len);
	check_key(ld, i, "auth-key-in", s->n_auth_key_in, hash_key_len(suite.auth));
	check_key(ld, i, "enc-key-out", s->n_enc_key_out, suite.key_len);
	check_key(ld, i, "auth-key-out", s->n_auth_key_out, hash_key_len(suite.auth));
}

static void check_static(struct loader *ld, uint32_t i)
{
	const struct cfg_static_sa *s = &ld->c->static_sas[i];
	char text[IPADDR_STRLEN];

	check_local(ld, STATICS, i, &s->local);
	check_window(ld, STATICS, i, s->replay_window);
	check_algorithms(ld, i);
	if (s->peer.family != 0 && is_own(ld->c, &s->peer))
		wrong(ld, STATICS, i, "peer", "peer %s is our own address",
		      ipaddr_str(&s->peer, text, sizeof(text)));
	if (s->spi_in != 0 && (s->spi_in & SPI_WORKER) >= ld->c->system.workers)
		wrong(ld, STATICS, i, "spi-in",
		      "spi-in 0x%08x belongs to worker %u by its low six bits, but system.workers "
		      "is %u; use 0x%08x",
		      s->spi_in, s->spi_in & SPI_WORKER, ld->c->system.workers,
		      s->spi_in & ~(uint32_t)SPI_WORKER);
}

void load_check_ipsec(struct loader *ld)
{
	struct config *c = ld->c;

	if (ld->found.no_memory)
		return;
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		struct cfg_ipsec_profile *p = &c->ipsec_profiles[i];

		check_local(ld, PROFILES, i, &p->local_address);
		check_window(ld, PROFILES, i, p->replay_window);
		check_proposals(ld, i, "ike-proposals", p->ike_proposals, PROPOSAL_IKE);
		check_proposals(ld, i, "esp-proposals", p->esp_proposals, PROPOSAL_ESP);
		check_rules(ld, i);
		check_auth(ld, i);
		check_own_identity(ld, i);
		for (uint32_t j = 0; j < i; j++)
			check_key_owners(ld, i, j);
	}
	for (uint32_t i = 0; i < c->n_static_sas; i++)
		check_static(ld, i);
	if (strcmp(c->ipsec.socket, c->ipsec.vici_socket) == 0)
		found_error(&ld->found, load_pos_key(ld, "ipsec", "vici-socket"),
		            "ipsec: vici-socket is the same as socket");
}

static bool anyone_asks(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_dest_profiles; i++)
		for (uint32_t j = 0; j < c->dest_profiles[i].n_hosts; j++)
			if (c->dest_profiles[i].hosts[j].enable_ipsec_transport)
				return true;
	return false;
}

static void warn_keys(struct loader *ld, uint32_t i)
{
	const struct cfg_ipsec_profile *p = &ld->c->ipsec_profiles[i];
	bool keys = p->n_psks > 0 || p->group_psk[0] != '\0';

	if (keys && p->version != CFG_IKE_V2 && strcmp(p->remote_identity, "%any") != 0)
		doubt(ld, PROFILES, i, "remote-identity",
		      "with pre-shared keys IKEv1 identities are claimed and not proved");
	if (p->n_psks > 0 && p->group_psk[0] != '\0' && p->version != CFG_IKE_V1)
		doubt(ld, PROFILES, i, "group-pre-shared-key",
		      "by IKEv2 whoever has the group-pre-shared-key can claim the identity of a "
		      "peer "
		      "with a key of its own");
	for (uint32_t j = 0; p->version == CFG_IKE_ANY && j < p->n_psks; j++) {
		struct ipaddr a;

		if (p->psks[j].identity[0] != '\0' && ipaddr_parse(p->psks[j].identity, &a) < 0)
			found_warning(
			        &ld->found,
			        load_pos_in(ld, PROFILES, i, "pre-shared-keys", j, "identity"),
			        "pre-shared key of \"%s\": serves IKEv2 only, since IKEv1 looks "
			        "for "
			        "keys by address",
			        p->psks[j].identity);
	}
}

/* Charon tells group keys apart by our identity, which a peer names in IDr or not (RFC 7296 2.15). */
static void warn_group_keys(struct loader *ld, uint32_t i)
{
	const struct cfg_ipsec_profile *a = &ld->c->ipsec_profiles[i];

	for (uint32_t j = 0; j < i; j++) {
		const struct cfg_ipsec_profile *b = &ld->c->ipsec_profiles[j];

		if (a->group_psk[0] == '\0' || b->group_psk[0] == '\0' ||
		    strcmp(a->group_psk, b->group_psk) == 0)
			continue;
		doubt(ld, PROFILES, i, "group-pre-shared-key",
		      "profile \"%s\" has another group-pre-shared-key: IKEv2 peers of both must "
		      "name the local-identity that they expect",
		      b->name);
		return;
	}
}

static bool one_group_key(const struct config *c)
{
	const char *key = NULL;

	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		const char *k = c->ipsec_profiles[i].group_psk;

		if (k[0] != '\0' && key != NULL && strcmp(k, key) != 0)
			return false;
		key = k[0] != '\0' ? k : key;
	}
	return true;
}

/* Charon tries a group's key, when it is anybody's or has our identity, on peers with their own, too. */
static void warn_group_reach(struct loader *ld, uint32_t i)
{
	const struct cfg_ipsec_profile *a = &ld->c->ipsec_profiles[i];

	for (uint32_t j = 0; a->group_psk[0] != '\0' && j < ld->c->n_ipsec_profiles; j++) {
		const struct cfg_ipsec_profile *b = &ld->c->ipsec_profiles[j];

		if (i == j || b->n_psks == 0 || b->version == CFG_IKE_V1 ||
		    (!one_group_key(ld->c) && strcmp(a->local_identity, b->local_identity) != 0))
			continue;
		doubt(ld, PROFILES, i, "group-pre-shared-key",
		      "by IKEv2 whoever has the group-pre-shared-key can also claim the identity "
		      "of "
		      "a peer with a key of its own in profile \"%s\"",
		      b->name);
		return;
	}
}

void load_warn_ipsec(struct loader *ld)
{
	const struct config *c = ld->c;

	if (ld->found.no_memory)
		return;
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		const struct cfg_ipsec_profile *p = &c->ipsec_profiles[i];

		warn_keys(ld, i);
		warn_group_keys(ld, i);
		warn_group_reach(ld, i);
		if (p->replay_window == 0)
			doubt(ld, PROFILES, i, "replay-window",
			      "replay-window 0 lets replayed packets in");
		if (p->weak_algorithms)
			doubt(ld, PROFILES, i, "weak-algorithms",
			      "weak-algorithms are for peers that can do no better");
	}
	if (c->n_ipsec_profiles > 0 && c->n_dest_profiles > 0 && !anyone_asks(c))
		found_warning(&ld->found, load_pos_of(ld, PROFILES, 0, NULL),
		              "configuration: no host has enable-ipsec-transport: tunnels get in "
		              "without IPsec as well");
}
