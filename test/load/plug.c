/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/plug.h"

#include "sslink/sslink.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SPI_BASE    0xc0000000u /* a peer's inbound SPI is this and its number */
#define L2TP_PORT   1701
#define LINK_BYTES  (4 << 20)
#define A_TURN      256 /* messages */
#define AT_ONCE     32 /* that one system call sends or receives */
#define IKE_PORT    500
#define LIFE_S      28800
#define ENC_GCM16   20 /* IKEv2 transform ids (RFC 7296 3.3.2) */
#define ENC_CBC     12
#define AUTH_SHA1   2
#define KEY_AES128  16
#define SALT        4
#define KEY_SHA1    20
#define REPLAY_SIZE 64

/* The request that a peer waits for; a sequence number is peer * STEPS + step + 1. */
enum step { STEP_SPI, STEP_IN, STEP_OUT, STEPS };

struct batch {
	uint8_t bytes[AT_ONCE][SSLINK_MSG_MAX];
	struct iovec iov[AT_ONCE];
	struct mmsghdr msg[AT_ONCE];
};

struct plug {
	int fd;
	bool cbc;
	struct esp *esp;
	const struct plug_ops *ops;
	void *ctx;
	const char *profile;
	uint32_t n_peers, refused;
	struct plug_peer *peer;
	struct batch in, out;
	uint32_t n_out;
};

static void batch_init(struct batch *b)
{
	for (uint32_t i = 0; i < AT_ONCE; i++) {
		b->iov[i] = (struct iovec){b->bytes[i], SSLINK_MSG_MAX};
		b->msg[i].msg_hdr = (struct msghdr){.msg_iov = &b->iov[i], .msg_iovlen = 1};
	}
}

bool plug_flush(struct plug *g)
{
	uint32_t sent = 0;

	while (sent < g->n_out) {
		int n = sendmmsg(g->fd, g->out.msg + sent, g->n_out - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		sent += (uint32_t)n;
	}
	explicit_bzero(g->out.bytes, sizeof(g->out.bytes[0]) * sent); /* there were keys */
	g->n_out = 0;
	return true;
}

static bool tell(struct plug *g, const struct sslink_msg *m)
{
	int len = sslink_encode(m, g->out.bytes[g->n_out], SSLINK_MSG_MAX);

	if (len <= 0)
		return false;
	g->out.iov[g->n_out++].iov_len = (size_t)len;
	return g->n_out < AT_ONCE || plug_flush(g);
}

static struct sslink_ike ike_of(const struct plug *g, const struct plug_peer *p)
{
	struct sslink_ike e = {
	        .id = p->number + 1,
	        .version = 2,
	        .auth = SSLINK_AUTH_PSK,
	        .local = {p->path.remote, IKE_PORT},
	        .remote = {p->path.from.addr, IKE_PORT},
	};

	snprintf(e.connection, sizeof(e.connection), "%s", g->profile);
	snprintf(e.remote_id, sizeof(e.remote_id), "client%u.example.net", p->number);
	return e;
}

static struct sslink_ts selector(const struct ipaddr *a)
{
	return (struct sslink_ts){
	        .first = *a,
	        .last = *a,
	        .proto = IPPROTO_UDP,
	        .port_first = L2TP_PORT,
	        .port_last = L2TP_PORT,
	};
}

/* The same SA at the peer's end. */
static struct esp_sa *other_end(struct plug *g, const struct sslink_add_sa *a)
{
	struct esp_sa_conf conf = {
	        .spi = a->spi,
	        .inbound = !a->inbound,
	        .suite = {.cipher = g->cbc ? ESP_AES_CBC : ESP_AES_GCM,
	                  .auth = g->cbc ? ESP_HMAC_SHA1_96 : ESP_AUTH_AEAD,
	                  .key_len = KEY_AES128,
	                  .icv_len = g->cbc ? 0 : 16},
	        .enc_key = a->enc_key,
	        .auth_key = a->auth_key,
	        .enc_key_len = a->enc_key_len,
	        .auth_key_len = a->auth_key_len,
	        .replay_window = REPLAY_SIZE,
	};

	return esp_sa_new(g->esp, &conf);
}

static bool add_sa(struct plug *g, struct plug_peer *p, uint32_t spi, bool inbound)
{
	struct sslink_msg m = {
	        .type = SSLINK_ADD_SA,
	        .seq = p->number * STEPS + (inbound ? STEP_IN : STEP_OUT) + 1,
	        .add_sa = {.ike = ike_of(g, p),
	                   .spi = spi,
	                   .inbound = inbound,
	                   .update = inbound,
	                   .src = {inbound ? p->path.from.addr : p->path.remote, 0},
	                   .dst = {inbound ? p->path.remote : p->path.from.addr, 0},
	                   .enc_alg = g->cbc ? ENC_CBC : ENC_GCM16,
	                   .auth_alg = g->cbc ? AUTH_SHA1 : 0,
	                   .enc_key_len = g->cbc ? KEY_AES128 : KEY_AES128 + SALT,
	                   .auth_key_len = g->cbc ? KEY_SHA1 : 0,
	                   .replay_window = inbound ? REPLAY_SIZE : 0,
	                   .reqid = p->number + 1,
	                   .life = {.hard_s = LIFE_S},
	                   .local_ts = selector(&p->path.remote),
	                   .remote_ts = selector(&p->path.from.addr)},
	};
	struct esp_sa *sa;

	if (getrandom(m.add_sa.enc_key, m.add_sa.enc_key_len, 0) < 0 ||
	    getrandom(m.add_sa.auth_key, m.add_sa.auth_key_len, 0) < 0)
		return false;
	sa = other_end(g, &m.add_sa);
	if (sa == NULL)
		return false;
	if (inbound)
		p->path.out = sa;
	else
		p->path.in = sa;
	return tell(g, &m);
}

static void ike_news(struct plug *g, struct plug_peer *p, bool up)
{
	struct sslink_msg m = {.type = up ? SSLINK_IKE_UP : SSLINK_IKE_DOWN};

	if (up)
		m.ike_up = ike_of(g, p);
	else
		m.ike_rekey.old_id = p->number + 1;
	tell(g, &m);
}

static bool answered(struct plug *g, const struct sslink_msg *m)
{
	uint32_t n = (m->seq - 1) / STEPS;
	struct plug_peer *p;

	if (m->seq == 0 || n >= g->n_peers)
		return true; /* of HELLO and SYNC_END */
	p = &g->peer[n];
	if (m->answer.status != SSLINK_OK) {
		g->refused++;
		return true;
	}
	switch ((m->seq - 1) % STEPS) {
	case STEP_SPI:
		return add_sa(g, p, m->answer.spi, true);
	case STEP_IN:
		return add_sa(g, p, SPI_BASE + n, false);
	default:
		p->up = true;
		ike_news(g, p, true);
		g->ops->up(g->ctx, p);
		return true;
	}
}

static bool take(struct plug *g, const struct sslink_msg *m)
{
	struct plug_peer *p;

	if (m->type == SSLINK_ANSWER)
		return answered(g, m);
	if (m->type != SSLINK_TERMINATE_IKE || m->terminate.ike_id == 0 ||
	    m->terminate.ike_id > g->n_peers)
		return true;
	p = &g->peer[m->terminate.ike_id - 1];
	p->up = false;
	ike_news(g, p, false);
	g->ops->down(g->ctx, p);
	return true;
}

bool plug_receive(struct plug *g)
{
	struct sslink_msg m;

	for (int total = 0; total < A_TURN; total += AT_ONCE) {
		int n = recvmmsg(g->fd, g->in.msg, AT_ONCE, MSG_DONTWAIT, NULL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		for (int i = 0; i < n; i++) {
			uint32_t len = g->in.msg[i].msg_len;

			if (len == 0 || sslink_decode(g->in.bytes[i], len, &m) < 0 || !take(g, &m))
				return false;
		}
		if (n < AT_ONCE)
			break;
	}
	return true;
}

bool plug_dial(struct plug *g, uint32_t n, const struct ipaddr *local, const struct ipaddr *remote)
{
	struct plug_peer *p = &g->peer[n];
	struct sslink_msg m = {.type = SSLINK_GET_SPI, .seq = n * STEPS + STEP_SPI + 1};

	p->path.remote = *remote;
	p->path.from = (struct endpoint){*local, L2TP_PORT};
	p->path.to = (struct endpoint){*remote, L2TP_PORT};
	m.get_spi.ike = ike_of(g, p);
	m.get_spi.src = *local;
	m.get_spi.dst = *remote;
	return tell(g, &m);
}

struct plug_peer *plug_of_spi(struct plug *g, uint32_t spi)
{
	uint32_t n = spi - SPI_BASE;

	return n < g->n_peers && g->peer[n].path.in != NULL ? &g->peer[n] : NULL;
}

struct plug_peer *plug_peer(struct plug *g, uint32_t n)
{
	return &g->peer[n];
}

uint32_t plug_refused(const struct plug *g)
{
	return g->refused;
}

static bool say_hello(struct plug *g)
{
	struct sslink_msg hello = {
	        .type = SSLINK_HELLO,
	        .seq = UINT32_MAX - 1,
	        .hello = {.version = SSLINK_VERSION, .pid = (uint32_t)getpid()},
	};
	struct sslink_msg end = {.type = SSLINK_SYNC_END, .seq = UINT32_MAX};

	if (getrandom(&hello.hello.instance, sizeof(hello.hello.instance), 0) < 0)
		return false;
	return tell(g, &hello) && tell(g, &end) && plug_flush(g);
}

struct plug *plug_open(const char *path, const char *profile, struct esp *e, bool cbc,
                       uint32_t peers, const struct plug_ops *ops, void *ctx)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct plug *g = calloc(1, sizeof(*g));
	int bytes = LINK_BYTES;

	if (g == NULL)
		return NULL;
	*g = (struct plug){
	        .esp = e, .cbc = cbc, .ops = ops, .ctx = ctx, .profile = profile, .n_peers = peers};
	batch_init(&g->in);
	batch_init(&g->out);
	g->peer = calloc(peers, sizeof(*g->peer));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	g->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (g->peer == NULL || g->fd < 0 ||
	    setsockopt(g->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    connect(g->fd, (struct sockaddr *)&at, sizeof(at)) < 0 || !say_hello(g)) {
		perror(path);
		plug_close(g);
		return NULL;
	}
	for (uint32_t i = 0; i < peers; i++)
		g->peer[i].number = i;
	return g;
}

void plug_close(struct plug *g)
{
	for (uint32_t i = 0; g->peer != NULL && i < g->n_peers; i++) {
		esp_sa_free(g->peer[i].path.in);
		esp_sa_free(g->peer[i].path.out);
	}
	free(g->peer);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

int plug_fd(const struct plug *g)
{
	return g->fd;
}
