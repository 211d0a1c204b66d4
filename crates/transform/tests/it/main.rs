//! Tests of the dialect against its published vectors, by their ids.

mod properties;
mod shaping;
mod vectors;
