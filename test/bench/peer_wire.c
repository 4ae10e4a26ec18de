/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "bench/peer_gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST   32 /* a system call's worth; less than any queue on the way holds */
#define HEADERS (ETHER_HDR_LEN + 28)

static int packet_socket(int ifindex, int protocol)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	at.sll_protocol = htons((uint16_t)protocol);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -1;
}

int wire_open(struct wire *w, const char *ifname, const char *peer_mac)
{
	struct ifreq ifr = {0};
	int on = 1, size = 8 << 20;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	w->ifindex = (int)if_nametoindex(ifname);
	w->fd = w->ifindex > 0 ? packet_socket(w->ifindex, 0) : -1;
	if (w->fd < 0 || ioctl(w->fd, SIOCGIFHWADDR, &ifr) < 0) {
		perror(ifname);
		return -1;
	}
	memcpy(w->mac, ifr.ifr_hwaddr.sa_data, 6);
	if (sscanf(peer_mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &w->peer_mac[0], &w->peer_mac[1],
	           &w->peer_mac[2], &w->peer_mac[3], &w->peer_mac[4], &w->peer_mac[5]) != 6) {
		fprintf(stderr, "%s is no MAC address\n", peer_mac);
		return -1;
	}
	if (setsockopt(w->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(w->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0) {
		perror("setsockopt");
		return -1;
	}
	return 0;
}

int wire_tap(const struct wire *w)
{
	int size = 4 << 20, fd = packet_socket(w->ifindex, ETH_P_ALL);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		s += (uint32_t)p[0] << 8 | p[1];
	return len > 0 ? s + ((uint32_t)p[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 768: the pseudo header's part, of the addresses in the packet. */
static uint32_t pseudo(const uint8_t *ip, uint16_t udp_len)
{
	return sum(IPPROTO_UDP + (uint32_t)udp_len, ip + 12, 8);
}

uint16_t udp4_make(uint8_t *p, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
                   const uint8_t *payload, uint16_t len)
{
	uint16_t udp_len = len + 8, csum;

	memset(p, 0, 28);
	p[0] = 0x45;
	put16(p + 2, udp_len + 20);
	p[8] = 64;
	p[9] = IPPROTO_UDP;
	src = htonl(src);
	dst = htonl(dst);
	memcpy(p + 12, &src, 4);
	memcpy(p + 16, &dst, 4);
	put16(p + 10, fold(sum(0, p, 20)));
	put16(p + 20, sport);
	put16(p + 22, dport);
	put16(p + 24, udp_len);
	memcpy(p + 28, payload, len);
	csum = fold(sum(pseudo(p, udp_len), p + 20, udp_len));
	put16(p + 26, csum != 0 ? csum : 0xffff);
	return udp_len + 20;
}

bool udp4_check(const uint8_t *p, size_t len)
{
	if (len < 28 || p[0] != 0x45 || get16(p + 2) != len || fold(sum(0, p, 20)) != 0 ||
	    p[9] != IPPROTO_UDP || get16(p + 24) != len - 20)
		return false;
	return get16(p + 26) == 0 ||
	       fold(sum(pseudo(p, get16(p + 24)), p + 20, get16(p + 24))) == 0;
}

void frame_make(const struct wire *w, struct frame *f, const uint8_t *ip, uint16_t len)
{
	memcpy(f->b, w->peer_mac, 6);
	memcpy(f->b + 6, w->mac, 6);
	put16(f->b + 12, ETHERTYPE_IP);
	memcpy(f->b + ETHER_HDR_LEN, ip, len);
	f->len = len + ETHER_HDR_LEN;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static const struct frame *flood_frame(const struct flood *x, uint64_t k)
{
	return &x->f[k / x->repeat % x->n];
}

/* How many packets are due, for rate a second; at rate 0 always more than a burst. */
static uint64_t due(uint64_t elapsed_ns, uint32_t rate, uint64_t sent)
{
	return rate == 0 ? sent + BURST : (uint64_t)((double)elapsed_ns * rate / 1e9);
}

/* One system call for up to want frames. Returns how many went out, 0: later, -1: broken. */
static int send_frames(const struct flood *x, uint64_t sent, unsigned int want)
{
	struct iovec iov[BURST];
	struct mmsghdr msg[BURST];
	int ret;

	for (unsigned int k = 0; k < want; k++) {
		const struct frame *f = flood_frame(x, sent + k);

		iov[k] = (struct iovec){(void *)(uintptr_t)f->b, f->len};
		msg[k] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[k], .msg_iovlen = 1}};
	}
	ret = sendmmsg(x->fd, msg, want, 0);
	if (ret >= 0)
		return ret;
	return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/*
 * The same by a UDP socket: datagrams of one size to one address are one call, and the kernel cuts
 * them apart just before the device (UDP_SEGMENT).
 */
static int send_segments(const struct flood *x, uint64_t sent, unsigned int want)
{
	const struct frame *first = flood_frame(x, sent), *f = first;
	uint16_t len = first->len - HEADERS;
	union {
		struct cmsghdr h;
		uint8_t room[CMSG_SPACE(sizeof(uint16_t))];
	} c = {.h = {CMSG_LEN(sizeof(uint16_t)), SOL_UDP, UDP_SEGMENT}};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(get16(first->b + 36))};
	struct iovec iov[BURST];
	struct msghdr msg = {&to, sizeof(to), iov, 0, &c, sizeof(c), 0};

	memcpy(&to.sin_addr, first->b + 30, 4);
	memcpy(CMSG_DATA(&c.h), &len, sizeof(len));
	while (msg.msg_iovlen < want && f->len == first->len &&
	       memcmp(f->b + 30, first->b + 30, 4) == 0) {
		iov[msg.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)(f->b + HEADERS), len};
		f = flood_frame(x, sent + msg.msg_iovlen);
	}
	if (sendmsg(x->fd, &msg, 0) >= 0)
		return (int)msg.msg_iovlen;
	return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool flood(const struct flood *x, uint32_t rate, uint32_t ms, uint64_t *sent, uint64_t *ns)
{
	uint64_t start = clock_ns(), now = start, end = start + ms * 1000000ull;

	for (*sent = 0; now < end; now = clock_ns()) {
		uint64_t want = due(now - start, rate, *sent) - *sent;
		int ret;

		if (want == 0)
			continue;
		if (want > BURST)
			want = BURST;
		ret = x->segments ? send_segments(x, *sent, (unsigned int)want)
		                  : send_frames(x, *sent, (unsigned int)want);
		if (ret < 0)
			return false;
		*sent += (uint64_t)ret;
	}
	*ns = now - start;
	return true;
}
