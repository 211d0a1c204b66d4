//! Tests of the dialect against its published vectors, by their ids.

mod bounds;
mod documents;
mod grouping;
mod ids;
mod mongo;
mod oracle;
mod parsers;
mod printing;
mod properties;
mod published;
mod records;
mod rules;
mod shaping;
mod steps;
mod vectors;
