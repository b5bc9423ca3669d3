base_LIBS := -lsecp256k1 -lcrypto
# These files alone are compiled for an instruction set; base/cpu.c decides at start whether to call
# them. For the scalar permutation -O1, -O2 and -O3 measure alike
# (250-260 ns portable, 220 ns BMI2, gcc 12), so those files keep the global flags.
CFLAGS_base/keccak_avx2.c := -O3 -mavx2
CFLAGS_base/keccak_avx512.c := -O3 -mavx2 -mavx512f -mavx512vl
# gcc leaves the loops over limbs rolled at -O2, which costs a factor of four.
CFLAGS_base/secp_ifma.c := -O3 -mbmi -mbmi2 -mavx2 -mavx512f -mavx512dq -mavx512bw -mavx512vl \
                           -mavx512ifma -mavx512vbmi2
CFLAGS_base/keccak_bmi2.c := -mbmi -mbmi2
# GMP is the oracle of the u256 tests, jansson reads the RLP and Wycheproof vectors. Tests only.
base_TEST_LIBS := -lgmp -ljansson
