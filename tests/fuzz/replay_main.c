/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a fuzz target without libFuzzer: runs each file named, or each file of a folder named,
 * once. An input that breaks a property aborts the program, after its name has been printed. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { INPUT_BYTES_MAX = 1 << 20 };

static size_t passed, failed;

static void run_file(const char *path) {
    struct disk *d = disk_posix();
    struct disk_file *f;
    struct err_ctx ec = {0};
    uint64_t size;
    size_t len;
    if (d->open(d, &f, path, false, &ec) != ERR_OK || d->size(d, f, &size) != ERR_OK ||
        size > INPUT_BYTES_MAX) {
        printf("cannot read %s: %s\n", path, ec.text);
        failed++;
        return;
    }
    /* Exactly as long as the input, so that AddressSanitizer sees a read past its end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    CHECK(data != NULL);
    CHECK(d->pread(d, f, data, size, 0, &len) == ERR_OK && len == size);
    d->close(d, f);
    printf("%s\n", path);
    fflush(stdout);
    CHECK(LLVMFuzzerTestOneInput(data, size) == 0);
    free(data);
    passed++;
}

static void run_folder(const char *path) {
    struct disk *d = disk_posix();
    struct buf names;
    buf_init(&names, 1 << 24);
    CHECK(d->list(d, path, &names) == ERR_OK);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1) {
        char file[4096];
        int n = snprintf(file, sizeof(file), "%s/%s", path, (char *)names.ptr + at);
        CHECK(n > 0 && (size_t)n < sizeof(file));
        run_file(file);
    }
    buf_clear(&names);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            run_folder(argv[i]);
        else
            run_file(argv[i]);
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
