//! heliu: transform.
