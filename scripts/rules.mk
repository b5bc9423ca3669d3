# Checks of the whole tree, and the formatter.
lint: ## floors, sizes, format, names: what no compiler checks (scripts/lint --help)
	@scripts/lint

format: ## clang-format over all C files
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: lint format
