/* SPDX-License-Identifier: Apache-2.0 */
/* Memory in pieces of 2 MiB, aligned, asked for as huge pages: what lies anywhere in hundreds of
 * megabytes misses the TLB less, and new memory costs one fault where pages of 4 KiB cost 512. That
 * the kernel has no huge pages is no error. */
#ifndef STATE_HUGE_PAGE_H
#define STATE_HUGE_PAGE_H

enum { HUGE_PAGE_BYTES = 2 << 20 };

/* All zero. */
void *huge_page_map(void);
void huge_page_unmap(void *p);

#endif
