//! heliu: testkit.
