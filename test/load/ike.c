/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/ike.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CHILDREN 4096
/* An SPI is this and the child's id: no two of a run are equal, and none is below 256. */
#define SPI_BASE 0xc5000000u

struct ike {
	struct esp *esp;
	const struct ike_ops *ops;
	void *ctx;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int listener, link, ep;
	uint64_t instance;
	uint32_t links, bad;
	bool ready;
	struct ike_child *child[MAX_CHILDREN]; /* by id - 1 */
	uint32_t n_children;
};

static void watch(struct ike *k, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(k->ep, EPOLL_CTL_ADD, fd, &ev);
}

struct ike *ike_new(const char *path, struct esp *e, const struct ike_ops *ops, void *ctx)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct ike *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->esp = e;
	k->ops = ops;
	k->ctx = ctx;
	k->link = -1;
	k->ep = epoll_create1(EPOLL_CLOEXEC);
	snprintf(k->path, sizeof(k->path), "%s", path);
	memcpy(at.sun_path, k->path, sizeof(at.sun_path));
	unlink(k->path);
	k->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (getrandom(&k->instance, sizeof(k->instance), 0) != sizeof(k->instance) ||
	    k->listener < 0 || bind(k->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(k->listener, 1) < 0) {
		perror(path);
		ike_free(k);
		return NULL;
	}
	watch(k, k->listener);
	return k;
}

void ike_free(struct ike *k)
{
	for (uint32_t i = 0; i < k->n_children; i++) {
		esp_sa_free(k->child[i]->path.in);
		esp_sa_free(k->child[i]->path.out);
		free(k->child[i]);
	}
	if (k->listener >= 0) {
		close(k->listener);
		unlink(k->path);
	}
	if (k->link >= 0)
		close(k->link);
	close(k->ep);
	free(k);
}

int ike_fd(const struct ike *k)
{
	return k->ep;
}

bool ike_ready(const struct ike *k)
{
	return k->ready;
}

uint32_t ike_links(const struct ike *k)
{
	return k->links;
}

uint32_t ike_bad(const struct ike *k)
{
	return k->bad;
}

struct ike_child *ike_child_of_id(const struct ike *k, uint64_t id)
{
	return id > 0 && id <= k->n_children ? k->child[id - 1] : NULL;
}

struct ike_child *ike_child_of_spi(const struct ike *k, uint32_t spi_in)
{
	struct ike_child *c = ike_child_of_id(k, spi_in - SPI_BASE);

	return c != NULL && c->path.in != NULL ? c : NULL;
}

/* IKEv2 transform ids (RFC 7296 3.3.2 and the IANA registry) as this library's suites. */
static bool suite_of(const struct sslink_add_sa *a, struct esp_suite *out)
{
	static const struct {
		uint16_t id;
		enum esp_cipher cipher;
		uint16_t salt, icv;
	} ciphers[] = {
	        {3, ESP_3DES_CBC, 0, 0},  {11, ESP_NULL, 0, 0},
	        {12, ESP_AES_CBC, 0, 0},  {13, ESP_AES_CTR, 4, 0},
	        {18, ESP_AES_GCM, 4, 8},  {19, ESP_AES_GCM, 4, 12},
	        {20, ESP_AES_GCM, 4, 16}, {28, ESP_CHACHA20_POLY1305, 4, 0},
	};
	static const struct {
		uint16_t id;
		enum esp_auth auth;
	} hashes[] = {
	        {2, ESP_HMAC_SHA1_96},
	        {12, ESP_HMAC_SHA256_128},
	        {13, ESP_HMAC_SHA384_192},
	        {14, ESP_HMAC_SHA512_256},
	};
	size_t i, j;

	for (i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (ciphers[i].id == a->enc_alg)
			break;
	}
	if (i == sizeof(ciphers) / sizeof(ciphers[0]) || a->enc_key_len < ciphers[i].salt)
		return false;
	*out = (struct esp_suite){
	        .cipher = ciphers[i].cipher,
	        .key_len = (uint16_t)(a->enc_key_len - ciphers[i].salt),
	        .icv_len = ciphers[i].icv,
	};
	if (out->cipher == ESP_AES_GCM || out->cipher == ESP_CHACHA20_POLY1305)
		return esp_suite_ok(out);
	for (j = 0; j < sizeof(hashes) / sizeof(hashes[0]); j++) {
		if (hashes[j].id == a->auth_alg)
			break;
	}
	if (j == sizeof(hashes) / sizeof(hashes[0]))
		return false;
	out->auth = hashes[j].auth;
	return esp_suite_ok(out);
}

static enum sslink_status get_spi(struct ike *k, const struct sslink_get_spi *g, uint32_t *spi)
{
	struct ike_child *c;

	if (k->n_children == MAX_CHILDREN)
		return SSLINK_NO_RESOURCES;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return SSLINK_NO_RESOURCES;
	k->child[k->n_children++] = c;
	c->id = k->n_children;
	c->ike_id = g->ike.id;
	*spi = SPI_BASE + k->n_children;
	return SSLINK_OK;
}

/* The child whose inbound SA came just before this outbound one. */
static struct ike_child *half_open(struct ike *k, const struct sslink_add_sa *a)
{
	for (uint32_t i = k->n_children; i > 0; i--) {
		struct ike_child *c = k->child[i - 1];

		if (c->ike_id == a->ike.id && c->reqid == a->reqid && c->path.in != NULL &&
		    c->path.out == NULL && !c->deleted)
			return c;
	}
	return NULL;
}

static void set_path(struct ike_child *c, const struct sslink_add_sa *a)
{
	const struct endpoint *ours = a->inbound ? &a->dst : &a->src;
	const struct endpoint *peers = a->inbound ? &a->src : &a->dst;

	c->reqid = a->reqid;
	c->path.remote = peers->addr;
	c->path.from = (struct endpoint){ours->addr, a->local_ts.port_first};
	c->path.to = (struct endpoint){peers->addr, a->remote_ts.port_first};
}

static enum sslink_status add_sa(struct ike *k, const struct sslink_add_sa *a,
                                 struct ike_child **up)
{
	struct esp_sa_conf conf = {
	        .spi = a->spi,
	        .inbound = a->inbound,
	        .enc_key = a->enc_key,
	        .auth_key = a->auth_key,
	        .enc_key_len = a->enc_key_len,
	        .auth_key_len = a->auth_key_len,
	        .esn = a->esn,
	        .replay_window = a->replay_window,
	};
	struct ike_child *c = a->inbound ? ike_child_of_id(k, a->spi - SPI_BASE) : half_open(k, a);
	struct esp_sa *sa;

	if (c == NULL || a->resync || (a->inbound && c->path.in != NULL))
		return SSLINK_REFUSED; /* of another run */
	if (a->tunnel_mode || a->encap || !suite_of(a, &conf.suite))
		return SSLINK_UNSUPPORTED;
	sa = esp_sa_new(k->esp, &conf);
	if (sa == NULL)
		return SSLINK_NO_RESOURCES;
	if (a->inbound) {
		set_path(c, a);
		c->path.in = sa;
	} else {
		c->path.out = sa;
		c->up = true;
		*up = c;
	}
	return SSLINK_OK;
}

static void del_sa(struct ike *k, const struct sslink_sa_id *id)
{
	struct ike_child *c = id->inbound ? ike_child_of_spi(k, id->spi) : NULL;

	if (c == NULL || c->deleted)
		return;
	c->deleted = true;
	k->ops->child_deleted(k->ctx, c);
}

static void query_sa(struct ike *k, const struct sslink_sa_id *id, struct sslink_answer *a)
{
	const struct ike_child *c = id->inbound ? ike_child_of_spi(k, id->spi) : NULL;

	a->b = c != NULL ? c->path.rx : 0;
	a->c = UINT64_MAX;
}

static void event(struct ike *k, const struct sslink_msg *m)
{
	if (m->type == SSLINK_IKE_UP)
		k->ops->ike_up(k->ctx, m->ike_up.id);
	else if (m->type == SSLINK_IKE_DOWN)
		k->ops->ike_down(k->ctx, m->ike_rekey.old_id);
}

static void request(struct ike *k, const struct sslink_msg *m)
{
	struct sslink_msg out = {.type = SSLINK_ANSWER, .seq = m->seq};
	struct ike_child *up = NULL;
	uint8_t buf[SSLINK_MSG_MAX];
	int len;

	switch (m->type) {
	case SSLINK_HELLO:
		out.answer.a = k->instance;
		break;
	case SSLINK_SYNC_END:
		k->ready = true;
		break;
	case SSLINK_GET_SPI:
		out.answer.status = get_spi(k, &m->get_spi, &out.answer.spi);
		break;
	case SSLINK_ADD_SA:
		out.answer.status = add_sa(k, &m->add_sa, &up);
		break;
	case SSLINK_QUERY_SA:
		query_sa(k, &m->sa_id, &out.answer);
		break;
	case SSLINK_DEL_SA:
		del_sa(k, &m->sa_id);
		break;
	case SSLINK_UPDATE_SA:
		out.answer.status = SSLINK_UNSUPPORTED; /* no NAT here, and no MOBIKE */
		break;
	case SSLINK_FLUSH_SAS:
		break;
	default:
		event(k, m);
		return;
	}
	len = sslink_encode(&out, buf, sizeof(buf));
	if (len < 0 || send(k->link, buf, (size_t)len, MSG_NOSIGNAL) != len)
		k->bad++;
	if (up != NULL)
		k->ops->child_up(k->ctx, up);
}

static void link_lost(struct ike *k)
{
	close(k->link);
	k->link = -1;
	k->ready = false;
}

static void link_read(struct ike *k)
{
	uint8_t buf[SSLINK_MSG_MAX + 1];
	struct sslink_msg m;

	for (int i = 0; i < 64 && k->link >= 0; i++) {
		ssize_t n = recv(k->link, buf, sizeof(buf), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			link_lost(k);
			return;
		}
		if (sslink_decode(buf, (size_t)n, &m) == 0)
			request(k, &m);
		else
			k->bad++;
		sslink_wipe(buf, sizeof(buf));
		sslink_wipe(&m, sizeof(m));
	}
}

void ike_receive(struct ike *k)
{
	struct epoll_event ev[4];
	int n = epoll_wait(k->ep, ev, 4, 0);

	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == k->listener) {
			int fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

			if (fd < 0)
				continue;
			if (k->link >= 0)
				link_lost(k);
			k->link = fd;
			k->links++;
			watch(k, fd);
		} else if (ev[i].data.fd == k->link) {
			link_read(k);
		}
	}
}
