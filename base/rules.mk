base_LIBS := -lsecp256k1 -lcrypto
# These files alone are compiled for an instruction set; base/cpu.c decides at start whether to call
# them. -O2 and -O3 give the same permutation within 2 %, so the scalar files keep the global flags.
CFLAGS_base/keccak_avx2.c := -O3 -mavx2
CFLAGS_base/keccak_bmi2.c := -mbmi -mbmi2
