chain_LIBS := -lcrypto
