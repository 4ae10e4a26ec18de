/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* CHAP with MD5 (RFC 1994) and MS-CHAPv2 (RFC 2759), the authenticator's end. */
#include "ppp/ppp_int.h"

#include <stdio.h>
#include <string.h>

#define MSCHAP_ERROR_AUTH 691 /* RFC 2759 6 */

/*
 * RFC 1994 4.1: id and value are others each time a challenge is sent, also when it is sent because
 * the last one was not answered. A client that answers both has answered two questions, the first of
 * which nobody asks any more; with MS-CHAPv2 two answers to one question would differ.
 */
void chap_send_challenge(struct ppp *p)
{
	struct auth *a = &p->auth;
	struct auth_try *try = auth_try(a);
	uint8_t body[1 + CHAP_CHALLENGE_LEN + PPP_NAME_MAX];
	size_t n = strlen(p->conf->local_name);

	a->id++;
	a->sends++;
	ppp_wait(p, PPP_W_RESEND, p->conf->restart_ms);
	if (try == NULL)
		return; /* as if it were lost */
	try->challenge_len = CHAP_CHALLENGE_LEN;
	ppp_random(p, try->challenge, CHAP_CHALLENGE_LEN);
	body[0] = CHAP_CHALLENGE_LEN;
	memcpy(body + 1, try->challenge, CHAP_CHALLENGE_LEN);
	memcpy(body + 1 + CHAP_CHALLENGE_LEN, p->conf->local_name, n);
	ppp_tx(p, PPP_CHAP, CHAP_CHALLENGE, a->id, body, 1 + CHAP_CHALLENGE_LEN + n);
}

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02X", p[i]);
}

/* RFC 2759 6; with R=1 the challenge in C is the question of the next try. */
static void mschapv2_failure(struct ppp *p, const struct ppp_auth_reply *r, bool retry)
{
	struct auth *a = &p->auth;
	char c[2 * CHAP_CHALLENGE_LEN + 1], text[AUTH_ANSWER_MAX];
	int n;

	a->try->challenge_len = CHAP_CHALLENGE_LEN;
	ppp_random(p, a->try->challenge, CHAP_CHALLENGE_LEN);
	hex(a->try->challenge, CHAP_CHALLENGE_LEN, c);
	n = snprintf(text, sizeof(text), "E=%u R=%d C=%s V=3 M=%.*s",
	             r->mschapv2_error != 0 ? r->mschapv2_error : MSCHAP_ERROR_AUTH, retry, c,
	             (int)sizeof(r->message) - 1, r->message);
	ppp_keep_answer(p, text, (size_t)n);
	if (retry) {
		a->retry = true;
		a->id = a->answer_id;
	}
}

void chap_answer(struct ppp *p, const struct ppp_auth_reply *r, bool ok, bool retry)
{
	struct auth *a = &p->auth;
	int max = (int)sizeof(r->message) - 1, n;
	char text[AUTH_ANSWER_MAX];

	if (a->method == PPP_AUTH_MSCHAPV2 && !ok) {
		mschapv2_failure(p, r, retry);
	} else {
		n = a->method == PPP_AUTH_MSCHAPV2
		            ? snprintf(text, sizeof(text), "S=%.40s M=%.*s", r->mschapv2_success,
		                       max, r->message)
		            : snprintf(text, sizeof(text), "%.*s", max, r->message);
		ppp_keep_answer(p, text, (size_t)n);
	}
	auth_answer_again(p, a->answer_id);
}

void chap_rx(struct ppp *p, const struct ppp_pkt *pkt)
{
	struct auth *a = &p->auth;
	struct cred c = {.id = pkt->id};
	size_t want = a->method == PPP_AUTH_MSCHAPV2 ? MSCHAPV2_RESP_LEN : 16;

	/* RFC 1994 4.1: other codes are none of the authenticator's, and dropped */
	if (pkt->code != CHAP_RESPONSE)
		return;
	if (pkt->len < 1 || pkt->data[0] != want || pkt->len < 1 + want) {
		p->rx_bad++;
		return;
	}
	c.secret = pkt->data + 1;
	c.secret_len = (uint16_t)want;
	c.name = c.secret + want;
	c.name_len = (uint16_t)(pkt->len - 1 - want);
	auth_offer(p, &c, pkt->id == a->id || (a->retry && pkt->id == (uint8_t)(a->id + 1)));
}
