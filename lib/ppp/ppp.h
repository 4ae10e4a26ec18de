/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * One PPP link (RFC 1661): LCP, authentication and IPCP over frames that somebody else carries.
 *
 * The link has no clock and no socket: frames and the time come in, frames and events go out by the
 * callbacks. The same code serves both ends of a link; in role PPP_AUTHENTICATOR it asks the peer
 * for a password (the LNS), in role PPP_PEER it proves one (a client; used by the load generator).
 *
 * Reentrancy: callbacks may call any function of this header except ppp_free.
 */
#pragma once

#include "base/log.h"
#include "base/timerq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ppp;

/* Protocol numbers. */
#define PPP_IPV4     0x0021
#define PPP_IPV6     0x0057
#define PPP_IPCP     0x8021
#define PPP_IPV6CP   0x8057
#define PPP_CCP      0x80fd
#define PPP_MPLSCP   0x8281
#define PPP_LCP      0xc021
#define PPP_PAP      0xc023
#define PPP_CHAP     0xc223
#define PPP_NAME_MAX 256 /* names of RFC 1334 and 1994 have at most 255 bytes */

/* Authentication methods, as bits. */
enum ppp_auth_method {
	PPP_AUTH_NONE = 0,
	PPP_AUTH_PAP = 1 << 0,
	PPP_AUTH_CHAP_MD5 = 1 << 1,
	PPP_AUTH_MSCHAPV2 = 1 << 2,
};

const char *ppp_auth_method_name(enum ppp_auth_method m); /* "pap", "chap", "mschapv2", "none" */

enum ppp_role { PPP_AUTHENTICATOR, PPP_PEER };

enum ppp_phase {
	PPP_PH_DEAD,
	PPP_PH_ESTABLISH,
	PPP_PH_AUTHENTICATE,
	PPP_PH_NETWORK,
	PPP_PH_TERMINATE,
};

const char *ppp_phase_name(enum ppp_phase p);

/* Why a link ended. ppp_reason_cause gives the RFC 3145 cause of each. */
enum ppp_reason {
	PPP_R_NONE,
	PPP_R_PEER_TERMINATED, /* the peer's Terminate-Request: user logout */
	PPP_R_ADMIN, /* ppp_close by the owner */
	PPP_R_LCP_TIMEOUT, /* Max-Configure exhausted after the peer was heard */
	PPP_R_LCP_SILENT, /* .. and the peer was never heard */
	PPP_R_LCP_NOT_CONVERGED, /* Max-Failure exhausted */
	PPP_R_LOOPBACK, /* our own magic number came back */
	PPP_R_ECHO_TIMEOUT, /* no answer to Echo-Requests */
	PPP_R_AUTH_REFUSED, /* the peer rejects every method that we may use */
	PPP_R_AUTH_FAILED,
	PPP_R_AUTH_TIMEOUT,
	PPP_R_AUTH_AGAIN, /* single-shot: a second credential, or LCP left Opened (E37) */
	PPP_R_NCP_TIMEOUT,
	PPP_R_NCP_NOT_CONVERGED,
	PPP_R_NCP_REJECTED, /* the peer protocol-rejects IPCP */
	PPP_R_NO_ADDRESS, /* no address for the peer */
	PPP_R_PROTOCOL_ERROR,
	PPP_R_MAX
};

const char *ppp_reason_name(enum ppp_reason r);
/* The PPP Disconnect Cause of RFC 3145 for a reason: code, control protocol, direction. */
void ppp_reason_cause(enum ppp_reason r, uint16_t *code, uint16_t *proto, uint8_t *direction);

struct ppp_conf {
	enum ppp_role role;
	uint16_t mru; /* that we offer: 128..; 1500 is not sent, being the default */
	uint16_t mtu; /* upper bound of what we send, whatever MRU the peer offers */
	uint32_t auth_methods; /* authenticator: bits; offered strongest first; 0: none asked.
				    peer: bits that we agree to */
	char local_name[PPP_NAME_MAX]; /* CHAP name that we send */
	bool want_acfc, want_pfc; /* ask the peer to let us compress; agreeing is always fine */
	/*
	 * One credential, one failure, no way back behind the authentication (E25, E37). A copy of a
	 * Configure-Request that was answered already (a lost Ack, a doubling network) is not a way
	 * back: LCP stays Opened and the Ack is repeated.
	 */
	bool single_shot;
	uint8_t auth_tries; /* failures before the link is closed; 1 on single-shot */
	uint32_t restart_ms; /* 3000 (RFC 1661 4.6) */
	uint8_t max_configure; /* 10 */
	uint8_t max_terminate; /* 2 */
	uint8_t max_failure; /* 5 */
	uint32_t auth_timeout_ms; /* for each credential, and again for its verdict; 0: 30 s */
	uint32_t ncp_timeout_ms; /* IPCP not open that long after authentication; 0: no limit */
	uint32_t echo_ms; /* interval of Echo-Requests; 0: none */
	uint8_t echo_failures; /* unanswered ones before the link is given up */
	uint32_t local_ip; /* our IPCP address, host order; 0: none is negotiated (a peer asks) */
	uint32_t dns[2],
	        nbns[2]; /* for the peer, host order; 0: the option is rejected. As PPP_PEER:
				     non-zero asks for them */
	/* PPP_PEER only */
	char user[PPP_NAME_MAX];
	char password[PPP_NAME_MAX]; /* wiped by ppp_free */
};

/* A credential that the peer offered. Pointers are valid during the callback only. */
struct ppp_auth_request {
	enum ppp_auth_method method;
	const char *user; /* NUL-terminated; a name with a NUL inside is refused before */
	const uint8_t *password; /* PAP */
	uint16_t password_len;
	uint8_t chap_id;
	const uint8_t *challenge,
	        *response; /* CHAP: 16-byte digest; MS-CHAPv2: the 49-byte value */
	uint16_t challenge_len, response_len;
	bool proxy; /* taken from a LAC's proxy authentication AVPs */
};

struct ppp_auth_reply {
	bool accept;
	/* MS-CHAPv2: the authenticator response of RFC 2759 8.7 as 40 hex digits and a NUL. */
	char mschapv2_success[41];
	uint16_t mschapv2_error; /* RFC 2759 6: 691 authentication failure, .. */
	char message[128]; /* for the peer; may be empty */
};

/* What was agreed, for shows and for the data plane. */
struct ppp_info {
	enum ppp_phase phase;
	enum ppp_auth_method auth; /* the method agreed on */
	char user[PPP_NAME_MAX]; /* once authenticated or tried */
	bool authenticated;
	uint16_t mtu; /* of IP packets toward the peer: min(conf.mtu, peer's MRU) */
	uint16_t peer_mru, mru;
	bool tx_acfc, tx_pfc; /* we may leave out FF03, and the protocol's high byte */
	bool rx_acfc, rx_pfc; /* the peer may */
	uint32_t tx_accm, rx_accm; /* for SLI */
	uint32_t magic, peer_magic;
	uint32_t local_ip, peer_ip; /* host order; 0 before IPCP is open */
	uint32_t dns[2]; /* PPP_PEER: what we were given */
	bool lcp_proxied; /* LCP was opened by proxy AVPs */
	const char *lcp_state, *ipcp_state; /* "req-sent", .. (RFC 1661 4.2) */
	uint64_t rx_frames, tx_frames, rx_bad, rx_unknown_protocol, echo_tx, echo_rx;
};

struct ppp_ops {
	/* Sends one frame: FF03 (unless compressed), protocol, information; no FCS (RFC 2661 5.4). */
	void (*send)(void *ctx, const uint8_t *frame, size_t len);
	/*
	 * Judge a credential; the answer comes by ppp_auth_done, in the callback or any time later.
	 * A repeated, identical credential does not call again while one is pending.
	 */
	void (*auth)(void *ctx, const struct ppp_auth_request *req);
	/*
	 * IPCP asks for the peer's address; requested is what the peer wants (0: any), host order.
	 * Returns the address that it must use, 0 when there is none. May be called more than once.
	 */
	uint32_t (*peer_address)(void *ctx, uint32_t requested);
	void (*lcp_up)(void *ctx); /* LCP opened: SLI may be sent. May be NULL */
	void (*network_up)(void *ctx); /* IPCP opened: traffic may flow */
	void (*network_down)(void *ctx); /* IPCP left Opened */
	/* The link is over: once, and nothing is sent after it. The owner calls ppp_free later. */
	void (*dead)(void *ctx, enum ppp_reason reason);
	void (*random)(void *ctx, uint8_t *buf, size_t len);
};

/* Makes a link in phase DEAD. ops and log outlive it. NULL: no memory. */
struct ppp *ppp_new(const struct ppp_conf *conf, const struct ppp_ops *ops, void *ctx,
                    struct timerq *timers, struct log *log);

/*
 * Tens of thousands of links of one owner are alike: in a set they share what conf says. The set outlives
 * its links. ppp_confs_new returns NULL without memory. set may be NULL.
 */
struct ppp_confs;
struct ppp_confs *ppp_confs_new(void);
void ppp_confs_free(struct ppp_confs *set);
struct ppp *ppp_new_in(struct ppp_confs *set, const struct ppp_conf *conf,
                       const struct ppp_ops *ops, void *ctx, struct timerq *timers,
                       struct log *log);

/* Cancels its timers, wipes secrets, frees. No callback. Not from within one. */
void ppp_free(struct ppp *p);

/* Proxy LCP and authentication of a LAC (RFC 2661 4.4.5, 18); absent parts have p NULL. */
struct ppp_proxy {
	struct {
		const uint8_t *p;
		uint16_t len;
	} first_rx, last_tx, last_rx; /* option lists: AVP 26, 27, 28 */
	bool use_auth;
	uint16_t
	        auth_type; /* AVP 29: 1 text (none sent here), 2 CHAP, 3 PAP, 4 none, 5 MS-CHAPv1 */
	uint16_t auth_id;
	const uint8_t *name, *challenge, *response;
	uint16_t name_len, challenge_len, response_len;
};

/*
 * The lower layer is up: starts LCP. With proxy (may be NULL) LCP is opened at once when both last
 * option lists are acceptable to conf, else negotiated anew; proxied credentials are then judged.
 */
void ppp_start(struct ppp *p, const struct ppp_proxy *proxy, uint64_t now_ms);

/* A frame arrived, with or without FF03, protocol field of one or two bytes. Any bytes are safe. */
void ppp_rx(struct ppp *p, const uint8_t *frame, size_t len, uint64_t now_ms);

/* IP traffic was seen from the peer: counts as life, so no Echo-Request is due. */
void ppp_alive(struct ppp *p, uint64_t now_ms);

void ppp_auth_done(struct ppp *p, const struct ppp_auth_reply *reply, uint64_t now_ms);

/* Closes the link in good order: Terminate-Request, then dead. */
void ppp_close(struct ppp *p, uint64_t now_ms);

/* The lower layer is gone: no more frames, timers stop, no callback. */
void ppp_lower_down(struct ppp *p);

void ppp_info_get(const struct ppp *p, struct ppp_info *out);

/* ---- verification of credentials, for whoever knows the secret (ppp/verify.c) ---- */

/* RFC 1994 4.1: compares in constant time. */
bool ppp_chap_md5_verify(uint8_t id, const uint8_t *secret, size_t secret_len,
                         const uint8_t *challenge, size_t challenge_len,
                         const uint8_t response[16]);

/* The NT hash (MD4 of the UTF-16LE form) of a UTF-8 password (RFC 2759 8.3). 0, or -EINVAL. */
int ppp_nt_hash(const char *password, uint8_t out[16]);

/*
 * RFC 2759 8.1, 8.5, 8.7: checks the 49-byte response value against an NT hash; user without
 * domain prefix. On success writes the authenticator response to success.
 */
bool ppp_mschapv2_verify(const uint8_t nt_hash[16], const char *user, const uint8_t challenge[16],
                         const uint8_t response[49], char success[41]);
