/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Any frames at all through the whole data plane: two workers, three sessions of different options. The
 * input is a list of records: a byte that says which right headers stand before the bytes (so that the
 * fuzzer need not guess addresses and checksums), a length, the bytes. After each input the law of
 * accounting must hold.
 */
#include "dp_fuzz.h"

enum { OP_RAW, OP_ETH, OP_LOCAL, OP_UDP, OP_PPP, OP_INNER, OP_DOWN, OP_CONTROL, OP_KINDS };

#define FLAG_SESSION 0xc0 /* which of the sessions */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sessions_make(struct dp *dp)
{
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, lac = {ipaddr_v4(LAC), 1701};
	struct dp_session s = {
	        .session_id = SID,
	        .tunnel_id = TID,
	        .peer_session_id = 7,
	        .peer_tunnel_id = 8,
	        .gen = 1,
	        .worker = 0,
	        .local = us,
	        .peer = lac,
	        .open = true,
	        .udp_checksum = true,
	        .mtu = 1460,
	        .peer_ip = SUB,
	};

	must(dp_tunnel_add(dp, TID, &us, &lac, 0) == 0, "tunnel");
	must(dp_session_add(dp, &s) == 0, "session");
	s.session_id++;
	s.worker = 1;
	s.peer_ip++;
	s.mtu = 200;
	s.mss_clamp = 500;
	s.check_sequence = s.sequencing = s.length_bit = true;
	must(dp_session_add(dp, &s) == 0, "session");
	s.session_id++;
	s.peer_ip++;
	s.mtu = 1500;
	s.tx_acfc = s.tx_pfc = s.outer_df = true;
	s.udp_checksum = false;
	must(dp_session_add(dp, &s) == 0, "session");
	s.session_id++;
	s.open = false;
	s.outer_df = false;
	s.worker = 0;
	s.peer_ip++;
	must(dp_session_add(dp, &s) == 0, "session");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fuzz_start();
	sessions_make(fuzz()->dp);
	return 0;
}

/* ---- records to frames ---- */

static void udp(struct frame *f, uint16_t n)
{
	ip4(f, LAC, LNS, 17, 0, (uint16_t)(8 + n));
	put16(f, 1701);
	put16(f, 1701);
	put16(f, (uint16_t)(8 + n));
	put16(f, 0);
}

static void data(struct frame *f, uint16_t n, uint16_t session)
{
	udp(f, (uint16_t)(6 + n));
	put16(f, 0x0002);
	put16(f, TID);
	put16(f, (uint16_t)(SID + session));
}

/* The first three bytes choose protocol and fragment for the kinds that have an inner header. */
static void headers(struct frame *f, uint8_t op, const uint8_t **p, uint16_t *n)
{
	uint16_t session = op >> 6, frag = 0;
	uint8_t kind = op % OP_KINDS, proto = 6;

	if (kind == OP_RAW)
		return;
	if (kind == OP_LOCAL || kind == OP_INNER || kind == OP_DOWN) {
		if (*n < 3)
			return;
		proto = (*p)[0];
		frag = get_be16(*p + 1);
		*p += 3;
		*n -= 3;
	}
	eth(f, op);
	switch (kind) {
	case OP_LOCAL:
		ip4(f, LAC, LNS, proto & 1 ? proto : 17, frag, *n);
		break;
	case OP_UDP:
		udp(f, *n);
		break;
	case OP_PPP:
		data(f, *n, session);
		break;
	case OP_INNER:
		data(f, (uint16_t)(21 + *n), session);
		f->b[f->len++] = 0x21;
		ip4(f, SUB + session, proto & 1 ? WORLD : SUB + (frag & 3), proto, frag, *n);
		break;
	case OP_DOWN:
		ip4(f, WORLD, SUB + session, proto, frag, *n);
		break;
	case OP_CONTROL:
		udp(f, (uint16_t)(8 + *n));
		put16(f, 0xc802);
		put16(f, (uint16_t)(8 + *n));
		put16(f, session & 1 ? TID : 0);
		put16(f, 0);
		break;
	}
}

static void inject(struct fuzz *fz, uint8_t op, const uint8_t *p, uint16_t n)
{
	struct frame f = {0};

	headers(&f, op, &p, &n);
	memcpy(f.b + f.len, p, n);
	f.len += n;
	deliver(fz, &f, op, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data_in, size_t size)
{
	struct fuzz *f = fuzz();
	uint32_t n_records = 0;

	while (size >= 3 && n_records++ < 64) {
		uint16_t n = (uint16_t)RTE_MIN(
		        (size_t)(data_in[1] << 8 | data_in[2]) % (FRAME_MAX + 1), size - 3);

		inject(f, data_in[0], data_in + 3, n);
		data_in += 3 + n;
		size -= 3u + n;
	}
	turn(f);
	law(f->dp);
	return 0;
}
