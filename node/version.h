/* SPDX-License-Identifier: Apache-2.0 */
/* Who this binary is. Static strings, set at build time. */
#ifndef NODE_VERSION_H
#define NODE_VERSION_H

/* "0.1.0" */
const char *callipter_version(void);
/* First 12 digits of the commit it was built from, or "unknown". */
const char *callipter_commit(void);
/* What web3_clientVersion answers, in geth's layout:
 * "callipter/v0.1.0-<commit>/linux-x86_64/gcc12". */
const char *callipter_client_version(void);

#endif
