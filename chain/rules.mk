chain_LIBS :=
