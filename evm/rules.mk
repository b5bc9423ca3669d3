evm_LIBS := -lgmp -lcrypto
# The threaded loop: gcc would merge its dispatches and spill its registers otherwise. General registers only,
# since a 32-byte word that limbs have just stored must not be loaded as a vector (store forwarding fails).
FAST_LOOP_gcc := -fno-gcse -fno-crossjumping -fno-tree-pre -fno-ivopts -fno-tree-vectorize
# The loop that counts for evm/profile.h is a tool: small rather than fast.
CFLAGS_evm/profile.c := -O1 -mgeneral-regs-only
CFLAGS_evm/interp_fast.c := -O3 -mgeneral-regs-only \
    $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null | head -n 1)),,$(FAST_LOOP_gcc))
