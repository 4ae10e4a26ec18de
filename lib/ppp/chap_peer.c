/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* CHAP with MD5 (RFC 1994) and MS-CHAPv2 (RFC 2759), the end that proves its password. */
#include "ppp/ppp_int.h"

#include <openssl/crypto.h>

#include <string.h>

/* RFC 2759 8.2 hashes the name without a domain before a backslash. */
static const char *bare_user(const struct ppp *p)
{
	const char *s = strrchr(p->conf->user, '\\');

	return s != NULL ? s + 1 : p->conf->user;
}

/* Peer-Challenge 16, reserved 8, NT-Response 24, Flags 1 (RFC 2759 4) */
static bool answer_mschapv2(struct ppp *p)
{
	struct auth_try *a = p->auth.try;
	uint8_t nt[16];
	bool ok;

	memset(a->response, 0, sizeof(a->response));
	ppp_random(p, a->response, 16);
	ok = a->challenge_len == CHAP_CHALLENGE_LEN && ppp_nt_hash(p->conf->password, nt) == 0 &&
	     mschapv2_nt_response(nt, bare_user(p), a->challenge, a->response, a->response + 24);
	OPENSSL_cleanse(nt, sizeof(nt));
	a->response_len = MSCHAPV2_RESP_LEN;
	return ok;
}

static bool answer_md5(struct ppp *p)
{
	struct auth_try *a = p->auth.try;

	a->response_len = 16;
	return chap_md5_response(p->auth.id, (const uint8_t *)p->conf->password,
	                         strlen(p->conf->password), a->challenge, a->challenge_len,
	                         a->response);
}

static bool answered(const struct auth *a)
{
	return a->try != NULL && a->try->response_len != 0;
}

void chap_peer_resend(struct ppp *p)
{
	struct auth *a = &p->auth;
	uint8_t body[1 + MSCHAPV2_RESP_LEN + PPP_NAME_MAX];
	size_t n = strlen(p->conf->user);

	if (!answered(a))
		return;
	body[0] = a->try->response_len;
	memcpy(body + 1, a->try->response, a->try->response_len);
	memcpy(body + 1 + a->try->response_len, p->conf->user, n);
	a->sends++;
	ppp_tx(p, PPP_CHAP, CHAP_RESPONSE, a->id, body, 1 + a->try->response_len + n);
	if (a->state == AUTH_WAIT)
		ppp_wait(p, PPP_W_RESEND, p->conf->restart_ms);
}

/* The same question gets the same answer; another one a new answer, also long after Success. */
static void rx_challenge(struct ppp *p, const struct ppp_pkt *pkt)
{
	struct auth *a = &p->auth;
	uint8_t n;

	if (pkt->len < 1 || pkt->data[0] == 0 || pkt->len < 1 + (size_t)pkt->data[0]) {
		p->rx_bad++;
		return;
	}
	n = pkt->data[0];
	if (!answered(a) || pkt->id != a->id || n != a->try->challenge_len ||
	    memcmp(pkt->data + 1, a->try->challenge, n) != 0) {
		if (auth_try(a) == NULL)
			return; /* as if it were lost */
		a->id = pkt->id;
		a->try->challenge_len = n;
		memcpy(a->try->challenge, pkt->data + 1, n);
		a->sends = 0;
		if (!(a->method == PPP_AUTH_MSCHAPV2 ? answer_mschapv2(p) : answer_md5(p))) {
			ppp_end(p, PPP_R_PROTOCOL_ERROR);
			return;
		}
		ppp_set_user(p, p->conf->user, strlen(p->conf->user));
	}
	chap_peer_resend(p);
}

/* RFC 2759 8.8: the authenticator proves that it knows the password too. */
static bool success_verified(struct ppp *p, const struct ppp_pkt *pkt)
{
	struct auth *a = &p->auth;
	uint8_t nt[16];
	char want[41];
	bool ok;

	if (a->method != PPP_AUTH_MSCHAPV2)
		return true;
	ok = pkt->len >= 42 && memcmp(pkt->data, "S=", 2) == 0 &&
	     ppp_nt_hash(p->conf->password, nt) == 0 &&
	     mschapv2_auth_response(nt, bare_user(p), a->try->challenge, a->try->response,
	                            a->try->response + 24, want) &&
	     CRYPTO_memcmp(want, pkt->data + 2, 40) == 0;
	OPENSSL_cleanse(nt, sizeof(nt));
	return ok;
}

static void rx_verdict(struct ppp *p, const struct ppp_pkt *pkt)
{
	struct auth *a = &p->auth;

	if (!answered(a) || pkt->id != a->id || p->reason != PPP_R_NONE)
		return;
	if (pkt->code == CHAP_FAILURE) {
		/* R=1 would allow another password; there is only the one. */
		a->state = AUTH_FAILED;
		ppp_end(p, PPP_R_AUTH_FAILED);
		return;
	}
	if (a->state != AUTH_WAIT)
		return;
	if (!success_verified(p, pkt)) {
		a->state = AUTH_FAILED;
		ppp_end(p, PPP_R_AUTH_FAILED);
		return;
	}
	ppp_wait_no_more(p, PPP_W_RESEND);
	ppp_wait_no_more(p, PPP_W_AUTH);
	a->state = AUTH_OK;
	ppp_authenticated(p);
}

void chap_peer_rx(struct ppp *p, const struct ppp_pkt *pkt)
{
	if (p->auth.state != AUTH_WAIT && p->auth.state != AUTH_OK)
		return;
	if (pkt->code == CHAP_CHALLENGE)
		rx_challenge(p, pkt);
	else if (pkt->code == CHAP_SUCCESS || pkt->code == CHAP_FAILURE)
		rx_verdict(p, pkt);
}
