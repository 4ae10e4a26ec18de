/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * SPIs: control's side. What a worker does with them is in esp_usual.c and esp_in.c.
 *
 * A slot goes to the end of the queue when it is free, and is not used again before every worker has
 * seen that it was: an SPI comes back after 255 uses of its slot.
 */
#include "dataplane/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static bool random_bytes(uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

int dp_spi_init(struct dp *dp)
{
	struct spi_ctl *c = &dp->spi_ctl;

	dp->spi = dp_table_new("dp_spi", SPI_SLOTS * sizeof(*dp->spi), dp->conf.socket);
	c->queue = calloc(SPI_SLOTS, sizeof(*c->queue));
	c->slot = calloc(SPI_SLOTS, sizeof(*c->slot));
	c->gen = malloc(SPI_SLOTS);
	if (dp->spi == NULL || c->queue == NULL || c->slot == NULL || c->gen == NULL)
		return -ENOMEM;
	/* Where the last run's SPIs stood, no one knows: a peer that still uses them shall not hit. */
	if (!random_bytes(c->gen, SPI_SLOTS))
		return -EIO;
	for (uint32_t i = 0; i < SPI_SLOTS; i++) {
		c->queue[i] = i;
		c->slot[i].queued = true;
	}
	c->n = SPI_SLOTS;
	return 0;
}

void dp_spi_free(struct dp *dp)
{
	dp_table_free(dp->spi, SPI_SLOTS * sizeof(*dp->spi));
	free(dp->spi_ctl.queue);
	free(dp->spi_ctl.slot);
	free(dp->spi_ctl.gen);
}

static bool cool(const struct dp *dp, uint32_t slot)
{
	return !dp->spi_ctl.slot[slot].busy &&
	       rte_rcu_qsbr_check(dp->qsbr, dp->spi_ctl.slot[slot].token, false) == 1;
}

static void hand_out(struct dp *dp, uint32_t slot, uint32_t spi)
{
	dp->spi_ctl.slot[slot].busy = true;
	__atomic_store_n(&dp->spi[slot].spi, spi, __ATOMIC_RELEASE);
}

int dp_spi_get(struct dp *dp, uint16_t worker, uint32_t *spi)
{
	struct spi_ctl *c = &dp->spi_ctl;
	uint32_t slot;

	if (worker >= dp->conf.n_workers)
		return -ENOSPC;
	for (;;) {
		if (c->n == 0)
			return -ENOSPC;
		slot = c->queue[c->head];
		/* What dp_spi_take has taken out of the middle is left out when its turn comes. */
		if (!c->slot[slot].busy && !cool(dp, slot))
			return -ENOSPC; /* the one that has waited longest */
		c->head = (c->head + 1) % SPI_SLOTS;
		c->n--;
		c->slot[slot].queued = false;
		if (!c->slot[slot].busy)
			break;
	}
	if (++c->gen[slot] == 0)
		c->gen[slot] = 1;
	*spi = (uint32_t)c->gen[slot] << 24 | slot << SPI_WORKER_BITS | worker;
	hand_out(dp, slot, *spi);
	return 0;
}

int dp_spi_take(struct dp *dp, uint32_t spi)
{
	uint32_t slot = spi_slot(spi);

	if (spi < SPI_MIN || spi_worker(spi) >= dp->conf.n_workers)
		return -EINVAL;
	if (!cool(dp, slot))
		return -EBUSY;
	hand_out(dp, slot, spi);
	return 0;
}

/* From now on no packet finds the SPI; those that wait for it go with the worker's next timer. */
void dp_spi_close(struct dp *dp, uint32_t spi)
{
	__atomic_store_n(&dp->spi[spi_slot(spi)].spi, 0, __ATOMIC_RELEASE);
}

void dp_spi_release(struct dp *dp, uint32_t spi)
{
	struct spi_ctl *c = &dp->spi_ctl;
	uint32_t slot = spi_slot(spi);

	c->slot[slot].busy = false;
	c->slot[slot].token = rte_rcu_qsbr_start(dp->qsbr);
	if (c->slot[slot].queued)
		return;
	c->slot[slot].queued = true;
	c->queue[(c->head + c->n++) % SPI_SLOTS] = slot;
}

void dp_spi_put(struct dp *dp, uint32_t spi)
{
	uint32_t slot = spi_slot(spi);

	if (spi < SPI_MIN || dp->spi[slot].spi != spi || dp->spi_ctl.slot[slot].installed)
		return;
	dp_spi_close(dp, spi);
	dp_spi_release(dp, spi);
}

uint16_t dp_spi_worker(uint32_t spi)
{
	return spi_worker(spi);
}
