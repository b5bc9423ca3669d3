rpc_LIBS := -levent -levent_pthreads -lhttp_parser -lwslay -ljansson
