rpc_LIBS := -levent -levent_pthreads -levent_openssl -lssl -lz -lhttp_parser -lwslay -ljansson
