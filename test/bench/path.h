/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What the files of bench_path share: the data plane under measurement with the far ends of its
 * sessions, the packets of a window, and the references.
 *
 *	port 0: 192.0.2.1, peers 100.64/16 behind 192.0.2.254
 *	port 1: 203.0.113.1, the world behind 203.0.113.254
 *	subscribers: 10.64/16; session ids count from 1
 */
#pragma once

#include "bench/quiet.h"
#include "dataplane/priv.h"
#include "esp/esp_int.h"

#define SUBS_MAX   64000
#define BATCH_MAX  2048 /* packets: half of them warm up, the other half is timed .. */
#define WINDOWS    4 /* .. in so many windows */
#define FRAME_MAX  1600
#define KEY_BYTES  80 /* of one direction: the cipher's with its salt, then at AUTH_KEY the hash's */
#define AUTH_KEY   40
#define LAC_PORT   0
#define WORLD_PORT 1

enum suite { PLAIN, GCM128, GCM256, CBC128_SHA1, CBC256_SHA256, SUITES };
enum dir { UP, DOWN };

extern const char *const suite_names[SUITES];
const struct esp_suite *suite_esp(enum suite s);

/* What a row is measured with. */
struct spec {
	enum dir dir;
	enum suite suite;
	uint16_t size; /* of the inner IPv4 packet */
	uint16_t vector;
	uint32_t sessions;
	bool checksum, ff03;
};

/* One subscriber as the far end of his session knows him, and keys of the reference's own. */
struct sub {
	uint32_t spi_in, spi_out;
	const struct esp_sa *in, *out; /* of the data plane */
	struct esp_sa *tx; /* of the peer: upstream packets are made with it */
	struct esp_sa *ref_in, *ref_out; /* same keys as in and out */
};

/* A port whose driver costs next to nothing, for the path and for the reference alike. */
struct bench_port {
	uint32_t n;
	struct rte_mbuf *sent[BATCH_MAX];
};

struct world {
	enum suite suite;
	uint32_t n_subs;
	bool checksum, ff03; /* what the sessions are set to */
	uint64_t seed; /* of the keys */
	struct dp *dp;
	struct worker *w;
	struct esp *peer; /* engine of the far ends */
	struct sub *subs;
	struct bench_port *ports; /* 2 */
	struct rte_lpm *lpm; /* of ref.ip4 */
	uint8_t *refs; /* ref_in and ref_out of all subs .. */
	size_t refs_size, refs_used; /* .. bytes */
};

/* The packets of one window: those of the path, or those of its reference. */
struct batch {
	uint32_t n; /* half of them in windows */
	uint16_t len; /* of each frame; of what the bare crypto is given down: of each ESP packet */
	struct rte_mbuf *m[BATCH_MAX];
};

void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- path_net.c ---- */

/* "4k" or "2m". */
const char *eal_start(void);
struct world *world_new(enum suite s, uint32_t n_subs);
void world_free(struct world *w);
/* Sets the first n sessions to what the row wants. */
void world_set(struct world *w, bool checksum, bool ff03);
/* Control's part until nothing is left to do. */
void world_settle(struct world *w);
/* The keys of one direction of a subscriber. */
void sub_keys(const struct world *w, uint32_t who, bool inbound, uint8_t keys[KEY_BYTES]);
uint64_t drops(const struct world *w);

static inline uint32_t sub_ip(uint32_t who)
{
	return 10u << 24 | 64u << 16 | (who + 1);
}
static inline uint32_t peer_ip(uint32_t who)
{
	return 100u << 24 | 64u << 16 | (who + 1);
}
static inline uint32_t world_ip(uint32_t who)
{
	return 20u << 24 | (who * 2654435761u >> 16 & 0xffff);
}
static inline uint16_t sid_of(uint32_t who)
{
	return (uint16_t)(who + 1);
}
static inline uint16_t peer_sid(uint32_t who)
{
	return (uint16_t)(who * 7 + 3);
}
static inline uint16_t peer_tid(uint32_t who)
{
	return (uint16_t)(who * 5 + 1);
}
#define LNS_IP 0xc0000201u

/* ---- path_frames.c ---- */

/* Fills b's buffers with the frames that come in for the subscribers in who. */
void frames_make(struct world *w, const struct spec *s, struct batch *b, const uint32_t *who,
                 uint32_t serial);
/* What comes in, copied from another batch. */
void frames_copy(struct batch *to, const struct batch *from);
/* Fills b's buffers with what the path encrypts (the text at the place where it will stand). */
void texts_make(struct world *w, const struct spec *s, struct batch *b, const uint32_t *who,
                uint32_t serial);
/* Where a driver puts a frame. */
static inline uint8_t *frame_at(const struct rte_mbuf *m)
{
	return (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM;
}

/* Bytes of UDP and all that is in it. */
uint16_t l2tp_len(const struct spec *s);
/* Where UDP, which ESP covers, stands before it is encrypted: in the path, and so in texts_make. */
uint8_t *text_at(const struct spec *s, const struct rte_mbuf *m);
/* Ends the program when what left for packet i of a window is not what must leave. */
void frame_verify(struct world *w, const struct spec *s, const struct rte_mbuf *m, uint32_t who,
                  uint32_t id);

/* ---- path_ref.c ---- */

#define HOP_WORLD 1 /* next hops in the reference's routes */
#define HOP_LAC   2

/* Forwards frames out of a port as a router that does nothing else. */
void ref_ip4(struct world *w, struct rte_mbuf **v, uint16_t n);

/* Ends the program when m is not as a router leaves it. */
void ref_ip4_verify(const struct spec *s, const struct rte_mbuf *m);

/* Bare calls into the multi-buffer library for the packets of a batch. */
struct ref_crypto;
struct ref_crypto *ref_crypto_new(void);
void ref_crypto_free(struct ref_crypto *r);
/* Makes the arguments of all calls, and headers and IVs down, so that no key need be looked for later. */
void ref_crypto_prepare(struct ref_crypto *r, struct world *w, const struct spec *s,
                        const struct batch *b, const uint32_t *who);
/* Brings the arguments of n packets from at on to where a caller would have just made them. */
void ref_crypto_load(struct ref_crypto *r, uint32_t at, uint16_t n);
void ref_crypto_run(struct ref_crypto *r);
/* Ends the program when what the reference made of m differs from what the path made of it. */
void ref_crypto_verify(struct world *w, const struct spec *s, const struct rte_mbuf *ref,
                       const struct rte_mbuf *path, uint32_t who);

/* ---- path_plan.c ---- */

#define SPECS_MAX 1024
#define ROW_NAME  48

struct plan {
	uint32_t n;
	struct spec v[SPECS_MAX];
	const char *only; /* pattern of the rows that are printed; NULL: all */
	uint32_t windows;
	double patience; /* seconds that rows may wait for quiet windows, together */
	bool stages;
};

/* Reads the command line. Ends the program when it is wrong, or asks for help. */
void plan_read(struct plan *p, int argc, char **argv);
bool plan_prints(const struct plan *p, const char *name);
/* Seconds that a row may wait. */
double plan_row_patience(const struct plan *p);
/* The largest number of sessions that rows of a suite want; 0: there are none. */
uint32_t plan_sessions(const struct plan *p, enum suite s);
void path_name(const struct spec *s, char name[ROW_NAME]);
void ref_name(const struct spec *s, char name[ROW_NAME]);

/* ---- path_window.c ---- */

struct bench {
	const char *pages; /* "4k", "2m" */
	uint64_t empty; /* ticks of a timed part with nothing in it */
	struct quiet quiet;
	struct world *w;
	struct ref_crypto *crypto;
	struct batch path, ref;
	uint32_t *order, at; /* subscribers in random order, the next one */
	uint32_t who[BATCH_MAX];
	uint32_t serial;
	int window; /* at work; -1: none of those that count */
	/* A vector of the path begins or ends in a window; NULL: no one asks. */
	void (*timed)(int window, bool on);
};

void bench_new(struct bench *b, const struct plan *p); /* the EAL too */
void bench_free(struct bench *b);
/* Before the windows of a row. */
void bench_begin(struct bench *b, const struct plan *p, const struct spec *s);
/*
 * A batch: ticks a packet in each window of the path and of its reference, with calibrations before, between
 * and behind. All has been verified.
 */
void bench_batch(struct bench *b, const struct spec *s, double path[WINDOWS], double ref[WINDOWS]);

/* Measures one row, all of its windows. */
typedef void (*measure_fn)(struct bench *b, const struct plan *p, const struct spec *s);
/* Makes the world of each suite that the plan wants and measures its rows. */
void bench_run(struct bench *b, const struct plan *p, measure_fn measure);
