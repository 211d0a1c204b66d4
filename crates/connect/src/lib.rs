//! heliu: connect.
