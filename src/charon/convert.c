/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
#include "charon/convert.h"

#include <stdio.h>
#include <string.h>

struct ipaddr ipaddr_of(host_t *h)
{
	struct ipaddr a = {0};
	chunk_t bytes;

	if (h == NULL || h->is_anyaddr(h))
		return a;
	bytes = h->get_address(h);
	if (bytes.len > sizeof(a.b))
		return a;
	a.family = (uint8_t)h->get_family(h);
	memcpy(a.b, bytes.ptr, bytes.len);
	return a;
}

struct endpoint endpoint_of(host_t *h)
{
	struct endpoint e = {.addr = ipaddr_of(h)};

	if (h != NULL)
		e.port = h->get_port(h);
	return e;
}

host_t *host_of(const struct ipaddr *a, uint16_t port)
{
	size_t len = a->family == AF_INET ? 4 : 16;

	if (a->family == 0)
		return NULL;
	return host_create_from_chunk(a->family, chunk_create((u_char *)a->b, len), port);
}

bool ts_of(traffic_selector_t *ts, struct sslink_ts *out)
{
	chunk_t from = ts->get_from_address(ts), to = ts->get_to_address(ts);

	memset(out, 0, sizeof(*out));
	out->proto = ts->get_protocol(ts);
	out->port_first = ts->get_from_port(ts);
	out->port_last = ts->get_to_port(ts);
	if (from.len != to.len || (from.len != 4 && from.len != 16) ||
	    out->port_first > out->port_last)
		return false;
	out->first.family = out->last.family = from.len == 4 ? AF_INET : AF_INET6;
	memcpy(out->first.b, from.ptr, from.len);
	memcpy(out->last.b, to.ptr, to.len);
	return true;
}

static enum sslink_auth auth_class(enumerator_t *rounds)
{
	enum sslink_auth auth = SSLINK_AUTH_UNKNOWN;
	auth_cfg_t *cfg;

	/* The first round is the machine's; XAuth and later ones say who its user is. */
	while (auth == SSLINK_AUTH_UNKNOWN && rounds->enumerate(rounds, &cfg)) {
		switch ((uintptr_t)cfg->get(cfg, AUTH_RULE_AUTH_CLASS)) {
		case AUTH_CLASS_PSK:
			auth = SSLINK_AUTH_PSK;
			break;
		case AUTH_CLASS_PUBKEY:
			auth = SSLINK_AUTH_PUBKEY;
			break;
		case AUTH_CLASS_EAP:
			auth = SSLINK_AUTH_EAP;
			break;
		default:
			break;
		}
	}
	rounds->destroy(rounds);
	return auth;
}

/* How the peer has authenticated. */
static enum sslink_auth peer_auth(ike_sa_t *sa)
{
	enum sslink_auth auth = auth_class(sa->create_auth_cfg_enumerator(sa, FALSE));
	peer_cfg_t *cfg = sa->get_peer_cfg(sa);

	/* IKEv1 keeps no class with the finished round: it is the one that was negotiated for. */
	if (auth == SSLINK_AUTH_UNKNOWN && cfg != NULL && sa->get_version(sa) == IKEV1 &&
	    sa->get_state(sa) != IKE_CREATED && sa->get_state(sa) != IKE_CONNECTING)
		auth = auth_class(cfg->create_auth_cfg_enumerator(cfg, FALSE));
	return auth;
}

/* The link takes no control characters; a longer text is cut. */
static void copy_text(char *out, size_t size, const char *in)
{
	size_t i;

	for (i = 0; i + 1 < size && in[i] != '\0'; i++)
		out[i] = (unsigned char)in[i] < ' ' || in[i] == 0x7f ? '?' : in[i];
	out[i] = '\0';
}

/* %Y is charon's own conversion. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
static void copy_id(char *out, size_t size, identification_t *id)
{
	char text[1024];

	snprintf(text, sizeof(text), "%Y", id);
	copy_text(out, size, text);
}
#pragma GCC diagnostic pop

void ike_of(ike_sa_t *sa, struct sslink_ike *out)
{
	peer_cfg_t *cfg;

	memset(out, 0, sizeof(*out));
	if (sa == NULL)
		return;
	out->id = sa->get_unique_id(sa);
	out->version = sa->get_version(sa) == IKEV1 ? 1 : 2;
	out->auth = peer_auth(sa);
	out->local = endpoint_of(sa->get_my_host(sa));
	out->remote = endpoint_of(sa->get_other_host(sa));
	cfg = sa->get_peer_cfg(sa);
	if (cfg != NULL)
		copy_text(out->connection, sizeof(out->connection), cfg->get_name(cfg));
	copy_id(out->remote_id, sizeof(out->remote_id), sa->get_other_id(sa));
}

void ike_of_thread(struct sslink_ike *out)
{
	ike_of(charon->bus->get_sa(charon->bus), out);
}
