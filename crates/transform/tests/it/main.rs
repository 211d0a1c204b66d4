//! Tests of the dialect against its published vectors, by their ids.

mod documents;
mod grouping;
mod oracle;
mod parsers;
mod properties;
mod records;
mod shaping;
mod vectors;
