/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_SIZE 2048
#define BLOCK_SIZE 65536
#define RX_FRAMES  32768
#define TX_BURST   64
#define ARP_TRIES  50
#define ARP_MS     100

struct wire {
	int fd;
	uint8_t *ring; /* of received frames */
	uint32_t rx_at, tx_waiting;
	uint8_t frame[TX_BURST][FRAME_SIZE];
	struct iovec iov[TX_BURST];
	struct mmsghdr msg[TX_BURST];
	uint8_t mac[ETH_ALEN], peer_mac[ETH_ALEN];
	uint32_t self, peer;
	bool know_peer;
	uint16_t ip_id;
	wire_rx rx;
	void *ctx;
	uint64_t n_rx, n_tx, n_lost;
};

static struct tpacket2_hdr *rx_slot(const struct wire *w)
{
	return (void *)(w->ring + (size_t)w->rx_at * FRAME_SIZE);
}

static int make_ring(struct wire *w)
{
	struct tpacket_req rx = {BLOCK_SIZE, RX_FRAMES / (BLOCK_SIZE / FRAME_SIZE), FRAME_SIZE,
	                         RX_FRAMES};
	int version = TPACKET_V2, on = 1;

	if (setsockopt(w->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(w->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(w->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(w->fd, SOL_PACKET, PACKET_RX_RING, &rx, sizeof(rx)) < 0)
		return -1;
	w->ring = mmap(NULL, (size_t)RX_FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_POPULATE, w->fd, 0);
	return w->ring == MAP_FAILED ? -1 : 0;
}

static int bind_to(struct wire *w, const char *device)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	if (ioctl(w->fd, SIOCGIFHWADDR, &ifr) < 0)
		return -1;
	memcpy(w->mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	w->mac[ETH_ALEN - 1] ^= 1; /* not the device's: the kernel lets go of our packets at once */
	if (ioctl(w->fd, SIOCGIFINDEX, &ifr) < 0)
		return -1;
	at.sll_ifindex = ifr.ifr_ifindex;
	return bind(w->fd, (struct sockaddr *)&at, sizeof(at));
}

/* ---- out ---- */

void wire_flush(struct wire *w)
{
	uint32_t sent = 0;

	while (sent < w->tx_waiting) {
		int n = sendmmsg(w->fd, w->msg + sent, w->tx_waiting - sent, MSG_DONTWAIT);

		if (n > 0) {
			sent += (uint32_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != ENOBUFS)
			perror("packet socket: send");
		w->n_lost++; /* the first of them: the next one may get through */
		sent++;
	}
	w->tx_waiting = 0;
}

/* Room for a frame. */
static uint8_t *frame(struct wire *w)
{
	return w->frame[w->tx_waiting];
}

static void commit(struct wire *w, size_t len)
{
	w->iov[w->tx_waiting].iov_len = len;
	w->n_tx++;
	if (++w->tx_waiting == TX_BURST)
		wire_flush(w);
}

static void ether(const struct wire *w, uint8_t *p, uint16_t type)
{
	struct ethhdr *e = (void *)p;

	memcpy(e->h_dest, w->peer_mac, ETH_ALEN);
	memcpy(e->h_source, w->mac, ETH_ALEN);
	e->h_proto = htons(type);
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (; len >= 2; p += 2, len -= 2)
		s += (uint32_t)p[0] << 8 | p[1];
	return len > 0 ? s + ((uint32_t)p[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static uint8_t *ip_header(struct wire *w, uint8_t *p, uint32_t from, uint8_t proto, size_t len)
{
	struct iphdr ip = {
	        .version = 4,
	        .ihl = 5,
	        .tot_len = htons((uint16_t)(sizeof(ip) + len)),
	        .id = htons(w->ip_id++),
	        .ttl = 64,
	        .protocol = proto,
	        .saddr = htonl(from),
	        .daddr = htonl(w->peer),
	};

	ether(w, p, ETH_P_IP);
	ip.check = htons(fold(sum((const uint8_t *)&ip, sizeof(ip), 0)));
	memcpy(p + ETH_HLEN, &ip, sizeof(ip));
	return p + ETH_HLEN + sizeof(ip);
}

void wire_send(struct wire *w, uint32_t from, uint8_t proto, const uint8_t *payload, size_t len)
{
	uint8_t *p = len <= WIRE_PAYLOAD_MAX ? frame(w) : NULL;

	if (p == NULL)
		return;
	memcpy(ip_header(w, p, from, proto, len), payload, len);
	commit(w, ETH_HLEN + sizeof(struct iphdr) + len);
}

void wire_send_udp(struct wire *w, uint32_t from, uint16_t from_port, uint16_t to_port,
                   const uint8_t *payload, size_t len)
{
	uint16_t n = (uint16_t)(sizeof(struct udphdr) + len);
	struct udphdr udp = {.source = htons(from_port), .dest = htons(to_port), .len = htons(n)};
	uint8_t *p = len <= WIRE_PAYLOAD_MAX ? frame(w) : NULL, *at;
	uint32_t s = (from >> 16) + (from & 0xffff) + (w->peer >> 16) + (w->peer & 0xffff) +
	             IPPROTO_UDP + n;

	if (p == NULL)
		return;
	at = ip_header(w, p, from, IPPROTO_UDP, n);
	s = sum((const uint8_t *)&udp, sizeof(udp), s);
	udp.check = htons(fold(sum(payload, len, s)));
	if (udp.check == 0)
		udp.check = 0xffff;
	memcpy(at, &udp, sizeof(udp));
	memcpy(at + sizeof(udp), payload, len);
	commit(w, ETH_HLEN + sizeof(struct iphdr) + n);
}

/* ---- ARP (RFC 826) ---- */

static void send_arp(struct wire *w, uint16_t op, uint32_t from, const uint8_t *to_mac, uint32_t to)
{
	uint8_t *p = frame(w);
	struct ether_arp a = {
	        .arp_hrd = htons(ARPHRD_ETHER),
	        .arp_pro = htons(ETH_P_IP),
	        .arp_hln = ETH_ALEN,
	        .arp_pln = 4,
	        .arp_op = htons(op),
	};

	if (p == NULL)
		return;
	ether(w, p, ETH_P_ARP);
	memcpy(p, to_mac, ETH_ALEN);
	from = htonl(from);
	to = htonl(to);
	memcpy(a.arp_sha, w->mac, ETH_ALEN);
	memcpy(a.arp_spa, &from, 4);
	memcpy(a.arp_tha, to_mac, ETH_ALEN);
	memcpy(a.arp_tpa, &to, 4);
	memcpy(p + ETH_HLEN, &a, sizeof(a));
	commit(w, ETH_HLEN + sizeof(a));
	wire_flush(w);
}

static void on_arp(struct wire *w, const uint8_t *p, size_t len)
{
	struct ether_arp a;
	uint32_t from, to;

	if (len < sizeof(a))
		return;
	memcpy(&a, p, sizeof(a));
	memcpy(&from, a.arp_spa, 4);
	memcpy(&to, a.arp_tpa, 4);
	if (ntohl(from) == w->peer) {
		memcpy(w->peer_mac, a.arp_sha, ETH_ALEN);
		w->know_peer = true;
	}
	if (ntohs(a.arp_op) == ARPOP_REQUEST && ntohl(to) != w->peer)
		send_arp(w, ARPOP_REPLY, ntohl(to), a.arp_sha, ntohl(from));
}

/* ---- in ---- */

static void on_ip(struct wire *w, uint8_t *p, size_t len)
{
	struct iphdr ip;
	size_t head, total;

	if (len < sizeof(ip))
		return;
	memcpy(&ip, p, sizeof(ip));
	head = ip.ihl * 4u;
	total = ntohs(ip.tot_len);
	if (ip.version != 4 || head < sizeof(ip) || total < head || total > len)
		return;
	w->rx(w->ctx, ntohl(ip.saddr), ntohl(ip.daddr), ip.protocol, p + head, total - head);
}

static void on_frame(struct wire *w, uint8_t *p, size_t len)
{
	uint16_t type;

	if (len < ETH_HLEN)
		return;
	type = (uint16_t)(p[12] << 8 | p[13]);
	if (type == ETH_P_ARP)
		on_arp(w, p + ETH_HLEN, len - ETH_HLEN);
	else if (type == ETH_P_IP && memcmp(p, w->mac, ETH_ALEN) == 0)
		on_ip(w, p + ETH_HLEN, len - ETH_HLEN);
}

uint32_t wire_receive(struct wire *w, uint32_t budget)
{
	uint32_t n;

	for (n = 0; n < budget; n++) {
		struct tpacket2_hdr *h = rx_slot(w);

		if ((__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
			break;
		on_frame(w, (uint8_t *)h + h->tp_mac, h->tp_snaplen);
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		w->rx_at = (w->rx_at + 1) % RX_FRAMES;
		w->n_rx++;
	}
	return n;
}

/* ---- life ---- */

struct wire *wire_open(const char *device, uint32_t self, uint32_t peer, wire_rx rx, void *ctx)
{
	static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct wire *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->self = self;
	w->peer = peer;
	w->rx = rx;
	w->ctx = ctx;
	for (int i = 0; i < TX_BURST; i++) {
		w->iov[i].iov_base = w->frame[i];
		w->msg[i].msg_hdr = (struct msghdr){.msg_iov = &w->iov[i], .msg_iovlen = 1};
	}
	w->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0 || make_ring(w) < 0 || bind_to(w, device) < 0) {
		perror(device);
		wire_close(w);
		return NULL;
	}
	for (int i = 0; i < ARP_TRIES && !w->know_peer; i++) {
		struct pollfd p = {.fd = w->fd, .events = POLLIN};

		send_arp(w, ARPOP_REQUEST, self, all, peer);
		poll(&p, 1, ARP_MS);
		wire_receive(w, RX_FRAMES);
	}
	if (w->know_peer)
		return w;
	fprintf(stderr, "%s: nobody answers for the peer's address\n", device);
	wire_close(w);
	return NULL;
}

void wire_close(struct wire *w)
{
	if (w->ring != NULL && w->ring != MAP_FAILED)
		munmap(w->ring, (size_t)RX_FRAMES * FRAME_SIZE);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}

uint64_t wire_rx_count(const struct wire *w)
{
	return w->n_rx;
}

uint64_t wire_tx_count(const struct wire *w)
{
	return w->n_tx;
}

uint64_t wire_lost(struct wire *w)
{
	struct tpacket_stats st = {0};
	socklen_t len = sizeof(st);

	/* Reading the counter clears it. */
	if (getsockopt(w->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		w->n_lost += st.tp_drops;
	return w->n_lost;
}
