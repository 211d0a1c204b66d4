//! heliu: engine.
