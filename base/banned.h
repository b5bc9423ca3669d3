/* SPDX-License-Identifier: Apache-2.0 */
/* Turns functions that this project does without into compile errors. The Makefile includes this
 * file ahead of every .c. The headers that declare them come first, so that they are not hit
 * themselves.
 *
 * strcpy, sprintf, gets: write without a limit (snprintf, buf_printf, memcpy). strtok: hidden
 * state. alloca: grows the stack by input. rand: not reproducible and not random (a seeded
 * generator, or getrandom). time: base/clock.h, so that a simulated run owns the clock. localtime:
 * depends on the machine's zone and is not thread-safe (gmtime_r). */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(name) banned_function_##name##_see_base_banned_h

/* With parentheses: a field or variable called `time` is no call. */
#undef strcpy
#define strcpy(...) BANNED(strcpy)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef strtok
#define strtok(...) BANNED(strtok)
#undef gets
#define gets(...) BANNED(gets)
#undef alloca
#define alloca(...) BANNED(alloca)
#undef rand
#define rand(...) BANNED(rand)
#undef time
#define time(...) BANNED(time)
#undef localtime
#define localtime(...) BANNED(localtime)

#endif
