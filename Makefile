# Two commands do everything on a fresh machine that has Rust: `make demo` and `make test`.

.PHONY: demo test setup fmt clippy deny docs unit fuzz bench build help

help:
	@echo "make demo   build heliu and run the whole thing here: sandbox, plans, SQLite, the certificate"
	@echo "make test   install what the tests need, then run every check"
	@echo "make fuzz   drive each fuzz target for a minute"
	@echo "make bench  measure end to end against a bare loader; keeps the table in bench/results/"
	@echo "make build  the release binary, target/release/heliu"

build:
	cargo build --release --package heliu-app

demo:
	cargo build --package heliu-app
	target/debug/heliu demo target/demo

test: setup fmt clippy deny docs unit fuzz

setup:
	scripts/setup

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings

deny:
	cargo deny --log-level error check bans licenses sources

docs:
	cargo xtask docs --check
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

unit:
	# A test that hangs fails with its name on the last lines, instead of holding the machine for ever.
	timeout --verbose 2700 cargo test --workspace --locked --no-fail-fast

fuzz:
	# Each target for a minute, two at a time, with the same inputs each time: `cargo xtask fuzz` without a seed looks
	# for others. What is found is printed with the input, and fails.
	timeout --verbose 2700 cargo xtask fuzz --seconds 60 --jobs 2 --seed 20261128

bench:
	cargo build --release --package heliu-app --package heliu-bench --bin heliu --bin heliu-bench
	target/release/heliu-bench --records 100000,1000000 --rounds 3 --budget --out bench/results
