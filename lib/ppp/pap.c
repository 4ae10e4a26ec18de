/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* PAP, both ends (RFC 1334 2.2). */
#include "ppp/ppp_int.h"

#include <openssl/crypto.h>

#include <string.h>

void pap_answer(struct ppp *p, const char *message)
{
	ppp_keep_answer(p, message, strlen(message));
	auth_answer_again(p, p->auth.answer_id);
}

static void rx_request(struct ppp *p, const struct ppp_pkt *pkt)
{
	struct cred c = {.id = pkt->id};
	const uint8_t *d = pkt->data;

	if (pkt->len < 2 || pkt->len < 2 + (size_t)d[0] ||
	    pkt->len < 2 + (size_t)d[0] + d[1 + d[0]]) {
		p->rx_bad++;
		return;
	}
	c.name = d + 1;
	c.name_len = d[0];
	c.secret = d + 2 + d[0];
	c.secret_len = d[1 + d[0]];
	auth_offer(p, &c, true);
}

void pap_send_request(struct ppp *p)
{
	struct auth *a = &p->auth;
	size_t nu = strlen(p->conf->user), np = strlen(p->conf->password);
	uint8_t body[2 + 2 * PPP_NAME_MAX];

	body[0] = (uint8_t)nu;
	memcpy(body + 1, p->conf->user, nu);
	body[1 + nu] = (uint8_t)np;
	memcpy(body + 2 + nu, p->conf->password, np);
	a->sends++;
	ppp_set_user(p, p->conf->user, nu);
	ppp_tx(p, PPP_PAP, PAP_REQ, ++a->id, body, 2 + nu + np);
	OPENSSL_cleanse(body, sizeof(body));
	ppp_wait(p, PPP_W_RESEND, p->conf->restart_ms);
}

/* Each request had its own id; the answer to any of them is an answer. */
static void rx_answer(struct ppp *p, const struct ppp_pkt *pkt)
{
	struct auth *a = &p->auth;
	uint8_t first = ppp_client(p)->first_id;

	if (a->state != AUTH_WAIT || p->reason != PPP_R_NONE)
		return;
	if ((uint8_t)(pkt->id - first) > (uint8_t)(a->id - first))
		return;
	ppp_wait_no_more(p, PPP_W_RESEND);
	if (pkt->code == PAP_NAK) {
		a->state = AUTH_FAILED;
		ppp_end(p, PPP_R_AUTH_FAILED);
		return;
	}
	ppp_wait_no_more(p, PPP_W_AUTH);
	a->state = AUTH_OK;
	ppp_authenticated(p);
}

/* Unknown codes are dropped (RFC 1334 2.2). */
void pap_rx(struct ppp *p, const struct ppp_pkt *pkt)
{
	if (pkt->code == PAP_REQ && p->conf->role == PPP_AUTHENTICATOR)
		rx_request(p, pkt);
	else if ((pkt->code == PAP_ACK || pkt->code == PAP_NAK) && p->conf->role == PPP_PEER)
		rx_answer(p, pkt);
}
