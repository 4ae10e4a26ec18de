/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What esp_in does with an ESP packet and its SA, and esp_usual with one that is not usual: esp_in.c. */
#pragma once

#include "dataplane/priv.h"

/*
 * By its SPI alone (RFC 4301 4.1), which is this worker's; with an SA that is not there yet. NULL: dropped.
 */
const struct spi_slot *dp_esp_slot(struct worker *w, struct rte_mbuf *m, uint32_t spi);

/* Drops what the SA does not take: it is past a limit, or in the other form than IKE has found out. */
void dp_esp_refuse(struct worker *w, struct rte_mbuf *m, struct sa *sa);

/* A packet that has been through decryption, whatever came of it; in UDP it came from there. Why to drop it. */
enum dp_drop dp_esp_account(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                            uint64_t from);

/* Decrypted, whatever it is. Returns it when it is a data message for the next stage. */
struct rte_mbuf *dp_esp_inner(struct worker *w, struct rte_mbuf *m, struct sa *sa,
                              const struct esp_pkt *p);

/* Where a packet in UDP came from: ip << 16 | port. */
static inline uint64_t esp_meta_from(const struct pkt_meta *meta)
{
	return (uint64_t)meta->src << 16 | meta->sport;
}

/* True when both ports, as in a UDP header, are the child's. */
static inline bool esp_ports_match(const struct sa *sa, uint32_t ports)
{
	return ((ports ^ sa->in.ports) & sa->in.ports_mask) == 0;
}
