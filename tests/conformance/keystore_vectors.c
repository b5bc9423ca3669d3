/* SPDX-License-Identifier: Apache-2.0 */
/* Keystore vectors ($CORPORA/keystore): each file must open with its password to its key, and with
 * no other.
 *
 *   keystore_vectors [FOLDER]     default: $CORPORA/keystore */
#include "base/hex.h"
#include "node/keystore.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_BYTES = 4096 };

static unsigned passed, failed;

static const char *judge(const json_t *vector) {
    const char *password = json_string_value(json_object_get(vector, "password"));
    const char *priv = json_string_value(json_object_get(vector, "priv"));
    char *text = json_dumps(json_object_get(vector, "json"), JSON_COMPACT);
    uint8_t key[KEYSTORE_SECRET_MAX_BYTES], want[KEYSTORE_SECRET_MAX_BYTES];
    size_t len, want_len;
    struct err_ctx ec;
    const char *bad = NULL;
    if (password == NULL || priv == NULL || text == NULL ||
        hex_decode(want, sizeof want, &want_len, priv, strlen(priv)) != ERR_OK) {
        bad = "the vector is malformed";
    } else if (keystore_decrypt(key, &len, bytes_of(text, strlen(text)), password, &ec) != ERR_OK) {
        printf("%s\n", ec.text);
        bad = "does not open";
    } else if (len != want_len || memcmp(key, want, len) != 0) {
        bad = "opens to another key";
    } else if (keystore_decrypt(key, &len, bytes_of(text, strlen(text)), "not the password", &ec) !=
               ERR_INVALID) {
        bad = "opens with a wrong password";
    }
    free(text);
    return bad;
}

static void judge_file(const char *path) {
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error), *vector;
    const char *name;
    if (file == NULL) {
        printf("FAIL %s: unreadable: %s\n", path, error.text);
        failed++;
        return;
    }
    json_object_foreach(file, name, vector) {
        const char *bad = judge(vector);
        if (bad == NULL) {
            passed++;
            continue;
        }
        failed++;
        printf("FAIL %s %s: %s\n", path, name, bad);
    }
    json_decref(file);
}

int main(int argc, char **argv) {
    const char *corpora = getenv("CORPORA");
    char folder[PATH_MAX_BYTES], path[PATH_MAX_BYTES + 256];
    if (argc < 2 && (corpora == NULL || corpora[0] == '\0')) {
        printf("keystore vectors: CORPORA is not set\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    if (argc > 1)
        (void)snprintf(folder, sizeof folder, "%s", argv[1]);
    else
        (void)snprintf(folder, sizeof folder, "%s/keystore", corpora);
    DIR *d = opendir(folder);
    if (d == NULL) {
        printf("FAIL %s: unreadable\n", folder);
        failed++;
    } else {
        for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
            if (strstr(e->d_name, ".json") == NULL)
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            judge_file(path);
        }
        (void)closedir(d);
    }
    printf("keystore vectors: %u passed, %u failed\n", passed, failed);
    return failed == 0 && passed != 0 ? 0 : 1;
}
