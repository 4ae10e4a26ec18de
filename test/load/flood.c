/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A flood of SCCRQs from forged addresses, for tests inside namespaces of their own: at a given rate
 * for a given time, from as many sources as asked for, through a raw socket.
 */
#include "l2tp/msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t l2tp[256];
} __attribute__((packed));

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* xorshift: which source comes next */
static uint32_t next(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static size_t make(struct packet *p, uint32_t lns, const char *host)
{
	struct l2tp_build b;
	size_t n;

	memset(p, 0, sizeof(*p));
	l2tp_build_begin(&b, p->l2tp, sizeof(p->l2tp), L2TP_SCCRQ, 0, 0);
	l2tp_build_u16(&b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(&b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, host, strlen(host));
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1);
	n = l2tp_build_end(&b);
	l2tp_set_seq(p->l2tp, 0, 0);
	p->ip = (struct iphdr){.ihl = 5, .version = 4, .ttl = 64, .protocol = IPPROTO_UDP};
	p->ip.daddr = lns;
	p->udp.dest = htons(L2TP_PORT);
	p->udp.len = htons((uint16_t)(n + sizeof(p->udp)));
	return sizeof(p->ip) + sizeof(p->udp) + n;
}

int main(int argc, char **argv)
{
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	struct packet pkt[BATCH];
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint32_t seed = 2463534242u, base, sources, rate;
	uint64_t start, sent = 0, lost = 0;
	double secs;
	int fd;

	if (argc != 7) {
		fprintf(stderr, "usage: flood LNS FIRST-SOURCE SOURCES RATE SECONDS HOST-NAME\n");
		return 2;
	}
	to.sin_addr.s_addr = inet_addr(argv[1]);
	base = ntohl(inet_addr(argv[2]));
	sources = (uint32_t)atoi(argv[3]);
	rate = (uint32_t)atoi(argv[4]);
	secs = atof(argv[5]);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || sources == 0 || rate == 0) {
		perror("raw socket");
		return 2;
	}
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){&pkt[i], make(&pkt[i], to.sin_addr.s_addr, argv[6])};
		msg[i].msg_hdr = (struct msghdr){.msg_name = &to,
		                                 .msg_namelen = sizeof(to),
		                                 .msg_iov = &iov[i],
		                                 .msg_iovlen = 1};
	}
	start = clock_ns();
	while ((double)(clock_ns() - start) < secs * 1e9) {
		int n;

		if ((double)sent > (double)(clock_ns() - start) / 1e9 * rate) {
			usleep(200);
			continue;
		}
		for (int i = 0; i < BATCH; i++) {
			pkt[i].ip.saddr = htonl(base + next(&seed) % sources);
			pkt[i].udp.source = htons((uint16_t)(1024 + next(&seed) % 60000));
		}
		n = sendmmsg(fd, msg, BATCH, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN) {
			perror("sendmmsg");
			return 1;
		}
		sent += n > 0 ? (uint64_t)n : 0;
		lost += n > 0 ? (uint64_t)(BATCH - n) : BATCH;
	}
	secs = (double)(clock_ns() - start) / 1e9;
	printf("sent %lu SCCRQs in %.2f s: %.0f a second; %lu not taken by the socket\n", sent,
	       secs, (double)sent / secs, lost);
	close(fd);
	return 0;
}
