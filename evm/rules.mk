evm_LIBS := -lgmp -lcrypto
