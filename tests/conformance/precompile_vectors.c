/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the published vectors of all precompiled contracts, and our own of
 * tests/vectors/precompiles/. precompile_vectors [FOLDER]   (FOLDER: the repository's root, "." by
 * default) The published ones are read from $CORPORA; without it only our own run. One line per
 * file, one per failing case, and at the end `N passed, N failed`; exit 1 if any failed or a file
 * cannot be read. */
#include "base/hex.h"
#include "base/sha.h"
#include "evm/precompile.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 64 << 20 };

enum expectation {
    OUTPUT_AND_GAS,
    OUTPUT_ONLY, /* the file's prices are of another fork */
    FAILURE,
};

struct source {
    const char *file; /* below CORPORA/precompiles */
    enum precompile_id id;
    enum evm_revision rev;
    enum expectation expect;
};

static const struct source SOURCES[] = {
    {"geth/ecRecover.json", PRECOMPILE_ECRECOVER, EVM_CANCUN, OUTPUT_AND_GAS},
    {"geth/modexp.json", PRECOMPILE_MODEXP, EVM_PRAGUE, OUTPUT_ONLY}, /* EIP-198's prices */
    {"geth/modexp_eip2565.json", PRECOMPILE_MODEXP, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/modexp_eip7883.json", PRECOMPILE_MODEXP, EVM_OSAKA, OUTPUT_AND_GAS},
    {"geth/bn256Add.json", PRECOMPILE_BN254_ADD, EVM_OSAKA, OUTPUT_AND_GAS},
    {"geth/bn256ScalarMul.json", PRECOMPILE_BN254_MUL, EVM_OSAKA, OUTPUT_AND_GAS},
    {"geth/bn256Pairing.json", PRECOMPILE_BN254_PAIRING, EVM_OSAKA, OUTPUT_AND_GAS},
    {"geth/blake2F.json", PRECOMPILE_BLAKE2F, EVM_OSAKA, OUTPUT_AND_GAS},
    {"geth/fail-blake2f.json", PRECOMPILE_BLAKE2F, EVM_OSAKA, FAILURE},
    {"geth/pointEvaluation.json", PRECOMPILE_KZG, EVM_CANCUN, OUTPUT_AND_GAS},
    {"geth/p256Verify.json", PRECOMPILE_P256VERIFY, EVM_OSAKA, OUTPUT_AND_GAS},
    {"geth/blsG1Add.json", PRECOMPILE_BLS12_G1ADD, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsG1Mul.json", PRECOMPILE_BLS12_G1MSM, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsG1MultiExp.json", PRECOMPILE_BLS12_G1MSM, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsG2Add.json", PRECOMPILE_BLS12_G2ADD, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsG2Mul.json", PRECOMPILE_BLS12_G2MSM, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsG2MultiExp.json", PRECOMPILE_BLS12_G2MSM, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsPairing.json", PRECOMPILE_BLS12_PAIRING, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsMapG1.json", PRECOMPILE_BLS12_MAP_FP_TO_G1, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/blsMapG2.json", PRECOMPILE_BLS12_MAP_FP2_TO_G2, EVM_PRAGUE, OUTPUT_AND_GAS},
    {"geth/fail-blsG1Add.json", PRECOMPILE_BLS12_G1ADD, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsG1Mul.json", PRECOMPILE_BLS12_G1MSM, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsG1MultiExp.json", PRECOMPILE_BLS12_G1MSM, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsG2Add.json", PRECOMPILE_BLS12_G2ADD, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsG2Mul.json", PRECOMPILE_BLS12_G2MSM, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsG2MultiExp.json", PRECOMPILE_BLS12_G2MSM, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsPairing.json", PRECOMPILE_BLS12_PAIRING, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsMapG1.json", PRECOMPILE_BLS12_MAP_FP_TO_G1, EVM_PRAGUE, FAILURE},
    {"geth/fail-blsMapG2.json", PRECOMPILE_BLS12_MAP_FP2_TO_G2, EVM_PRAGUE, FAILURE},
    {"eip2537/add_G1_bls.json", PRECOMPILE_BLS12_G1ADD, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/add_G2_bls.json", PRECOMPILE_BLS12_G2ADD, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/mul_G1_bls.json", PRECOMPILE_BLS12_G1MSM, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/mul_G2_bls.json", PRECOMPILE_BLS12_G2MSM, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/msm_G1_bls.json", PRECOMPILE_BLS12_G1MSM, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/pairing_check_bls.json", PRECOMPILE_BLS12_PAIRING, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/map_fp_to_G1_bls.json", PRECOMPILE_BLS12_MAP_FP_TO_G1, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/map_fp2_to_G2_bls.json", PRECOMPILE_BLS12_MAP_FP2_TO_G2, EVM_OSAKA, OUTPUT_AND_GAS},
    {"eip2537/fail-add_G1_bls.json", PRECOMPILE_BLS12_G1ADD, EVM_OSAKA, FAILURE},
    {"eip2537/fail-add_G2_bls.json", PRECOMPILE_BLS12_G2ADD, EVM_OSAKA, FAILURE},
    {"eip2537/fail-mul_G1_bls.json", PRECOMPILE_BLS12_G1MSM, EVM_OSAKA, FAILURE},
    {"eip2537/fail-mul_G2_bls.json", PRECOMPILE_BLS12_G2MSM, EVM_OSAKA, FAILURE},
    {"eip2537/fail-msm_G1_bls.json", PRECOMPILE_BLS12_G1MSM, EVM_OSAKA, FAILURE},
    {"eip2537/fail-msm_G2_bls.json", PRECOMPILE_BLS12_G2MSM, EVM_OSAKA, FAILURE},
    {"eip2537/fail-pairing_check_bls.json", PRECOMPILE_BLS12_PAIRING, EVM_OSAKA, FAILURE},
    {"eip2537/fail-map_fp_to_G1_bls.json", PRECOMPILE_BLS12_MAP_FP_TO_G1, EVM_OSAKA, FAILURE},
    {"eip2537/fail-map_fp2_to_G2_bls.json", PRECOMPILE_BLS12_MAP_FP2_TO_G2, EVM_OSAKA, FAILURE},
    {"eip7951/test-vectors.json", PRECOMPILE_P256VERIFY, EVM_OSAKA, OUTPUT_ONLY}, /* draft price */
};

struct totals {
    size_t passed, failed;
};

static struct arena arena;
static struct totals file_totals, all_totals;

static void begin_file(void) {
    file_totals = (struct totals){0};
}

static void end_file(const char *name) {
    printf("%-56s %5zu passed %5zu failed\n", name, file_totals.passed, file_totals.failed);
    all_totals.passed += file_totals.passed;
    all_totals.failed += file_totals.failed;
}

static void judge(bool ok, const char *file, const char *name, const char *why) {
    if (ok) {
        file_totals.passed++;
        return;
    }
    file_totals.failed++;
    printf("FAIL %s: %s: %s\n", file, name, why);
}

static const char *text(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL ? s : "";
}

/* The bytes of a hex string; they live in the arena. False when it is malformed. */
static bool unhex(bytes *out, const char *s) {
    size_t cap = strlen(s) / 2 + 1, len = 0;
    uint8_t *p = arena_alloc(&arena, cap);
    if (hex_decode(p, cap, &len, s, strlen(s)) != ERR_OK)
        return false;
    *out = bytes_of(p, len);
    return true;
}

/* What one case must give. */
struct want {
    bool failure;
    bool check_gas;
    uint64_t gas;
    bytes output;
};

/* NULL, or what is wrong. */
static const char *run_case(enum evm_revision rev, enum precompile_id id, bytes input,
                            const struct want *w) {
    addr20 addr = precompile_addr(id);
    if (precompile_find(rev, &addr) != (int)id)
        return "not found at its address";
    uint64_t gas = precompile_gas(rev, id, input);
    if (w->check_gas && gas != w->gas)
        return "gas differs";
    bytes got = {0};
    enum evm_status st = precompile_run(rev, id, &arena, input, &got);
    if (w->failure)
        return st == EVM_PRECOMPILE_FAILURE ? NULL : "was not refused";
    if (st != EVM_SUCCESS)
        return "was refused";
    if (got.len != w->output.len || (got.len > 0 && memcmp(got.ptr, w->output.ptr, got.len) != 0))
        return "output differs";
    return NULL;
}

static json_t *load(const char *dir, const char *file) {
    char path[4096];
    json_error_t err;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    json_t *doc = json_load_file(path, 0, &err);
    if (doc == NULL) {
        printf("FAIL %s: line %d: %s\n", path, err.line, err.text);
        all_totals.failed++;
    }
    return doc;
}

static void run_geth_case(const struct source *s, const json_t *v) {
    bytes input;
    struct want w = {.failure = s->expect == FAILURE, .check_gas = s->expect == OUTPUT_AND_GAS};
    w.gas = (uint64_t)json_integer_value(json_object_get(v, "Gas"));
    const char *why = "malformed hex";
    if (unhex(&input, text(v, "Input")) && unhex(&w.output, text(v, "Expected")))
        why = run_case(s->rev, s->id, input, &w);
    judge(why == NULL, s->file, text(v, "Name"), why);
    arena_reset(&arena);
}

static void run_geth_file(const char *dir, const struct source *s) {
    json_t *doc = load(dir, s->file), *v;
    if (doc == NULL)
        return;
    size_t i;
    begin_file();
    json_array_foreach(doc, i, v) {
        run_geth_case(s, v);
    }
    end_file(s->file);
    json_decref(doc);
}

/* 64 bytes of FIELD_ELEMENTS_PER_BLOB and the modulus, EIP-4844. */
static const char KZG_OUTPUT[] = "0000000000000000000000000000000000000000000000000000000000001000"
                                 "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

static void run_kzg_case(const char *file, const json_t *v) {
    const json_t *in = json_object_get(v, "input"), *out = json_object_get(v, "output");
    bytes parts[4], ok_output;
    const char *const keys[4] = {"z", "y", "commitment", "proof"};
    uint8_t input[1024];
    size_t len = 32;
    const char *why = "malformed hex";
    bool good = unhex(&ok_output, KZG_OUTPUT);
    for (int i = 0; i < 4 && good; i++) {
        good = unhex(&parts[i], text(in, keys[i])) && parts[i].len < 200;
        if (good) {
            memcpy(input + len, parts[i].ptr, parts[i].len);
            len += parts[i].len;
        }
    }
    if (good) {
        sha256(input, parts[2].ptr, parts[2].len);
        input[0] = 1;
        struct want w = {
            .failure = !json_is_true(out), .check_gas = true, .gas = 50000, .output = ok_output};
        why = run_case(EVM_CANCUN, PRECOMPILE_KZG, bytes_of(input, len), &w);
    }
    judge(why == NULL, file, text(v, "name"), why);
    arena_reset(&arena);
}

static void run_kzg_file(const char *dir) {
    const char *file = "kzg/verify_kzg_proof.json";
    json_t *doc = load(dir, file), *v;
    if (doc == NULL)
        return;
    size_t i;
    begin_file();
    json_array_foreach(doc, i, v) {
        run_kzg_case(file, v);
    }
    end_file(file);
    json_decref(doc);
}

/* An unsigned DER integer of at most 32 bytes; false if there is none. */
static bool der_integer(uint8_t out[32], bytes *in) {
    if (in->len < 3 || in->ptr[0] != 2 || in->ptr[1] > 33 || in->ptr[1] == 0 ||
        in->len < 2 + (size_t)in->ptr[1])
        return false;
    const uint8_t *p = in->ptr + 2;
    size_t n = in->ptr[1];
    *in = bytes_of(p + n, in->len - 2 - n);
    if (p[0] >= 0x80 || (n > 1 && p[0] == 0 && p[1] < 0x80))
        return false;
    if (p[0] == 0)
        p++, n--;
    if (n > 32)
        return false;
    memset(out, 0, 32);
    memcpy(out + 32 - n, p, n);
    return true;
}

static bool parse_signature(uint8_t rs[64], bytes sig, bool der) {
    if (!der) {
        if (sig.len == 64)
            memcpy(rs, sig.ptr, 64);
        return sig.len == 64;
    }
    if (sig.len < 2 || sig.ptr[0] != 0x30 || sig.ptr[1] != sig.len - 2 || sig.len > 127)
        return false;
    bytes body = bytes_of(sig.ptr + 2, sig.len - 2);
    return der_integer(rs, &body) && der_integer(rs + 32, &body) && body.len == 0;
}

/* One Wycheproof case. A signature that does not parse into r and s must be an invalid one; it is
 * handed over as it stands, and the contract has to refuse it all the same. */
static void run_wycheproof_case(const char *file, const json_t *t, const uint8_t key[64],
                                bool der) {
    static const uint8_t one[32] = {[31] = 1};
    bytes msg, sig;
    size_t len = 32;
    char name[32];
    snprintf(name, sizeof name, "tcId %lld", json_integer_value(json_object_get(t, "tcId")));
    bool valid = strcmp(text(t, "result"), "valid") == 0;
    if (!unhex(&msg, text(t, "msg")) || !unhex(&sig, text(t, "sig"))) {
        judge(false, file, name, "malformed hex");
        return;
    }
    uint8_t *input = arena_alloc(&arena, 32 + 64 + sig.len + 64);
    sha256(input, msg.ptr, msg.len);
    if (parse_signature(input + len, sig, der)) {
        len += 64;
    } else if (valid) {
        judge(false, file, name, "a valid signature that cannot be parsed");
        return;
    } else if (sig.len > 0) {
        memcpy(input + len, sig.ptr, sig.len);
        len += sig.len;
    }
    memcpy(input + len, key, 64);
    len += 64;
    struct want w = {.check_gas = true, .gas = 6900};
    w.output = bytes_of(one, valid ? sizeof one : 0);
    const char *why = run_case(EVM_OSAKA, PRECOMPILE_P256VERIFY, bytes_of(input, len), &w);
    judge(why == NULL, file, name, why);
}

static void run_wycheproof_file(const char *corpora, const char *file, bool der) {
    json_t *doc = load(corpora, file), *group, *t;
    if (doc == NULL)
        return;
    size_t i, j;
    begin_file();
    json_array_foreach(json_object_get(doc, "testGroups"), i, group) {
        bytes key;
        const char *hex = text(json_object_get(group, "publicKey"), "uncompressed");
        if (!unhex(&key, hex) || key.len != 65) {
            judge(false, file, "publicKey", "malformed");
            continue;
        }
        uint8_t xy[64];
        memcpy(xy, key.ptr + 1, 64);
        json_array_foreach(json_object_get(group, "tests"), j, t) {
            run_wycheproof_case(file, t, xy, der);
            arena_reset(&arena);
        }
    }
    end_file(file);
    json_decref(doc);
}

/* Our own cases name the contract and the revision. */
static void run_own_case(const char *file, const json_t *v) {
    static const char *const REVISIONS[] = {"Shanghai", "Cancun", "Prague", "Osaka"};
    int id = -1, rev = -1;
    for (int i = 0; i < PRECOMPILE_COUNT; i++)
        if (strcmp(text(v, "Precompile"), precompile_name((enum precompile_id)i)) == 0)
            id = i;
    for (int i = 0; i < (int)ARRAY_LEN(REVISIONS); i++)
        if (strcmp(text(v, "Fork"), REVISIONS[i]) == 0)
            rev = i;
    const json_t *expected = json_object_get(v, "Expected");
    const json_t *gas = json_object_get(v, "Gas");
    struct want w = {.failure = json_is_null(expected)};
    w.check_gas = json_is_integer(gas); /* null: more than 62 bits */
    w.gas = (uint64_t)json_integer_value(gas);
    const char *why = "malformed case";
    bytes input;
    if (id >= 0 && rev >= 0 && unhex(&input, text(v, "Input")) &&
        (w.failure || unhex(&w.output, text(v, "Expected"))))
        why = run_case((enum evm_revision)rev, (enum precompile_id)id, input, &w);
    judge(why == NULL, file, text(v, "Name"), why);
    arena_reset(&arena);
}

static void run_own_file(const char *root) {
    const char *file = "tests/vectors/precompiles/own.json";
    json_t *doc = load(root, file), *v;
    if (doc == NULL)
        return;
    size_t i;
    begin_file();
    json_array_foreach(doc, i, v) {
        run_own_case(file, v);
    }
    end_file(file);
    json_decref(doc);
}

int main(int argc, char **argv) {
    arena_init(&arena, 1 << 20, ARENA_MAX);
    run_own_file(argc > 1 ? argv[1] : ".");
    const char *corpora = getenv("CORPORA");
    if (corpora == NULL || corpora[0] == 0) {
        printf("CORPORA is not set: the published vectors were not run\n");
    } else {
        char dir[4096];
        snprintf(dir, sizeof dir, "%s/precompiles", corpora);
        for (size_t i = 0; i < ARRAY_LEN(SOURCES); i++)
            run_geth_file(dir, &SOURCES[i]);
        run_kzg_file(dir);
        run_wycheproof_file(corpora, "crypto/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json",
                            false);
        run_wycheproof_file(corpora, "crypto/wycheproof/ecdsa_secp256r1_sha256_test.json", true);
    }
    arena_clear(&arena);
    printf("%zu passed, %zu failed\n", all_totals.passed, all_totals.failed);
    return all_totals.failed == 0 ? 0 : 1;
}
