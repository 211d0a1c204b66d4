//! heliu: testkit.

pub mod mariadb;
