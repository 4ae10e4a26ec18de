/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ike/swanctl.h"

#include "config/proposal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Without extended sequence numbers an SA ends with its 2^32 - 1st packet (RFC 4303 3.3.3). It is
 * renewed before, whoever else was to begin: the peer counts its own direction only.
 */
#define SEQ_LAST  UINT32_MAX
#define SEQ_REKEY (UINT32_MAX / 16 * 15)

/* A growing text. The old memory is wiped when it moves: it holds keys. */
struct out {
	char *text;
	size_t len, cap;
	int err;
};

static void grow(struct out *o, size_t more)
{
	size_t cap = o->cap != 0 ? o->cap : 1024;
	char *text;

	if (o->err != 0 || o->len + more + 1 <= o->cap)
		return;
	while (cap < o->len + more + 1)
		cap *= 2;
	text = malloc(cap);
	if (text == NULL) {
		o->err = -ENOMEM;
		return;
	}
	if (o->text != NULL) {
		memcpy(text, o->text, o->len + 1);
		swanctl_text_free(o->text, o->len);
	}
	o->text = text;
	o->cap = cap;
}

static void put_char(struct out *o, char c)
{
	grow(o, 1);
	if (o->err != 0)
		return;
	o->text[o->len++] = c;
	o->text[o->len] = '\0';
}

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	grow(o, (size_t)n);
	if (o->err != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(o->text + o->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	o->len += (size_t)n;
}

/* In quotes only the quote and the backslash mean anything, and a line would end in the text. */
static void put_quoted(struct out *o, const char *text)
{
	put_char(o, '"');
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			o->err = -EINVAL;
		if (*p == '"' || *p == '\\')
			put_char(o, '\\');
		put_char(o, *p);
	}
	put_char(o, '"');
}

/* A path in a list, which is split at commas after the quotes are gone. */
static void put_path(struct out *o, const char *path)
{
	if (path[0] != '/' || strchr(path, ',') != NULL)
		o->err = -EINVAL;
	put_quoted(o, path);
}

static void check_name(struct out *o, const char *name)
{
	if (!isalnum((unsigned char)name[0]))
		o->err = -EINVAL;
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			o->err = -EINVAL;
}

static void put_secret(struct out *o, const char *secret, bool hide)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)secret;
	size_t left = strlen(secret);

	if (hide) {
		put(o, "\"***\"");
		return;
	}
	put(o, "0s");
	for (; left > 0; p += 3, left -= left < 3 ? left : 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) |
		             (left > 2 ? p[2] : 0u);

		put_char(o, digits[v >> 18]);
		put_char(o, digits[v >> 12 & 63]);
		put_char(o, left > 1 ? digits[v >> 6 & 63] : '=');
		put_char(o, left > 2 ? digits[v & 63] : '=');
	}
}

/*
 * A connection of charon. A profile has one for all who share its group key or its authority, and each
 * key of a single peer has its own: who is not named gets no further than its identity.
 */
struct form {
	const struct cfg_ipsec_profile *p;
	char name[CFG_NAME_MAX +
	          16]; /* of the profile, and behind an '@' which of its connections */
	enum cfg_ike_version version;
	const char *address; /* of the peer; NULL: as the profile says */
	const char *identity;
};

static void put_peers(struct out *o, const struct form *f)
{
	const char *sep = "";
	char text[IPADDR_STRLEN];

	if (f->address != NULL) {
		put(o, "\t\tremote_addrs = %s\n", f->address);
		return;
	}
	put(o, "\t\tremote_addrs = ");
	for (uint32_t i = 0; i < CFG_PEERS_MAX; i++) {
		const struct ipprefix *x = &f->p->peers[i];

		if (x->addr.family == 0)
			continue;
		if (x->len == 0)
			put(o, "%s%%any", sep);
		else
			put(o, "%s%s/%u", sep, ipaddr_str(&x->addr, text, sizeof(text)), x->len);
		sep = ", ";
	}
	put(o, "\n");
}

/*
 * As they stand, or, for IKEv1, one by one: as initiator, which we are when we renew an SA, charon
 * then offers only the first algorithm of each type of a proposal, and the peer uses another.
 */
static void put_proposals(struct out *o, const struct form *f, enum proposal_kind kind,
                          const char *tail)
{
	const char(*v)[CFG_PROPOSAL_MAX] =
	        kind == PROPOSAL_IKE ? f->p->ike_proposals : f->p->esp_proposals;
	char one[CFG_PROPOSAL_MAX];
	const char *sep = "";

	for (uint32_t i = 0; i < CFG_PROPOSALS_MAX; i++) {
		if (v[i][0] == '\0')
			continue;
		if (f->version == CFG_IKE_V2) {
			put(o, "%s%s%s", sep, v[i], tail);
			sep = ", ";
			continue;
		}
		for (unsigned int n = 0; proposal_single(v[i], kind, n, one); n++) {
			put(o, "%s%s%s", sep, one, tail);
			sep = ", ";
		}
	}
	put(o, "\n");
}

static void put_ike_proposals(struct out *o, const struct form *f)
{
	put(o, "\t\tproposals = ");
	put_proposals(o, f, PROPOSAL_IKE, "");
}

static void put_esp_proposals(struct out *o, const struct form *f)
{
	const struct cfg_ipsec_profile *p = f->p;
	const char *group = p->pfs_group != 0 ? config_dh_name(p->pfs_group) : NULL;
	const char *esn = p->esn == CFG_ESN_YES ? "-esn" : p->esn == CFG_ESN_NO ? "" : "-esn-noesn";
	char tail[48];

	snprintf(tail, sizeof(tail), "%s%s%s", group != NULL ? "-" : "", group != NULL ? group : "",
	         esn);
	put(o, "\t\t\t\tesp_proposals = ");
	put_proposals(o, f, PROPOSAL_ESP, tail);
}

/* The end of an SA, and where rekeying begins: at it, or up to rand earlier; 0: never by us. */
static void put_life(struct out *o, const struct cfg_ipsec_profile *p, const char *what,
                     const char *unit, uint64_t life)
{
	uint64_t margin = life * p->rekey_margin / 100;
	uint64_t rekey = p->initiate_rekey ? life - margin : 0;

	put(o, "\t\t\t\tlife_%s = %" PRIu64 "%s\n", what, life, unit);
	put(o, "\t\t\t\trekey_%s = %" PRIu64 "%s\n", what, rekey, unit);
	put(o, "\t\t\t\trand_%s = %" PRIu64 "%s\n", what, rekey > 0 ? margin / 2 : 0, unit);
}

static void put_child(struct out *o, const struct form *f)
{
	const struct cfg_ipsec_profile *p = f->p;

	put(o, "\t\tchildren {\n\t\t\tl2tp {\n"
	       "\t\t\t\tmode = transport\n"
	       "\t\t\t\tlocal_ts = dynamic[udp/1701]\n"
	       "\t\t\t\tremote_ts = dynamic[udp]\n");
	put_esp_proposals(o, f);
	put_life(o, p, "time", "s", p->lifetime_s);
	if (p->lifetime_kb > 0)
		put_life(o, p, "bytes", "", (uint64_t)p->lifetime_kb * 1024);
	if (p->lifetime_packets > 0)
		put_life(o, p, "packets", "", p->lifetime_packets);
	else if (p->esn != CFG_ESN_YES)
		put(o,
		    "\t\t\t\tlife_packets = %u\n\t\t\t\trekey_packets = %u\n"
		    "\t\t\t\trand_packets = 0\n",
		    SEQ_LAST, SEQ_REKEY);
	put(o, "\t\t\t\treplay_window = %u\n", p->replay_window);
	put(o, "\t\t\t\tdpd_action = clear\n\t\t\t}\n\t\t}\n");
}

static void put_auth(struct out *o, const struct form *f)
{
	const struct cfg_ipsec_profile *p = f->p;
	const char *auth = p->certificate[0] != '\0' ? "pubkey" : "psk", *sep = "";

	put(o, "\t\tlocal {\n\t\t\tauth = %s\n", auth);
	if (p->certificate[0] != '\0') {
		put(o, "\t\t\tcerts = ");
		put_path(o, p->certificate);
		put(o, "\n");
	}
	if (p->local_identity[0] != '\0') {
		put(o, "\t\t\tid = ");
		put_quoted(o, p->local_identity);
		put(o, "\n");
	}
	put(o, "\t\t}\n\t\tremote {\n\t\t\tauth = %s\n\t\t\tid = ", auth);
	put_quoted(o, f->identity);
	put(o, "\n");
	for (uint32_t i = 0; i < CFG_CERTS_MAX; i++) {
		if (p->ca_certificates[i][0] == '\0')
			continue;
		put(o, "%s", sep[0] == '\0' ? "\t\t\tcacerts = " : sep);
		put_path(o, p->ca_certificates[i]);
		sep = ", ";
	}
	put(o, "%s\t\t}\n", sep[0] == '\0' ? "" : "\n");
}

static void put_connection(struct out *o, const struct form *f)
{
	const struct cfg_ipsec_profile *p = f->p;
	uint32_t margin = (uint32_t)((uint64_t)p->ike_lifetime_s * p->rekey_margin / 100);
	uint32_t rekey = p->initiate_rekey ? p->ike_lifetime_s - margin : 0;
	char text[IPADDR_STRLEN];

	put(o, "\t%s {\n\t\tversion = %d\n", f->name,
	    f->version == CFG_IKE_V1   ? 1
	    : f->version == CFG_IKE_V2 ? 2
	                               : 0);
	put(o, "\t\tlocal_addrs = %s\n", ipaddr_str(&p->local_address, text, sizeof(text)));
	put_peers(o, f);
	put_ike_proposals(o, f);
	/* Clients behind a NAT have whatever address and identity: none replaces another. */
	put(o, "\t\tunique = never\n\t\taggressive = no\n\t\tmobike = no\n");
	put(o, "\t\tencap = %s\n", p->force_encapsulation ? "yes" : "no");
	put(o, "\t\tdpd_delay = %us\n\t\tdpd_timeout = %us\n", p->dpd_delay_s, p->dpd_timeout_s);
	put(o, "\t\treauth_time = 0s\n\t\trekey_time = %us\n\t\tover_time = %us\n", rekey,
	    rekey > 0 ? margin : 0);
	put(o, "\t\trand_time = %us\n", rekey > 0 ? margin / 2 : 0);
	put_auth(o, f);
	put_child(o, f);
	put(o, "\t}\n");
}

static bool among_peers(const struct cfg_ipsec_profile *p, const struct ipaddr *a)
{
	for (uint32_t i = 0; i < CFG_PEERS_MAX; i++)
		if (p->peers[i].addr.family != 0 && ipprefix_contains(&p->peers[i], a))
			return true;
	return false;
}

/*
 * The connections of one peer's key. IKEv2 peers are known by identity. For IKEv1 (main mode) charon
 * looks for the key before it has seen an identity: with that of the connection whose address fits
 * best, and of two that fit alike the first. The second is for peers behind a NAT, who give
 * their inner address as identity.
 */
static void put_peer(struct out *o, const struct cfg_ipsec_profile *p, uint32_t n)
{
	const char *identity = p->psks[n - 1].identity;
	struct form f = {.p = p, .version = CFG_IKE_V2, .identity = identity};
	struct ipaddr a;

	if (p->version != CFG_IKE_V1) {
		snprintf(f.name, sizeof(f.name), "%s@%u", p->name, n);
		put_connection(o, &f);
	}
	if (p->version == CFG_IKE_V2 || ipaddr_parse(identity, &a) < 0 || !among_peers(p, &a))
		return;
	f.version = CFG_IKE_V1;
	f.address = identity;
	snprintf(f.name, sizeof(f.name), "%s@%uv1", p->name, n);
	put_connection(o, &f);
	f.identity = "%any";
	snprintf(f.name, sizeof(f.name), "%s@%uv1nat", p->name, n);
	put_connection(o, &f);
}

static void put_profile(struct out *o, const struct cfg_ipsec_profile *p)
{
	struct form all = {.p = p, .version = p->version, .identity = p->remote_identity};

	check_name(o, p->name);
	for (uint32_t i = 0; i < p->n_psks; i++)
		put_peer(o, p, i + 1);
	snprintf(all.name, sizeof(all.name), "%s", p->name);
	if (p->group_psk[0] != '\0' || p->certificate[0] != '\0')
		put_connection(o, &all);
}

/*
 * Charon lets every key vouch for a peer of which one owner is the peer's identity or ours (IKEv2
 * tries them all). So a peer's key is owned by that identity alone: it serves no other peer. The group's is
 * anybody's, for a peer that does not name us (IDr, which is optional) has charon look for a key of
 * "%any". With several group keys each is owned by our identity in its profile, which their peers
 * then have to name.
 */
static const char *group_owner(const struct config *c, const struct cfg_ipsec_profile *p)
{
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		const char *other = c->ipsec_profiles[i].group_psk;

		if (other[0] != '\0' && strcmp(other, p->group_psk) != 0)
			return p->local_identity;
	}
	return "%any";
}

static void put_key(struct out *o, const struct cfg_ipsec_profile *p, uint32_t n, const char *owner,
                    const char *secret, bool hide)
{
	put(o, "\tike-%s-%u {\n\t\tid-1 = ", p->name, n);
	put_quoted(o, owner);
	put(o, "\n\t\tsecret = ");
	put_secret(o, secret, hide);
	put(o, "\n\t}\n");
}

int swanctl_render(const struct config *c, bool hide, char **text, size_t *len)
{
	struct out o = {0};

	put(&o, "# Made by sallyport from its transport profiles; what is changed here is lost.\n"
	        "connections {\n");
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++)
		put_profile(&o, &c->ipsec_profiles[i]);
	put(&o, "}\nsecrets {\n");
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		const struct cfg_ipsec_profile *p = &c->ipsec_profiles[i];

		for (uint32_t j = 0; j < p->n_psks; j++)
			put_key(&o, p, j + 1, p->psks[j].identity, p->psks[j].secret, hide);
		if (p->group_psk[0] != '\0')
			put_key(&o, p, 0, group_owner(c, p), p->group_psk, hide);
	}
	put(&o, "}\n");
	if (o.err != 0) {
		swanctl_text_free(o.text, o.len);
		return o.err;
	}
	*text = o.text;
	*len = o.len;
	return 0;
}

void swanctl_text_free(char *text, size_t len)
{
	if (text == NULL)
		return;
	explicit_bzero(text, len);
	free(text);
}
