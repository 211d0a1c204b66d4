//! Development tasks that are also run as tests.

pub mod layers;
