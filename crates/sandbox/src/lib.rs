//! heliu: sandbox.
