state_LIBS := -llmdb
# The hardware twin of the log's checksum; state/crc32c.c decides at run time whether to call it.
CFLAGS_state/crc32c_sse42.c := -msse4.2
