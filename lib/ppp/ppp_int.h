/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files of lib/ppp share. Not for others. */
#pragma once

#include "base/slab_sizes.h"
#include "ppp/fsm.h"
#include "ppp/ppp.h"

/* LCP option types (RFC 1661 6, RFC 1662 7.1). */
#define LCP_OPT_MRU   1
#define LCP_OPT_ACCM  2
#define LCP_OPT_AUTH  3
#define LCP_OPT_MAGIC 5
#define LCP_OPT_PFC   7
#define LCP_OPT_ACFC  8

#define PAP_REQ 1 /* RFC 1334 2.2 */
#define PAP_ACK 2
#define PAP_NAK 3

#define CHAP_CHALLENGE 1 /* RFC 1994 4 */
#define CHAP_RESPONSE  2
#define CHAP_SUCCESS   3
#define CHAP_FAILURE   4

#define CHAP_ALG_MD5       5 /* RFC 1994 3 */
#define CHAP_ALG_MSCHAPV2  0x81 /* RFC 2759 2 */
#define CHAP_VALUE_MAX     255 /* Value-Size is one byte (RFC 1994 4.1) */
#define CHAP_CHALLENGE_LEN 16 /* exactly that for MS-CHAPv2 (RFC 2759 3); enough for MD5 */
#define MSCHAPV2_RESP_LEN  49 /* RFC 2759 4 */

#define LCP_MRU_MIN     128 /* smaller ones are answered with this; what ppp.h promises */
#define LCP_ACCM_DFL    0xffffffffu /* RFC 1662 7.1 */
#define LCP_REFUSABLE   3 /* codes: Protocol-Reject, Echo-Request, Echo-Reply */
#define LCP_REOPENS_MAX 10 /* renegotiations in a row that never reached an open IPCP */
#define IPCP_SERVERS    4 /* options 129 to 132: DNS, NBNS, DNS, NBNS (RFC 1877) */
#define RX_QUEUE_MAX    32 /* frames that callbacks handed in while the link was busy */
#define CRED_DIGEST_LEN 16 /* of SHA-256, salted */
#define AUTH_ANSWER_MAX 255 /* Msg-Length of PAP is one byte (RFC 1334 2.2.2) */

/* What one side announced; our own wishes and the peer's. */
struct lcp_side {
	uint32_t accm, magic; /* magic 0: none (RFC 1661 6.4) */
	uint16_t mru;
	bool pfc : 1, acfc : 1;
	uint8_t auth; /* enum ppp_auth_method */
};

struct lcp {
	struct fsm fsm;
	struct lcp_side want; /* in our Configure-Request */
	struct lcp_side peer; /* acknowledged */
	uint8_t loops; /* our own magic number seen in requests, in a row */
	uint8_t echo_missed;
	bool ask_mru : 1;
	bool heard : 1; /* anything of LCP came from the peer */
	bool proxied : 1;
	bool alive : 1; /* something came since the last tick */
	uint8_t reopens : 4; /* up to one more than LCP_REOPENS_MAX */
	uint8_t auth_left : 3; /* methods not refused yet in this negotiation */
	uint8_t refused : LCP_REFUSABLE; /* codes that the peer has rejected, as bits */
};

/* What is only needed until a phase of authentication is over; a client keeps it for repeats. */
struct auth_try {
	uint8_t challenge[CHAP_VALUE_MAX], challenge_len;
	uint8_t response[MSCHAPV2_RESP_LEN], response_len; /* PPP_PEER: sent for challenge */
};

enum auth_state {
	AUTH_IDLE,
	AUTH_WAIT, /* for the peer's credential; as PPP_PEER for its challenge or answer */
	AUTH_PENDING, /* the owner judges */
	AUTH_OK,
	AUTH_FAILED,
};

struct auth {
	uint8_t method; /* enum ppp_auth_method */
	uint8_t state; /* enum auth_state */
	bool begun : 1; /* an authentication phase was entered once in the life of the link */
	/*
	 * The owner owes a verdict. It may be about a credential from before LCP was negotiated
	 * anew, and must then not be taken for a verdict about a later one.
	 */
	bool owed : 1;
	bool proxy : 1; /* the LAC has asked already: no challenge of ours yet */
	bool retry : 1; /* MS-CHAPv2 said R=1: the answer may count the id on (RFC 2759 9.1) */
	bool have_cred : 1;
	uint8_t failures, sends;
	uint8_t id; /* of our last challenge or request */
	uint8_t answer_id; /* of the credential being judged */
	uint8_t answer_len; /* what we told the peer, which repeats get again: ppp.texts */
	uint8_t cred[CRED_DIGEST_LEN]; /* salted digest of the credential judged last */
	struct auth_try *try; /* NULL: no challenge is out */
};

struct ipcp {
	struct fsm fsm;
	uint32_t peer_ip;
	bool ask_ip : 1;
	bool asked_peer : 1; /* we told a peer without the option that it needs an address */
	bool heard : 1; /* anything of IPCP came from the peer in this phase */
	uint8_t ip_naks;
};

struct rx_item {
	struct rx_item *next;
	size_t len;
	uint8_t frame[];
};

/*
 * A ppp_conf with names of the length that they have, and whatever else links of one owner have alike:
 * there are tens of thousands of them, so they share it (shared.c).
 */
struct ppp_shared {
	const struct ppp_ops *ops;
	struct timerq *timers;
	struct log *log;
	enum ppp_role role;
	uint16_t mru, mtu;
	uint32_t auth_methods;
	bool want_acfc, want_pfc, single_shot;
	uint8_t auth_tries, max_configure, max_terminate, max_failure, echo_failures;
	uint32_t restart_ms, auth_timeout_ms, ncp_timeout_ms, echo_ms;
	uint32_t local_ip, dns[2], nbns[2];
	char *local_name, *user, *password; /* the latter two: PPP_PEER */
	uint8_t salt[16]; /* of digests of credentials */
	uint32_t refs;
	struct ppp_confs *of; /* NULL: of no set */
	bool listed; /* there */
	struct ppp_shared *next;
};

/* What a link waits for; one timer serves all. */
enum ppp_wait {
	PPP_W_LCP, /* restart timers (RFC 1661 4.6) */
	PPP_W_IPCP,
	PPP_W_RESEND, /* of a challenge or credential */
	PPP_W_AUTH, /* the end of the patience with authentication */
	PPP_W_NCP, /* .. with IPCP */
	PPP_W_ECHO,
	PPP_W_MAX
};
#define PPP_DUES 3 /* are waited for at once at most: timers.c */

/* What is known while something from outside is being done: on the stack of the outermost ppp_enter. */
struct ppp_run {
	uint64_t now;
	uint8_t depth; /* calls into the link now on the stack */
	uint8_t rxq_len;
	bool judged;
	struct rx_item *rxq; /* oldest first */
	struct ppp_auth_reply verdict; /* that came in a callback, if judged */
	/* What the request of the peer says that is being judged; it counts when it is acknowledged. */
	struct lcp_side lcp_cand;
	uint32_t ipcp_cand;
};

struct ppp {
	const struct ppp_shared *conf;
	void *ctx;
	struct ppp_run *run; /* NULL: nothing is being done */
	struct timer timer;
	uint32_t due[PPP_DUES]; /* the low half of when, valid for what is in waits */
	uint8_t waits; /* bits of enum ppp_wait */

	uint8_t phase; /* enum ppp_phase */
	uint8_t reason; /* enum ppp_reason; why it is being closed */
	bool started : 1;
	bool close_due : 1; /* the automaton has yet to be told of reason */
	bool over : 1; /* nothing leaves any more */
	bool told : 1; /* .. and the owner knows */
	bool net_up : 1; /* network_up was called */

	struct lcp lcp;
	struct auth auth;
	struct ipcp ipcp;
	char *texts; /* the name that was tried last and a NUL, then auth.answer_len bytes; NULL: none */
	uint32_t rx_frames, tx_frames, rx_bad, rx_unknown_protocol, echo_tx, echo_rx;
};

/* A link as PPP_PEER: what only a client learns. */
struct ppp_client {
	struct ppp link; /* first: they are allocated as one */
	uint32_t local_ip, server[IPCP_SERVERS]; /* as learned so far */
	bool ask_server[IPCP_SERVERS];
	uint8_t first_id; /* PAP: of the first request of this phase */
};
_Static_assert(offsetof(struct ppp_client, link) == 0, "see ppp_client and ppp_link_put");

/* NULL when it is the authenticator's. */
static inline struct ppp_client *ppp_client(const struct ppp *p)
{
	if (p->conf->role != PPP_PEER)
		return NULL;
	return (struct ppp_client *)(uintptr_t)p;
}

extern const struct fsm_ops lcp_ops, ipcp_ops;

static inline struct ppp *fsm_link(const struct fsm *f)
{
	size_t at = f->ipcp ? offsetof(struct ppp, ipcp.fsm) : offsetof(struct ppp, lcp.fsm);

	return (struct ppp *)((uintptr_t)f - at);
}

static inline const struct fsm_ops *fsm_ops_of(const struct fsm *f)
{
	return f->ipcp ? &ipcp_ops : &lcp_ops;
}

/* ---- ppp.c ---- */

/* Sends one packet of a control protocol: code, id, body. */
void ppp_tx(struct ppp *p, uint16_t proto, uint8_t code, uint8_t id, const void *body, size_t len);
/* Starts the end of the link; the first reason counts. Takes effect when the stack unwinds. */
void ppp_end(struct ppp *p, enum ppp_reason reason);
/* LCP is finished: nothing is sent any more. */
void ppp_over(struct ppp *p, enum ppp_reason reason);
void ppp_set_phase(struct ppp *p, enum ppp_phase phase);
/* Authentication is done or not needed: the network phase begins. */
void ppp_authenticated(struct ppp *p);
/* Brackets around everything that comes from outside; see ppp.c. own is used if nothing is on the stack yet. */
bool ppp_enter(struct ppp *p, struct ppp_run *own, uint64_t now_ms);
void ppp_leave(struct ppp *p);
void ppp_random(struct ppp *p, void *buf, size_t len);

/* The name that was tried last; "" before that. */
const char *ppp_user(const struct ppp *p);
/* Another one, with nothing answered yet. False: no memory, it is as it was. */
bool ppp_set_user(struct ppp *p, const void *name, size_t len);
/* Keeps what we tell the peer: at most AUTH_ANSWER_MAX bytes, none when there is no memory. */
void ppp_keep_answer(struct ppp *p, const char *text, size_t len);
const char *ppp_answer(const struct ppp *p); /* auth.answer_len bytes */

/* ---- shared.c ---- */

/* NULL: no memory. ctx: for ops->random. */
const struct ppp_shared *ppp_shared_get(struct ppp_confs *set, const struct ppp_conf *conf,
                                        const struct ppp_ops *ops, void *ctx, struct timerq *timers,
                                        struct log *log);
void ppp_shared_put(const struct ppp_shared *s);
/* A zeroed link of the set (NULL: of none), and back, wiped. */
struct ppp *ppp_link_get(struct ppp_confs *set, enum ppp_role role);
void ppp_link_put(struct ppp_confs *set, enum ppp_role role, struct ppp *p);
/* Memory for a text of this size, not 0. NULL: none. It goes back with the same size. */
char *ppp_text_get(struct ppp_confs *set, size_t size);
void ppp_text_put(struct ppp_confs *set, char *text, size_t size);

/* ---- timers.c ---- */

void ppp_timers_init(struct ppp *p);
/* Waits so long from now on for this; at most a week. */
void ppp_wait(struct ppp *p, enum ppp_wait what, uint32_t ms);
void ppp_wait_no_more(struct ppp *p, enum ppp_wait what);
void ppp_timers_stop(struct ppp *p);

/* ---- lcp.c ---- */
void lcp_init(struct ppp *p);
void lcp_echo_tick(struct ppp *p); /* PPP_W_ECHO */
void lcp_rx(struct ppp *p, const struct ppp_pkt *pkt);
/* True when the peer rejected this code (RFC 1661 4.3): it is not sent any more. */
bool lcp_code_refused(const struct ppp *p, uint8_t code);
/* lcp_opts.c: the negotiation */
void lcp_reset_wishes(struct ppp *p);
void lcp_request(const struct fsm *f, struct optbuf *out);
uint8_t lcp_judge(struct fsm *f, const uint8_t *opts, size_t len, struct optbuf *out);
bool lcp_same_life(const struct fsm *f, const uint8_t *opts, size_t len);
bool lcp_nak(struct fsm *f, const uint8_t *opts, size_t len);
bool lcp_reject(struct fsm *f, const uint8_t *opts, size_t len);
/* The method of an authentication-protocol option, PPP_AUTH_NONE for one unknown to us. */
enum ppp_auth_method lcp_auth_option(const uint8_t *opt);
/* proxy.c: true when LCP could be opened from the AVPs; then credentials may follow. */
bool proxy_lcp(struct ppp *p, const struct ppp_proxy *proxy);
void proxy_auth(struct ppp *p, const struct ppp_proxy *proxy);

/* ---- auth.c, pap.c, chap.c, chap_peer.c ---- */
void auth_init(struct ppp *p);
void auth_start(struct ppp *p); /* LCP opened */
void auth_stop(struct ppp *p); /* LCP left Opened, or the link ends */
void auth_limit(struct ppp *p); /* starts the phase's time over */
void auth_verdict(struct ppp *p, const struct ppp_auth_reply *reply);

/* A credential that passed the parser. */
struct cred {
	const uint8_t *name, *secret; /* PAP: password; CHAP: response value */
	uint16_t name_len, secret_len;
	uint8_t id;
	bool proxy;
};

/* Repeats, single-shot rules, then the owner is asked. id_ok: the id answers our challenge. */
void auth_offer(struct ppp *p, const struct cred *c, bool id_ok);
uint16_t auth_proto(enum ppp_auth_method m);
void auth_answer_again(struct ppp *p, uint8_t id);
/* The try under way, made when there is none. NULL: no memory. */
struct auth_try *auth_try(struct auth *a);
void auth_try_free(struct auth *a); /* wiped */
void auth_resend(struct ppp *p); /* PPP_W_RESEND */

void pap_rx(struct ppp *p, const struct ppp_pkt *pkt);
void pap_answer(struct ppp *p, const char *message);
void pap_send_request(struct ppp *p); /* PPP_PEER */

void chap_rx(struct ppp *p, const struct ppp_pkt *pkt);
void chap_send_challenge(struct ppp *p);
void chap_answer(struct ppp *p, const struct ppp_auth_reply *reply, bool ok, bool retry);
void chap_peer_rx(struct ppp *p, const struct ppp_pkt *pkt);
void chap_peer_resend(struct ppp *p);

/* ---- ipcp.c ---- */
void ipcp_init(struct ppp *p);
void ipcp_rx(struct ppp *p, const struct ppp_pkt *pkt);
void ipcp_reset(struct ppp *p); /* wishes as configured, before a new negotiation */
uint32_t ipcp_local_ip(const struct ppp *p);

/* ---- digest.c ---- */

struct chunk {
	const void *p;
	size_t len;
};

/* False when libcrypto has no memory left. */
bool digest_md5(const struct chunk *c, size_t n, uint8_t out[16]);
bool digest_sha1(const struct chunk *c, size_t n, uint8_t out[20]);
bool digest_sha256(const struct chunk *c, size_t n, uint8_t out[32]);
bool digest_md4(const void *p, size_t len, uint8_t out[16]);
/* DES of one block under a 7-byte key (RFC 2759 8.6). */
void digest_des(const uint8_t key7[7], const uint8_t in[8], uint8_t out[8]);

/* ---- verify.c ---- */
bool chap_md5_response(uint8_t id, const uint8_t *secret, size_t secret_len,
                       const uint8_t *challenge, size_t challenge_len, uint8_t out[16]);
/* RFC 2759 8.1: the 24-byte NT-Response. */
bool mschapv2_nt_response(const uint8_t nt_hash[16], const char *user, const uint8_t challenge[16],
                          const uint8_t peer_challenge[16], uint8_t out[24]);
/* RFC 2759 8.7: 40 hex digits and a NUL. */
bool mschapv2_auth_response(const uint8_t nt_hash[16], const char *user,
                            const uint8_t challenge[16], const uint8_t peer_challenge[16],
                            const uint8_t nt_response[24], char out[41]);
