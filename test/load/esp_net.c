/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/esp_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BYTES (8 << 20)
#define HEAD_ROOM    64

int esp_net_open(struct esp_net *n, const struct ipaddr *local, char *why, size_t size)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int bytes = SOCKET_BYTES;

	*n = (struct esp_net){.fd = -1};
	n->esp = esp_new(why, size);
	if (n->esp == NULL)
		return -1;
	memcpy(&at.sin_addr, local->b, 4);
	n->fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ESP);
	if (n->fd < 0 || bind(n->fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		snprintf(why, size, "raw socket: %s", strerror(errno));
		esp_net_close(n);
		return -1;
	}
	setsockopt(n->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(n->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	return 0;
}

void esp_net_close(struct esp_net *n)
{
	if (n->fd >= 0)
		close(n->fd);
	esp_free(n->esp);
}

const uint8_t *esp_wrap(struct esp *e, struct esp_path *p, const uint8_t *payload, size_t n,
                        uint8_t *out, size_t *len)
{
	uint8_t *at = out + HEAD_ROOM;
	struct udphdr udp = {
	        .source = htons(p->from.port),
	        .dest = htons(p->to.port),
	        .len = htons((uint16_t)(sizeof(udp) + n)),
	};
	struct esp_pkt pkt = {
	        .sa = p->out,
	        .data = at,
	        .len = (uint16_t)(sizeof(udp) + n),
	        .next_header = IPPROTO_UDP,
	};

	if (n > ESP_NET_PAYLOAD_MAX || esp_sa_head(p->out) > HEAD_ROOM)
		return NULL;
	memcpy(at, &udp, sizeof(udp)); /* the ICV does the checksum's work */
	memcpy(at + sizeof(udp), payload, n);
	esp_encrypt(e, &pkt, 1);
	if (pkt.status != ESP_OK)
		return NULL;
	p->tx++;
	*len = pkt.len;
	return pkt.data;
}

const uint8_t *esp_unwrap(struct esp *e, struct esp_path *p, uint8_t *bytes, size_t len,
                          size_t *payload_len)
{
	struct esp_pkt pkt = {.sa = p->in, .data = bytes, .len = (uint16_t)len};
	struct udphdr udp;

	p->rx_bad++; /* until it is known to be good */
	esp_decrypt(e, &pkt, 1);
	if (pkt.status != ESP_OK || pkt.next_header != IPPROTO_UDP || pkt.len < sizeof(udp))
		return NULL;
	memcpy(&udp, pkt.data, sizeof(udp));
	if (ntohs(udp.len) < sizeof(udp) || ntohs(udp.len) > pkt.len ||
	    ntohs(udp.source) != p->to.port || ntohs(udp.dest) != p->from.port)
		return NULL;
	p->rx_bad--;
	p->rx++;
	*payload_len = ntohs(udp.len) - sizeof(udp);
	return pkt.data + sizeof(udp);
}

void esp_net_send(struct esp_net *n, struct esp_path *p, const uint8_t *payload, size_t len)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint8_t buf[ESP_NET_PAYLOAD_MAX + 256];
	const uint8_t *pkt = esp_wrap(n->esp, p, payload, len, buf, &len);

	memcpy(&to.sin_addr, p->remote.b, 4);
	if (pkt != NULL && sendto(n->fd, pkt, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EAGAIN && errno != ENOBUFS)
		perror("raw socket: sendto");
}

void esp_net_receive(struct esp_net *n, struct esp_path *(*path_of)(void *ctx, uint32_t spi),
                     void (*rx)(void *ctx, struct esp_path *p, const uint8_t *payload, size_t len),
                     void *ctx)
{
	uint8_t buf[4096];

	for (int i = 0; i < 256; i++) {
		ssize_t len = recv(n->fd, buf, sizeof(buf), 0);
		const uint8_t *payload;
		struct esp_path *p;
		size_t head, size;
		uint32_t spi;

		if (len < 20)
			return;
		head = (buf[0] & 15) * 4u; /* a raw IPv4 socket gives the IP header, too */
		if ((size_t)len < head + sizeof(spi))
			continue;
		memcpy(&spi, buf + head, sizeof(spi));
		p = path_of(ctx, ntohl(spi));
		if (p == NULL) {
			n->unknown_spi++;
			continue;
		}
		payload = esp_unwrap(n->esp, p, buf + head, (size_t)len - head, &size);
		if (payload != NULL)
			rx(ctx, p, payload, size);
	}
}
