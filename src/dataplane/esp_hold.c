/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * ESP packets that come on an SPI which has been handed out, before its SA is there: an initiator may
 * send when it has the responder's last message, and the responder still installs. A few for each SPI,
 * not many in all, for a short time.
 */
#include "dataplane/priv.h"

static struct esp_hold *find(struct worker *w, uint32_t spi)
{
	struct esp_hold *set = &w->esp_holds[spi_slot(spi) % ESP_HOLD_SETS * ESP_HOLD_WAYS];

	for (uint32_t i = 0; i < ESP_HOLD_WAYS; i++) {
		if (set[i].spi == spi)
			return &set[i];
	}
	return NULL;
}

static struct esp_hold *make(struct worker *w, uint32_t spi)
{
	struct esp_hold *set = &w->esp_holds[spi_slot(spi) % ESP_HOLD_SETS * ESP_HOLD_WAYS];

	for (uint32_t i = 0; i < ESP_HOLD_WAYS; i++) {
		if (set[i].spi != 0)
			continue;
		set[i].spi = spi;
		set[i].n = 0;
		set[i].expires = w->now + w->dp->tsc_hz / 1000 * ESP_HOLD_MS;
		w->n_esp_holds++;
		return &set[i];
	}
	return NULL;
}

void dp_esp_hold(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	struct esp_hold *h = find(w, spi);

	if (h == NULL)
		h = make(w, spi);
	if (h == NULL || h->n == ESP_HOLD_MAX || w->n_esp_held == ESP_HELD_MAX) {
		dp_drop(w, m, DP_DROP_ESP_HELD_FULL);
		return;
	}
	h->pkt[h->n++] = m;
	w->n_esp_held++;
	w->st.held++;
}

static void release(struct worker *w, struct esp_hold *h)
{
	w->n_esp_holds--;
	w->n_esp_held -= h->n;
	w->st.held -= h->n;
	h->spi = 0;
	h->n = 0;
}

static void discard(struct worker *w, struct esp_hold *h, enum dp_drop reason)
{
	for (uint16_t i = 0; i < h->n; i++)
		dp_drop(w, h->pkt[i], reason);
	release(w, h);
}

void dp_esp_held_release(struct worker *w, uint32_t spi)
{
	struct esp_hold *h = w->n_esp_holds > 0 ? find(w, spi) : NULL;
	struct rte_mbuf *v[ESP_HOLD_MAX];
	uint16_t n;

	if (h == NULL)
		return;
	n = h->n;
	for (uint16_t i = 0; i < n; i++) {
		v[i] = h->pkt[i];
		pkt_meta(v[i])->sa = w->dp->spi[spi_slot(spi)].sa;
	}
	release(w, h);
	dp_input_esp(w, v, n);
	/* They have left when the order that let them go is said to be done. */
	dp_flush(w);
}

void dp_esp_hold_timer(struct worker *w)
{
	for (uint32_t i = 0; w->n_esp_holds > 0 && i < ESP_HOLD_SETS * ESP_HOLD_WAYS; i++) {
		struct esp_hold *h = &w->esp_holds[i];
		uint32_t now_spi =
		        __atomic_load_n(&w->dp->spi[spi_slot(h->spi)].spi, __ATOMIC_RELAXED);

		if (h->spi == 0)
			continue;
		if (now_spi != h->spi)
			discard(w, h, DP_DROP_ESP_UNKNOWN_SPI);
		else if (w->now >= h->expires)
			discard(w, h, DP_DROP_ESP_HELD_TIMEOUT);
	}
}
