base_LIBS := -lsecp256k1 -lcrypto
# The AVX2 file is compiled for that instruction set alone; base/cpu.c decides at start whether to call it.
CFLAGS_base/keccak_avx2.c := -O3 -mavx2
