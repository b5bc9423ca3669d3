state_LIBS := -llmdb
