base_LIBS := -lsecp256k1 -lcrypto
# These files alone are compiled for an instruction set; base/cpu.c decides at start whether to call
# them. For the scalar permutation -O1, -O2 and -O3 measure alike
# (250-260 ns portable, 220 ns BMI2, gcc 12), so those files keep the global flags.
CFLAGS_base/keccak_avx2.c := -O3 -mavx2
CFLAGS_base/keccak_avx512.c := -O3 -mavx2 -mavx512f -mavx512vl
CFLAGS_base/keccak_bmi2.c := -mbmi -mbmi2
# GMP is the oracle of the u256 tests, jansson reads the RLP and Wycheproof vectors. Tests only.
base_TEST_LIBS := -lgmp -ljansson
