/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#pragma once

void register_timerq(void);
void register_idpool(void);
void register_addr(void);
void register_log(void);
void register_slab(void);
void register_table(void);
