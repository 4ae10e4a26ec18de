/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The authentication phase (RFC 1661 3.5): what PAP and CHAP have in common. Which credential is
 * new, which a repeat, which one too many; who is asked; what a verdict leads to.
 */
#include "ppp/ppp_int.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>

#define AUTH_LIMIT_DFL_MS 30000 /* ten requests three seconds apart (RFC 1661 4.6) */

uint16_t auth_proto(enum ppp_auth_method m)
{
	switch (m) {
	case PPP_AUTH_PAP:
		return PPP_PAP;
	case PPP_AUTH_CHAP_MD5:
	case PPP_AUTH_MSCHAPV2:
		return PPP_CHAP;
	case PPP_AUTH_NONE:
		break;
	}
	return 0;
}

void auth_resend(struct ppp *p)
{
	struct auth *a = &p->auth;

	if (a->state != AUTH_WAIT)
		return;
	if (a->sends >= p->conf->max_configure)
		ppp_end(p, PPP_R_AUTH_TIMEOUT);
	else if (p->conf->role == PPP_AUTHENTICATOR)
		chap_send_challenge(p);
	else if (a->method == PPP_AUTH_PAP)
		pap_send_request(p);
	else
		chap_peer_resend(p);
}

struct auth_try *auth_try(struct auth *a)
{
	if (a->try == NULL)
		a->try = calloc(1, sizeof(*a->try));
	return a->try;
}

void auth_try_free(struct auth *a)
{
	if (a->try == NULL)
		return;
	OPENSSL_cleanse(a->try, sizeof(*a->try));
	free(a->try);
	a->try = NULL;
}

void auth_init(struct ppp *p)
{
	ppp_random(p, &p->auth.id, sizeof(p->auth.id));
}

void auth_limit(struct ppp *p)
{
	uint32_t ms = p->conf->auth_timeout_ms;

	ppp_wait(p, PPP_W_AUTH, ms > 0 ? ms : AUTH_LIMIT_DFL_MS);
}

void auth_start(struct ppp *p)
{
	struct auth *a = &p->auth;

	a->method = p->conf->role == PPP_PEER ? p->lcp.peer.auth : p->lcp.want.auth;
	if (a->method == PPP_AUTH_NONE) {
		ppp_authenticated(p);
		return;
	}
	a->begun = true;
	a->state = AUTH_WAIT;
	a->sends = 0;
	a->retry = false;
	a->have_cred = false;
	auth_try_free(a);
	ppp_set_phase(p, PPP_PH_AUTHENTICATE);
	auth_limit(p);
	if (p->conf->role == PPP_AUTHENTICATOR) {
		if (a->method != PPP_AUTH_PAP && !a->proxy)
			chap_send_challenge(p);
	} else if (a->method == PPP_AUTH_PAP) {
		ppp_client(p)->first_id = (uint8_t)(a->id + 1);
		pap_send_request(p);
	}
}

/* Failures stay counted: negotiating LCP anew must not buy more tries. */
void auth_stop(struct ppp *p)
{
	struct auth *a = &p->auth;

	ppp_wait_no_more(p, PPP_W_RESEND);
	ppp_wait_no_more(p, PPP_W_AUTH);
	if (p->reason == PPP_R_NONE || a->state != AUTH_OK)
		a->state = AUTH_IDLE;
	auth_try_free(a);
}

/* What the last credential led to shows in the state. */
static uint8_t answer_code(const struct auth *a)
{
	bool ok = a->state == AUTH_OK;

	if (a->method == PPP_AUTH_PAP)
		return ok ? PAP_ACK : PAP_NAK;
	return ok ? CHAP_SUCCESS : CHAP_FAILURE;
}

void auth_answer_again(struct ppp *p, uint8_t id)
{
	struct auth *a = &p->auth;
	uint8_t body[1 + AUTH_ANSWER_MAX];

	if (a->method != PPP_AUTH_PAP) {
		ppp_tx(p, PPP_CHAP, answer_code(a), id, ppp_answer(p), a->answer_len);
		return;
	}
	body[0] = a->answer_len;
	memcpy(body + 1, ppp_answer(p), a->answer_len);
	ppp_tx(p, PPP_PAP, answer_code(a), id, body, 1 + (size_t)a->answer_len);
}

/* With PAP every request has its own id; the id of a CHAP response is part of what it proves. */
static bool cred_digest(const struct ppp *p, const struct cred *c, uint8_t out[CRED_DIGEST_LEN])
{
	uint8_t whole[32];
	uint8_t head[4] = {(uint8_t)p->auth.method, p->auth.method == PPP_AUTH_PAP ? 0 : c->id,
	                   (uint8_t)(c->name_len >> 8), (uint8_t)c->name_len};
	const struct chunk parts[] = {{p->conf->salt, sizeof(p->conf->salt)},
	                              {head, sizeof(head)},
	                              {c->name, c->name_len},
	                              {c->secret, c->secret_len}};

	bool ok = digest_sha256(parts, sizeof(parts) / sizeof(parts[0]), whole);

	memcpy(out, whole, CRED_DIGEST_LEN);
	OPENSSL_cleanse(whole, sizeof(whole));
	return ok;
}

static void ask_owner(struct ppp *p, const struct cred *c)
{
	struct auth *a = &p->auth;
	struct ppp_auth_request req = {
	        .method = a->method,
	        .user = ppp_user(p),
	        .chap_id = c->id,
	        .proxy = c->proxy,
	};

	if (a->method == PPP_AUTH_PAP) {
		req.password = c->secret;
		req.password_len = c->secret_len;
	} else {
		req.challenge = a->try->challenge;
		req.challenge_len = a->try->challenge_len;
		req.response = c->secret;
		req.response_len = c->secret_len;
	}
	log_debug(p->conf->log, "ppp event=auth-try method=%s user=%s proxy=%d",
	          ppp_auth_method_name(a->method), ppp_user(p), c->proxy);
	a->owed = true;
	p->conf->ops->auth(p->ctx, &req);
}

/* A credential like none before it. */
static void judge(struct ppp *p, const struct cred *c)
{
	struct auth *a = &p->auth;

	a->state = AUTH_PENDING;
	a->answer_id = c->id;
	a->have_cred = true;
	ppp_wait_no_more(p, PPP_W_RESEND);
	auth_limit(p);
	/* A name that two readers would read differently is nobody's. */
	if (c->name_len >= PPP_NAME_MAX || memchr(c->name, '\0', c->name_len) != NULL ||
	    !ppp_set_user(p, c->name, c->name_len)) {
		static const struct ppp_auth_reply no = {.accept = false};

		auth_verdict(p, &no);
		return;
	}
	ask_owner(p, c);
}

/* E37: on single-shot another credential is another guess, whether or not the first was judged. */
static void one_too_many(struct ppp *p)
{
	if (p->conf->single_shot)
		ppp_end(p, PPP_R_AUTH_AGAIN);
}

void auth_offer(struct ppp *p, const struct cred *c, bool id_ok)
{
	struct auth *a = &p->auth;
	uint8_t digest[CRED_DIGEST_LEN];
	bool same;

	if (p->reason != PPP_R_NONE || a->state == AUTH_IDLE || a->state == AUTH_FAILED ||
	    !cred_digest(p, c, digest))
		return;
	/* Nobody has asked yet: there was no memory for a question. */
	if (a->state == AUTH_WAIT && a->method != PPP_AUTH_PAP && a->try == NULL)
		return;
	same = a->have_cred && CRYPTO_memcmp(digest, a->cred, sizeof(digest)) == 0;
	if (!same && !id_ok)
		return;
	switch (a->state) {
	case AUTH_WAIT:
		if (same) {
			auth_answer_again(p, c->id);
		} else if (!a->owed) {
			/* otherwise the peer tries again when the old verdict is in */
			memcpy(a->cred, digest, sizeof(digest));
			judge(p, c);
		}
		break;
	case AUTH_PENDING:
		/* The answer goes to the latest of identical requests. */
		if (same)
			a->answer_id = c->id;
		else
			one_too_many(p);
		break;
	case AUTH_OK:
		/* RFC 1334 2.2.1, RFC 1994 4.1: who asks again hears the same again. */
		if (!same && p->conf->single_shot)
			one_too_many(p);
		else
			auth_answer_again(p, c->id);
		break;
	default:
		break;
	}
	OPENSSL_cleanse(digest, sizeof(digest));
}

static bool is_hex40(const char *s)
{
	return strnlen(s, 41) == 40 && strspn(s, "0123456789ABCDEFabcdef") == 40;
}

/* May the peer try once more in this phase? CHAP with MD5 ends with its first failure. */
static bool may_retry(const struct ppp *p)
{
	return p->auth.failures < p->conf->auth_tries && p->auth.method != PPP_AUTH_CHAP_MD5 &&
	       !p->conf->single_shot;
}

void auth_verdict(struct ppp *p, const struct ppp_auth_reply *reply)
{
	struct auth *a = &p->auth;
	bool ok = reply->accept, retry = false;

	a->owed = false;
	if (a->state != AUTH_PENDING || p->reason != PPP_R_NONE)
		return;
	/* Without the authenticator response the peer has to refuse us (RFC 2759 5). */
	if (a->method == PPP_AUTH_MSCHAPV2 && ok && !is_hex40(reply->mschapv2_success)) {
		log_error(p->conf->log, "ppp event=auth-reply-without-response user=%s",
		          ppp_user(p));
		ok = false;
	}
	if (ok) {
		a->state = AUTH_OK;
	} else {
		a->failures++;
		retry = may_retry(p);
		a->state = retry ? AUTH_WAIT : AUTH_FAILED;
	}
	log_info(p->conf->log, "ppp event=auth user=%s method=%s result=%s", ppp_user(p),
	         ppp_auth_method_name(a->method),
	         ok      ? "accept"
	         : retry ? "retry"
	                 : "reject");
	if (a->method == PPP_AUTH_PAP)
		pap_answer(p, reply->message);
	else
		chap_answer(p, reply, ok, retry);
	if (!retry)
		auth_try_free(a);
	if (ok) {
		ppp_wait_no_more(p, PPP_W_AUTH);
		ppp_authenticated(p);
	} else if (retry) {
		auth_limit(p);
	} else {
		ppp_end(p, PPP_R_AUTH_FAILED);
	}
}
