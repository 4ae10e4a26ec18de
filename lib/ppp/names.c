/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ppp/ppp.h"

const char *ppp_auth_method_name(enum ppp_auth_method m)
{
	switch (m) {
	case PPP_AUTH_PAP:
		return "pap";
	case PPP_AUTH_CHAP_MD5:
		return "chap";
	case PPP_AUTH_MSCHAPV2:
		return "mschapv2";
	case PPP_AUTH_NONE:
		break;
	}
	return "none";
}

const char *ppp_phase_name(enum ppp_phase p)
{
	switch (p) {
	case PPP_PH_DEAD:
		return "dead";
	case PPP_PH_ESTABLISH:
		return "establish";
	case PPP_PH_AUTHENTICATE:
		return "authenticate";
	case PPP_PH_NETWORK:
		return "network";
	case PPP_PH_TERMINATE:
		return "terminate";
	}
	return "unknown";
}

/* RFC 3145 2: 0 concerns the link as a whole, 1 the peer, 2 ourselves */
enum direction { DIR_GLOBAL, DIR_PEER, DIR_LOCAL };

struct reason {
	const char *name;
	uint16_t code, proto; /* RFC 3145 2.1; proto 0: none in particular */
	uint8_t direction;
};

static const struct reason reasons[PPP_R_MAX] = {
        [PPP_R_NONE] = {"none", 0, 0, DIR_GLOBAL},
        [PPP_R_PEER_TERMINATED] = {"peer-terminated", 3, PPP_LCP, DIR_PEER},
        [PPP_R_ADMIN] = {"admin", 1, 0, DIR_GLOBAL},
        [PPP_R_LCP_TIMEOUT] = {"lcp-timeout", 5, PPP_LCP, DIR_GLOBAL},
        [PPP_R_LCP_SILENT] = {"lcp-silent", 6, PPP_LCP, DIR_GLOBAL},
        [PPP_R_LCP_NOT_CONVERGED] = {"lcp-not-converged", 5, PPP_LCP, DIR_GLOBAL},
        [PPP_R_LOOPBACK] = {"loopback", 7, PPP_LCP, DIR_GLOBAL},
        [PPP_R_ECHO_TIMEOUT] = {"echo-timeout", 8, PPP_LCP, DIR_GLOBAL},
        [PPP_R_AUTH_REFUSED] = {"auth-refused", 15, PPP_LCP, DIR_PEER},
        [PPP_R_AUTH_FAILED] = {"auth-failed", 16, 0, DIR_PEER},
        [PPP_R_AUTH_TIMEOUT] = {"auth-timeout", 13, 0, DIR_PEER},
        [PPP_R_AUTH_AGAIN] = {"auth-again", 2, PPP_LCP, DIR_LOCAL},
        [PPP_R_NCP_TIMEOUT] = {"ncp-timeout", 17, PPP_IPCP, DIR_GLOBAL},
        [PPP_R_NCP_NOT_CONVERGED] = {"ncp-not-converged", 19, PPP_IPCP, DIR_PEER},
        [PPP_R_NCP_REJECTED] = {"ncp-rejected", 18, PPP_IPCP, DIR_PEER},
        [PPP_R_NO_ADDRESS] = {"no-address", 20, PPP_IPCP, DIR_LOCAL},
        [PPP_R_PROTOCOL_ERROR] = {"protocol-error", 0, PPP_LCP, DIR_GLOBAL},
};

static const struct reason *reason_of(enum ppp_reason r)
{
	return &reasons[(unsigned int)r < PPP_R_MAX ? r : PPP_R_NONE];
}

const char *ppp_reason_name(enum ppp_reason r)
{
	return reason_of(r)->name;
}

void ppp_reason_cause(enum ppp_reason r, uint16_t *code, uint16_t *proto, uint8_t *direction)
{
	*code = reason_of(r)->code;
	*proto = reason_of(r)->proto;
	*direction = reason_of(r)->direction;
}
