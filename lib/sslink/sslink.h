/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The messages between charon's plugin and the daemon, over a SOCK_SEQPACKET UNIX socket: one message
 * a datagram, a fixed header, a body of fixed fields in network byte order and counted strings. The
 * plugin connects, says HELLO and replays its SAs; the daemon owns SPIs, SAs and the latch.
 *
 * This is the codec alone: no socket. Both ends use it, and both treat what comes in as hostile.
 *
 * From charon, each answered by ANSWER with the same seq:
 *   HELLO     first message of a link. ANSWER.a is the daemon's instance number. When it is another
 *             than the plugin has seen before, the plugin terminates all IKE_SAs (a sequence number
 *             or nonce must never be used again) before it goes on.
 *   ADD_SA    with resync set: an SA that exists, replayed after HELLO. Status REFUSED: the daemon
 *             does not have it, so the plugin deletes that CHILD_SA.
 *   SYNC_END  the replay is over; until then the daemon answers BUSY to everything new.
 *   GET_SPI   ANSWER.spi is the SPI that the daemon gives.
 *   ADD_SA, UPDATE_SA, QUERY_SA (ANSWER.a bytes, .b packets, .c seconds since last use, UINT64_MAX
 *             never), DEL_SA, FLUSH_SAS
 * From charon, not answered: IKE_UP, IKE_DOWN, IKE_REKEY, CHILDREN_MIGRATE, CHILD_REKEY
 * From the daemon, not answered: EXPIRE, DELETE_CHILD, TERMINATE_IKE, MAPPING
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSLINK_VERSION  1
#define SSLINK_MSG_MAX  2048
#define SSLINK_NAME_MAX 64 /* a connection's name in swanctl.conf, with its NUL */
#define SSLINK_ID_MAX   256 /* an IKE identity as text, with its NUL; longer ones are cut */
#define SSLINK_KEY_MAX  80
#define SSLINK_SPIS_MAX 128

enum sslink_type {
	SSLINK_HELLO = 1,
	SSLINK_SYNC_END,
	SSLINK_GET_SPI,
	SSLINK_ADD_SA,
	SSLINK_UPDATE_SA,
	SSLINK_QUERY_SA,
	SSLINK_DEL_SA,
	SSLINK_FLUSH_SAS,
	SSLINK_IKE_UP,
	SSLINK_IKE_DOWN,
	SSLINK_IKE_REKEY,
	SSLINK_CHILDREN_MIGRATE,
	SSLINK_CHILD_REKEY,
	SSLINK_ANSWER,
	SSLINK_EXPIRE,
	SSLINK_DELETE_CHILD,
	SSLINK_TERMINATE_IKE,
	SSLINK_MAPPING,
	SSLINK_TYPE_MAX
};

const char *sslink_type_name(enum sslink_type t); /* "get-spi" */

enum sslink_status {
	SSLINK_OK,
	SSLINK_REFUSED, /* latched, disconnecting, a limit reached, or not known */
	SSLINK_BUSY, /* not in this state of the link */
	SSLINK_UNSUPPORTED, /* algorithm, mode, selector, address family */
	SSLINK_NO_RESOURCES,
	SSLINK_STATUS_MAX
};

enum sslink_auth { SSLINK_AUTH_UNKNOWN, SSLINK_AUTH_PSK, SSLINK_AUTH_PUBKEY, SSLINK_AUTH_EAP };

/* The IKE_SA behind a request (charon's bus knows it, however the call came about). */
struct sslink_ike {
	uint32_t id; /* charon's unique id; 0: none */
	uint8_t version; /* 1 or 2 */
	uint8_t auth; /* enum sslink_auth: how the peer authenticated; UNKNOWN before it has */
	struct endpoint local, remote; /* of IKE itself */
	char connection[SSLINK_NAME_MAX]; /* name of the connection in swanctl.conf */
	char remote_id[SSLINK_ID_MAX];
};

struct sslink_hello {
	uint16_t version; /* SSLINK_VERSION of the sender */
	uint64_t instance; /* charon's: random at its start */
	uint32_t pid;
};

struct sslink_get_spi {
	struct sslink_ike ike;
	struct ipaddr src, dst; /* dst is ours */
};

/* A traffic selector: one address range, one protocol, one port range. */
struct sslink_ts {
	struct ipaddr first, last;
	uint8_t proto; /* 0: any */
	uint16_t port_first, port_last;
};

struct sslink_lifetime { /* 0: none */
	uint64_t soft_s, hard_s, soft_bytes, hard_bytes, soft_packets, hard_packets;
};

struct sslink_add_sa {
	struct sslink_ike ike;
	uint32_t spi; /* host order */
	bool inbound, resync, encap, esn, tunnel_mode;
	bool update; /* charon's: get_spi came before */
	struct endpoint src, dst; /* outer; ports are those of UDP encapsulation when encap */
	uint16_t enc_alg; /* IKEv2 transform ids (IANA; charon's private ones from 1024 on) */
	uint16_t auth_alg;
	uint16_t enc_key_len, auth_key_len;
	uint8_t enc_key[SSLINK_KEY_MAX], auth_key[SSLINK_KEY_MAX];
	uint32_t replay_window;
	uint32_t reqid;
	struct sslink_lifetime life;
	struct sslink_ts local_ts, remote_ts; /* ours and the peer's, whatever the direction */
};

struct sslink_update_sa {
	uint32_t spi;
	bool inbound, encap; /* encap: from now on */
	struct endpoint src, dst; /* the old ones */
	struct endpoint new_src, new_dst;
};

struct sslink_sa_id { /* QUERY_SA, DEL_SA, DELETE_CHILD */
	uint32_t spi;
	bool inbound; /* direction as we see it: the SPI is ours */
	struct ipaddr dst;
};

struct sslink_ike_rekey { /* IKE_REKEY, and IKE_DOWN (new_id 0), and CHILDREN_MIGRATE */
	uint32_t old_id, new_id;
	/* CHILDREN_MIGRATE: inbound SPIs of the children that new_id has adopted */
	uint16_t n_spis;
	uint32_t spis[SSLINK_SPIS_MAX];
};

struct sslink_child_rekey {
	uint32_t ike_id;
	uint32_t old_spi_in, new_spi_in;
};

struct sslink_answer {
	uint8_t status; /* enum sslink_status */
	uint32_t spi;
	uint64_t a, b, c;
};

struct sslink_expire {
	uint32_t spi;
	bool inbound, hard;
	struct ipaddr dst;
};

struct sslink_terminate {
	uint32_t ike_id;
	bool force; /* do not wait for the peer's answer (E31) */
};

struct sslink_mapping {
	uint32_t spi; /* inbound */
	struct endpoint local, remote; /* remote: where authenticated packets come from now */
};

struct sslink_msg {
	enum sslink_type type;
	uint32_t seq; /* of a request and its answer; 0 where there is no answer */
	union {
		struct sslink_hello hello;
		uint32_t sync_end; /* how many SAs were replayed */
		struct sslink_get_spi get_spi;
		struct sslink_add_sa add_sa;
		struct sslink_update_sa update_sa;
		struct sslink_sa_id sa_id; /* QUERY_SA, DEL_SA, DELETE_CHILD */
		struct sslink_ike ike_up;
		struct sslink_ike_rekey ike_rekey; /* IKE_DOWN, IKE_REKEY, CHILDREN_MIGRATE */
		struct sslink_child_rekey child_rekey;
		struct sslink_answer answer;
		struct sslink_expire expire;
		struct sslink_terminate terminate;
		struct sslink_mapping mapping;
	};
};

/*
 * Reads one message. 0, or -EINVAL (malformed: length, type, a value out of its range, bytes left
 * over), or -EPROTONOSUPPORT (another version: out->type and, for HELLO, hello.version are set). Any
 * bytes are safe. The result may hold keys: sslink_wipe it.
 */
int sslink_decode(const uint8_t *p, size_t len, struct sslink_msg *out);

/*
 * Writes a message to buf; returns its length, or -EINVAL, or -EMSGSIZE. buf may then hold keys.
 * -EINVAL, as when decoding: seq is 0 in a request or answer, or is not in another message; an IKE_SA
 * has an id without a version, or the other way round; a text holds control characters; a selector's
 * addresses are of two families, or a range is upside down; IKE_DOWN names a new id, or IKE_REKEY or
 * CHILDREN_MIGRATE none; hello.version is 0.
 */
int sslink_encode(const struct sslink_msg *m, uint8_t *buf, size_t size);

/* Wipes a message or buffer that may hold keys. */
void sslink_wipe(void *p, size_t len);

/*
 * One line for the log or a debugger: type, seq, SPI, ids, addresses; never a key. Returns buf.
 */
const char *sslink_describe(const struct sslink_msg *m, char *buf, size_t size);
