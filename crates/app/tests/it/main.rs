//! The program from outside: command lines, files, exit statuses, rows in databases.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alerts;
mod bad_input;
mod between;
mod contract;
mod deaths;
mod dialect;
mod fence;
mod grouped;
mod harness;
mod http;
mod http_target;
mod import;
mod json_server;
mod lints;
mod losses;
mod mail;
mod mishaps;
mod mysql;
mod outbound;
mod platforms;
mod published;
mod retention;
mod riddles;
mod rules;
mod serve;
mod sql;
mod sql_source;
mod sqlite;
mod stub;
mod tls;
mod tokens;
mod trouble;
mod values;
mod weather;
mod writeback;
