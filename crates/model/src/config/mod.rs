//! Configuration files: connectors, plans, `heliu.toml`; parsing and its findings.
