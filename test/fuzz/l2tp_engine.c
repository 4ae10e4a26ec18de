/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The whole L2TP engine under a peer that the fuzzer plays. The input is a row of records: a byte of
 * orders, a length, and so many bytes. So that a mutation gets deep, the harness can put the right
 * ids and sequence numbers into a message, and a tunnel is up from the start. In the end every
 * object must be gone, and every timer.
 */
#include "base/timerq.h"
#include "l2tp/l2tp.h"
#include "l2tp/msg.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERED  0x01 /* put ids, Ns and Nr of the peer's tunnel into the header */
#define ELSEWHERE 0x02 /* from another path */
#define LATER     0x04 /* some time passes first */
#define OWNER     0x08 /* no message, but something that the owner does */

struct fuzz {
	struct timerq q;
	struct l2tp *l;
	uint64_t now;
	uint32_t random;
	struct l2tp_path path;
	uint16_t next_tid, next_sid;
	uint16_t tid, ns, nr;
	unsigned tunnels, calls;
	bool single_shot, secret;
	struct l2tp_tunnel *t; /* up, or NULL */
	struct l2tp_call *c; /* any, or NULL */
	uint8_t challenge[16];
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void op_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct fuzz *f = ctx;
	struct l2tp_hdr h;

	check(l2tp_hdr_parse(pkt, len, &h) == 0 && h.data_len + 12 == (int)len);
	if (h.data_len > 0 && h.ns == f->nr)
		f->nr++;
}

static enum l2tp_verdict op_tunnel_request(void *ctx, const struct l2tp_path *path,
                                           const struct l2tp_msg *msg,
                                           struct l2tp_tunnel_conf *conf, struct l2tp_result *res,
                                           void **user)
{
	struct fuzz *f = ctx;

	if (f->next_tid > 60)
		return L2TP_REFUSE;
	*conf = (struct l2tp_tunnel_conf){
	        .local_id = f->next_tid++,
	        .host_name = "lns",
	        .single_shot = f->single_shot,
	        .rws = 8,
	        .max_calls = 4,
	        .retries_established = 3,
	        .retries_not_established = 2,
	        .retransmit_first_ms = 1000,
	        .retransmit_cap_ms = 8000,
	        .hello_ms = 60000,
	        .idle_ms = 60000,
	        .first_call_ms = 30000,
	        .establish_ms = 30000,
	        .call_establish_ms = 30000,
	        .linger_ms = 31000,
	};
	if (f->secret) {
		memcpy(conf->secret, "secret", 6);
		conf->secret_len = 6;
		conf->hide_avps = true;
	}
	f->tunnels++;
	f->tid = conf->local_id;
	return L2TP_ACCEPT;
}

static void op_tunnel_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                               const struct l2tp_result *res)
{
}

static void op_tunnel_up(void *ctx, struct l2tp_tunnel *t)
{
	struct fuzz *f = ctx;

	f->t = t;
}

static void op_tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct fuzz *f = ctx;

	if (f->t == t)
		f->t = NULL;
}

static void op_tunnel_gone(void *ctx, struct l2tp_tunnel *t)
{
	struct fuzz *f = ctx;

	f->tunnels--;
}

static enum l2tp_verdict op_call_request(void *ctx, struct l2tp_tunnel *t,
                                         const struct l2tp_msg *msg, struct l2tp_call_conf *conf,
                                         struct l2tp_result *res, void **user)
{
	struct fuzz *f = ctx;

	if (msg->call_serial % 5 == 4)
		return L2TP_REFUSE;
	conf->local_id = f->next_sid++;
	f->calls++;
	return L2TP_ACCEPT;
}

static void op_call_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                            const struct l2tp_result *res)
{
}

static void op_call_reply(void *ctx, struct l2tp_call *c)
{
	struct l2tp_connect_info info = {.tx_speed = 1, .framing_type = 1};
	struct fuzz *f = ctx;

	l2tp_call_connect(c, &info, f->now);
}

static void op_call_up(void *ctx, struct l2tp_call *c, const struct l2tp_msg *msg)
{
	struct fuzz *f = ctx;

	f->c = c;
}

static void op_call_gone(void *ctx, struct l2tp_call *c, const struct l2tp_result *res)
{
	struct fuzz *f = ctx;

	f->calls--;
	if (f->c == c)
		f->c = NULL;
}

static void op_random(void *ctx, uint8_t *buf, size_t len)
{
	struct fuzz *f = ctx;

	while (len-- > 0) {
		f->random = f->random * 1664525u + 1013904223u;
		*buf++ = (uint8_t)(f->random >> 24);
	}
}

static const struct l2tp_ops ops = {
        .send = op_send,
        .tunnel_request = op_tunnel_request,
        .tunnel_rejected = op_tunnel_rejected,
        .tunnel_up = op_tunnel_up,
        .tunnel_down = op_tunnel_down,
        .tunnel_gone = op_tunnel_gone,
        .call_request = op_call_request,
        .call_refused = op_call_refused,
        .call_reply = op_call_reply,
        .call_up = op_call_up,
        .call_gone = op_call_gone,
        .random = op_random,
};

static void pass(struct fuzz *f, uint64_t ms)
{
	uint64_t end = f->now + ms;

	while (timerq_next(&f->q) <= end) {
		f->now = timerq_next(&f->q) > f->now ? timerq_next(&f->q) : f->now;
		timerq_run(&f->q, f->now, 0);
	}
	f->now = end;
}

static void rx(struct fuzz *f, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	/* A block of just this size, so that a read beyond it shows. */
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, pkt, len);
	l2tp_rx(f->l, path, copy, len, f->now);
	free(copy);
}

static void dial(struct fuzz *f)
{
	struct l2tp_build b;
	uint8_t buf[256];
	size_t len;

	f->ns = f->nr = 0;
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCRQ, 0, 0);
	l2tp_build_u16(&b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, "lac", 3);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1);
	len = l2tp_build_end(&b);
	l2tp_set_seq(buf, f->ns++, f->nr);
	rx(f, &f->path, buf, len);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_SCCCN, f->tid, 0);
	len = l2tp_build_end(&b);
	l2tp_set_seq(buf, f->ns++, f->nr);
	rx(f, &f->path, buf, len);
	check(f->t != NULL);
}

static void owner_acts(struct fuzz *f, uint8_t what)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
	struct l2tp_call_conf conf = {.serial = 1};

	switch (what % 5) {
	case 0:
		if (f->t != NULL)
			l2tp_tunnel_close(f->t, &res, f->now);
		break;
	case 1:
		if (f->t != NULL)
			l2tp_tunnel_abort(f->t, &res, f->now);
		break;
	case 2:
		if (f->c != NULL)
			l2tp_call_close(f->c, &res, f->now);
		break;
	case 3:
		conf.local_id = f->next_sid++;
		if (f->t != NULL && l2tp_call_open(f->t, &conf, NULL, f->now) != NULL)
			f->calls++;
		break;
	default:
		if (f->c != NULL)
			l2tp_call_send_sli(f->c, 1, 2, f->now);
		break;
	}
}

static void record(struct fuzz *f, uint8_t orders, const uint8_t *data, size_t len)
{
	struct l2tp_path path = f->path;
	uint8_t pkt[12 + 255];

	if (orders & LATER)
		pass(f, (uint64_t)(orders >> 4) * 2500);
	if (orders & OWNER) {
		owner_acts(f, len > 0 ? data[0] : 0);
		return;
	}
	if (orders & ELSEWHERE)
		path.remote.port++;
	if ((orders & NUMBERED) == 0 || len < 2) {
		rx(f, &path, data, len);
		return;
	}
	/* The first two bytes are the session id; the attributes follow. */
	memset(pkt, 0, 12);
	pkt[0] = 0xc8;
	pkt[1] = 2;
	pkt[2] = (uint8_t)((12 + len - 2) >> 8);
	pkt[3] = (uint8_t)(12 + len - 2);
	pkt[4] = (uint8_t)(f->tid >> 8);
	pkt[5] = (uint8_t)f->tid;
	pkt[6] = data[0];
	pkt[7] = data[1];
	memcpy(pkt + 12, data + 2, len - 2);
	l2tp_set_seq(pkt, f->ns, f->nr);
	if (len > 2 && (orders & ELSEWHERE) == 0)
		f->ns++;
	rx(f, &path, pkt, 12 + len - 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t tunnels, calls, lingering;
	static struct l2tp *l; /* the tables are large, and each run leaves them empty */
	static struct fuzz f;

	if (size < 1 || size > 4096)
		return 0;
	f = (struct fuzz){.now = 1, .next_tid = 1, .next_sid = 1, .random = 1};
	if (l == NULL)
		l = l2tp_new(&ops, &f, &f.q, NULL, "Sallyport", 1);
	f.l = l;
	f.single_shot = data[0] & 1;
	f.secret = data[0] & 2;
	f.path.local.port = f.path.remote.port = L2TP_PORT;
	check(f.l != NULL);
	dial(&f);
	for (size_t at = 1; at + 2 <= size;) {
		size_t len = data[at + 1];

		if (len > size - at - 2)
			len = size - at - 2;
		record(&f, data[at], data + at + 2, len);
		at += 2 + len;
	}
	pass(&f, 3600000);
	l2tp_count(f.l, &tunnels, &calls, &lingering);
	check(tunnels + calls + lingering + f.tunnels + f.calls + f.q.n == 0);
	return 0;
}
