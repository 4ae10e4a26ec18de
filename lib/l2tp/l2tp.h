/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The L2TPv2 control engine (RFC 2661): the reliable control channel and the state machines of
 * tunnels and calls, for the LNS and for the LAC. One instance serves all peers.
 *
 * The engine has no clock, no sockets and no random source of its own: the owner hands in datagrams
 * and the time, runs the timer queue, and is told of everything by the callbacks of l2tp_ops. Only
 * the wire format is in l2tp/msg.h and l2tp/avp.h.
 *
 * Reentrancy: a callback may call l2tp_tunnel_close, l2tp_call_close, l2tp_call_open and the
 * accessors on any object. Nothing is freed while a callback of it is running; the gone callbacks
 * are the last word on an object and its memory is released after they return.
 */
#pragma once

#include "base/addr.h"
#include "base/log.h"
#include "base/timerq.h"
#include "l2tp/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct l2tp; /* an instance */
struct l2tp_tunnel; /* a control connection */
struct l2tp_call; /* a session */

#define L2TP_SECRET_MAX 128
#define L2TP_NAME_MAX   1018 /* an AVP value is at most 1017 bytes; and a NUL */

/*
 * Where a peer is. conn is the transport connection that carried the datagram (0: plain UDP). A
 * tunnel keeps the path of its SCCRQ: datagrams from another path are not this tunnel's
 * (RFC 2661 8.1: addresses and ports are static once set; RFC 3193: bound to the SA).
 */
struct l2tp_path {
	struct endpoint local, remote;
	uint64_t conn;
};

/* Why a tunnel or call ended; the names follow JunosE's terminate reasons (l2tp_reason_name). */
enum l2tp_reason {
	L2TP_R_NONE,
	/* tunnel */
	L2TP_R_TUNNEL_ADMIN_CLOSE, /* the owner closed it */
	L2TP_R_TUNNEL_RX_STOPCCN, /* the peer closed it */
	L2TP_R_TUNNEL_TIMEOUT_CONTROL, /* retransmissions exhausted (5.8) */
	L2TP_R_TUNNEL_TIMEOUT_ESTABLISH, /* never established in time */
	L2TP_R_TUNNEL_TIMEOUT_IDLE, /* idle-timeout ran out */
	L2TP_R_TUNNEL_TIMEOUT_FIRST_CALL, /* single-shot: no call in time (E13) */
	L2TP_R_TUNNEL_SINGLE_SHOT_DONE, /* single-shot: its session ended (B2) */
	L2TP_R_TUNNEL_AUTH_FAILED, /* challenge response missing or wrong */
	L2TP_R_TUNNEL_REFUSED, /* the owner refused the SCCRQ or SCCRP */
	L2TP_R_TUNNEL_TIE_LOST, /* tie breaker: the peer's SCCRQ won (4.4.3) */
	L2TP_R_TUNNEL_BAD_MESSAGE, /* malformed, missing or unknown mandatory AVP or message */
	L2TP_R_TUNNEL_BAD_VERSION, /* protocol version not 1.0 */
	L2TP_R_TUNNEL_FSM_ERROR, /* message out of order for the state */
	L2TP_R_TUNNEL_TRANSPORT_DOWN, /* the owner said that the path is gone */
	L2TP_R_TUNNEL_NO_RESOURCES,
	/* call */
	L2TP_R_CALL_ADMIN_CLOSE,
	L2TP_R_CALL_RX_CDN,
	L2TP_R_CALL_TUNNEL_DOWN, /* went with its tunnel */
	L2TP_R_CALL_TIMEOUT_ESTABLISH, /* ICRP or ICCN never came */
	L2TP_R_CALL_BAD_MESSAGE,
	L2TP_R_CALL_FSM_ERROR,
	L2TP_R_CALL_REFUSED,
	L2TP_R_CALL_LIMIT_REACHED,
	L2TP_R_CALL_NO_RESOURCES,
	L2TP_R_CALL_SINGLE_SHOT_FIRED, /* session create failed single shot tunnel already fired */
	L2TP_R_CALL_NOT_SUPPORTED, /* an outgoing call request and the like */
	L2TP_R_MAX
};

/* "tunnel rx stopccn", "session create failed single shot tunnel already fired", .. */
const char *l2tp_reason_name(enum l2tp_reason r);

enum l2tp_tunnel_state {
	L2TP_TS_IDLE,
	L2TP_TS_WAIT_CTL_REPLY, /* SCCRQ sent (7.2.1) */
	L2TP_TS_WAIT_CTL_CONN, /* SCCRP sent */
	L2TP_TS_ESTABLISHED,
	L2TP_TS_DISCONNECTING, /* StopCCN sent, not yet acknowledged */
	L2TP_TS_CLOSED,
};

enum l2tp_call_state {
	L2TP_CS_IDLE,
	L2TP_CS_WAIT_TUNNEL, /* LAC: the tunnel is coming up (7.4.1) */
	L2TP_CS_WAIT_REPLY, /* LAC: ICRQ sent, or LNS: OCRQ sent */
	L2TP_CS_WAIT_CONNECT, /* LNS: ICRP sent */
	L2TP_CS_ESTABLISHED,
	L2TP_CS_CLOSED,
};

const char *l2tp_tunnel_state_name(enum l2tp_tunnel_state s); /* "idle", "wait-ctl-reply", .. */
const char *l2tp_call_state_name(enum l2tp_call_state s);

/* What the owner decides about one tunnel. Copied by the engine; the secret is wiped at the end. */
struct l2tp_tunnel_conf {
	uint16_t local_id; /* Assigned Tunnel ID, unique in the instance, not 0 */
	char host_name[256]; /* Host Name AVP that we send */
	uint8_t secret[L2TP_SECRET_MAX]; /* shared secret */
	uint16_t secret_len; /* 0: no tunnel authentication, no hidden AVPs */
	bool challenge; /* send a Challenge AVP (needs a secret) */
	bool hide_avps; /* hide what may be hidden when sending */
	bool single_shot; /* one call ever; tunnel ends with it (B1, B2) */
	uint16_t rws; /* Receive Window Size that we offer, 1.. (4.4.3) */
	uint16_t max_calls; /* at once; 0: no limit of the tunnel's own */
	uint8_t retries_established; /* 2-7 (JunosE: l2tp retransmission) */
	uint8_t retries_not_established; /* 2-7 */
	uint32_t retransmit_first_ms; /* 1000 (5.8); doubles up to the cap */
	uint32_t retransmit_cap_ms; /* 8000 or more (5.8) */
	uint32_t hello_ms; /* silence after which a Hello goes out; 0: never (6.5) */
	uint32_t idle_ms; /* without a call; 0: for ever. Ignored on single-shot */
	uint32_t first_call_ms; /* single-shot: time for the first call (E13) */
	uint32_t establish_ms; /* not established after this: given up */
	uint32_t call_establish_ms; /* same for a call waiting for ICRP or ICCN */
	uint32_t linger_ms; /* re-acknowledge a received StopCCN so long: 31000 (5.7) */
	uint16_t limit_result; /* CDN result when max_calls is reached: 4 (or 2) */
	uint16_t limit_error; /* its error code: 0, or 4 with result 2 */
	uint16_t fired_result; /* CDN result for a further call on single-shot: 5, or 2 */
	uint16_t fired_error; /* its error code: 0, or 4 with result 2 */
};

/* What the owner decides about one call. Copied. */
struct l2tp_call_conf {
	uint16_t local_id; /* Assigned Session ID, unique in the instance, not 0 */
	bool sequencing; /* LAC: ask for data sequencing (AVP 39); LNS: use it anyway */
	uint32_t serial; /* LAC: Call Serial Number */
	uint32_t bearer_type; /* LAC: Bearer Type AVP when has_bearer */
	bool has_bearer;
	char calling_number[128]; /* LAC: AVP 22 when not empty */
	char called_number[128]; /* LAC: AVP 21 when not empty */
};

/* What a LAC tells in the ICCN (6.8). */
struct l2tp_connect_info {
	uint32_t tx_speed, rx_speed; /* bits a second; rx_speed 0: not sent */
	uint32_t framing_type; /* 1 sync, 2 async */
	struct {
		const uint8_t *p; /* NULL: not sent */
		uint16_t len;
	} initial_lcp, last_tx_lcp, last_rx_lcp, proxy_name, proxy_challenge, proxy_response;
	uint16_t proxy_auth_type; /* 0: not sent */
	uint16_t proxy_auth_id;
};

/* Why something is refused or closed, as it goes on the wire (4.4.2). */
struct l2tp_result {
	uint16_t result; /* StopCCN or CDN result code */
	uint16_t error; /* error code, sent when has_error */
	bool has_error;
	char message[128]; /* error message, may be empty; sent only with an error code */
	enum l2tp_reason reason;
	/* CDN only: PPP Disconnect Cause (RFC 3145); sent when has_cause. */
	bool has_cause;
	uint16_t cause_code, cause_proto;
	uint8_t cause_direction;
};

enum l2tp_verdict {
	L2TP_ACCEPT,
	L2TP_REFUSE, /* answer with StopCCN or CDN as the result says; no tunnel is made */
	L2TP_DISCARD, /* no answer, no state */
};

#define L2TP_CALLS_AT_ONCE 16 /* that end with their tunnel */

struct l2tp_ops {
	/*
	 * Sends a control message as a UDP payload over path. Never fails visibly: loss is loss. Must not
	 * call l2tp_rx before it returns, nor end a tunnel.
	 */
	void (*send)(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len);

	/*
	 * An SCCRQ of an unknown tunnel arrived and is well-formed. The owner looks up its profile by
	 * path and msg->host_name, allocates an id and fills conf on L2TP_ACCEPT, or res otherwise.
	 * user, on L2TP_ACCEPT, becomes the tunnel's user pointer. An accepted tunnel always ends with
	 * tunnel_down and tunnel_gone, also when it fails at once (a challenge, but no secret). With
	 * L2TP_REFUSE, conf->local_id may name the never used id for the StopCCN; 0: any free one.
	 */
	enum l2tp_verdict (*tunnel_request)(void *ctx, const struct l2tp_path *path,
	                                    const struct l2tp_msg *msg,
	                                    struct l2tp_tunnel_conf *conf, struct l2tp_result *res,
	                                    void **user);

	/*
	 * An SCCRQ that could not be given to a profile was refused by the engine itself: bad version,
	 * missing or unknown mandatory AVP, malformed (E14). msg holds what could be decoded.
	 */
	void (*tunnel_rejected)(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
	                        const struct l2tp_result *res);

	/* The tunnel is established (SCCCN sent or accepted). */
	void (*tunnel_up)(void *ctx, struct l2tp_tunnel *t);

	/*
	 * The tunnel starts to disconnect: called once, before the calls on it go down and before any
	 * StopCCN leaves, so that a latch is written first. res tells why; for a received StopCCN it
	 * holds the peer's codes and message. Of more than L2TP_CALLS_AT_ONCE calls the others end
	 * later, a few with each timer: an owner that forwards for them stops that here.
	 */
	void (*tunnel_down)(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res);

	/*
	 * The tunnel is disconnected: StopCCN acknowledged or given up, or nothing to send. The destruct
	 * period begins. The id is the owner's again; the object is freed after this returns.
	 * Comes after tunnel_down, and after the call_gone of the last call.
	 */
	void (*tunnel_gone)(void *ctx, struct l2tp_tunnel *t);

	/*
	 * An ICRQ arrived (LNS). As tunnel_request. The engine itself refuses a call beyond max_calls
	 * or on a used single-shot tunnel; it reports that by call_refused. On a single-shot tunnel a
	 * refusal is the failure of its one call: the tunnel goes as if the call had ended.
	 */
	enum l2tp_verdict (*call_request)(void *ctx, struct l2tp_tunnel *t,
	                                  const struct l2tp_msg *msg, struct l2tp_call_conf *conf,
	                                  struct l2tp_result *res, void **user);

	/*
	 * A call was refused by the engine without ever being an object; msg is the ICRQ or OCRQ. Not
	 * called for a refusal by call_request. On a tunnel that disconnects nothing is sent.
	 */
	void (*call_refused)(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
	                     const struct l2tp_result *res);

	/* LAC only: the ICRP arrived. The owner answers with l2tp_call_connect when it is ready. */
	void (*call_reply)(void *ctx, struct l2tp_call *c);

	/* The call is established; msg is the ICCN on the LNS, NULL on the LAC (ICCN sent). */
	void (*call_up)(void *ctx, struct l2tp_call *c, const struct l2tp_msg *msg);

	/* The call ended: called once, before the CDN leaves. The object is freed after this returns. */
	void (*call_gone)(void *ctx, struct l2tp_call *c, const struct l2tp_result *res);

	/* WEN (LNS side) or SLI (LAC side) on an established call; may be NULL. */
	void (*call_info)(void *ctx, struct l2tp_call *c, const struct l2tp_msg *msg);

	/* Fills buf with unpredictable bytes. */
	void (*random)(void *ctx, uint8_t *buf, size_t len);
};

/* Counters of the instance. */
struct l2tp_stats {
	uint64_t rx, tx; /* control datagrams, ZLB included */
	uint64_t rx_zlb, tx_zlb;
	uint64_t rx_malformed; /* not a control message, or header lengths contradict */
	uint64_t rx_unknown_tunnel; /* id not ours */
	uint64_t rx_wrong_path; /* id ours, address, port or connection not */
	uint64_t rx_duplicate; /* Ns already received (5.8) */
	uint64_t rx_out_of_order; /* kept for later */
	uint64_t rx_out_of_window; /* dropped */
	uint64_t retransmits;
	uint64_t tunnels_refused, calls_refused;
	uint64_t auth_failed;
};

/* The same for one tunnel, and what show l2tp tunnel detail prints. */
struct l2tp_tunnel_info {
	uint16_t local_id, peer_id;
	enum l2tp_tunnel_state state;
	bool initiated_by_us;
	bool authenticated; /* the peer proved the secret */
	char peer_host[256], peer_vendor[256];
	uint16_t peer_firmware;
	uint8_t peer_version, peer_revision;
	uint32_t peer_framing, peer_bearer;
	uint16_t rws, peer_rws, cwnd, ssthresh;
	uint16_t ns, nr, peer_nr; /* next to send, next expected, acknowledged by the peer */
	uint16_t send_queue; /* messages not yet acknowledged */
	uint64_t rx_zlb, tx_zlb, rx_duplicate, rx_out_of_order, rx_out_of_window, retransmits;
	uint32_t calls, calls_total, calls_failed, calls_established;
	uint64_t created_ms, established_ms; /* established_ms 0: never */
	bool single_shot;
};

struct l2tp_call_info {
	uint16_t local_id, peer_id;
	enum l2tp_call_state state;
	bool lns;
	uint32_t serial, bearer_type, framing_type, tx_speed, rx_speed, physical_channel;
	bool sequencing; /* data messages carry Ns and Nr */
	bool sequencing_required; /* the peer asked by AVP 39 */
	char calling_number[128], called_number[128], sub_address[128], private_group[128];
	uint64_t created_ms, established_ms;
};

/*
 * Makes an instance. ops and log stay the caller's and must outlive it. vendor is the Vendor Name AVP
 * (may be NULL), firmware the Firmware Revision AVP. Returns NULL without memory.
 */
struct l2tp *l2tp_new(const struct l2tp_ops *ops, void *ctx, struct timerq *timers, struct log *log,
                      const char *vendor, uint16_t firmware);

/* Frees all without sending or calling back, except for the timers, which are cancelled. */
void l2tp_free(struct l2tp *l);

/* A datagram with the T bit arrived over path. Any length and content is safe. */
void l2tp_rx(struct l2tp *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
             uint64_t now_ms);

/* LAC side: opens a tunnel to path->remote. NULL: id in use or no memory. */
struct l2tp_tunnel *l2tp_tunnel_open(struct l2tp *l, const struct l2tp_path *path,
                                     const struct l2tp_tunnel_conf *conf, void *user,
                                     uint64_t now_ms);

/* Sends StopCCN (after the calls went down) and waits for its acknowledgement. Idempotent. */
void l2tp_tunnel_close(struct l2tp_tunnel *t, const struct l2tp_result *res, uint64_t now_ms);

/* The path is gone: everything ends at once and nothing is sent (E17). */
void l2tp_tunnel_abort(struct l2tp_tunnel *t, const struct l2tp_result *res, uint64_t now_ms);

/* Something authentic came from the peer outside the control channel: postpones the Hello. */
void l2tp_tunnel_alive(struct l2tp_tunnel *t, uint64_t now_ms);

/*
 * LAC side: requests an incoming call (ICRQ) on a tunnel that is up or coming up. NULL: refused by
 * the tunnel's state or limits, or no memory.
 */
struct l2tp_call *l2tp_call_open(struct l2tp_tunnel *t, const struct l2tp_call_conf *conf,
                                 void *user, uint64_t now_ms);

/* LAC side, after call_reply: sends the ICCN. The pointers in info are read only during the call. */
void l2tp_call_connect(struct l2tp_call *c, const struct l2tp_connect_info *info, uint64_t now_ms);

/* Sends a CDN. Idempotent. */
void l2tp_call_close(struct l2tp_call *c, const struct l2tp_result *res, uint64_t now_ms);

/* LNS side: tells the LAC the ACCMs that LCP agreed on (SLI, 6.14). */
void l2tp_call_send_sli(struct l2tp_call *c, uint32_t send_accm, uint32_t recv_accm,
                        uint64_t now_ms);

struct l2tp_tunnel *l2tp_tunnel_by_id(struct l2tp *l, uint16_t local_id);
struct l2tp_call *l2tp_call_by_id(struct l2tp *l, uint16_t local_id);
struct l2tp_tunnel *l2tp_call_tunnel(const struct l2tp_call *c);
/* The ids that the peer has assigned. */
uint16_t l2tp_tunnel_peer_id(const struct l2tp_tunnel *t);
uint16_t l2tp_call_peer_id(const struct l2tp_call *c);
/* Walks the calls of a tunnel: prev NULL starts. prev must not have been closed. */
struct l2tp_call *l2tp_call_next(const struct l2tp_tunnel *t, const struct l2tp_call *prev);
const struct l2tp_path *l2tp_tunnel_path(const struct l2tp_tunnel *t);
void *l2tp_tunnel_user(const struct l2tp_tunnel *t);
void *l2tp_call_user(const struct l2tp_call *c);
void l2tp_tunnel_info(const struct l2tp_tunnel *t, struct l2tp_tunnel_info *out);
void l2tp_call_info_get(const struct l2tp_call *c, struct l2tp_call_info *out);
/* The tunnel's call that has been there longest; NULL: none. */
struct l2tp_call *l2tp_tunnel_first_call(const struct l2tp_tunnel *t);

void l2tp_stats_get(const struct l2tp *l, struct l2tp_stats *out);
/* Live objects and records that linger after a StopCCN, for tests of leaks. */
void l2tp_count(const struct l2tp *l, uint32_t *tunnels, uint32_t *calls, uint32_t *lingering);
