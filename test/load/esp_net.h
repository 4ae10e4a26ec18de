/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * UDP in ESP in IPv4, transport mode, by a raw socket: for a namespace whose kernel does no ESP.
 * The SAs come from whoever talks to charon (load/ike.h).
 */
#pragma once

#include "base/addr.h"
#include "esp/esp.h"

#include <stdbool.h>
#include <stdint.h>

#define ESP_NET_PAYLOAD_MAX 2048 /* of one UDP datagram */

/* One CHILD_SA as packets see it. */
struct esp_path {
	struct esp_sa *in, *out;
	struct ipaddr remote; /* outer */
	struct endpoint from, to; /* UDP inside: ours and the peer's */
	uint64_t rx, tx, rx_bad; /* datagrams; rx_bad: failed ESP, or not UDP from to to from */
};

struct esp_net {
	struct esp *esp;
	int fd;
	uint64_t unknown_spi;
};

/* Opens the raw socket at a local address. 0, or -1 with a sentence in why. */
int esp_net_open(struct esp_net *n, const struct ipaddr *local, char *why, size_t size);
void esp_net_close(struct esp_net *n);

/*
 * Makes an ESP packet of a UDP payload. out holds ESP_NET_PAYLOAD_MAX + 256 bytes; *len is the
 * packet's length. Returns where in out it starts, or NULL (too long, sequence numbers at an end).
 */
const uint8_t *esp_wrap(struct esp *e, struct esp_path *p, const uint8_t *payload, size_t n,
                        uint8_t *out, size_t *len);
/* The reverse, in place: the UDP payload, or NULL, counted in p->rx_bad. */
const uint8_t *esp_unwrap(struct esp *e, struct esp_path *p, uint8_t *pkt, size_t len,
                          size_t *payload_len);

/* Sends a UDP payload; loss is loss. */
void esp_net_send(struct esp_net *n, struct esp_path *p, const uint8_t *payload, size_t len);

/*
 * Reads what has arrived. path_of finds the SA of an SPI (NULL: none), rx gets the payloads.
 */
void esp_net_receive(struct esp_net *n, struct esp_path *(*path_of)(void *ctx, uint32_t spi),
                     void (*rx)(void *ctx, struct esp_path *p, const uint8_t *payload, size_t len),
                     void *ctx);
